# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known of a manager, and how its troubles are told."""

from __future__ import annotations

import json
import socket
import threading
from pathlib import Path
from typing import Any

import pytest
from servers import Reply, serving

from flamenco import discovery, manager_info
from flamenco.flamenco_client import ApiError, BadAnswer, Client, TimedOut
from flamenco.manager_info import ManagerInfo, Problem

INFO = {
    "manager_url": "http://farm:8080",
    "fetched": 1000.5,
    "flamenco_version": {"version": "3.9.0", "shortversion": "3.9.0", "name": "Farm", "git": "x"},
    "shared_storage": {"location": "/farm", "audience": "users", "platform": "linux", "shamanEnabled": True},
    "job_types": {"job_types": [{"name": "t", "label": "T", "etag": "1", "settings": []}]},
    "worker_tags": {"tags": [{"id": "1", "name": "gpu"}]},
}


def test_what_is_remembered_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "not yet there" / "info.json"
    manager_info.save(ManagerInfo.from_json(INFO), path)
    found = manager_info.load(path, "http://farm:8080")
    assert found == ManagerInfo.from_json(INFO)
    assert found is not None
    assert found.shared_storage.location == "/farm"
    assert [path.name] == [entry.name for entry in path.parent.iterdir()]
    assert manager_info.load(path, "http://other:8080") is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        json.dumps(INFO)[:100],
        "[]",
        "null",
        json.dumps({**INFO, "job_types": {"job_types": [{"name": "t"}]}}),
        json.dumps({**INFO, "shared_storage": None}),
        json.dumps({key: value for key, value in INFO.items() if key != "worker_tags"}),
        json.dumps({key: value for key, value in INFO.items() if key != "manager_url"}),
        json.dumps({**INFO, "fetched": "yesterday"}),
    ],
)
def test_a_damaged_cache_is_forgotten(tmp_path: Path, text: str) -> None:
    path = tmp_path / "info.json"
    path.write_text(text, encoding="utf-8")
    assert manager_info.load(path, "http://farm:8080") is None


def test_a_cache_that_cannot_be_used_does_not_matter(tmp_path: Path) -> None:
    assert manager_info.load(tmp_path / "missing.json", "http://farm:8080") is None
    assert manager_info.load(tmp_path, "http://farm:8080") is None
    (tmp_path / "file").touch()
    manager_info.save(ManagerInfo.from_json(INFO), tmp_path / "file" / "info.json")


@pytest.mark.parametrize(
    ("typed", "want"),
    [
        ("farm:8080", "http://farm:8080"),
        (" http://farm:8080/ ", "http://farm:8080"),
        ("https://farm/flamenco/", "https://farm/flamenco"),
        ("", ""),
    ],
)
def test_addresses_are_completed(typed: str, want: str) -> None:
    assert manager_info.complete_url(typed) == want


@pytest.mark.parametrize(
    ("url", "want"),
    [
        ("http://localhost:8080", True),
        ("http://127.0.0.1:8080", True),
        ("http://192.168.1.5", True),
        ("http://[fe80::1]:8080", True),
        ("http://manager:8080", True),
        ("http://farm.local", True),
        ("http://8.8.8.8", False),
        ("http://farm.example.com", False),
    ],
)
def test_private_addresses(url: str, want: bool) -> None:
    assert manager_info.is_private(url, look_up=False) is want


@pytest.mark.parametrize(
    ("theirs", "fits", "note"),
    [
        ("0.1.0", True, ""),
        ("0.1", True, ""),
        ("0.1.7", True, "that is fine"),
        ("3.9.0", True, ""),
        ("3.9-beta1", True, ""),
        ("0.2.0", False, "install the add-on again"),
        ("3.8.2", False, "install the add-on again"),
        ("4.0.0", False, "install the add-on again"),
        ("", False, "version ?"),
    ],
)
def test_versions(theirs: str, fits: bool, note: str) -> None:
    match = manager_info.match_version((0, 1, 0), theirs, "Farm")
    assert match.fits is fits
    assert note in match.note
    assert bool(match.note) is bool(note)


def answers(**other: Reply) -> dict[str, Reply]:
    found = {
        "/api/v3/version": Reply(json=INFO["flamenco_version"]),
        "/api/v3/configuration/shared-storage/users/linux": Reply(json=INFO["shared_storage"]),
        "/api/v3/jobs/types": Reply(json=INFO["job_types"]),
        "/api/v3/worker-mgt/tags": Reply(json=INFO["worker_tags"]),
    }
    return {**found, **{f"/api/v3/{key}": value for key, value in other.items()}}


