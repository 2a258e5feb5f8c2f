# SPDX-License-Identifier: GPL-3.0-or-later
"""What an artist is told by a real manager that has roles, and what the manager keeps on record of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from farm import Manager, running_manager

from flamenco import manager_info
from flamenco.flamenco_client import ApiError, Client
from flamenco.flamenco_client.models import SubmittedJob
from flamenco.manager_info import Problem

ADMIN, ARTIST, VIEWER = "admin-token-of-the-farm", "artist-token-of-the-farm", "viewer-token-of-the-farm"
JOB = SubmittedJob(
    name="shot 010 ñ",
    type="echo-sleep-test",
    submitter_platform="linux",
    settings={"message": "x", "sleep_duration_seconds": 0, "sleep_repeats": 1},
)


def settings(without_token: str) -> str:
    return (
        f"access: {{admin_token: {ADMIN}, artist_token: {ARTIST}, viewer_token: {VIEWER}, "
        f"without_token: {without_token}}}"
    )


def refusal(manager: Manager, token: str | None) -> str:
    """What an artist reads whose job is refused."""
    with pytest.raises(ApiError) as caught:
        Client(manager.url, token=token, name="Büro").submit_job(JOB)
    return manager_info.explain(caught.value, manager.url)


def test_an_artist_submits_and_others_are_told_why_not(tmp_path: Path) -> None:
    with running_manager(tmp_path, settings("nothing")) as manager:
        artist = Client(manager.url, token=ARTIST, name="Büro")
        assert manager_info.fetch(artist, "linux").shared_storage.location == str(manager.storage / "jobs")
        job = artist.submit_job(JOB)
        assert "wants an access token" in refusal(manager, None)
        assert "does not know the access token" in refusal(manager, "guess")
        said = refusal(manager, VIEWER)
        assert "the role artist" in said and "the role viewer" in said and "preferences of the add-on" in said
        with pytest.raises(Problem, match="does not know the access token"):
            manager_info.fetch(Client(manager.url, token="guess"), "linux")

        (entry,) = Client(manager.url, token=ADMIN).fetch_audit().entries
        assert (entry.operation, entry.name, entry.role) == ("submitJob", "Büro", "artist")
        assert (str(entry.object_id), entry.object_name) == (job.id, "shot 010 ñ")


def test_without_a_token_where_that_is_enough(tmp_path: Path) -> None:
    with running_manager(tmp_path, settings("artist")) as manager:
        stock = Client(manager.url)
        assert manager_info.fetch(stock, "linux").version.name
        stock.submit_job(JOB)
        assert "does not know the access token" in refusal(manager, "guess")
