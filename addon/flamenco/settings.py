# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings of job types as Blender properties.

Each job type has a group of its own on the scene, so that several scenes, and files that come from another farm, keep
what was set. `scene.flamenco_job_settings` is the group of the job type that the scene has chosen.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy

from . import evaluation, manager, paths
from .evaluation import EvaluationError
from .job_types import JobType, Setting

_GROUP_PREFIX = "flamenco_settings_"
_CHOICE_SUFFIX = "__name"
BLENDFILE = "blendfile"

#: By job type: the fingerprint and the class.
_classes: dict[str, tuple[str, Any]] = {}
#: Blender does not keep the texts of choices that come from a function alive.
_choice_items: dict[tuple[str, str, str], list[tuple[str, str, str, int]]] = {}


class SettingsIncomplete(Exception):
    """The settings cannot be submitted like this. The message is for the user."""


def group_name(job_type: JobType) -> str:
    """The name of the scene's property with the settings of a job type."""
    return _GROUP_PREFIX + job_type.identifier


def update_classes(types: list[JobType]) -> None:
    """Makes the properties of all job types. What has not changed stays."""
    wanted = {job_type.name: job_type for job_type in types}
    for name in [name for name in _classes if name not in wanted]:
        _remove(name)
    for job_type in types:
        known = _classes.get(job_type.name)
        if known and known[0] == job_type.fingerprint:
            continue
        if known:
            _remove(job_type.name)
        try:
            made = _make_class(job_type)
            bpy.utils.register_class(made)
        except Exception as error:
            # One job type that Blender does not take must not be the end of the others.
            print(f"Flamenco: job type {job_type.name} cannot be used: {error}")
            manager.state.job_types.pop(job_type.name, None)
            manager.state.broken[job_type.name] = str(error) or type(error).__name__
            continue
        setattr(bpy.types.Scene, group_name(job_type), bpy.props.PointerProperty(type=made))
        _classes[job_type.name] = (job_type.fingerprint, made)


def _remove(name: str) -> None:
    _, made = _classes.pop(name)
    delattr(bpy.types.Scene, made.flamenco_group_name)
    bpy.utils.unregister_class(made)


def _make_class(job_type: JobType) -> Any:
    annotations: dict[str, Any] = {}
    for setting in job_type.settings:
        annotations.update(_properties(job_type, setting))
    return type(
        f"FLAMENCO_PG_{job_type.identifier}"[:60],
        (bpy.types.PropertyGroup,),
        {
            "__annotations__": annotations,
            "__doc__": f"Settings of {job_type.label}",
            "flamenco_group_name": group_name(job_type),
        },
    )


def _properties(job_type: JobType, setting: Setting) -> dict[str, Any]:
    """The properties of one setting."""
    common: dict[str, Any] = {"name": setting.label, "description": setting.description, "options": set()}
    made: dict[str, Any] = {}
    if setting.choices and setting.is_editable:
        hidden = {"options": {"HIDDEN"}, "default": setting.default}
        made[setting.attribute + _CHOICE_SUFFIX] = bpy.props.StringProperty(**hidden)
        made[setting.attribute] = _choice_property(job_type, setting, common)
    else:
        kind = _kind(setting)
        arguments = {**common, **setting.propargs}
        if setting.subtype:
            arguments["subtype"] = setting.subtype
        if setting.is_editable:
            arguments["default"] = setting.default
        else:
            arguments["get"] = _getter(job_type, setting)
        try:
            made[setting.attribute] = kind(**arguments)
        except (TypeError, ValueError) as error:
            print(f"Flamenco: job type {job_type.name}: {setting.key}: {error}")
            plain = {key: arguments[key] for key in (*common, "default", "get") if key in arguments}
            made[setting.attribute] = kind(**plain)
    if setting.can_link:
        made[setting.link_attribute] = bpy.props.BoolProperty(
            name="Use Automatic Value",
            description=setting.eval_description or "Work out the value when the job is submitted",
            default=True,
            options=set(),
        )
    return made


