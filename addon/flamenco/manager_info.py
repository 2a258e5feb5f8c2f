# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known of the manager: asked for in one go, and remembered for when it is away."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import ipaddress
import json
import os
import socket
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from . import version
from .flamenco_client import ApiError, BadAnswer, Client, ClientError, ConnectionFailed, TimedOut
from .flamenco_client.models import (
    AvailableJobTypes,
    FlamencoVersion,
    ManagerVariableAudience,
    SharedStorageLocation,
    WorkerTagList,
)

__all__ = [
    "API_VERSION",
    "CACHE_NAME",
    "ManagerInfo",
    "Problem",
    "VersionMatch",
    "complete_url",
    "explain",
    "fetch",
    "is_private",
    "load",
    "match_version",
    "save",
]

CACHE_NAME = "flamenco-manager-info.json"
#: The version of Flamenco whose API this add-on speaks, as major and minor.
API_VERSION = (3, 9)


class Problem(Exception):
    """The manager cannot be used. The message says why and what to do."""


@dataclasses.dataclass(frozen=True)
class ManagerInfo:
    """What a manager said about itself."""

    url: str
    #: When, in seconds since 1970.
    fetched: float
    version: FlamencoVersion
    shared_storage: SharedStorageLocation
    job_types: AvailableJobTypes
    worker_tags: WorkerTagList

    def to_json(self) -> dict[str, Any]:
        """The form of the cache file."""
        return {
            "manager_url": self.url,
            "fetched": self.fetched,
            "flamenco_version": self.version.to_json(),
            "shared_storage": self.shared_storage.to_json(),
            "job_types": self.job_types.to_json(),
            "worker_tags": self.worker_tags.to_json(),
        }

    @classmethod
    def from_json(cls, value: Any) -> ManagerInfo:
        """Reads the form of the cache file. Raises `BadAnswer` if it does not fit."""
        if not isinstance(value, dict):
            raise BadAnswer("not an object")
        url, fetched = value.get("manager_url"), value.get("fetched")
        if not isinstance(url, str) or not isinstance(fetched, (int, float)):
            raise BadAnswer("written by another version")
        return cls(
            url=url,
            fetched=float(fetched),
            version=FlamencoVersion.from_json(value.get("flamenco_version"), "flamenco_version"),
            shared_storage=SharedStorageLocation.from_json(value.get("shared_storage"), "shared_storage"),
            job_types=AvailableJobTypes.from_json(value.get("job_types"), "job_types"),
            worker_tags=WorkerTagList.from_json(value.get("worker_tags"), "worker_tags"),
        )


def complete_url(address: str) -> str:
    """The address of a manager as people type it, with scheme, without the slash at its end. May be empty."""
    text = address.strip()
    if text and "://" not in text:
        text = f"http://{text}"
    return text.rstrip("/")


def fetch(client: Client, platform: str, clock: Callable[[], float] = time.time) -> ManagerInfo:
    """Asks the manager for everything, in parallel. Raises `Problem`."""
    with concurrent.futures.ThreadPoolExecutor(4, thread_name_prefix="flamenco-refresh") as pool:
        answer = pool.submit(client.get_version)
        storage = pool.submit(client.get_shared_storage, ManagerVariableAudience.USERS, platform)
        types = pool.submit(client.get_job_types)
        tags = pool.submit(client.fetch_worker_tags)
    try:
        # The version first: its failure tells best what is wrong.
        found = answer.result()
    except (ClientError, ValueError) as error:
        raise Problem(explain(error, client.base_url, is_version=True)) from error
    try:
        return ManagerInfo(client.base_url, clock(), found, storage.result(), types.result(), tags.result())
    except BadAnswer as error:
        raise Problem(f"{found.name} {found.version} is too old or too new for this add-on: {error}") from error
    except ApiError as error:
        if error.status not in (404, 405):
            raise Problem(explain(error, client.base_url)) from error
        match = match_version(version.VERSION, found.shortversion, found.name)
        raise Problem(match.note or f"{found.name} has not got all that this add-on asks for; update it") from error
    except ClientError as error:
        raise Problem(explain(error, client.base_url)) from error


