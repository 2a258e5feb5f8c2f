# SPDX-License-Identifier: GPL-3.0-or-later
"""A farm in a folder of its own: a real manager, and a real worker."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from flamenco_client import Client, ClientError

ROOT = Path(__file__).resolve().parents[3]
PROGRAMS = Path(os.environ.get("PROGRAMS") or ROOT / "target/debug")
T = TypeVar("T")

_kept = tempfile.TemporaryDirectory(prefix="flamenco-add-on-tests-", ignore_cleanup_errors=True)
#: What all tests of a run may share.
KEPT = Path(_kept.name)

#: Settings of the person who runs the tests.
_FOREIGN = ("FLAMENCO_LISTEN", "FLAMENCO_DATABASE", "FLAMENCO_SHARED_STORAGE", "FLAMENCO_HOME", "FLAMENCO_WORKER_NAME")


def until(what: str, found: Callable[[], T | None], seconds: float = 60.0) -> T:
    """Waits until something is there."""
    end = time.monotonic() + seconds
    while True:
        value = found()
        if value is not None and value is not False:
            return value
        assert time.monotonic() < end, f"waited in vain: {what}"
        time.sleep(0.05)


def environment() -> dict[str, str]:
    """That of the tests, in which every Blender compiles its own scripts only the first time.

    Some machines forbid it to keep what it compiled; then each start takes twice as long.
    """
    found = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    found["PYTHONPYCACHEPREFIX"] = str(KEPT / "compiled")
    return found


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class Farm:
    """The folder of a farm and its programs."""

    def __init__(
        self, folder: Path, *, shaman: bool = False, blender: Path | None = None, announce: bool = False
    ) -> None:
        self.folder = folder
        self.storage = folder / "storage"
        self.renders = folder / "renders"
        self.scripts = folder / "scripts"
        for path in (self.storage, self.renders, self.scripts, folder / "manager", folder / "worker"):
            path.mkdir(parents=True)
        self.shaman = shaman
        self.announce = announce
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.client = Client(self.url)
        self._blender = blender
        self._manager: subprocess.Popen[bytes] | None = None
        self._worker: subprocess.Popen[bytes] | None = None

    def start_manager(self) -> None:
        variables = ""
        if self._blender:
            value = json.dumps(str(self._blender))
            variables = (
                f"variables:\n  blender: {{ values: [ {{ platform: linux, value: {value} }} ] }}\n"
                "  blenderArgs: { values: [ { platform: linux, value: -b -y } ] }\n"
            )
        (self.folder / "manager/flamenco-manager.yaml").write_text(
            f"_meta: {{ version: 3 }}\nmanager_name: Test Farm\nautodiscoverable: {str(self.announce).lower()}\n"
            f"shared_storage_path: {json.dumps(str(self.storage))}\n"
            f"scripts_paths: [ {json.dumps(str(self.scripts))} ]\n"
            f"shaman: {{ enabled: {str(self.shaman).lower()} }}\n{variables}",
            encoding="utf-8",
        )
        self._manager = self._start("flamenco-manager", "manager", [], {"FLAMENCO_LISTEN": f"127.0.0.1:{self.port}"})
        until("the manager answers", self._answers, 30)

    def _answers(self) -> bool:
        try:
            self.client.get_version()
        except ClientError:
            return False
        return True

    def start_worker(self) -> None:
        own = {"FLAMENCO_HOME": str(self.folder / "worker"), "FLAMENCO_WORKER_NAME": "test-worker"}
        self._worker = self._start("flamenco-worker", "worker", ["-manager", f"{self.url}/"], own)

    def _start(self, program: str, name: str, arguments: list[str], own: dict[str, str]) -> subprocess.Popen[bytes]:
        inherited = {key: value for key, value in environment().items() if key not in _FOREIGN}
        with (self.folder / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                [PROGRAMS / program, *arguments],
                cwd=self.folder / name,
                env={**inherited, **own},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def stop_manager(self) -> None:
        self._stop(self._manager)
        self._manager = None

    def stop(self) -> None:
        # The worker first, so that it can sign off.
        self._stop(self._worker)
        self.stop_manager()

    def _stop(self, process: subprocess.Popen[bytes] | None) -> None:
        if process is not None and process.poll() is None:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def jobs(self) -> list[Any]:
        return self.client.fetch_jobs().jobs

    def job_types(self) -> list[Any]:
        return self.client.get_job_types().job_types

    def until_completed(self, job_id: str, seconds: float = 120.0) -> Any:
        def ended() -> Any:
            job = self.client.fetch_job(job_id)
            assert str(job.status) not in ("failed", "canceled"), self.why(job_id)
            return job if str(job.status) == "completed" else None

        return until(f"job {job_id} is completed", ended, seconds)

    def why(self, job_id: str) -> str:
        """The logs of the tasks that failed."""
        lines = []
        for task in self.client.fetch_job_tasks(job_id).tasks:
            if str(task.status) in ("failed", "soft-failed"):
                lines.append(f"{task.name}: {self.client.fetch_task_log_tail(task.id)}")
        return "\n".join(lines) or "no task failed"