def test_everything_is_asked_for_at_once() -> None:
    with serving({key: Reply(json=reply.json, delay=0.4) for key, reply in answers().items()}) as server:
        found = manager_info.fetch(Client(server.url), "linux", clock=lambda: 1000.5)
    assert found == ManagerInfo.from_json({**INFO, "manager_url": server.url})
    assert server.seconds < 1.2


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (Reply(404, text="<h1>Not here</h1>"), "is not a Flamenco manager"),
        (Reply(text="<html>a router</html>"), "is not a Flamenco manager"),
        (Reply(json={"hello": "world"}), "is not a Flamenco manager"),
        (Reply(401, json={"code": 401, "message": "who are you"}), "wants an access token"),
        (Reply(500, json={"code": 500, "message": "the disk is full"}), "The manager says: the disk is full"),
        (Reply(delay=3), "did not answer in time"),
        (Reply(hang_up=True), "No connection to the manager"),
    ],
)
def test_what_is_wrong_is_said(reply: Reply, message: str) -> None:
    with serving(answers(version=reply)) as server, pytest.raises(Problem, match=message):
        manager_info.fetch(Client(server.url, read_timeout=1), "linux")


@pytest.mark.parametrize(
    ("status", "token", "message"),
    [
        (401, None, "wants an access token; set it in the preferences"),
        (401, "wrong", "does not know the access token in the preferences"),
        (403, "viewer", "does not allow this: this needs the role artist .*the access token is in the preferences"),
        (403, None, "does not allow this: this needs the role artist$"),
    ],
)
def test_a_token_that_is_missing_wrong_or_too_little_is_told_apart(
    status: int, token: str | None, message: str
) -> None:
    reply = Reply(status, json={"code": status, "message": "this needs the role artist"})
    with serving({**answers(), "/api/v3/jobs/types": reply}) as server, pytest.raises(Problem, match=message):
        manager_info.fetch(Client(server.url, token=token), "linux")


def test_a_manager_that_is_too_old_is_named() -> None:
    old = Reply(json={"job_types": [{"name": "t", "label": "T", "settings": []}]})
    with (
        serving({**answers(), "/api/v3/jobs/types": old}) as server,
        pytest.raises(Problem, match=r"3\.9\.0 is too old"),
    ):
        manager_info.fetch(Client(server.url), "linux")


def test_nobody_there() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    with pytest.raises(Problem, match=f"Nothing listens at http://127.0.0.1:{port}"):
        manager_info.fetch(Client(f"http://127.0.0.1:{port}"), "linux")
    with pytest.raises(Problem, match=r"There is no host 'no-such-host\.invalid'"):
        manager_info.fetch(Client("http://no-such-host.invalid"), "linux")


def test_explanations_name_the_host() -> None:
    assert "farm did not answer" in manager_info.explain(TimedOut("x"), "http://farm:8080")
    assert "makes no sense" in manager_info.explain(BadAnswer("x"), "http://farm:8080")
    assert manager_info.explain(ApiError(409, "taken"), "http://farm:8080") == "The manager says: taken"


ANSWER = (
    "HTTP/1.1 200 OK\r\nCACHE-CONTROL: max-age=3600\r\nEXT:\r\nLOCATION: {}\r\nSERVER: x\r\n"
    "ST: urn:flamenco:manager:0\r\nUSN: uuid:{}::urn:flamenco:manager:0\r\n\r\n"
)


@pytest.mark.parametrize(
    ("location", "usn", "want"),
    [
        ("http://10.0.0.5:8080/upnp/description.xml", discovery.UUID, "http://10.0.0.5:8080"),
        ("http://[fd00::5]:8080/upnp/description.xml", discovery.UUID.upper(), "http://[fd00::5]:8080"),
        ("http://10.0.0.5:8080/upnp/description.xml", "some-television", None),
        ("ftp://10.0.0.5/", discovery.UUID, None),
        ("http://[broken", discovery.UUID, None),
        ("", discovery.UUID, None),
    ],
)
def test_answers_to_the_search(location: str, usn: str, want: str | None) -> None:
    assert discovery.read_answer(ANSWER.format(location, usn).encode()) == want
    assert discovery.read_answer(b"NOTIFY * HTTP/1.1\r\n\r\n") is None
    assert discovery.read_answer(b"\xff\xfe") is None


def test_the_search_finds_a_manager() -> None:
    questions: list[Any] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as responder:
        responder.bind(("127.0.0.1", 0))

        def respond() -> None:
            question, sender = responder.recvfrom(2048)
            questions.append(question)
            television = ANSWER.format("http://10.0.0.9/", "television")
            manager = ANSWER.format("http://10.0.0.5:8080/upnp/description.xml", discovery.UUID)
            for answer in (television, manager, manager):
                responder.sendto(answer.encode(), sender)

        thread = threading.Thread(target=respond)
        thread.start()
        assert discovery.search(3, responder.getsockname()) == ["http://10.0.0.5:8080"]
        thread.join()
    lines = questions[0].decode().split("\r\n")
    assert lines[0] == "M-SEARCH * HTTP/1.1"
    assert {'MAN: "ssdp:discover"', "MX: 1", "ST: urn:flamenco:manager:0"} <= set(lines)


def test_the_search_ends_without_an_answer() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        assert discovery.search(0.3, silent.getsockname()) == []
