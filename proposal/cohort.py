"""What a copy of MIMIC-CXR holds, counted before any training: `python -m proposal.cohort FOLDER` (proposal.md, 2.2 to 2.4).

FOLDER holds files/ with the reports and both tables, metadata and split. Only counts are printed, never a word of a report.
Without access, `--invent 100` first writes an invented data set of so many patients into a new or empty folder.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cli.command import run
from cli.settings import parse_settings, setting
from proposal.cleaning import comparison_rate, drop_deidentified, drop_notifications, stage_a_target
from proposal.invented import write_invented
from proposal.sections import count_exclusions, findings_target
from proposal.splits import crossing_patients
from proposal.studies import Study, read_studies

SPLITS = ("train", "validate", "test")
FRONTAL = ("AP", "PA")
FEWEST_WORDS = 3  # of a target of stage A (proposal.md, 4)


@dataclass(frozen=True)
class CohortConfig:
    """Where the data set lies."""

    folder: tuple[Path, ...] = setting((), "folder of MIMIC-CXR", positional=True)
    invent: int | None = setting(None, "write an invented data set of so many patients there first")


def main(argv: list[str]) -> int:
    """Print the table of counts."""
    config = parse_settings(CohortConfig, argv, __doc__)
    if len(config.folder) != 1:
        raise ValueError("name one folder of MIMIC-CXR: python -m proposal.cohort FOLDER")
    (folder,) = config.folder
    if config.invent is not None:
        if config.invent < 1:
            raise ValueError(f"--invent {config.invent}: wanted 1 patient or more")
        if folder.exists() and any(folder.iterdir()):
            raise ValueError(f"--invent: {folder} is not empty; name a new folder")
        write_invented(folder, config.invent)
    print("\n".join(cohort_lines(read_studies(folder))))
    return 0


def cohort_lines(studies: Sequence[Study]) -> list[str]:
    """Return a Markdown table, one column of counts per split, and who stands in several splits."""
    columns = [count_studies([study for study in studies if study.split == split]) for split in SPLITS]
    labels = dict.fromkeys(label for column in columns for label in column)
    rows = [f"| {label} | " + " | ".join(f"{column.get(label, 0):,}" for column in columns) + " |" for label in labels]
    crossing = crossing_patients([study.split for study in studies], [study.subject_id for study in studies])
    head = ["| | " + " | ".join(SPLITS) + " |", "| --- |" + " ---: |" * len(SPLITS)]
    return [*head, *rows, "", f"Patients in more than one split: {len(crossing)}"]


def count_studies(studies: Sequence[Study]) -> dict[str, int]:
    """Return what the studies of one split come to; "usable" and the reasons for leaving reports out add up to the reports.

    Studies without a report file are counted and not read.
    """
    reports = [study.report for study in studies if study.report.is_file()]
    targets = [findings_target(report.read_text(encoding="utf-8", errors="replace")) for report in reports]
    texts = [target.text for target in targets if target.text is not None]
    return {
        "patients": patients_of(studies),
        "studies": len(studies),
        "patients with a PA film": patients_of(study for study in studies if "PA" in study.views),
        "studies with a frontal film": sum(any(view in FRONTAL for view in study.views) for study in studies),
        "report missing": len(studies) - len(reports),
        **count_exclusions(targets),
        "usable, with a word of comparison": round(comparison_rate(texts) * len(texts)) if texts else 0,
        "usable, with a mark of de-identification": sum(drop_deidentified(text) != text for text in texts),
        "usable, with who was told": sum(drop_notifications(text) != text for text in texts),
        f"usable, with {FEWEST_WORDS} words or more left for stage A": sum(
            len(stage_a_target(text).split()) >= FEWEST_WORDS for text in texts
        ),
    }


def patients_of(studies: Iterable[Study]) -> int:
    """Return how many patients the studies are of."""
    return len({study.subject_id for study in studies})


if __name__ == "__main__":
    run(main)
