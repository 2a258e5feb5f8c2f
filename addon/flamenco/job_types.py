# SPDX-License-Identifier: GPL-3.0-or-later
"""Job types as the manager describes them, made ready for Blender's properties.

Whatever a job type says, the result can be shown: what makes no sense is left out, and named in the warnings.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import keyword
import math
import re
from typing import Any

from .flamenco_client.models import AvailableJobSetting, AvailableJobType

__all__ = ["LINK_PREFIX", "JobType", "Setting", "changes", "read"]

#: A setting that can be linked has a second property with this prefix.
LINK_PREFIX = "autoeval_"
#: A setting whose key cannot be the name of a property is stored with this prefix.
KEY_PREFIX = "setting_"
#: Names that Blender's property groups use themselves.
RESERVED = frozenset(
    (
        *("name", "rna_type", "id_data", "animation_data", "register", "unregister"),
        *("items", "keys", "values", "get", "pop", "path_resolve", "path_from_id", "path_from_module"),
        *("property_unset", "property_overridable_library_set", "property_overridable_static_set"),
        *("is_property_set", "is_property_hidden", "is_property_readonly", "is_property_overridable_library"),
        *("keyframe_insert", "keyframe_delete", "driver_add", "driver_remove", "type_recast", "as_pointer"),
        *("id_properties_clear", "id_properties_ensure", "id_properties_ui", "flamenco_group_name"),
    )
)
#: Blender's limit for names, in bytes, less what is put before them.
NAME_LIMIT = 50

_SUBTYPES = {
    "file_path": "FILE_PATH",
    "dir_path": "DIR_PATH",
    "file_name": "FILE_NAME",
    "hashed_file_path": "FILE_PATH",
}
_EMPTY: dict[str, Any] = {"string": "", "int32": 0, "float": 0.0, "bool": False}
#: What Blender's property functions take beyond what is set here, by type of the setting.
_PROPARGS = {
    "string": {"maxlen"},
    "int32": {"min", "max", "soft_min", "soft_max", "step", "subtype"},
    "float": {"min", "max", "soft_min", "soft_max", "step", "precision", "unit", "subtype"},
    "bool": {"subtype"},
}
_NUMBERS = {"min", "max", "soft_min", "soft_max"}
_INT32 = 2**31


@dataclasses.dataclass(frozen=True)
class Setting:
    """One setting."""

    #: Its name in the job.
    key: str
    #: The name of its property.
    attribute: str
    #: `string`, `int32`, `float` or `bool`.
    type: str
    #: Blender's subtype, or an empty text.
    subtype: str
    label: str
    description: str
    default: Any
    choices: tuple[str, ...]
    #: Further arguments of the property.
    propargs: dict[str, Any]
    eval: str
    eval_description: str
    can_link: bool
    is_visible: bool
    is_editable: bool
    is_required: bool

    @property
    def link_attribute(self) -> str:
        """The name of the property that says whether the value is automatic."""
        return LINK_PREFIX + self.attribute

    def convert(self, value: Any) -> Any:
        """A value as one of this setting's type. Raises `ValueError`."""
        return _convert(self.type, value)


@dataclasses.dataclass(frozen=True)
class JobType:
    """One job type."""

    name: str
    label: str
    description: str
    etag: str
    settings: tuple[Setting, ...]
    #: What is wrong with it.
    warnings: tuple[str, ...]

    @property
    def identifier(self) -> str:
        """A name for Blender that no other job type has, the same on every machine."""
        slug = re.sub(r"[^A-Za-z0-9]+", "_", self.name).strip("_").lower()[:30]
        return f"{slug}_{hashlib.sha256(self.name.encode()).hexdigest()[:8]}"

    @property
    def fingerprint(self) -> str:
        """Changes whenever the properties have to be made anew."""
        plain = json.dumps([dataclasses.astuple(setting) for setting in self.settings], default=str)
        return hashlib.sha256(plain.encode()).hexdigest()

    def setting(self, key: str) -> Setting | None:
        """The setting with this key."""
        return next((setting for setting in self.settings if setting.key == key), None)


def read(job_type: AvailableJobType) -> JobType:
    """Makes a job type ready. Never fails."""
    warnings: list[str] = []
    settings: list[Setting] = []
    taken: set[str] = set()
    for wire in job_type.settings:
        if any(setting.key == wire.key for setting in settings):
            warnings.append(f"{wire.key}: there are two settings with this key; only the first is used")
            continue
        if str(wire.type) not in _EMPTY:
            warnings.append(f"{wire.key}: settings of type {wire.type} are not known; it is left out")
            continue
        settings.append(_read_setting(wire, _attribute(wire.key, taken), warnings))
    return JobType(
        name=job_type.name,
        label=job_type.label or job_type.name,
        description=job_type.description or "",
        etag=job_type.etag,
        settings=tuple(settings),
        warnings=tuple(warnings),
    )


def _attribute(key: str, taken: set[str]) -> str:
    """A name for the property: the key, where Blender allows it."""
    plain = key.isidentifier() and key.isascii() and not keyword.iskeyword(key) and len(key) <= NAME_LIMIT
    if plain and not key.startswith(("_", LINK_PREFIX, "bl_")) and key not in RESERVED and key not in taken:
        name = key
    else:
        slug = re.sub(r"\W+", "_", key, flags=re.ASCII)[:24]
        name = f"{KEY_PREFIX}{slug}_{hashlib.sha256(key.encode()).hexdigest()[:8]}"
    taken.add(name)
    return name


