"""Files of a source: all that is there, but what a file system adds of its own."""

from collections.abc import Iterable
from pathlib import Path

BESIDE = "._"  # begins the name of what macOS leaves beside a file on foreign discs: film.png has ._film.png


def own_files(paths: Iterable[Path]) -> list[Path]:
    """Return the paths in order, without those of files that macOS left beside others."""
    return sorted(path for path in paths if not path.name.startswith(BESIDE))
