"""Whom a network has seen: the patients of its training and of the trainings before it."""

import csv
from pathlib import Path

from unet.checkpoint import load_checkpoint


def patients_trained_on(path: Path, as_far_as_known: bool = False) -> set[str]:
    """Return the patients whom a best.pt learnt from or was chosen by, also in the trainings before it (--init).

    They come from the split.csv beside each best.pt: a checkpoint holds hashes of its films, but names no patient.
    FileNotFoundError where a split.csv is missing; with as_far_as_known only where the first one is.
    """
    patients: set[str] = set()
    seen: set[Path] = set()
    while path.resolve() not in seen:  # a retrained folder may start from weights that started from it
        split = path.parent / "split.csv"
        if not split.is_file():
            if seen and as_far_as_known:
                break
            raise FileNotFoundError(
                f"{split}: not there, so nothing says which patients {path} was trained on; name it in its own folder"
            )
        with open(split, newline="", encoding="utf-8") as file:
            patients.update(row["patient_id"] for row in csv.DictReader(file) if row["split"] in ("train", "val"))
        seen.add(path.resolve())
        before = load_checkpoint(path).training.get("init")
        if before is None:
            break
        path = Path(before)
    return patients
