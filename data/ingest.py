"""Read a folder of films into the database.

    python -m data.ingest phantom --count 300 --seed 0 --db films.sqlite     # embedded films, drawn on the spot
    python -m data.ingest manifest my/films/manifest.csv --db films.sqlite   # your own, see docs/data-formats.md
    python -m data.ingest dicom hospital/export --db films.sqlite            # facts from the headers; needs pydicom
    python -m data.ingest montgomery MontgomerySet --db films.sqlite

Sources: manifest, dicom, montgomery, shenzhen, jsrt, covid_chestxray, covid_radiography, chexmask, phantom. Every film is opened
and decoded once; what cannot be used is refused with its reason, the rest is written in one transaction.
"""

import importlib
import os
import sqlite3
import sys
import warnings
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, fields, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from cli.command import DONE, SOME_FAILED, run
from cli.parallel import map_in_order
from cli.progress import track
from cli.settings import parse_settings, setting
from data.contradictions import without_contradictions
from data.film_check import check_film, check_rows_together
from data.ingest_counts import count_masks, print_counts
from data.reading import DECODING_THREADS
from data.reasons import as_utf8, one_line
from data.sources import READERS
from db.connection import connect
from db.ingest_rows import CheckedFilm, Refusal, write_source
from db.records import SourceFilm
from db.stored_films import as_stored, check_not_moved, check_same_source, films_gone, has_films

PHANTOM = "phantom"
# the number changes whenever the films or their masks are drawn differently
DEFAULT_DATABASE = Path("datasets") / "phantom4.sqlite"
DEFAULT_COUNT = 300
LISTED = 20  # films that are named one by one
# refusals that say nothing against the film itself
UNREAD = ("missing file", "unreadable or truncated", "cannot be read", "too large for the memory")


@dataclass(frozen=True)
class IngestConfig:
    """Settings of `python -m data.ingest`."""

    what: tuple[str, ...] = setting(
        (), "SOURCE FOLDER: the reader and the folder it reads (phantom needs no folder)", positional=True
    )
    db: Path | None = setting(None, "database to write to, made if it is not there")
    name: str | None = setting(
        None, "name of the source in the database; without it the reader's, or the folder's for manifest and dicom"
    )
    count: int = setting(DEFAULT_COUNT, "phantom: number of frontal films")
    seed: int = setting(0, "phantom: seed; the same seed gives the same bytes")
    out: Path | None = setting(None, "phantom: folder for its films; without it beside the database")


def main(argv: list[str]) -> int:
    """Ingest as the arguments say; status 1 when some rows were refused."""
    config = parse_settings(IngestConfig, argv, __doc__)
    if config.db is None:
        raise ValueError("--db is missing; name the database file to write to, e.g. --db films.sqlite")
    reader = config.what[0] if config.what else "nothing"
    if reader == PHANTOM and len(config.what) == 1:
        refusals = ingest_phantom(config.db, config.count, config.seed, config.out, config.name or PHANTOM)
    elif reader in READERS and len(config.what) == 2:
        _check_drawing(config, reader)
        folder = Path(config.what[1])
        refusals = ingest_folder(config.db, reader, folder, config.name or default_name(reader, folder))
    else:
        wanted = f"SOURCE FOLDER with SOURCE one of {', '.join(READERS)}, or {PHANTOM}"
        raise ValueError(f"got {' '.join(config.what) or 'no source'}; wanted {wanted}")
    return SOME_FAILED if refusals else DONE


def _check_drawing(config: IngestConfig, reader: str) -> None:
    """Refuse settings of the phantom's drawing with another reader."""
    for field in fields(config):
        if field.name in ("count", "seed", "out") and getattr(config, field.name) != field.default:
            raise ValueError(f"--{field.name} draws phantom films and changes nothing for {reader}; leave it out")


def ensure_phantom(db: Path = DEFAULT_DATABASE) -> Path:
    """Return the database of embedded films, drawing them first where it is not there."""
    if not db.exists():
        print(f"Drawing {DEFAULT_COUNT} phantom films into {db}; later runs use them again", file=sys.stderr)
        db.parent.mkdir(parents=True, exist_ok=True)
        # a separate database until it is complete: neither a kill nor a second process drawing the films can spoil it
        with TemporaryDirectory(prefix=".unfinished-", dir=db.parent) as folder:
            unfinished = Path(folder) / db.name
            ingest_phantom(unfinished, DEFAULT_COUNT, 0, db.parent / f"{db.stem}_films", PHANTOM)
            publish(unfinished, db)
    return db


def publish(unfinished: Path, db: Path) -> None:
    """Give a complete database its name, unless another process was first, which may already be writing to it."""
    try:
        os.link(unfinished, db)
    except FileExistsError:
        pass
    except OSError:  # a disk without hard links; a process that comes between these two lines drew the same films
        if not db.exists():
            os.rename(unfinished, db)


def ingest_phantom(db: Path, count: int, seed: int, folder: Path | None, name: str) -> list[Refusal]:
    """Draw phantom films into a folder and read them into the database."""
    from data.sources import phantom  # the drawing is not needed by those who bring their own films

    folder = folder or db.parent / f"{db.stem}_films"
    films = list(track(phantom.generate(folder, count, seed), phantom.count_rows(count), "drawing film"))
    return ingest_films(db, PHANTOM, folder, name, films)


