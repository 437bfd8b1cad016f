"""Files of a source: inside its folder, and without those that a file system adds itself."""

import os
from collections.abc import Iterable
from pathlib import Path

BESIDE = "._"  # prefix of what macOS leaves beside files on foreign discs: ._film.png beside film.png


def own_files(paths: Iterable[Path]) -> list[Path]:
    """Return the paths in order, without those of files that macOS left beside others."""
    return sorted(path for path in paths if not path.name.startswith(BESIDE))


def inside(root: Path, file: str) -> Path:
    """Return root / file, which must lie below root also after following links; ValueError where it leads outside."""
    path = Path(os.path.realpath(root / file))  # Path.resolve fails on circular links: such a file is missing
    if not path.is_relative_to(root):
        raise ValueError(f"{file}: the path leads outside the source's folder {root}; move the file into it")
    return path
