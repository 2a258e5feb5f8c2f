#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds flamenco-addon.zip: the same bytes for the same sources, on every machine.

    python addon/build.py OUTPUT.zip

The libraries in wheels.txt are downloaded by pip on the first run, and checked against their hashes on every one.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import re
import subprocess
import sys
import zipfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
PACKAGE = HERE / "flamenco"
WHEELS = PACKAGE / "wheels"
REQUIREMENTS = HERE / "wheels.txt"
LICENSE = HERE.parent / "LICENSE"
#: The first moment that a ZIP file can name.
MOMENT = (1980, 1, 1, 0, 0, 0)


class BuildError(Exception):
    """The add-on cannot be built; the message says why."""


def expected_hashes() -> set[str]:
    """The hashes that wheels.txt allows."""
    return set(re.findall(r"--hash=sha256:([0-9a-f]{64})", REQUIREMENTS.read_text(encoding="utf-8")))


def provide_wheels() -> None:
    """Downloads what is missing, and removes what does not belong there."""
    WHEELS.mkdir(exist_ok=True)
    wanted = expected_hashes()
    if not wanted:
        raise BuildError(f"{REQUIREMENTS} names no hashes")
    for wheel in WHEELS.iterdir():
        if hashlib.sha256(wheel.read_bytes()).hexdigest() not in wanted:
            wheel.unlink()
    if len(list(WHEELS.iterdir())) < len(wanted):
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        command += [
            "--only-binary=:all:",
            "--require-hashes",
            "--requirement",
            str(REQUIREMENTS),
            "--dest",
            str(WHEELS),
        ]
        if subprocess.run(command, check=False).returncode != 0:
            raise BuildError("pip could not download the bundled libraries; see above")
    found = {hashlib.sha256(wheel.read_bytes()).hexdigest() for wheel in WHEELS.iterdir()}
    if found != wanted:
        raise BuildError(f"{WHEELS} does not have exactly what {REQUIREMENTS.name} asks for")


def version() -> str:
    """The version of the add-on, which has to be the same everywhere."""
    tree = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    info = next(
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "bl_info"
    )
    source = (PACKAGE / "version.py").read_text(encoding="utf-8")
    numbers = re.findall(r"^VERSION = \((\d+), (\d+), (\d+)\)$", source, re.MULTILINE)
    found = {"bl_info": ".".join(map(str, info["version"])), "version.py": ".".join(numbers[0]) if numbers else "none"}
    for name, path in (
        ("blender_manifest.toml", PACKAGE / "blender_manifest.toml"),
        ("Cargo.toml", HERE.parent / "Cargo.toml"),
    ):
        match = re.search(r'^version = "([^"]+)"', path.read_text(encoding="utf-8"), re.MULTILINE)
        found[name] = match[1] if match else "none"
    if len(set(found.values())) != 1:
        raise BuildError(f"the versions differ: {found}")
    return found["bl_info"]


def sources() -> dict[str, Path]:
    """What goes into the ZIP file, by its name in there."""
    files = {}
    for path in PACKAGE.rglob("*"):
        parts = path.relative_to(PACKAGE).parts
        if path.is_file() and "__pycache__" not in parts and not any(part.startswith(".") for part in parts):
            files["/".join(("flamenco", *parts))] = path
    files["flamenco/LICENSE"] = LICENSE
    return dict(sorted(files.items()))


def write(output: Path) -> None:
    """Writes the ZIP file."""
    output.parent.mkdir(parents=True, exist_ok=True)
    temporary = output.with_name(output.name + ".new")
    with zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.comment = f"Flamenco add-on for Blender {version()}".encode("ascii")
        for name, path in sources().items():
            entry = zipfile.ZipInfo(name, MOMENT)
            entry.external_attr = 0o644 << 16
            # So that Windows builds the same file.
            entry.create_system = 3
            kind = zipfile.ZIP_STORED if path.suffix == ".whl" else zipfile.ZIP_DEFLATED
            archive.writestr(entry, path.read_bytes(), kind, 9)
    temporary.replace(output)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("output", type=Path, help="the ZIP file to write")
    wanted = parser.parse_args()
    try:
        provide_wheels()
        write(wanted.output)
    except (BuildError, OSError) as error:
        print(f"The add-on was not built: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
