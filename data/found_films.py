"""Films that a user points at: files and folders on disk, each with a name of its own for the results."""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

ENDINGS = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".img", ".dcm")


def find_films(places: Sequence[Path]) -> list[Path]:
    """Return the films at the places, folders searched to the bottom, in alphabetical order within each, none twice.

    A file that is named directly is taken whatever its ending; links that lead out of a searched folder are not followed. Raises
    FileNotFoundError for a place that does not exist, ValueError where there is no film at all.
    """
    found: dict[Path, None] = {}
    for place in places:
        if place.is_dir():
            root = place.resolve()
            below = (path for path in sorted(place.rglob("*")) if path.suffix.lower() in ENDINGS and path.is_file())
            found.update(dict.fromkeys(path for path in below if path.resolve().is_relative_to(root)))
        elif place.exists():
            found[place] = None
        else:
            raise FileNotFoundError(f"{place}: no such file or folder")
    if not found:
        raise ValueError(
            f"no film in {', '.join(map(str, places)) or 'nothing'}; wanted files ending in {' '.join(ENDINGS)}"
        )
    return list(found)


def names_for(paths: Iterable[Path]) -> dict[Path, str]:
    """Give every film the name its results are stored under: the stem, with a number behind it where stems repeat."""
    paths = list(paths)
    counts = Counter(path.stem for path in paths)
    names: dict[Path, str] = {}
    used = {stem for stem, count in counts.items() if count == 1}
    for path in paths:
        name, number = path.stem, 0
        while counts[path.stem] > 1 and (number == 0 or name in used):
            number += 1
            name = f"{path.stem}-{number}"
        names[path] = name
        used.add(name)
    return names
