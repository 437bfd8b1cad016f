"""Whom a network has seen: the patients and films that its training, and those before it, learnt from."""

import csv
from collections.abc import Iterator
from pathlib import Path

from unet.checkpoint import load_checkpoint


def patients_trained_on(path: Path, as_far_as_known: bool = False) -> set[str]:
    """Return the patients whom a best.pt learnt from or was chosen by, also in the trainings before it (--init).

    They are what split.csv beside each of them lists. FileNotFoundError where there is none; as_far_as_known: only where there is
    none beside the first.
    """
    return {row["patient_id"] for row in _rows_trained_on(path, as_far_as_known)}


def bytes_trained_on(path: Path) -> set[str]:
    """Return the SHA-256 of the films that a best.pt learnt from or was chosen by: they are the same in every database.

    As far as split.csv beside it, and beside those before it, says; without one, or with one of an earlier release, none.
    """
    try:
        found = {row.get("content_sha256") for row in _rows_trained_on(path, as_far_as_known=True)}
    except FileNotFoundError:  # a best.pt on its own: nobody can say
        return set()
    return found - {None, ""}


def _rows_trained_on(path: Path, as_far_as_known: bool) -> Iterator[dict[str, str]]:
    """Yield the rows of the split.csv beside a best.pt, and those before it, that are not of test films."""
    seen: set[Path] = set()
    while path.resolve() not in seen:  # a folder may have been trained anew, starting from what had started from it
        split = path.parent / "split.csv"
        if not split.is_file():
            if seen and as_far_as_known:
                return
            raise FileNotFoundError(
                f"{split}: not there, so nothing says which patients {path} was trained on; name it in its own folder"
            )
        with open(split, newline="", encoding="utf-8") as file:
            yield from (row for row in csv.DictReader(file) if row["split"] != "test")
        seen.add(path.resolve())
        before = load_checkpoint(path).training.get("init")
        if before is None:
            return
        path = Path(before)