def _read_setting(wire: AvailableJobSetting, attribute: str, warnings: list[str]) -> Setting:
    kind = str(wire.type)
    choices = _choices(wire, warnings)
    subtype = _SUBTYPES.get(str(wire.subtype), "") if wire.subtype and kind == "string" and not choices else ""
    info = wire.eval_info
    return Setting(
        key=wire.key,
        attribute=attribute,
        type=kind,
        subtype=subtype,
        label=_text(wire.label) or wire.key.replace("_", " ").title(),
        description=_text(wire.description),
        default=_default(wire, choices, warnings),
        choices=choices,
        propargs=_propargs(wire, bool(choices), warnings),
        eval=wire.eval or "",
        eval_description=info.description if info else "",
        can_link=bool(wire.eval and info and info.show_link_button and wire.editable is not False),
        is_visible=str(wire.visible or "visible") in ("visible", "submission"),
        is_editable=wire.editable is not False,
        is_required=bool(wire.required),
    )


def _choices(wire: AvailableJobSetting, warnings: list[str]) -> tuple[str, ...]:
    found = wire.choices
    if not found:
        return ()
    if str(wire.type) != "string" or not isinstance(found, list):
        warnings.append(f"{wire.key}: only settings of type string can have choices; they are ignored")
        return ()
    # An empty name has no meaning for Blender.
    named = [str(choice) for choice in found if str(choice)]
    return tuple(dict.fromkeys(named))


def _default(wire: AvailableJobSetting, choices: tuple[str, ...], warnings: list[str]) -> Any:
    kind = str(wire.type)
    empty = choices[0] if choices else _EMPTY[kind]
    if wire.default is None:
        return empty
    try:
        value = _convert(kind, wire.default)
    except ValueError as error:
        warnings.append(f"{wire.key}: the default {_short(wire.default)} is not used, because {error}")
        return empty
    if choices and value not in choices:
        warnings.append(f"{wire.key}: the default {_short(value)} is not among the choices; {empty!r} is used")
        return empty
    return value


def _propargs(wire: AvailableJobSetting, has_choices: bool, warnings: list[str]) -> dict[str, Any]:
    given = wire.propargs
    if not isinstance(given, dict):
        return {}
    kind = str(wire.type)
    known = set() if has_choices else _PROPARGS[kind]
    arguments: dict[str, Any] = {}
    for name, value in given.items():
        if name not in known:
            warnings.append(f"{wire.key}: propargs has {name!r}, which properties of type {kind} do not take")
            continue
        try:
            arguments[name] = _convert(kind, value) if name in _NUMBERS else value
        except ValueError as error:
            warnings.append(f"{wire.key}: {name} in propargs is ignored, because {error}")
    if "min" in arguments and "max" in arguments and arguments["min"] > arguments["max"]:
        warnings.append(f"{wire.key}: min is above max in propargs; both are ignored")
        del arguments["min"], arguments["max"]
    return arguments


def _convert(kind: str, value: Any) -> Any:
    if kind == "string":
        return _as_text(value)
    if kind == "bool":
        return _as_bool(value)
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise ValueError(f"{_short(value)} is not a number") from None
    except OverflowError:
        raise ValueError(f"{_short(value)} is too large") from None
    if not math.isfinite(number):
        # JSON has none, so no manager would take it.
        raise ValueError(f"{_short(value)} is not a finite number")
    if kind == "float":
        return number
    if number != int(number):
        raise ValueError(f"{value!r} is not a whole number")
    if not -_INT32 <= number < _INT32:
        raise ValueError(f"{value!r} is too large")
    return int(number)


def _short(value: Any) -> str:
    """A value for a message. Python refuses to write down the largest numbers."""
    try:
        text = repr(value)
    except ValueError:
        return "a number with thousands of digits"
    return text if len(text) <= 60 else f"{text[:57]}…"


def _as_text(value: Any) -> str:
    return "" if value is None else str(value)


def _as_bool(value: Any) -> bool:
    if isinstance(value, str):
        word = value.strip().lower()
        if word in ("true", "yes", "on", "1"):
            return True
        if word in ("false", "no", "off", "0", ""):
            return False
        raise ValueError(f"{value!r} is neither true nor false")
    return bool(value)


def _text(value: Any) -> str:
    """Labels and descriptions are texts, unless the script's author was careless."""
    return value.strip() if isinstance(value, str) else ""


def changes(old: JobType, new: JobType) -> list[str]:
    """What differs between two versions of a job type, for people. Empty if nothing that people set."""
    before = {setting.key: setting for setting in old.settings}
    after = {setting.key: setting for setting in new.settings}
    lines = [f"new setting: {setting.label}" for key, setting in after.items() if key not in before]
    lines += [f"removed setting: {setting.label}" for key, setting in before.items() if key not in after]
    for key, setting in after.items():
        if key in before and before[key] != setting:
            lines.append(f"changed setting: {setting.label} ({_differences(before[key], setting)})")
    if not lines and (old.label, old.description) != (new.label, new.description):
        lines.append("its label or description")
    return lines


def _differences(old: Setting, new: Setting) -> str:
    names = [
        field.name.removeprefix("is_").replace("_", " ")
        for field in dataclasses.fields(Setting)
        if getattr(old, field.name) != getattr(new, field.name)
    ]
    return ", ".join(names)
