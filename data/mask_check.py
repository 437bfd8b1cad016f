"""One mask of a film, opened and checked against its row and its film."""

from pathlib import Path

import numpy as np

from data.masks import (
    decode_rle,
    describe_values,
    fit_to_film,
    pixels_inside,
    read_values,
    runs_cross_rows,
    split_lungs,
)
from data.reasons import as_utf8
from data.sources.files import inside
from db.ingest_rows import CheckedMask
from db.records import CONVENTIONS, PROVENANCES, SourceMask

LUNGS = ("right_lung", "left_lung", "lungs")


def check_mask(mask: SourceMask, root: Path, image: np.ndarray) -> CheckedMask:
    """Open one mask and check it against its film; ValueError says what is wrong with it, OSError that it cannot be read.

    root: the source's folder. image: the film, (H, W) float32 in [0, 1], lungs dark.
    """
    height, width = image.shape
    for name, word, known in (
        ("convention", mask.convention, CONVENTIONS),
        ("provenance", mask.provenance, PROVENANCES),
    ):
        if word not in known:
            stated = repr(word) if word else "not stated"
            raise ValueError(f"mask {name} {stated}; wanted one of {', '.join(known)} in the column mask_{name}")
    if mask.rle is not None:
        values = None
        area = _decode(mask, height, width)
    else:
        check_name_is_utf8(mask.file)
        path = inside(root, mask.file)
        pixels = read_values(path, mask.lung_value)
        values = describe_values(pixels)
        area = fit_to_film(pixels_inside(pixels, path, mask.lung_value), path, height, width, mask.scaled)
    if area[[0, 0, -1, -1], [0, -1, 0, -1]].all():
        raise ValueError(
            f"{mask.file or 'run-length mask'}: all four corners of the film are inside, so inside and outside are exchanged; "
            "invert the mask"
        )
    middle = float(np.nonzero(area)[1].mean()) if area.any() else None
    in_one = mask.structure == "lungs" and middle is not None and split_lungs(area) is None
    return CheckedMask(
        mask=mask,
        values_seen=values,
        area_share=float(area.mean()),
        middle_column=middle,
        in_one=in_one,
        darker_by=_darker_by(area, image) if mask.structure in LUNGS else None,
    )


def _darker_by(area: np.ndarray, image: np.ndarray) -> float | None:
    """Return how much darker than the rest of its bounding box an area is on average, in grey levels of [0, 1].

    area: (H, W) bool; image: (H, W) in [0, 1]. None where the area or that rest is empty.
    """
    rows, columns = np.flatnonzero(area.any(axis=1)), np.flatnonzero(area.any(axis=0))
    if not rows.size:
        return None
    box = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    inside, levels = area[box], image[box]
    return None if inside.all() else float(levels[~inside].mean() - levels[inside].mean())


def _decode(mask: SourceMask, height: int, width: int) -> np.ndarray:
    if mask.rle_size not in (None, (height, width)):
        rows, columns = mask.rle_size
        raise ValueError(
            f"run-length mask of {columns} x {rows} pixels on a film of {width} x {height}; "
            "bring the film at the size that the masks were made for"
        )
    area = decode_rle(mask.rle, height, width)
    if mask.rle_size is None and runs_cross_rows(mask.rle, width):
        raise ValueError(
            f"run-length mask of unknown size on a film of {width} x {height}, at whose width its runs go over the ends of "
            "rows; bring the film at the size that the masks were made for"
        )
    return area


def check_name_is_utf8(file: str) -> None:
    """Raise ValueError for a file name that is not UTF-8, which a database cannot hold."""
    if as_utf8(file) != file:
        raise ValueError(f"{file}: the file's name is not UTF-8; rename it")
