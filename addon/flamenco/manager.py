# SPDX-License-Identifier: GPL-3.0-or-later
"""The manager, as this Blender knows it: the connection, what it last said, and whether it is trusted."""

from __future__ import annotations

import getpass
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bpy

from . import job_types, manager_info, paths, version
from .background import Background
from .flamenco_client import Client
from .flamenco_client.models import SharedStorageLocation, WorkerTag
from .job_types import JobType
from .manager_info import ManagerInfo, Problem

#: How often it is looked whether an answer has come, in seconds.
LOOK = 0.05


class State:
    """What is known at the moment. All of it can be found out again."""

    def __init__(self) -> None:
        self.info: ManagerInfo | None = None
        self.job_types: dict[str, JobType] = {}
        #: By the name of a job type that cannot be used: why.
        self.broken: dict[str, str] = {}
        self.client: Client | None = None
        self.refresh: Background[tuple[ManagerInfo, bool]] | None = None
        self.is_private = False
        #: Whether the last attempt to reach the manager failed.
        self.is_away = False
        #: Called with the job types whenever they are new.
        self.on_job_types: Callable[[list[JobType]], None] = lambda _types: None


state = State()


def preferences() -> Any:
    """The preferences of the add-on."""
    return bpy.context.preferences.addons[__package__].preferences


def url() -> str:
    """The address of the manager, without the slash at its end; may be empty."""
    return manager_info.complete_url(preferences().manager_url)


def client() -> Client:
    """The connection to the manager. Raises `Problem`."""
    if state.client is None:
        wanted = preferences()
        if not url():
            raise Problem("Set the address of the manager in the preferences of the add-on")
        try:
            state.client = Client(
                url(),
                token=wanted.token.strip() or None,
                name=_user_name() if "user.name" in wanted.metadata else None,
                user_agent=f"Flamenco/{version_text()} (Blender add-on)",
                connect_timeout=float(wanted.connect_timeout),
                read_timeout=float(wanted.read_timeout),
            )
        except ValueError as error:
            raise Problem(f"{error}; change it in the preferences of the add-on") from error
    return state.client


def _user_name() -> str:
    """The name of the account on this machine; empty if it has none."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return ""


def version_text() -> str:
    """The version of the add-on."""
    return ".".join(map(str, version.VERSION))


def drop_client() -> None:
    """Forgets the connection, after something about it was changed."""
    if state.client is not None:
        state.client.close()
    state.client = None


def config_file(name: str) -> Path:
    """A file of the add-on in Blender's folder for settings."""
    return Path(bpy.utils.user_resource("CONFIG")) / name


def hash_file() -> Path:
    """Where the hashes of files are remembered."""
    base = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA") or Path.home() / ".cache"
    return Path(base) / "flamenco-addon" / "hashes.json"


def start_refresh() -> Background[tuple[ManagerInfo, bool]]:
    """Asks the manager for everything, on a thread. Raises `Problem`."""
    connection = client()

    def ask() -> tuple[ManagerInfo, bool]:
        found = manager_info.fetch(connection, paths.platform_name())
        return found, manager_info.is_private(connection.base_url)

    return Background(ask, "refresh")


def accept(answer: tuple[ManagerInfo, bool]) -> None:
    """Takes over what the manager said."""
    state.info, state.is_private = answer
    state.is_away = False
    if state.is_private and not manager_info.is_private(state.info.url, look_up=False):
        # The next start of Blender does not look the name up.
        trust()
    manager_info.save(state.info, config_file(manager_info.CACHE_NAME))
    _use(state.info)


def load_cache() -> None:
    """Takes over what the manager said last time."""
    state.info = manager_info.load(config_file(manager_info.CACHE_NAME), url())
    if state.info is None:
        state.job_types, state.broken = {}, {}
        return
    # Looking up names would hold up the start of Blender.
    state.is_private = manager_info.is_private(state.info.url, look_up=False)
    _use(state.info)


def _use(info: ManagerInfo) -> None:
    types = [job_types.read(job_type) for job_type in info.job_types.job_types]
    state.broken = {}
    state.job_types = {job_type.name: job_type for job_type in types}
    for job_type in types:
        for warning in job_type.warnings:
            print(f"Flamenco: job type {job_type.name}: {warning}")
    state.on_job_types(types)


def forget() -> None:
    """Forgets everything, because the address is another one."""
    drop_client()
    state.info = None
    state.job_types, state.broken = {}, {}
    state.is_away = False
    state.on_job_types([])


def tags() -> list[WorkerTag]:
    """The worker tags."""
    return list(state.info.worker_tags.tags or []) if state.info else []


def storage() -> SharedStorageLocation | None:
    """Where the shared storage is."""
    return state.info.shared_storage if state.info else None


def is_trusted() -> bool:
    """Whether the manager's job types may run Python here.

    A manager on this machine or on the private network is; others have to be confirmed once. A script that runs in the
    background has chosen its manager.
    """
    return bool(bpy.app.background or state.is_private or url() in preferences().trusted_managers.split())


def trust() -> None:
    """Confirms the manager."""
    known = preferences().trusted_managers.split()
    if url() not in known:
        preferences().trusted_managers = " ".join([*known, url()])


def age_text() -> str:
    """How old the information is, for people."""
    if state.info is None:
        return ""
    minutes = max(0.0, time.time() - state.info.fetched) / 60
    if minutes < 1.5:
        return "just now"
    if minutes < 90:
        return f"{minutes:.0f} minutes ago"
    hours = minutes / 60
    return f"{hours:.0f} hours ago" if hours < 36 else f"{hours / 24:.0f} days ago"
