# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds the files that a blend file needs, and where each goes in a pack.

Blender Asset Tracer does the tracing and the rewriting of paths. It copies nothing here: the result is a list, which
`transfer` copies to the shared storage or `shaman` uploads.
"""

from __future__ import annotations

import contextlib
import dataclasses
import gzip
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePath
from typing import Any

from . import loader, paths
from .progress import Phase, Progress

__all__ = [
    "LinksChanged",
    "Pack",
    "PackFile",
    "PackProblem",
    "Survey",
    "changed",
    "survey",
    "trace",
]


#: How hard rewritten files are compressed, from 1 to 9: large files are not to take minutes.
COMPRESSION = 3


class PackProblem(Exception):
    """The files cannot be collected. The message is for the user."""


@dataclasses.dataclass(frozen=True)
class PackFile:
    """One file of a pack."""

    #: Where it is read from: the artist's file, or a rewritten copy.
    source: Path
    #: Where it belongs, relative to the pack.
    destination: PurePath
    #: In bytes, when it was found.
    size: int
    #: When it was last changed, in nanoseconds, when it was found.
    modified: int

    @property
    def name(self) -> str:
        """Its place in the pack with forward slashes."""
        return self.destination.as_posix()


@dataclasses.dataclass(frozen=True)
class Pack:
    """What has to be sent."""

    #: The blend file to render, relative to the pack.
    blendfile: PurePath
    files: tuple[PackFile, ...]
    #: Files that are needed but do not exist.
    missing: tuple[Path, ...]
    #: Files that are referred to by absolute paths and are not sent: workers are to find them there.
    left_in_place: tuple[Path, ...]
    #: Files outside of the project that Blender uses and the tracer did not find.
    overlooked: tuple[Path, ...]

    @property
    def size(self) -> int:
        """In bytes."""
        return sum(file.size for file in self.files)


def describe(source: Path, destination: PurePath) -> PackFile:
    """A file of a pack as it is now. Raises `OSError`."""
    stat = source.stat()
    return PackFile(source, destination, stat.st_size, stat.st_mtime_ns)


def changed(file: PackFile) -> bool:
    """Whether a file has changed since it was found. Raises `OSError`."""
    stat = file.source.stat()
    return (stat.st_size, stat.st_mtime_ns) != (file.size, file.modified)


class LinksChanged(Exception):
    """Blend files were written to after they were looked through: they may link something else by now."""


@contextlib.contextmanager
def trace(
    blendfile: Path, project: Path, progress: Progress, *, absolute: bool = False, known: Iterable[Path] = ()
) -> Iterator[Pack]:
    """Finds everything that a saved blend file needs. Rewritten copies exist until the context ends.

    Files below `project` keep their place. With `absolute`, files that are referred to by absolute paths are sent as
    well. `known` are the files that Blender itself says it uses: what the tracer overlooks of them is added. Raises
    `PackProblem` and `Cancelled`.
    """
    with _tracing(blendfile, project, progress, absolute=absolute) as packer:
        packer.execute()
        overlooked = _add_known(packer, project, known)
        yield _result(packer, overlooked)


@dataclasses.dataclass(frozen=True)
class Survey:
    """What a file needs that is rendered where it is."""

    missing: tuple[Path, ...]
    #: Files that exist here and are outside of the shared storage: workers may not see them.
    outside: tuple[Path, ...]


def survey(blendfile: Path, storage: str, progress: Progress, *, known: Iterable[Path] = ()) -> Survey:
    """Finds what a saved blend file needs and has not got, without copying or changing anything.

    `storage` is the folder of the shared storage. Raises `PackProblem` and `Cancelled`.
    """
    with _tracing(blendfile, blendfile.parent, progress, absolute=True) as packer:
        found = set(packer._actions) | {path for path in known if path.is_file()}
        outside = [path for path in found if not paths.is_inside(path, storage)] if storage else []
        return Survey(tuple(sorted(packer.missing_files)), tuple(sorted(outside)))


@contextlib.contextmanager
def _tracing(blendfile: Path, project: Path, progress: Progress, *, absolute: bool) -> Iterator[Any]:
    """A packer that knows what the blend file refers to. Raises `PackProblem` and `Cancelled`."""
    if not project.is_dir():
        raise PackProblem(f"The project folder {project} does not exist; choose another one in the panel")
    if not blendfile.is_relative_to(project):
        raise PackProblem(f"{blendfile} is not inside of the project folder {project}; choose another one")
    blendfiles: Any = loader.asset_tracer("blendfile")
    problem = loader.asset_tracer("blendfile.exceptions").BlendFileError
    # Library overrides may have pointers that lead nowhere.
    blendfiles.set_strict_pointer_mode(False)
    _mend(loader.asset_tracer("trace.expanders"))
    blendfiles.gzip = _SteadyGzip
    progress.enter(Phase.INVESTIGATING, blendfile.name)
    packer: Any = None
    try:
        packer = _packer(blendfile, project, progress, absolute)
        packer.strategise()
        progress.check()
        yield packer
    except loader.asset_tracer("pack").Aborted:
        progress.check()
        raise
    except problem as error:
        raise PackProblem(_explain(error)) from error
    except OSError as error:
        if error.errno is None:
            raise PackProblem(_explain(error)) from error
        raise PackProblem(f"Cannot read {error.filename or blendfile}: {error.strerror or error}") from error
    finally:
        blendfiles.close_all_cached()
        if packer is not None:
            packer.close()


def _explain(error: Any) -> str:
    text = str(error)
    if "zstandard" in text.lower():
        return (
            f"{text}. This Blender's Python has no zstandard module, so compressed files cannot be read: install it "
            "(in Debian: apt-get install python3-zstandard), or save the file without compression"
        )
    return f"Cannot read a blend file: {text}"


class _SteadyGzip:
    """Compresses rewritten files such that the same content gives the same file, or it would be uploaded each time."""

    @staticmethod
    @contextlib.contextmanager
    def open(path: str, mode: str) -> Iterator[gzip.GzipFile]:
        """Opens a file for writing, with neither time nor name in it."""
        with (
            open(path, mode) as raw,
            gzip.GzipFile(filename="", mode=mode, compresslevel=COMPRESSION, fileobj=raw, mtime=0) as file,
        ):
            yield file


def _mend(expanders: Any) -> None:
    """Blender 5 moved the nodes of scenes. Version 1.23 of the tracer looks there for those of materials, lights and
    worlds, too, and so misses every texture of a linked material.
    """
    if getattr(expanders, "is_mended", False):
        return
    original = expanders._expand_generic_nodetree_id

    def expand(block: Any) -> Iterator[Any]:
        if block.dna_type.has_field(b"nodetree"):
            tree = block.get_pointer(b"nodetree", None)
            if tree is not None:
                yield from expanders._expand_generic_nodetree(tree)
        if block.dna_type.has_field(b"compositing_node_group"):
            yield from original(block)

    expanders._expand_generic_nodetree_id = expand
    expanders.is_mended = True


def _add_known(packer: Any, project: Path, known: Iterable[Path]) -> list[Path]:
    """Adds files of the project that the tracer does not know of; gives those that are elsewhere."""
    found = {file.source for file in packer.collected.values()} | packer.left_in_place | set(packer._actions)
    overlooked = []
    for path in dict.fromkeys(known):
        if path in found or not path.is_file():
            continue
        if path.is_relative_to(project):
            place = path.relative_to(project)
            packer.collected.setdefault(place, describe(path, place))
        else:
            overlooked.append(path)
    return overlooked


def _result(packer: Any, overlooked: list[Path]) -> Pack:
    return Pack(
        blendfile=packer.output_path.relative_to(packer._target_path),
        files=tuple(packer.collected.values()),
        missing=tuple(sorted(packer.missing_files)),
        left_in_place=tuple(sorted(packer.left_in_place)),
        overlooked=tuple(overlooked),
    )


def _packer(blendfile: Path, project: Path, progress: Progress, absolute: bool) -> Any:
    """A packer of the tracer that collects what it would copy."""
    library = loader.asset_tracer("pack")
    callbacks = loader.asset_tracer("pack.progress").Callback

    class Callback(callbacks):  # type: ignore[misc,valid-type]
        """Shows the progress, and stops the tracer between files."""

        def trace_blendfile(self, filename: Path) -> None:
            progress.check()
            progress.say(filename.name)

        def trace_asset(self, filename: Path) -> None:
            progress.check()
            progress.say(filename.name)

        def rewrite_blendfile(self, orig_filename: Path) -> None:
            progress.check()
            progress.enter(Phase.REWRITING, orig_filename.name)

    class Collector(library.Packer):  # type: ignore[misc,name-defined]
        """Lists the files instead of copying them."""

        def __init__(self) -> None:
            # Only used to compute relative paths, nothing is written there.
            super().__init__(blendfile, project, str(Path(tempfile.gettempdir()) / "flamenco-pack"))
            self.collected: dict[PurePath, PackFile] = {}
            self.left_in_place: set[Path] = set()
            self.progress_cb = Callback()

        def _visit_asset(self, asset_path: Path, usage: Any) -> None:
            if self._stays(asset_path, usage):
                self.left_in_place.add(asset_path)
                return
            super()._visit_asset(asset_path, usage)

        def _stays(self, asset_path: Path, usage: Any) -> bool:
            """Linked blend files are always sent, or what they link could not be found from within them."""
            if absolute or usage.asset_path.is_blendfile_relative():
                return False
            return asset_path.suffix.lower() != ".blend" and (usage.is_sequence or asset_path.exists())

        def _start_file_transferrer(self) -> None:
            """Nothing is transferred."""

        def _perform_file_transfer(self) -> None:
            for asset_path, action in self._actions.items():
                progress.check()
                self._copy_asset_and_deps(asset_path, action)

        def _send_to_target(self, asset_path: Path, target: PurePath, may_move: bool = False) -> None:
            if asset_path.is_dir():
                return
            place = target.relative_to(self._target_path)
            if place not in self.collected:
                self.collected[place] = describe(asset_path, place)

    return Collector()
