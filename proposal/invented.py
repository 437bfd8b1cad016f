"""An invented data set with MIMIC-CXR's folders, file names and columns, and reports that nobody ever wrote, for tests.

Patients, dates, ids and sentences come from a random generator; no line of a MIMIC-CXR report is in it. Images are left out:
what is tested here is text, tables and splits.
"""

import csv
import gzip
from dataclasses import dataclass
from pathlib import Path

import numpy as np

METADATA_COLUMNS = (
    "dicom_id", "subject_id", "study_id", "PerformedProcedureStepDescription", "ViewPosition", "Rows", "Columns",
    "StudyDate", "StudyTime", "ProcedureCodeSequence_CodeMeaning", "ViewCodeSequence_CodeMeaning",
    "PatientOrientationCodeSequence_CodeMeaning",
)  # fmt: skip
SPLIT_COLUMNS = ("dicom_id", "study_id", "subject_id", "split")
METADATA_FILE, SPLIT_FILE = "mimic-cxr-2.0.0-metadata.csv.gz", "mimic-cxr-2.0.0-split.csv.gz"
BODY = (
    "The orchard side is clear.",
    "The heart is of ordinary size.",
    "A tube ends above the fork.",
    "No fluid is seen.",
)
PARTING = ("Nothing to act on.", "Fluid on one side.", "Tube well placed.")
LAYOUTS = ("plain", "mixed case", "no colon", "digit title", "empty findings", "two findings", "typo", "chest reason",
           "combined", "wet read", "impression only")  # fmt: skip


@dataclass(frozen=True)
class Study:
    """One study as the tables give it. date_time sorts in the order of the films; study ids do not."""

    subject_id: str
    study_id: str
    split: str
    date_time: tuple[str, float]
    views: tuple[str, ...]
    report: Path


def write_invented(folder: Path, patients: int = 12, seed: int = 0) -> list[str]:
    """Write files/pNN/pNNNNNNNN/sNNNNNNNN.txt and both tables below a folder; return the layout of each report, in order.

    Every layout of LAYOUTS occurs when there are 12 patients or more.
    """
    rng = np.random.default_rng(seed)
    metadata, splits, layouts = [], [], []
    for number in range(patients):
        subject = str(10_000_000 + int(rng.integers(0, 9_999_999)))
        split = ("train", "train", "train", "validate", "test")[number % 5]
        day = int(rng.integers(0, 300))
        for study in rng.choice(np.arange(50_000_000, 59_999_999), size=1 + number % 4, replace=False):
            layout = LAYOUTS[len(layouts) % len(LAYOUTS)]
            day += int(rng.integers(1, 50))
            path = report_path(folder, subject, str(study))
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(invented_report(layout, rng), encoding="utf-8")
            layouts.append(layout)
            for view in ("AP",) if study % 2 else ("PA", "LATERAL"):
                dicom = "-".join(f"{int(word):08x}" for word in rng.integers(0, 2**32, 5))
                date = f"21{80 + day // 360:02d}{1 + day % 360 // 30:02d}{1 + day % 30:02d}"
                time = f"{int(rng.integers(0, 24)):02d}{int(rng.integers(0, 60)):02d}{rng.uniform(0, 59):.3f}"
                metadata.append((dicom, subject, study, "CHEST", view, 2544, 3056, date, time, "CHEST", view, "Erect"))
                splits.append((dicom, study, subject, split))
    _write(folder / METADATA_FILE, METADATA_COLUMNS, metadata)
    _write(folder / SPLIT_FILE, SPLIT_COLUMNS, splits)
    return layouts


def report_path(folder: Path, subject_id: str, study_id: str) -> Path:
    """Return where the report of a study lies: files/p10/p10000032/s50414267.txt for subject 10000032."""
    return folder / "files" / f"p{subject_id[:2]}" / f"p{subject_id}" / f"s{study_id}.txt"


def read_studies(folder: Path) -> list[Study]:
    """Return the studies of both tables, each patient's in the order in which they were taken."""
    split_of = {row["dicom_id"]: row["split"] for row in _rows(folder / SPLIT_FILE)}
    studies: dict[str, dict] = {}
    for row in _rows(folder / METADATA_FILE):
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


def invented_report(layout: str, rng: np.random.Generator) -> str:
    """Return an invented report in one of LAYOUTS, with the dataset's indents, blank lines and marks of de-identification."""
    body = " ".join(rng.permutation(BODY)[:3])
    first, second = BODY[:2]
    parting = str(rng.choice(PARTING))
    start = " INDICATION:  ___ year old with an invented cough.\n \n COMPARISON:  ___.\n \n"
    plain = f"{start} FINDINGS: \n \n {body}\n \n IMPRESSION: \n \n {parting}\n"
    texts = {
        "plain": plain,
        "mixed case": f"{start} Findings: {body}\n \n Impression: {parting}\n",
        "no colon": f"{start} FINDINGS\n \n {body}\n \n IMPRESSION {parting}\n",
        "digit title": f"{start} CHEST, 2 VIEWS:  {body}\n \n IMPRESSION:  {parting}\n",
        "empty findings": f"{start} FINDINGS:\n IMPRESSION: {parting}\n",
        "two findings": f"{start} FINDINGS:  {first}\n \n FINDINGS:  {second}\n \n IMPRESSION:  {parting}\n",
        "typo": f" NDICATION:  ___ year old with an invented cough.\n \n FINDINGS:  {body}\n \n IMPRESSION:  {parting}\n",
        "chest reason": f" REASON FOR CHEST RADIOGRAPH:  invented cough.\n \n FINDINGS:  {body}\n \n IMPRESSION:  {parting}\n",
        "combined": f"{start} FINDINGS AND IMPRESSION:  {body}\n",
        "wet read": f" WET READ: ___ 4:15 PM\n  FINDINGS: {PARTING[1]}\n ______________________________\n"
        f"                                 FINAL REPORT\n{plain}",
        "impression only": f"{start} IMPRESSION:  {parting}\n",
    }
    title = "" if layout == "wet read" else "                                 FINAL REPORT\n"
    return title + texts[layout]


def _write(path: Path, columns: tuple[str, ...], rows: list[tuple]) -> None:
    with gzip.open(path, "wt", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([columns, *rows])


def _rows(path: Path) -> list[dict[str, str]]:
    with gzip.open(path, "rt", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
