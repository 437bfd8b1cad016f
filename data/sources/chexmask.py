"""CheXmask (PhysioNet): OriginalResolution/<DATASET>.csv(.gz) with run-length masks, beside a folder of the films themselves.

FOLDER holds the CSV and, anywhere below it, the films under the names of the CSV's image column. The masks were made by a network
(provenance `model`); rows whose estimated quality is under 0.7 are left out, as the authors advise.
"""

import csv
import gzip
import sys
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from data.sources.facts import clean_text, number
from db.records import SourceFilm, SourceMask

ID_COLUMNS = ("image_id", "ImageID", "Path", "Image Index", "dicom_id")
RCA_COLUMNS = ("Dice RCA (Mean)", "Dice RCA (Max)")
MASK_COLUMNS = {"right_lung": "Right Lung", "left_lung": "Left Lung", "heart": "Heart"}
LOWEST_RCA = 0.7
IMAGE_ENDINGS = (".png", ".jpg", ".jpeg")


def read(folder: Path) -> Iterator[SourceFilm]:
    """Yield the rows of every CSV in the folder that have a film and sufficient quality."""
    tables = sorted([*folder.glob("*.csv"), *folder.glob("*.csv.gz")])
    if not tables:
        raise FileNotFoundError(f"{folder}: no .csv or .csv.gz there; put CheXmask's CSV beside the folder of films")
    films = {path.stem: path for path in folder.rglob("*") if path.suffix.lower() in IMAGE_ENDINGS}
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))  # landmark and run-length cells are long
    for table in tables:
        with gzip.open(table, "rt") if table.suffix == ".gz" else open(table, encoding="utf-8", newline="") as file:
            yield from _rows(csv.DictReader(file), table, folder, films)


def _rows(reader: csv.DictReader, table: Path, folder: Path, films: dict[str, Path]) -> Iterator[SourceFilm]:
    columns = reader.fieldnames or []
    id_column = next((name for name in ID_COLUMNS if name in columns), None)
    lacking = [name for name in (*RCA_COLUMNS, *MASK_COLUMNS.values()) if name not in columns]
    if id_column is None or lacking:
        raise ValueError(f"{table}: lacks {', '.join(lacking) or 'an image column'}; wanted a CSV of CheXmask")
    for row in reader:
        name = row[id_column]
        # some published rows have the two estimates exchanged, so the smaller one is taken as the mean
        estimates = [value for value in (number(row[column]) for column in RCA_COLUMNS) if value is not None]
        if not estimates or min(estimates) < LOWEST_RCA:
            continue
        path = folder / name if (folder / name).is_file() else films.get(PurePosixPath(name).stem)
        yield _film(row, name, folder, path)


def _film(row: dict[str, str], name: str, folder: Path, path: Path | None) -> SourceFilm:
    masks = [
        SourceMask(structure=structure, convention="clear_field", provenance="model", rle=row[column])
        for structure, column in MASK_COLUMNS.items()
        if clean_text(row[column])
    ]
    parts = PurePosixPath(name).parts
    patient = next((part for part in parts if part.startswith("patient")), PurePosixPath(name).stem.split("_")[0])
    return SourceFilm(
        file=name if path is None else path.relative_to(folder).as_posix(),
        patient_id=patient,
        modality="CR",
        view_position="PA" if row.get("ViewPosition") == "PA" else None,
        body_part_examined="CHEST",
        masks=tuple(masks),
    )
