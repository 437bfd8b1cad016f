"""Files of a source, without those that a file system adds itself."""

from collections.abc import Iterable
from pathlib import Path

BESIDE = "._"  # prefix of what macOS leaves beside files on foreign discs: ._film.png beside film.png


def own_files(paths: Iterable[Path]) -> list[Path]:
    """Return the paths in order, without those of files that macOS left beside others."""
    return sorted(path for path in paths if not path.name.startswith(BESIDE))
