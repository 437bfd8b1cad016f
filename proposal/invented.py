"""An invented data set with MIMIC-CXR's folders, file names and columns, and reports that nobody ever wrote, for tests.

Patients, dates, ids and sentences come from a random generator; no line of a MIMIC-CXR report is in it. Images are left out:
what is tested here is text, tables and splits.
"""

import csv
import gzip
from pathlib import Path

import numpy as np

from proposal.studies import METADATA_FILE, SPLIT_FILE, report_path

METADATA_COLUMNS = (
    "dicom_id", "subject_id", "study_id", "PerformedProcedureStepDescription", "ViewPosition", "Rows", "Columns",
    "StudyDate", "StudyTime", "ProcedureCodeSequence_CodeMeaning", "ViewCodeSequence_CodeMeaning",
    "PatientOrientationCodeSequence_CodeMeaning",
)  # fmt: skip
SPLIT_COLUMNS = ("dicom_id", "study_id", "subject_id", "split")
BODY = (
    "The orchard side is clear.",
    "The heart is of ordinary size.",
    "A tube ends above the fork.",
    "No fluid is seen.",
)
PARTING = ("Nothing to act on.", "Fluid on one side.", "Tube well placed.")
LAYOUTS = ("plain", "mixed case", "no colon", "digit title", "empty findings", "two findings", "typo", "chest reason",
           "combined", "wet read", "impression only")  # fmt: skip


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
