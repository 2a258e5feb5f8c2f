# SPDX-License-Identifier: GPL-3.0-or-later
# mypy: disable-error-code="valid-type,misc"
"""The preferences of the add-on."""

from pathlib import Path
from typing import Any

import bpy
from bpy.props import BoolProperty, EnumProperty, IntProperty, StringProperty

from . import labels, manager, paths, refresh

#: How many characters fit into a line.
WIDTH = 75
FINDERS = [
    ("BLENDER_PROJECT", "Blender Project", "The folder with .blender_project", 0),
    ("GIT", "Git", "The folder with .git", 1),
    ("SUBVERSION", "Subversion", "The folder with .svn", 2),
    ("NEAREST", "Nearest Marker", "The nearest folder with .blender_project, .git, .svn or .hg", 3),
    ("FOLDER", "Project Folder", "The folder that is chosen below", 4),
    ("NONE", "Folder of the File", "The folder that the blend file is in", 5),
]
#: What can become of changes that are not saved yet.
SAVING = [
    ("SAVE", "Save the File", "Save the file as it is"),
    ("COPY", "Send a Copy", "Send the changes to the farm, but do not touch the file"),
]
#: What can be told about a submission, by the key of the metadata.
METADATA = [
    ("user.name", "User", "The name of your account on this machine"),
    ("project", "Project", "The name of the project's folder"),
    ("blender.version", "Blender Version", "The version of Blender"),
    ("blend.file", "Blend File", "The path of the blend file, by which the jobs of a file are found again"),
    ("addon.version", "Add-on Version", "The version of this add-on"),
    ("submitted.from", "Host Name", "The name of this machine"),
]


def _changed_url(self: Any, _context: Any) -> None:
    manager.forget()
    window_manager = bpy.context.window_manager
    window_manager.flamenco_status_ping = ""
    window_manager.flamenco_version_mismatch = False
    if not self.manager_url.strip():
        return
    if bpy.app.background:
        # A script expects the job types to be there on its next line.
        refresh.refresh_now(bpy.context)
    else:
        refresh.refresh_later()


def _changed_connection(_self: Any, _context: Any) -> None:
    manager.drop_client()


def _seconds(name: str, description: str, default: int, longest: int) -> Any:
    """A property that says how long to wait for the manager."""
    return IntProperty(
        name=name,
        description=description,
        default=default,
        min=1,
        max=longest,
        options=set(),
        update=_changed_connection,
    )


def _storage(_self: Any) -> str:
    storage = manager.storage()
    return storage.location if storage else "Unknown: refresh from the manager"