def explain(error: Exception, url: str, *, is_version: bool = False) -> str:
    """What is wrong with the connection to the manager, in a sentence for the artist."""
    host = urlsplit(url).hostname or url
    if isinstance(error, ApiError):
        if error.status in (401, 403):
            return _explain_refusal(error, url)
        if is_version and error.status in (404, 405):
            return f"What answers at {url} is not a Flamenco manager; check the address and the port"
        return f"The manager says: {error.message}"
    if isinstance(error, BadAnswer):
        if is_version:
            return f"What answers at {url} is not a Flamenco manager; check the address and the port"
        return f"The manager's answer makes no sense: {error}"
    if isinstance(error, TimedOut):
        return f"{host} did not answer in time; it may be switched off, busy, or behind a firewall"
    if isinstance(error, ConnectionFailed):
        return _explain_connection(str(error), host, url)
    return f"{url!r} is not an address such as http://manager:8080/ ({error})"


def _explain_refusal(error: ApiError, url: str) -> str:
    if error.status == 403:
        where = " (the access token is in the preferences of the add-on)" if error.had_credentials else ""
        return f"The manager does not allow this: {error.message}{where}"
    if error.had_credentials:
        return (
            f"The manager at {url} does not know the access token in the preferences of the add-on; "
            "ask whoever runs the farm for the right one"
        )
    return f"The manager at {url} wants an access token; set it in the preferences of the add-on"


def _explain_connection(text: str, host: str, url: str) -> str:
    lower = text.lower()
    if "resolve" in lower or "name or service" in lower or "getaddrinfo" in lower or "nodename" in lower:
        return f"There is no host {host!r}; check the spelling of the manager's address"
    if "refused" in lower:
        return f"Nothing listens at {url}; is the manager running, and is the port right?"
    if "certificate" in lower or "ssl" in lower:
        return f"No secure connection to {url}: {text.rpartition(': ')[2]}"
    return f"No connection to the manager at {url}: {text.rpartition(': ')[2]}"


def is_private(url: str, *, look_up: bool = True) -> bool:
    """Whether the address is this machine or on a private network. Looking the name up may take a while."""
    host = urlsplit(url).hostname or ""
    try:
        return _is_private_address(host)
    except ValueError:
        pass
    if host == "localhost" or host.endswith((".local", ".lan", ".internal", ".localhost")) or "." not in host:
        return True
    if not look_up:
        return False
    try:
        found = {str(entry[4][0]) for entry in socket.getaddrinfo(host, None)}
    except OSError:
        return False
    return bool(found) and all(_is_private_address(address.partition("%")[0]) for address in found)


def _is_private_address(text: str) -> bool:
    address = ipaddress.ip_address(text)
    return address.is_private or address.is_loopback or address.is_link_local


class VersionMatch:
    """How a manager's version fits this add-on."""

    def __init__(self, fits: bool, note: str) -> None:
        #: Whether jobs can be submitted without further question.
        self.fits = fits
        #: What to tell the user; may be empty.
        self.note = note


def match_version(addon: tuple[int, ...], shortversion: str, name: str) -> VersionMatch:
    """Compares major and minor; a manager of Flamenco's own line fits by the version of its API."""
    ours = ".".join(map(str, addon))
    theirs = _numbers(shortversion)
    if theirs[:2] == tuple(addon[:2]):
        if theirs == tuple(addon[: len(theirs)]) or len(theirs) < 3:
            return VersionMatch(True, "")
        return VersionMatch(True, f"{name} has version {shortversion}, this add-on {ours}; that is fine")
    if theirs[:2] == API_VERSION:
        return VersionMatch(True, "")
    advice = f"install the add-on again from the manager's page, or update {name}"
    return VersionMatch(False, f"{name} has version {shortversion or '?'}, but this add-on is {ours}: {advice}")


def _numbers(text: str) -> tuple[int, ...]:
    numbers = []
    for part in text.partition("-")[0].split("."):
        if not part.isdigit():
            break
        numbers.append(int(part))
    return tuple(numbers)


def load(path: Path, url: str) -> ManagerInfo | None:
    """What was remembered of this manager. What does not fit is forgotten."""
    try:
        info = ManagerInfo.from_json(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, BadAnswer) as error:
        print(f"Flamenco: {path} is not used: {error}")
        return None
    return info if info.url == url else None


def save(info: ManagerInfo, path: Path) -> None:
    """Remembers what is known. Failing to is not worth more than a line in the terminal."""
    text = json.dumps(info.to_json(), indent=2, ensure_ascii=False)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
            os.replace(temporary, path)
        except OSError:
            os.unlink(temporary)
            raise
    except OSError as error:
        print(f"Flamenco: cannot remember what the manager said: {error}")
