# SPDX-License-Identifier: GPL-3.0-or-later
# mypy: disable-error-code="valid-type,misc"
"""What is stored in the blend file, and what is only known while Blender runs.

Job type and tag are stored by name and id in texts of their own; the menus only show them. So a file keeps its choice
whatever the manager has at the moment.
"""

from typing import Any

import bpy
from bpy.props import (
    BoolProperty,
    CollectionProperty,
    EnumProperty,
    FloatProperty,
    IntProperty,
    StringProperty,
)

from . import manager, settings

#: Stands for no job type, and for all workers.
NONE = "-"

#: Blender does not keep the texts of menus that come from a function alive.
_kept: dict[str, list[tuple[str, str, str, int]]] = {}

STATUSES = [
    ("IDLE", "Idle", "Nothing is going on"),
    ("SAVING", "Saving", "The file is being saved"),
    ("INVESTIGATING", "Investigating", "The files of the job are being looked for"),
    ("REWRITING", "Rewriting", "Paths in linked files are being changed"),
    ("TRANSFERRING", "Transferring", "Files are being copied or uploaded"),
    ("COMMUNICATING", "Communicating", "Waiting for the manager"),
    ("DONE", "Done", "The job was submitted"),
    ("ABORTING", "Aborting", "The submission is being aborted"),
    ("ABORTED", "Aborted", "The submission was aborted"),
    ("FAILED", "Failed", "The submission failed"),
    ("MISSING_FILES", "Missing Files", "Waiting for your decision about missing files"),
]


def _job_type_items(scene: Any, _context: Any) -> list[tuple[str, str, str, int]]:
    items = [(NONE, "Select a Job Type", "", 0)]
    for job_type in manager.state.job_types.values():
        items.append((job_type.name, job_type.label, job_type.description, len(items)))
    for name, reason in manager.state.broken.items():
        items.append((name, f"{name} (broken)", reason, len(items)))
    chosen = scene.flamenco_job_type_name if scene is not None else ""
    if chosen and chosen not in manager.state.job_types and chosen not in manager.state.broken:
        where = "not on this manager" if manager.state.info else "not known yet"
        items.append((chosen, f"{chosen} ({where})", "The settings are kept in the file", len(items)))
    return _keep("types", items)


def _tag_items(scene: Any, _context: Any) -> list[tuple[str, str, str, int]]:
    known = manager.tags()
    items = [(NONE, "All" if manager.state.info else "-tags unknown-", "All workers", 0)]
    for tag in known:
        items.append((tag.id or "", tag.name, tag.description or "", len(items)))
    chosen = scene.flamenco_worker_tag_id if scene is not None else ""
    if chosen and all(tag.id != chosen for tag in known):
        name = scene.flamenco_worker_tag_name or chosen
        items.append((chosen, f"{name} (not on this manager)", "", len(items)))
    return _keep("tags", items)


def _keep(name: str, items: list[tuple[str, str, str, int]]) -> list[tuple[str, str, str, int]]:
    if _kept.get(name) != items:
        _kept[name] = items
    return _kept[name]


def _number_of(items: list[tuple[str, str, str, int]], chosen: str) -> int:
    return next((number for name, _, _, number in items if name == chosen), 0)


def _get_job_type(scene: Any) -> int:
    return _number_of(_job_type_items(scene, None), scene.flamenco_job_type_name)


def _set_job_type(scene: Any, number: int) -> None:
    old = settings.job_type_of(scene)
    name = _job_type_items(scene, None)[number][0]
    scene.flamenco_job_type_name = "" if name == NONE else name
    new = settings.job_type_of(scene)
    if new is None or new is old:
        return
    if old is not None:
        settings.carry_over(scene, old, new)
    settings.fill_in(scene)


def _get_tag(scene: Any) -> int:
    return _number_of(_tag_items(scene, None), scene.flamenco_worker_tag_id)


def _set_tag(scene: Any, number: int) -> None:
    chosen, name, _, _ = _tag_items(scene, None)[number]
    scene.flamenco_worker_tag_id = "" if chosen == NONE else chosen
    scene.flamenco_worker_tag_name = "" if chosen == NONE else name