class FlamencoPreferences(bpy.types.AddonPreferences):
    """The preferences of the add-on."""

    bl_idname = __package__

    manager_url: StringProperty(
        name="Manager URL",
        description="Address of the manager, such as http://manager:8080/",
        default="http://localhost:8080/",
        options=set(),
        update=_changed_url,
    )
    token: StringProperty(
        name="Access Token",
        description="Only for managers that ask for one: that of an artist, to submit jobs",
        subtype="PASSWORD",
        options=set(),
        update=_changed_connection,
    )
    connect_timeout: _seconds("Connect Timeout", "How many seconds to wait for a connection to the manager", 5, 120)
    read_timeout: _seconds("Answer Timeout", "How many seconds the manager may be silent", 30, 600)
    job_storage_for_gui: StringProperty(
        name="Job Storage",
        description="Where the files of jobs go",
        subtype="DIR_PATH",
        get=_storage,
        options={"SKIP_SAVE"},
    )
    project_finder: EnumProperty(
        name="Project Finder",
        description="How the folder of the project is found. Files in it keep their place when they are sent",
        items=FINDERS,
        default="BLENDER_PROJECT",
        options=set(),
    )
    project_folder: StringProperty(
        name="Project Folder", description="The folder of the project", subtype="DIR_PATH", options=set()
    )
    save_mode: EnumProperty(
        name="On Submit",
        description="What happens to changes that are not saved yet",
        items=[*SAVING, ("ASK", "Ask", "Ask each time; a script, which cannot be asked, saves the file")],
        default="SAVE",
        options=set(),
    )
    storage_mode: EnumProperty(
        name="Files on the Storage",
        description="What happens to a blend file that is in the job storage already",
        items=[
            ("AUTO", "Automatic", "Render it from there; with Shaman, upload it like any other file", 0),
            ("AS_IS", "Render in Place", "Saving it again changes a job that is running", 1),
            ("FREEZE", "Render a Copy beside It", "The copy ends in .flamenco.blend, and stays", 2),
            ("PACK", "Always Send", "Copy or upload it like any other file", 3),
        ],
        default="AUTO",
        options=set(),
    )
    include_absolute: BoolProperty(
        name="Send Files with Absolute Paths",
        description="Otherwise workers are expected to find them under the same path",
        default=False,
        options=set(),
    )
    open_browser: BoolProperty(
        name="Open the Job's Page after Submitting",
        description="In the web browser",
        default=False,
        options=set(),
    )
    metadata: EnumProperty(
        name="Tell about the Submission",
        description="What the page of the job shows. The user also goes with the access token, to the audit trail",
        items=[(key, label, text, 1 << index) for index, (key, label, text) in enumerate(METADATA)],
        default={key for key, _, _ in METADATA},
        options={"ENUM_FLAG"},
        update=_changed_connection,
    )
    trusted_managers: StringProperty(
        name="Trusted Managers",
        description="Addresses of managers outside of the private network whose job types may run Python here",
        options=set(),
    )

    def draw(self, context: Any) -> None:
        """Draws the preferences."""
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        self._draw_connection(context, layout)
        column = layout.column(heading="Project")
        column.prop(self, "project_finder")
        if self.project_finder == "FOLDER":
            column.prop(self, "project_folder")
        self._draw_project(column)
        column = layout.column(heading="Submission")
        column.prop(self, "save_mode")
        column.prop(self, "storage_mode")
        column.prop(self, "include_absolute")
        column.prop(self, "open_browser")
        column.prop(self, "metadata", expand=False)
        column = layout.column(heading="Connection")
        column.prop(self, "token")
        column.prop(self, "connect_timeout")
        column.prop(self, "read_timeout")
        column.prop(self, "trusted_managers")
        layout.label(text="Job types are written by those who run the manager, and run Python in Blender", icon="INFO")

    def _draw_connection(self, context: Any, layout: Any) -> None:
        row = layout.row(align=True)
        row.prop(self, "manager_url")
        row.operator("flamenco.ping_manager", text="", icon="FILE_REFRESH")
        row.operator("flamenco.find_manager", text="", icon="VIEWZOOM")
        column = layout.column(align=True)
        ping = context.window_manager.flamenco_status_ping
        if ping:
            icon = "ERROR" if manager.state.is_away else "INFO"
            labels.wrapped(column, ping, icon, WIDTH)
        elif manager.state.info is None:
            column.label(text="Press the arrows to connect, or the glass to search the network", icon="INFO")
        storage = manager.storage()
        if storage and storage.shaman_enabled:
            column.label(text="Shaman enabled", icon="CHECKMARK")
        layout.prop(self, "job_storage_for_gui")

    def _draw_project(self, column: Any) -> None:
        try:
            root = paths.find_project(self.project_finder, bpy.data.filepath, bpy.path.abspath(self.project_folder))
        except paths.PathError as error:
            if bpy.data.filepath:
                column.label(text=str(error), icon="ERROR")
            return
        column.label(text=f"Project of this file: {root}")


def project_of(scene: Any, blendfile: Path) -> Path:
    """The project of a blend file: the folder that was set for this file, or what the preferences find.

    Raises `PathError`.
    """
    own = scene.flamenco_project_folder.strip()
    if own:
        return paths.find_project("FOLDER", blendfile, bpy.path.abspath(own))
    wanted = manager.preferences()
    finder = wanted.project_finder or "BLENDER_PROJECT"
    return paths.find_project(finder, blendfile, bpy.path.abspath(wanted.project_folder))


def register() -> None:
    """Registers the preferences."""
    bpy.utils.register_class(FlamencoPreferences)


def unregister() -> None:
    """Removes the preferences."""
    bpy.utils.unregister_class(FlamencoPreferences)
