"""Which best.pt a path means: a file, a training's folder, the folder of its folds, or the newest of all."""

import re
from pathlib import Path
from typing import NamedTuple


def find_checkpoint(path: Path | None, runs: Path) -> Path:
    """Return the one best.pt that a path means (see `find_checkpoints`); of several folds the first, and say so."""
    first, *others = find_checkpoints(path, runs).paths
    if others:
        print(f"{first} is used, the first of {1 + len(others)} folds; name the best.pt of another one to take that")
    return first


class Found(NamedTuple):
    """The best.pt of a training, or of all its folds in their order, and the folder that holds it or them."""

    folder: Path
    paths: list[Path]
    are_folds: bool


def find_checkpoints(path: Path | None, runs: Path) -> Found:
    """Return the best.pt that a path means: the file itself, a training's folder, its folds; None: the newest below `runs`."""
    if path is None:
        found = [own for folder in runs.glob("*") if (own := _checkpoints_of(folder))]
        if not found:
            raise FileNotFoundError(
                f"no trained network below {runs}/; train one with `python train.py`, or name a --checkpoint"
            )
        return max(found, key=lambda own: max(file.stat().st_mtime for file in own.paths))
    found = _checkpoints_of(path) if path.is_dir() else Found(path.parent, [path], False)
    if found is None:
        raise FileNotFoundError(
            f"--checkpoint {path}: no best.pt in it; name a file, a training's folder, or the folder of its folds"
        )
    return found


def _checkpoints_of(folder: Path) -> Found | None:
    """Return the best.pt of a folder's folds, in their order, or without folds its own, if there is one; else None."""
    folds = [file for file in folder.glob("fold*/best.pt") if re.fullmatch(r"fold\d+", file.parent.name)]
    folds.sort(key=lambda file: int(file.parent.name.removeprefix("fold")))
    if folds:
        return Found(folder, folds, True)
    return Found(folder, [folder / "best.pt"], False) if (folder / "best.pt").is_file() else None
