"""Whom a network has seen: the patients that its training, and those before it, learnt from."""

import csv
from pathlib import Path

from unet.checkpoint import load_checkpoint


def patients_trained_on(path: Path) -> set[str]:
    """Return the patients whom a best.pt learnt from or was chosen by, also before --init.

    They are what split.csv beside it lists; FileNotFoundError where there is none.
    """
    split = path.parent / "split.csv"
    if not split.is_file():
        raise FileNotFoundError(
            f"{split}: not there, so nothing says which patients {path} was trained on; name it in its own folder"
        )
    with open(split, newline="", encoding="utf-8") as file:
        patients = {row["patient_id"] for row in csv.DictReader(file) if row["split"] != "test"}
    before = load_checkpoint(path).training.get("init")
    return patients | patients_trained_on(Path(before)) if before else patients