def _kind(setting: Setting) -> Any:
    return {
        "string": bpy.props.StringProperty,
        "int32": bpy.props.IntProperty,
        "float": bpy.props.FloatProperty,
        "bool": bpy.props.BoolProperty,
    }[setting.type]


def _choice_property(job_type: JobType, setting: Setting, common: dict[str, Any]) -> Any:
    """A choice that is stored by its name, so that it survives other choices."""
    stored = setting.attribute + _CHOICE_SUFFIX

    def items(group: Any, _context: Any) -> list[tuple[str, str, str, int]]:
        chosen = getattr(group, stored) if group is not None else setting.default
        key = (job_type.name, setting.key, chosen if chosen not in setting.choices else "")
        if key not in _choice_items:
            found = [(choice, choice, "", index) for index, choice in enumerate(setting.choices)]
            if chosen and chosen not in setting.choices:
                found.append((chosen, f"{chosen} (no longer a choice)", "", len(found)))
            _choice_items[key] = found
        return _choice_items[key]

    def get(group: Any) -> int:
        chosen = getattr(group, stored)
        return next((number for name, _, _, number in items(group, None) if name == chosen), 0)

    def put(group: Any, number: int) -> None:
        setattr(group, stored, items(group, None)[number][0])

    return bpy.props.EnumProperty(items=items, get=get, set=put, **common)


def _getter(job_type: JobType, setting: Setting) -> Any:
    """Shows a value that cannot be edited. The panel says why when there is none."""

    def get(group: Any) -> Any:
        try:
            return Values(job_type, group, group.id_data).value(setting)
        except EvaluationError:
            return setting.default

    return get


def job_type_of(scene: Any) -> JobType | None:
    """The job type that a scene has chosen, if the manager has it."""
    return manager.state.job_types.get(scene.flamenco_job_type_name)


def why_broken(scene: Any) -> str:
    """What is wrong with the job type that a scene has chosen, for the artist; empty if nothing is."""
    name = scene.flamenco_job_type_name
    reason = manager.state.broken.get(name, "")
    return f"The job type {name!r} is broken ({reason}); tell who wrote it, or choose another" if reason else ""


def group_of(scene: Any) -> Any:
    """The settings of the job type that a scene has chosen; None if there is none."""
    job_type = job_type_of(scene)
    return getattr(scene, group_name(job_type)) if job_type else None


def is_set(group: Any, setting: Setting) -> bool:
    """Whether the value was ever set, by the artist, a script, or automatically."""
    stored = setting.attribute + (_CHOICE_SUFFIX if setting.choices else "")
    return bool(group.is_property_set(stored))


def is_linked(group: Any, setting: Setting) -> bool:
    """Whether the value is worked out when the job is submitted."""
    return setting.can_link and bool(getattr(group, setting.link_attribute))


def absolute_path(path: str | Path) -> Path:
    """An absolute path; `//` is the folder of the blend file. Raises `PathError`."""
    text = str(path)
    if text.startswith("//"):
        text = bpy.path.abspath(text)
    return paths.normalise(text)


def last_dir_parts(count: int, path: str | Path | None = None) -> Path:
    """The last folders of a file's path, by default of the blend file."""
    if path is None:
        return paths.last_parts(count, bpy.data.filepath)
    text = str(path)
    return paths.last_parts(count, bpy.path.abspath(text) if text.startswith("//") else text)


def effective_job_name(scene: Any, given: str = "") -> str:
    """The name of the job: as given, or as in the scene, or that of the file."""
    return given.strip() or scene.flamenco_job_name.strip() or Path(bpy.data.filepath).stem


