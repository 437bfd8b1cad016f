"""Two evaluations held against each other, film by film."""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from db.records import MASK_STRUCTURES
from report.film_result import FilmResult
from report.page import Table
from unet.summary import PairedComparison, compare_paired

COMPARED = "dice"


def compare_with(folder: Path, results: Sequence[FilmResult]) -> dict[str, PairedComparison]:
    """Compare results with the scores.csv of another evaluation: per structure the Dice, this run minus that one.

    Films are matched by source and file; only those that both have scored count. Raises FileNotFoundError where the folder has no
    scores.csv, ValueError where no film is in both.
    """
    path = folder / "scores.csv"
    if not path.is_file():
        raise FileNotFoundError(f"--against {folder}: no scores.csv there; name the folder of another evaluation")
    with open(path, encoding="utf-8", newline="") as file:
        other = {(row["source"], row["file"], row["structure"]): float(row[COMPARED]) for row in csv.DictReader(file)}
    comparisons = {}
    for structure in MASK_STRUCTURES:
        pairs = [
            (row[COMPARED], other[result.record.source, result.record.file, structure], result.record.patient_id)
            for result in results
            for row in result.scores
            if row["structure"] == structure and (result.record.source, result.record.file, structure) in other
        ]
        if pairs:
            ours, theirs, patients = zip(*pairs, strict=True)
            comparisons[structure] = compare_paired(np.array(ours), np.array(theirs), patients)
    if not comparisons:
        raise ValueError(
            f"--against {folder}: no film of this evaluation is in its scores.csv; compare runs on the same films"
        )
    return comparisons


def comparison_table(comparisons: dict[str, PairedComparison], folder: Path) -> Table:
    """Return the differences with their intervals over patients and sign-flip p values."""
    rows = [
        (structure, comparison.films, comparison.difference.value,
         f"{comparison.difference.low:+.4f} to {comparison.difference.high:+.4f}", comparison.p)
        for structure, comparison in comparisons.items()
    ]  # fmt: skip
    caption = (
        f"Dice of this run minus {folder}, on the films both have scored; p by flipping signs, patient by patient."
    )
    return Table(("structure", "films", "difference", "95 % interval", "p"), rows, caption)
