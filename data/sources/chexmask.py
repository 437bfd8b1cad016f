"""CheXmask (PhysioNet): OriginalResolution/<DATASET>.csv(.gz) with run-length masks, beside a folder of the films themselves.

FOLDER holds the CSV and, anywhere below it, the films under the names of the CSV's image column. The masks were made by a network
(provenance `model`); rows whose estimated quality is under 0.7 are left out, as the authors advise. The masks fit films of one
size only, that of the columns Height and Width.
"""

import re
import warnings
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from data.sources.facts import clean_text, number
from data.sources.files import own_files, search
from data.sources.table import has_columns, read_table
from db.records import SourceFilm, SourceMask

ID_COLUMNS = ("image_id", "imageid", "path", "image index", "dicom_id")
RCA_COLUMNS = ("dice rca (mean)", "dice rca (max)")
MASK_COLUMNS = {"right_lung": "right lung", "left_lung": "left lung", "heart": "heart"}
LOWEST_RCA = 0.7
IMAGE_ENDINGS = (".png", ".jpg", ".jpeg", ".dcm", ".dicom")
NIH_FILM = re.compile(r"\d{8}_\d{3}")  # patient_number
PATIENT_FOLDER = re.compile(r"patient\d+|p\d{8}")  # CheXpert's and MIMIC's


def read(folder: Path) -> Iterator[SourceFilm]:
    """Yield the rows of sufficient quality of one CSV or of all in a folder; ValueError where two films fit one name."""
    tables = [folder] if folder.is_file() else _tables(folder)
    folder = folder.parent if folder.is_file() else folder
    films: dict[str, list[tuple[str, ...]]] = {}
    for path in search(folder):
        if path.suffix.lower() in IMAGE_ENDINGS:
            parts = path.relative_to(folder).parts
            films.setdefault(_without_ending(parts[-1]), []).append(parts)
    for table in tables:
        unnamed = 0
        for _, row in read_table(table, (*RCA_COLUMNS, *MASK_COLUMNS.values())):
            # some published rows have the two estimates exchanged, so the smaller one is taken as the mean
            estimates = [value for value in (number(row[column]) for column in RCA_COLUMNS) if value is not None]
            if estimates and min(estimates) >= LOWEST_RCA:
                film = _film(row, table, films)
                unnamed += not (
                    _patient_folder(film.file) or NIH_FILM.fullmatch(_without_ending(film.file.rpartition("/")[2]))
                )
                yield film
        if unnamed:
            warnings.warn(
                f"{table}: {unnamed} films do not say whose they are; each, or each study, counts as a person, so films of one "
                "person may fall in training and test (keep the data set's own folders where they name patients)",
                stacklevel=2,
            )


def _tables(folder: Path) -> list[Path]:
    """Return CheXmask's tables; the films' own data set may have some beside them."""
    found = own_files([*folder.glob("*.csv"), *folder.glob("*.csv.gz")])
    if not found:
        raise FileNotFoundError(f"{folder}: no .csv or .csv.gz there; put CheXmask's CSV beside the folder of films")
    return [table for table in found if has_columns(table, RCA_COLUMNS)] or found[:1]


def _film(row: dict[str, str], table: Path, films: dict[str, list[tuple[str, ...]]]) -> SourceFilm:
    column = next((column for column in ID_COLUMNS if column in row), None)
    if column is None:
        raise ValueError(f"{table}: no image column; wanted one of {', '.join(ID_COLUMNS)}")
    name = row[column].strip()
    file = _find(name, films, table)
    return SourceFilm(
        file=file or name,
        # the beginning of a name is NIH's patient and PadChest's study; elsewhere the whole name is the film's
        patient_id=_patient_folder(file or name) or _without_ending(PurePosixPath(name).name).split("_")[0],
        modality="CR",
        view_position=None,  # frontal, but PA or AP is not stated
        body_part_examined="CHEST",
        masks=tuple(_masks(row)) if file else (),
    )


def _patient_folder(file: str) -> str | None:
    return next((part for part in PurePosixPath(file).parts if PATIENT_FOLDER.fullmatch(part)), None)


def _find(name: str, films: dict[str, list[tuple[str, ...]]], table: Path) -> str | None:
    """Return the film whose path ends in the name, with any folders before it and any ending; None where there is none.

    The whole name counts, not its last part alone: every study of CheXpert has a view1_frontal.jpg.
    """
    folders, last = PurePosixPath(name).parts[:-1], _without_ending(PurePosixPath(name).name)
    found = [parts for parts in films.get(last, []) if parts[:-1][len(parts) - 1 - len(folders) :] == folders]
    if len(found) > 1:
        raise ValueError(
            f"{table}: two films fit the name {name}: {'/'.join(found[0])} and {'/'.join(found[1])}; keep one of them"
        )
    return "/".join(found[0]) if found else None


def _masks(row: dict[str, str]) -> Iterator[SourceMask]:
    height, width = (number(row.get(column)) for column in ("height", "width"))
    size = (int(height), int(width)) if height and width else None
    for structure, column in MASK_COLUMNS.items():
        if clean_text(row[column]):
            yield SourceMask(
                structure=structure, convention="clear_field", provenance="model", rle=row[column], rle_size=size
            )


def _without_ending(name: str) -> str:
    """Take off the ending of an image, and nothing else: DICOM ids are numbers with dots."""
    path = PurePosixPath(name)
    return path.stem if path.suffix.lower() in IMAGE_ENDINGS else name
