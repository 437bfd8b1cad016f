"""Two evaluations compared with each other, film by film."""

import csv
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from db.records import MASK_STRUCTURES, ImageRecord
from report.counts import between, counted
from report.film_result import FilmResult
from report.page import Table
from report.run_folder import read_json
from unet.summary import PairedComparison, compare_paired

COMPARED = "dice"
_NOTHING_IN_COMMON = "--against {}: no film of this evaluation is in its scores.csv; compare runs on the same films"


class Other(NamedTuple):
    """Another evaluation: its folder, and its Dice and reference mask's hash ('' if not stated) by source, file and structure.

    trained_on: how many of its films its networks have learnt from or were chosen by.
    """

    folder: Path
    scores: dict[tuple[str, str, str], tuple[float, str]]
    trained_on: int = 0


class Comparison(NamedTuple):
    """This evaluation minus another one: its folder, the difference per structure, and what cannot be compared.

    redrawn: number of films with a reference mask that has changed since the other evaluation; such a mask is left out.
    trained_on: as in Other.
    """

    folder: Path
    structures: dict[str, PairedComparison]
    redrawn: int = 0
    trained_on: int = 0


def read_other(folder: Path, out: Path, records: Iterable[ImageRecord]) -> Other:
    """Read another evaluation's scores.csv. Call it before anything is written to out or any of the records is scored.

    Raises FileNotFoundError where the folder has no scores.csv, ValueError where it is `out` itself, or where no film with a mask
    is in both.
    """
    if folder.resolve() == out.resolve():
        raise ValueError(
            f"--against {folder} is the folder this evaluation writes to, it would be held against itself; name another --out"
        )
    summary = read_json(folder / "summary.json") if (folder / "summary.json").is_file() else {}
    other = Other(folder, _read_scores(folder), summary.get("trained_on", 0))
    films = {(source, file) for source, file, _ in other.scores}
    if not any(record.masks and (record.source, record.file) in films for record in records):
        raise ValueError(_NOTHING_IN_COMMON.format(folder))
    return other


def compare_with(other: Other, results: Sequence[FilmResult]) -> Comparison:
    """Compare results with those of another evaluation: per structure the Dice, this run minus that one.

    Films are matched by source and file; only those that both have scored against the same reference mask count.
    """
    pairs, redrawn = defaultdict(list), set()
    for result in results:
        for row in result.scores:
            key = (result.record.source, result.record.file, row["structure"])
            dice, reference = other.scores.get(key, (None, ""))
            if reference not in ("", row["reference_sha256"]):
                redrawn.add(result.record.image_id)
            elif dice is not None:
                pairs[row["structure"]].append((row[COMPARED], dice, result.record.patient_id))
    structures = {}
    for structure in MASK_STRUCTURES:
        if structure in pairs:
            ours, theirs, patients = zip(*pairs[structure], strict=True)
            structures[structure] = compare_paired(np.array(ours), np.array(theirs), patients)
    return Comparison(other.folder, structures, len(redrawn), other.trained_on)


def _read_scores(folder: Path) -> dict[tuple[str, str, str], tuple[float, str]]:
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
            return {
                (row["source"], row["file"], row["structure"]): (
                    float(row[COMPARED]),
                    row.get("reference_sha256") or "",
                )
                for row in table
            }
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"{path}: a {COMPARED} that is no number ({error}); name an evaluation as it was written"
            ) from error


def comparison_notes(comparison: Comparison) -> Iterator[str]:
    """Yield what to know of a comparison: what is left out of it, and what the other network had seen."""
    if not comparison.structures:
        yield f"No film was scored with the same reference mask here and in {comparison.folder}: nothing to compare."
    if comparison.redrawn:
        films = counted(comparison.redrawn, "film has a reference mask", "films have reference masks")
        yield f"{films} that changed after {comparison.folder} was scored; these masks are left out of the comparison."
    if comparison.trained_on:
        films = counted(comparison.trained_on, "film that it scored", "films that it scored")
        yield f"{comparison.folder} had learnt from, or was chosen by, {films}: its Dice is not one of unseen films."


def comparison_table(comparison: Comparison) -> Table:
    """Return the differences with their intervals over patients and sign-flip p values."""
    rows = [
        (structure, paired.films, paired.difference.value,
         between(paired.difference.low, paired.difference.high, "+.4f"), paired.p)
        for structure, paired in comparison.structures.items()
    ]  # fmt: skip
    both = "on the films both have scored; p by flipping signs, patient by patient."
    caption = f"Dice of this run minus {comparison.folder}, {both}"
    caption = " ".join((caption, *comparison_notes(comparison)))
    return Table(("structure", "films", "difference", "95 % interval", "p"), rows, caption)