class Values:
    """The values of a group as a job gets them. Expressions see it as `settings`."""

    def __init__(self, job_type: JobType, group: Any, scene: Any, job_name: str = "") -> None:
        self._job_type = job_type
        self._group = group
        self._scene = scene
        self._job_name = job_name
        self._running: set[str] = set()

    def __getattr__(self, key: str) -> Any:
        setting = self._job_type.setting(key)
        if setting is None:
            raise AttributeError(f"there is no setting {key!r}")
        return self.value(setting)

    def value(self, setting: Setting) -> Any:
        """The value of a setting. Raises `EvaluationError`."""
        is_automatic = not setting.is_visible or not setting.is_editable or is_linked(self._group, setting)
        if setting.eval and is_automatic:
            return self.evaluate(setting)
        if not setting.is_editable:
            return setting.default
        return getattr(self._group, setting.attribute)

    def evaluate(self, setting: Setting, expression: str = "") -> Any:
        """The automatic value of a setting. Raises `EvaluationError`."""
        source = expression or setting.eval
        if not manager.is_trusted():
            raise EvaluationError(setting.key, source, "the manager is not trusted yet; confirm it in the panel")
        if setting.key in self._running:
            raise EvaluationError(setting.key, source, "it depends on itself")
        self._running.add(setting.key)
        try:
            found = evaluation.evaluate(setting.key, source, self._names())
        finally:
            self._running.discard(setting.key)
        try:
            return setting.convert(found)
        except ValueError as error:
            raise EvaluationError(setting.key, source, str(error)) from error

    def _names(self) -> dict[str, Any]:
        return {
            "bpy": bpy,
            "C": bpy.context,
            "jobname": paths.safe_folder_name(effective_job_name(self._scene, self._job_name)),
            "Path": Path,
            "abspath": absolute_path,
            "last_n_dir_parts": last_dir_parts,
            "settings": self,
        }


def job_settings(scene: Any, job_name: str = "") -> dict[str, Any]:
    """All settings for the job. Raises `EvaluationError` and `SettingsIncomplete`."""
    job_type = job_type_of(scene)
    if job_type is None:
        raise SettingsIncomplete("Choose a job type")
    values = Values(job_type, group_of(scene), scene, job_name)
    missing = [
        setting.label
        for setting in job_type.settings
        if setting.is_required and setting.is_editable and setting.type == "string" and setting.key != BLENDFILE
        if not str(values.value(setting)).strip()
    ]
    if missing:
        raise SettingsIncomplete(f"Fill in: {', '.join(missing)}")
    return {setting.key: values.value(setting) for setting in job_type.settings}


def fill_in(scene: Any) -> None:
    """Gives the settings that nobody has set their automatic values. What cannot be worked out yet stays as it is."""
    job_type, group = job_type_of(scene), group_of(scene)
    # Expressions look at the context, so only its scene can be worked out.
    if job_type is None or bpy.context.scene != scene:
        return
    values = Values(job_type, group, scene)
    for setting in job_type.settings:
        if not (setting.eval and setting.is_visible and setting.is_editable) or is_set(group, setting):
            continue
        try:
            setattr(group, setting.attribute, values.evaluate(setting))
        except (EvaluationError, TypeError) as error:
            print(f"Flamenco: {error}")


def carry_over(scene: Any, old: JobType, new: JobType) -> None:
    """Settings that two job types share keep their values when another type is chosen."""
    before, after = getattr(scene, group_name(old)), getattr(scene, group_name(new))
    for setting in new.settings:
        known = old.setting(setting.key)
        if known is None or known.type != setting.type or not (known.is_editable and setting.is_editable):
            continue
        if not is_set(after, setting) and is_set(before, known):
            value = getattr(before, known.attribute)
            if not setting.choices or value in setting.choices:
                setattr(after, setting.attribute, value)
        if setting.can_link and known.can_link and not after.is_property_set(setting.link_attribute):
            setattr(after, setting.link_attribute, getattr(before, known.link_attribute))


def register() -> None:
    """Makes `scene.flamenco_job_settings` work."""
    bpy.types.Scene.flamenco_job_settings = property(group_of, doc="The settings of the chosen job type")
    manager.state.on_job_types = update_classes


def unregister() -> None:
    """Removes everything that `register` and `update_classes` made."""
    manager.state.on_job_types = lambda _types: None
    update_classes([])
    _choice_items.clear()
    del bpy.types.Scene.flamenco_job_settings