def vanished(scene: Any) -> list[str]:
    """What a scene has chosen and the manager does not have."""
    names = []
    chosen = scene.flamenco_job_type_name
    if chosen and chosen not in manager.state.job_types and chosen not in manager.state.broken:
        names.append(f"the job type {chosen!r}")
    tag = scene.flamenco_worker_tag_id
    if tag and all(known.id != tag for known in manager.tags()):
        names.append(f"the worker tag {scene.flamenco_worker_tag_name or tag!r}")
    return names


class FlamencoJob(bpy.types.PropertyGroup):
    """A job of this file, as shown in the panel."""

    job_id: StringProperty()
    status: StringProperty()
    activity: StringProperty()
    fraction: FloatProperty(min=0, max=1)
    output: StringProperty()
    extension: StringProperty()


def _scene_properties() -> dict[str, Any]:
    return {
        "flamenco_job_name": StringProperty(
            name="Job Name", description="Name of the job; empty for that of the file", options=set()
        ),
        "flamenco_job_priority": IntProperty(
            name="Priority",
            description="Jobs with a higher priority come first",
            default=50,
            min=0,
            max=100,
            options=set(),
        ),
        "flamenco_job_submit_as_paused": BoolProperty(
            name="Submit as Paused", description="The job waits until somebody starts it", options=set()
        ),
        "flamenco_job_type_name": StringProperty(options={"HIDDEN"}),
        "flamenco_job_type": EnumProperty(
            name="Job Type", items=_job_type_items, get=_get_job_type, set=_set_job_type, options=set()
        ),
        "flamenco_worker_tag_id": StringProperty(options={"HIDDEN"}),
        "flamenco_worker_tag_name": StringProperty(options={"HIDDEN"}),
        "flamenco_worker_tag": EnumProperty(
            name="Worker Tag",
            description="Only workers with this tag run the job",
            items=_tag_items,
            get=_get_tag,
            set=_set_tag,
            options=set(),
        ),
        "flamenco_project_folder": StringProperty(
            name="Project Folder",
            description="Files in it keep their place when they are sent. Empty for what the preferences find",
            subtype="DIR_PATH",
            options=set(),
        ),
    }


def _window_manager_properties() -> dict[str, Any]:
    return {
        "flamenco_bat_status": EnumProperty(name="Status", items=STATUSES, default="IDLE"),
        "flamenco_bat_status_txt": StringProperty(name="Status", description="What is going on"),
        "flamenco_bat_progress": IntProperty(
            name="Progress", subtype="PERCENTAGE", min=0, max=100, options={"HIDDEN", "SKIP_SAVE"}
        ),
        "flamenco_can_abort": BoolProperty(name="Can Abort"),
        "flamenco_version_mismatch": BoolProperty(name="Version Mismatch"),
        "flamenco_status_ping": StringProperty(name="Manager", description="What came of the last refresh"),
        "flamenco_last_job_id": StringProperty(name="Last Job", description="Id of the last submitted job"),
        "flamenco_last_job_url": StringProperty(name="Page of the Last Job"),
        "flamenco_missing_files": StringProperty(name="Missing Files", description="One path in each line"),
        "flamenco_jobs": CollectionProperty(type=FlamencoJob),
        "flamenco_jobs_note": StringProperty(name="Jobs", description="What came of looking for jobs"),
    }


def register() -> None:
    """Registers all properties."""
    bpy.utils.register_class(FlamencoJob)
    for name, made in _scene_properties().items():
        setattr(bpy.types.Scene, name, made)
    for name, made in _window_manager_properties().items():
        setattr(bpy.types.WindowManager, name, made)


def unregister() -> None:
    """Removes all of them."""
    for name in _scene_properties():
        delattr(bpy.types.Scene, name)
    for name in _window_manager_properties():
        delattr(bpy.types.WindowManager, name)
    bpy.utils.unregister_class(FlamencoJob)
    _kept.clear()
