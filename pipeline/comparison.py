"""Two evaluations compared with each other, film by film."""

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from db.records import MASK_STRUCTURES, ImageRecord
from report.counts import between
from report.film_result import FilmResult
from report.page import Table
from unet.summary import PairedComparison, compare_paired

COMPARED = "dice"
_NOTHING_IN_COMMON = "--against {}: no film of this evaluation is in its scores.csv; compare runs on the same films"


class Other(NamedTuple):
    """Another evaluation: its folder, and its Dice by source, file and structure."""

    folder: Path
    dice: dict[tuple[str, str, str], float]


def read_other(folder: Path, out: Path, records: Iterable[ImageRecord]) -> Other:
    """Read another evaluation's scores.csv. Call it before anything is written to out or any of the records is scored.

    Raises FileNotFoundError where the folder has no scores.csv, ValueError where it is `out` itself, or where no film with a mask
    is in both.
    """
    if folder.resolve() == out.resolve():
        raise ValueError(
            f"--against {folder} is the folder this evaluation writes to, it would be held against itself; name another --out"
        )
    other = Other(folder, _read_scores(folder))
    films = {(source, file) for source, file, _ in other.dice}
    if not any(record.masks and (record.source, record.file) in films for record in records):
        raise ValueError(_NOTHING_IN_COMMON.format(folder))
    return other


def compare_with(other: Other, results: Sequence[FilmResult]) -> dict[str, PairedComparison]:
    """Compare results with those of another evaluation: per structure the Dice, this run minus that one.

    Films are matched by source and file; only those that both have scored count. Raises ValueError where no film is in both.
    """
    comparisons = {}
    for structure in MASK_STRUCTURES:
        pairs = [
            (row[COMPARED], other.dice[result.record.source, result.record.file, structure], result.record.patient_id)
            for result in results
            for row in result.scores
            if row["structure"] == structure and (result.record.source, result.record.file, structure) in other.dice
        ]
        if pairs:
            ours, theirs, patients = zip(*pairs, strict=True)
            comparisons[structure] = compare_paired(np.array(ours), np.array(theirs), patients)
    if not comparisons:
        raise ValueError(_NOTHING_IN_COMMON.format(other.folder))
    return comparisons


def _read_scores(folder: Path) -> dict[tuple[str, str, str], float]:
    path = folder / "scores.csv"
    if not path.is_file():
        raise FileNotFoundError(f"--against {folder}: no scores.csv there; name the folder of another evaluation")
    with open(path, encoding="utf-8", newline="") as file:
        table = csv.DictReader(file)
        lacking = [name for name in ("source", "file", "structure", COMPARED) if name not in (table.fieldnames or ())]
        if lacking:
            raise ValueError(
                f"{path}: no column {', '.join(lacking)}; name the folder of an evaluation as it was written"
            )
        try:
            return {(row["source"], row["file"], row["structure"]): float(row[COMPARED]) for row in table}
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"{path}: a {COMPARED} that is no number ({error}); name an evaluation as it was written"
            ) from error


def comparison_table(comparisons: dict[str, PairedComparison], folder: Path) -> Table:
    """Return the differences with their intervals over patients and sign-flip p values."""
    rows = [
        (structure, comparison.films, comparison.difference.value,
         between(comparison.difference.low, comparison.difference.high, "+.4f"), comparison.p)
        for structure, comparison in comparisons.items()
    ]  # fmt: skip
    caption = (
        f"Dice of this run minus {folder}, on the films both have scored; p by flipping signs, patient by patient."
    )
    return Table(("structure", "films", "difference", "95 % interval", "p"), rows, caption)
