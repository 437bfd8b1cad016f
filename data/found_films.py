"""Films that a user points at: files and folders on disk, each with a name of its own for the results."""

import os
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from data.dicom import is_dicom
from data.reading import PICTURE_ENDINGS, UNREAD_ENDINGS
from data.reasons import as_utf8
from data.sources.files import search
from data.sources.manifest import masks_beside

ENDINGS = (*PICTURE_ENDINGS, ".dcm")
PERHAPS_DICOM = (".dicom", ".ima", ".dic")  # used by hospitals and VinDr-CXR, but by other programs too
DICOM_INDEX = "DICOMDIR"  # lists the films of a disc, is not one itself

# written by the commands: pictures that are not films, and what lies beside them
RESULT_FOLDERS = ("masks", "overlays", "explain", "dicom-seg", "report_files", "measured")
RESULT_PICTURES = ("comparison.png", "curves.png")
RESULT_TABLES = (
    "predictions.sqlite", "predictions.csv", "comparison.csv", "explain.csv", "scores.csv", "summary.json", "settings.json",
    "config.json", "rows_to_look_at.csv",
)  # fmt: skip


LEADS_OUT = "a link that leads out of the folder, which is not followed; name the link or the folder that it leads to"


class FoundFilms(NamedTuple):
    """Films, and links to films or folders that are not followed, since they lead out of the searched folder."""

    films: list[Path]
    links: list[Path]


def find_films(places: Sequence[Path], but: Collection[Path] = ()) -> FoundFilms:
    """Return the films at the places, folders searched to the bottom, in alphabetical order within each, none twice.

    but: folders to skip unless they are named themselves. RESULT_FOLDERS and RESULT_PICTURES beside a table of an earlier call of
    a command are skipped wherever they are, and so is what a manifest.csv lists as masks.
    A file that is named directly is taken whatever its ending; in a folder, files with no ending, a number as ending or one of
    PERHAPS_DICOM are taken only if they contain DICOM, and what macOS leaves beside files is skipped. Pictures of formats that
    are not read (UNREAD_ENDINGS) count as films, which cannot be read, unless the same name is there in a format
    that is. Links that lead out of a searched folder are not followed; one that leads nowhere inside it counts as a film, which
    cannot be read. Raises FileNotFoundError for a place that does not exist, PermissionError for a folder that may not be read,
    at whatever depth, ValueError for one that is neither file nor folder,
    or where there is no film at all. Paths are absolute, so that a film has one name however the call spells it.
    """
    found: dict[Path, None] = {}
    links: list[Path] = []
    for place in map(Path, map(os.path.abspath, places)):
        if place.is_dir():
            folders = [Path(os.path.abspath(folder)) for folder in but]
            found.update(dict.fromkeys(_films_below(place, folders, links)))
        elif place.is_file():
            found[place] = None
        elif place.exists():
            raise ValueError(f"{place}: neither a file nor a folder")
        else:
            raise FileNotFoundError(f"{place}: no such file or folder")
    if not found and links:
        raise ValueError(f"no film but links: {links[0]}{' and others' if len(links) > 1 else ''}: {LEADS_OUT}")
    if not found:
        raise ValueError(
            f"no film in {', '.join(map(str, places)) or 'nothing'}; wanted files ending in "
            f"{' '.join((*ENDINGS, *PERHAPS_DICOM))}"
        )
    return FoundFilms(list(found), links)


def names_for(
    paths: Iterable[Path], known: Mapping[Path, str] | None = None, taken: Collection[str] = ()
) -> dict[Path, str]:
    """Give every film the name its results are stored under: the stem, with a number behind it where stems repeat.

    known: names that were given before and stay. taken: further names that must not be given. Names differ in more than
    capitals, since some disks take those for the same.
    """
    paths, known = list(paths), known or {}
    stems = {path: as_utf8(path.stem) for path in paths}
    counts = Counter(stem.casefold() for stem in stems.values())
    single = {stem for stem, count in counts.items() if count == 1}
    names: dict[Path, str] = {}
    given = {name.casefold() for name in (*known.values(), *taken)}
    # the last number of each stem: counting from 1 for every film would take quadratic time
    last: Counter[str] = Counter()
    for path, stem in stems.items():
        name, own = stem, stem.casefold()
        while path not in known and (
            name.casefold() in given or (counts[own] > 1 if name == stem else name.casefold() in single)
        ):
            last[own] += 1
            name = f"{stem}-{last[own]}"
        names[path] = known.get(path, name)
        given.add(names[path].casefold())
    return names


def _films_below(folder: Path, but: Collection[Path], links: list[Path]) -> Iterator[Path]:
    root, paths = folder.resolve(), search(folder)
    with_results = {path.parent for path in paths if path.name in RESULT_TABLES}
    written = {own / name for own in with_results for name in (*RESULT_FOLDERS, *RESULT_PICTURES)}
    # only those below the folder: one that is searched itself is wanted
    no_films = {other for other in but if folder in other.parents} | written
    # a film that is there in a format that is read needs no other
    read = {path.with_suffix("") for path in paths if path.suffix.lower() in ENDINGS}
    no_films |= {path for path in paths if path.suffix.lower() in UNREAD_ENDINGS and path.with_suffix("") in read}
    for path in paths:
        if path.name == "manifest.csv":
            no_films |= masks_beside(path)
    for path in paths:
        try:
            if path in no_films or not no_films.isdisjoint(path.parents):
                continue
            # reading what leads nowhere will fail, so that it is listed and not lost
            leads_nowhere = path.suffix.lower() in (*ENDINGS, *UNREAD_ENDINGS) and _leads_nowhere(path)
            is_film = leads_nowhere or path.is_file() and _looks_like_film(path)
            if not is_film and not (path.is_symlink() and path.is_dir()):
                continue
            if not path.resolve().is_relative_to(root):
                links.append(path)
            elif is_film:
                yield path
        except PermissionError:  # whether it is a film nobody can say: it is listed with those that cannot be read
            yield path
        except OSError:  # a link that leads in a circle: nothing to be read there
            continue


def _leads_nowhere(path: Path) -> bool:
    try:
        path.stat()
    except FileNotFoundError:  # a link in a circle is another OSError
        return True
    return False


def _looks_like_film(path: Path) -> bool:
    ending = path.suffix.lower()
    if ending in ENDINGS or ending in UNREAD_ENDINGS:
        return True
    perhaps = not ending or ending[1:].isdigit() or ending in PERHAPS_DICOM
    return perhaps and path.name.upper() != DICOM_INDEX and is_dicom(path)
