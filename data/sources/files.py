"""Files of a source: inside its folder, and without those that a file system adds itself."""

import errno
import os
import re
from collections.abc import Iterable
from pathlib import Path

BESIDE = "._"  # prefix of what macOS leaves beside files on foreign discs: ._film.png beside film.png


def own_files(paths: Iterable[Path]) -> list[Path]:
    """Return the paths in order, without those of files that macOS left beside others."""
    return sorted(path for path in paths if not path.name.startswith(BESIDE))


def search(folder: Path) -> list[Path]:
    """Return all files and folders below a folder, in order, without what macOS left beside others.

    Raises PermissionError for a folder that may not be read, at whatever depth, which `rglob` leaves out without a word. A table
    that names its films needs no search, and what it does not name may be closed.
    """

    def refuse(error: OSError) -> None:
        if error.errno in (errno.EACCES, errno.EPERM):
            words = "may not be read, so nobody can say which films are there"
            raise PermissionError(error.errno, words, error.filename) from error

    return own_files(
        Path(parent, name) for parent, folders, files in os.walk(folder, onerror=refuse) for name in (*folders, *files)
    )


def below(root: Path, file: str) -> str:
    """Return an absolute path that lies below root as one relative to it, '/'-separated; any other as it is.

    So a folder that moves keeps its films, as the docs promise.
    """
    if not os.path.isabs(file):
        return file
    folder, name = os.path.split(file)  # the file itself may be a link: its own name counts
    path = Path(os.path.realpath(folder), name)
    whole = os.path.realpath(root)
    return path.relative_to(whole).as_posix() if path.is_relative_to(whole) else file


def inside(root: Path, file: str) -> Path:
    """Return root / file, which must lie below root also after following links; ValueError where it leads outside."""
    if re.match(r"[A-Za-z]:/", file):
        raise ValueError(f"{file}: a path with a drive letter; wanted one relative to {root}")
    path = Path(os.path.realpath(root / file))  # Path.resolve fails on circular links: such a file is missing
    if not path.is_relative_to(os.path.realpath(root)):
        raise ValueError(f"{file}: the path leads outside the source's folder {root}; move the file into it")
    return path
