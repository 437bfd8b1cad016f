"""The studies of a copy of MIMIC-CXR, read from its own tables: whose, in which order, which views, which split."""

import csv
import gzip
from dataclasses import dataclass
from pathlib import Path

METADATA_FILE, SPLIT_FILE = "mimic-cxr-2.0.0-metadata.csv.gz", "mimic-cxr-2.0.0-split.csv.gz"


@dataclass(frozen=True)
class Study:
    """One study as the tables give it. date_time sorts in the order of the films; study ids do not."""

    subject_id: str
    study_id: str
    split: str
    date_time: tuple[str, float]
    views: tuple[str, ...]
    report: Path


def report_path(folder: Path, subject_id: str, study_id: str) -> Path:
    """Return where the report of a study lies: files/p10/p10000032/s50414267.txt for subject 10000032."""
    return folder / "files" / f"p{subject_id[:2]}" / f"p{subject_id}" / f"s{study_id}.txt"


def read_studies(folder: Path) -> list[Study]:
    """Return the studies of both tables, each patient's in the order in which they were taken.

    OSError where a table is missing, ValueError where a film of the metadata stands in no split.
    """
    for table in (SPLIT_FILE, METADATA_FILE):
        if not (folder / table).is_file():
            raise FileNotFoundError(
                f"{folder}: holds no {table}; wanted the folder of files/ and the tables of MIMIC-CXR"
            )
    split_of = {row["dicom_id"]: row["split"] for row in _rows(folder / SPLIT_FILE)}
    studies: dict[str, dict] = {}
    for row in _rows(folder / METADATA_FILE):
        if row["dicom_id"] not in split_of:
            raise ValueError(f"{folder / SPLIT_FILE}: no row for film {row['dicom_id']} of {METADATA_FILE}")
        entry = studies.setdefault(row["study_id"], {"row": row, "views": [], "split": split_of[row["dicom_id"]]})
        entry["views"].append(row["ViewPosition"])
    found = [
        Study(
            row["subject_id"], study_id, entry["split"], (row["StudyDate"], float(row["StudyTime"])), tuple(entry["views"]),
            report_path(folder, row["subject_id"], study_id),
        )
        for study_id, entry in studies.items() for row in (entry["row"],)
    ]  # fmt: skip
    return sorted(found, key=lambda study: (study.subject_id, study.date_time))


def _rows(path: Path) -> list[dict[str, str]]:
    with gzip.open(path, "rt", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
