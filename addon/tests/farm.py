# SPDX-License-Identifier: GPL-3.0-or-later
"""A real manager for tests: the program that `cargo build` made, on a free port, with a folder of its own."""

from __future__ import annotations

import os
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path
from socket import create_server

from flamenco_client import Client, ClientError

TOP = Path(__file__).resolve().parent.parent.parent
PROGRAM = Path(os.environ.get("FLAMENCO_MANAGER", TOP / "target/debug/flamenco-manager"))


class Manager:
    """A manager that runs."""

    def __init__(self, url: str, folder: Path):
        self.url = url
        self.storage = folder / "storage"
        self.client = Client(url)

    def checkout(self, checkout_path: str) -> Path:
        """The folder of a checkout, as workers see it."""
        return self.storage / "jobs" / checkout_path


def free_port() -> int:
    """A port that nobody listens on at the moment."""
    with create_server(("127.0.0.1", 0)) as socket:
        port: int = socket.getsockname()[1]
        return port


@contextmanager
def running_manager(folder: Path, settings: str = ""):
    """Starts a manager in a folder, and stops it again."""
    assert PROGRAM.exists(), f"{PROGRAM} is missing; build it with: cargo build -p flamenco-manager"
    port = free_port()
    (folder / "flamenco-manager.yaml").write_text(
        f"_meta: {{version: 3}}\nlisten: 127.0.0.1:{port}\nautodiscoverable: false\n"
        f"shared_storage_path: storage\n{settings}\n",
        encoding="utf-8",
    )
    with open(folder / "log.txt", "wb") as log:
        process = subprocess.Popen([PROGRAM], cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        manager = Manager(f"http://127.0.0.1:{port}/", folder)
        wait_for_answer(manager.client, process, folder)
        yield manager
    finally:
        process.terminate()
        process.wait(30)


def wait_for_answer(client: Client, process: subprocess.Popen[bytes], folder: Path) -> None:
    """Waits until the manager answers."""
    for _ in range(600):
        try:
            client.get_version(timeout=1)
            return
        except ClientError:
            assert process.poll() is None, (folder / "log.txt").read_text()
            time.sleep(0.05)
    raise AssertionError("the manager does not answer")