def ingest_folder(db: Path, reader: str, folder: Path, name: str) -> list[Refusal]:
    """Read a folder of a known layout into the database."""
    if not folder.exists():
        raise FileNotFoundError(f"{folder}: no such file or folder; name what {reader} was unpacked to")
    module = importlib.import_module(f"data.sources.{reader}")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        films = list(module.read(folder))
    for warning in caught:
        print(f"warning: {one_line(warning.message)}", file=sys.stderr)
    root = folder if folder.is_dir() else folder.parent
    return ingest_films(db, reader, root, name, films)


def ingest_films(db: Path, reader: str, root: Path, name: str, films: Sequence[SourceFilm]) -> list[Refusal]:
    """Check every film, write the source, print what came of it; return the refusals, also of films that stay as they were."""
    if not films:
        raise ValueError(f"{root}: the {reader} reader found no film there; check that it is the folder of that layout")
    root = root.resolve()
    with closing(connect(db)) as connection:
        check_name(connection, name, root)
        checked, refusals, kept = keep_unread(connection, name, films, check_films(films, root))
        # not before: a film that cannot be read has facts of before, which may contradict the table's
        facts, contradictions = without_contradictions([film.film for film in checked])
        checked = [replace(film, film=own) for film, own in zip(checked, facts, strict=True)]
        repeated = check_not_moved(connection, name, root, checked)
        gone = films_gone(connection, name, checked)
        check_same_source(connection, name, root, gone)
        before = count_masks(connection, name)
        write_source(connection, name, str(root), reader, checked, refusals, rows_read=len(films))
        print_counts(connection, name, len(films), checked, refusals, db)
        now = count_masks(connection, name)
        if now < before:
            print(f"  note: {before} masks before and {now} now; are the folders of the masks in their place?")
    if gone:
        scored = f", {sum(row['scored'] for row in gone)} of them with their scores" * any(
            row["scored"] for row in gone
        )
        print(
            f"  note: {len(gone)} films that were read before are gone{scored}; the first: {one_line(gone[0]['file'])}"
        )
    if kept:
        print(
            f"  note: {len(kept)} films cannot be read now and stay as they were read before; take the rows of those that are "
            f"gone for good out of the table:"
        )
        print("\n".join(f"    {refusal.detail}" for refusal in kept[:LISTED]) + "\n    ..." * (len(kept) > LISTED))
    for note in (*contradictions, *repeated):
        print(f"  note: {one_line(note)}")
    return refusals + kept


def check_name(connection: sqlite3.Connection, name: str, root: Path) -> None:
    """Refuse a name whose films were read from another folder that is still there; a folder that has moved keeps its name.

    Also refuse a new name with a colon, which separates name and id (a with patient b:c and a:b with c would be one person),
    one that --source could not name, and one with a plus sign, which parts the sources that a split set leaves out.
    """
    if as_utf8(f"{root} {name}") != f"{root} {name}":
        raise ValueError(
            f"{as_utf8(str(root))}, --name {as_utf8(name)}: a name that is not UTF-8; give the folder another"
        )
    row = connection.execute("SELECT root FROM source WHERE name = ?", (name,)).fetchone()
    if row is None and (name == "all" or any(sign in name for sign in ":,+")):
        raise ValueError(
            f"{root}: a source may not be called {name}, as 'all' means every source and :, comma and + part names; give it "
            "another --name"
        )
    if row is not None and row["root"] != str(root) and Path(row["root"]).is_dir():
        raise ValueError(
            f"{root}: the database has a source {name} already, read from {row['root']}, whose films and scores would go; give "
            "this one a --name of its own"
        )


def check_films(films: Sequence[SourceFilm], root: Path) -> list[tuple[CheckedFilm | None, list[Refusal]]]:
    """Open every film with a few threads; return for each what may be written of it (None: nothing) and what is refused."""
    outcomes = map_in_order(lambda film: check_film(film, root), films, DECODING_THREADS)
    return list(track(outcomes, len(films), "reading film"))


def keep_unread(
    connection: sqlite3.Connection,
    name: str,
    films: Sequence[SourceFilm],
    outcomes: Sequence[tuple[CheckedFilm | None, list[Refusal]]],
) -> tuple[list[CheckedFilm], list[Refusal], list[Refusal]]:
    """Return the films to be written, what is refused, and why some are kept as they were read before.

    A disc not mounted today costs no film its scores. Raises ValueError where a source had films and none can be used now.
    """
    checked, refusals, kept = [], [], []
    for film, (outcome, refused) in zip(films, outcomes, strict=True):
        if outcome is None and refused[0].reason in UNREAD:
            outcome = as_stored(connection, name, film)
            (refusals if outcome is None else kept).extend(refused)
        else:
            refusals += refused
        if outcome is not None:
            checked.append(outcome)
    if len(kept) == len(checked) and has_films(connection, name):
        raise ValueError(
            f"none of the {len(films)} films of {name} can be used now, so its films and scores in the database stay as they "
            f"are; is the folder in its place? The first: {(kept + refusals)[0].detail}"
        )
    checked, exchanged = check_rows_together(checked)
    return checked, refusals + exchanged, kept


def default_name(reader: str, folder: Path) -> str:
    """Name a source of one's own films after its folder, every other after its reader."""
    if reader not in ("manifest", "dicom"):
        return reader
    folder = folder.resolve()
    return folder.name if folder.is_dir() else folder.parent.name


if __name__ == "__main__":
    run(main)
