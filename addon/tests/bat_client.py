# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients of the file store that behave as the stock add-ons do, on top of the real Blender Asset Tracer.

Asset Tracer finds the files, decides where they go and rewrites what has to be rewritten; its own module for Shaman
speaks the protocol of the servers before Flamenco 3, so that stock add-ons bring their own. What they send is described
in the reference: requests one after another, whole files, `True` and `False` in headers, a check before each upload.
"""

from __future__ import annotations

import email.header
import hashlib
import json
import random
import sys
from pathlib import Path, PurePath, PurePosixPath

import urllib3
from blender_asset_tracer import pack
from blender_asset_tracer.pack import transfer

ROUNDS = 50
MOST_DEFERRED = 8


class ManagerError(Exception):
    """An answer that is none of 200 to 299."""

    def __init__(self, status, body):
        super().__init__(f"{status}: {body!r}")
        self.status = status


class FileStore:
    """The four calls, sent as the generated client of the stock add-on sends them."""

    def __init__(self, url):
        self.url = url.rstrip("/") + "/api/v3/shaman"
        self.http = urllib3.PoolManager(retries=False)
        self.statuses = []

    def call(self, method, path, body=None, headers=None):
        answer = self.http.request(method, self.url + path, body=body, headers=headers, timeout=60)
        self.statuses.append(answer.status)
        if not 200 <= answer.status <= 299:
            raise ManagerError(answer.status, answer.data)
        return json.loads(answer.data) if answer.data else None

    def json(self, path, body):
        return self.call("POST", path, json.dumps(body).encode(), {"Content-Type": "application/json"})

    def requirements(self, files):
        return self.json("/checkout/requirements", {"files": files})["files"]

    def check(self, file):
        return self.call("GET", f"/files/{file['sha']}/{file['size']}")["status"]

    def upload(self, file, source: Path, can_defer: bool):
        headers = {
            "Content-Type": "application/octet-stream",
            "X-Shaman-Can-Defer-Upload": str(can_defer),
            "X-Shaman-Original-Filename": email.header.Header(file["path"], "utf-8", maxlinelen=10**9).encode(),
        }
        self.call("POST", f"/files/{file['sha']}/{file['size']}", source.read_bytes(), headers)

    def create(self, files, checkout_path):
        return self.json("/checkout/create", {"files": files, "checkoutPath": checkout_path})["checkoutPath"]


class Transferrer(transfer.FileTransferer):
    """Takes the files that Asset Tracer has found, and sends them; runs on a thread of its own."""

    def __init__(self, url, checkout_path, like):
        super().__init__()
        self.store = FileStore(url)
        self.wanted_checkout, self.like = checkout_path, like
        self.checkout_path = ""
        self.sources: dict[str, Path] = {}
        self.files: list[dict] = []

    def run(self):
        try:
            self.transfer()
        # As in every thread: whoever waits for it is told.
        except Exception as error:
            self.error_set(f"{type(error).__name__}: {error}")

    def transfer(self):
        for source, target, _ in self.iter_queue():
            path = PurePosixPath(*target.parts[1:]).as_posix()
            if self.like == "v2 on Windows":
                path = path.replace("/", "\\")
            content = source.read_bytes()
            spec = {"sha": hashlib.sha256(content).hexdigest(), "size": len(content), "path": path}
            if spec not in self.files:
                self.files.append(spec)
                self.sources[path] = source
        for _ in range(ROUNDS):
            missing = self.store.requirements(self.files)
            for file in missing:
                if file["path"] not in self.sources:
                    raise AssertionError(f"asked for {file['path']!r}, which was not offered")
            if not self.upload_all(self.in_order(missing)):
                break
        else:
            raise AssertionError(f"not uploaded after {ROUNDS} rounds")
        self.checkout_path = self.store.create(self.files, self.wanted_checkout)

    def in_order(self, missing):
        unknown = [file for file in missing if file["status"] == "unknown"]
        uploading = [file for file in missing if file["status"] == "uploading"]
        assert len(unknown) + len(uploading) == len(missing), "a status that clients do not know"
        if self.like != "v1":
            random.shuffle(unknown)
            random.shuffle(uploading)
        return unknown + uploading

    def upload_all(self, files):
        """Uploads what has to be; true when something failed and another round is due."""
        deferred: set[str] = set()
        while files:
            file = files.pop(0)
            if self.store.check(file) == "stored":
                continue
            can_defer = len(deferred) < MOST_DEFERRED and file["path"] not in deferred and bool(files)
            try:
                self.store.upload(file, self.sources[file["path"]], can_defer)
            except ManagerError as error:
                if error.status != 425:
                    return True
                deferred.add(file["path"])
                random.shuffle(files)
        return False


class ShamanPacker(pack.Packer):
    """Asset Tracer's packer, with the file store as its target."""

    def __init__(self, blend_file: Path, project: Path, url: str, checkout_path: str, like: str = "v1"):
        super().__init__(blend_file, project, "/", compress=True, relative_only=True)
        self.url, self.wanted_checkout, self.like = url, checkout_path, like
        self.sent: Transferrer | None = None

    def _make_target_path(self, target: str) -> PurePath:
        return PurePosixPath("/")

    def _create_file_transferer(self) -> transfer.FileTransferer:
        self.sent = Transferrer(self.url, self.wanted_checkout, self.like)
        return self.sent

    @property
    def path_in_checkout(self) -> str:
        """Where the packed scene is in the checkout."""
        return PurePosixPath(*self.output_path.parts[1:]).as_posix()


def main():
    """Packs a scene, and prints what was sent as JSON. Arguments: those of `ShamanPacker`."""
    scene, project, *rest = sys.argv[1:]
    with ShamanPacker(Path(scene), Path(project), *rest) as packer:
        packer.strategise()
        packer.execute()
        print(json.dumps({"checkout_path": packer.sent.checkout_path, "files": packer.sent.files}))


if __name__ == "__main__":
    main()
