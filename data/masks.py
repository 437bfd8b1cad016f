"""Masks from files and run-length codes: what the values mean is decided openly, and refused where it is not clear."""

from pathlib import Path

import numpy as np
from PIL import Image

from data.reading import read_pixels
from db.records import ImageRecord, MaskRecord, SourceMask
from unet.pieces import label_pieces

SMEAR = 32  # a JPEG copy of a 0/255 mask leaves values within this of the two ends ...
SMEAR_SHARE = 0.02  # ... but for a share of pixels along the border
SMALLEST_LUNG_SHARE = 0.1  # of the union: a lesser second piece is no lung


def load_masks(record: ImageRecord) -> dict[str, np.ndarray]:
    """Read a film's masks at its own size: structure to bool (H, W).

    A `lungs` mask that is two clean pieces comes as right_lung and left_lung; one that is not stays `lungs`. Raises ValueError
    when a mask's size is not the film's.
    """
    masks = {}
    for mask in record.masks:
        masks[mask.structure] = load_mask(mask, mask.path, record.height, record.width)
    if "lungs" in masks and "right_lung" not in masks and "left_lung" not in masks:
        sides = split_lungs(masks["lungs"])
        if sides is not None:
            masks = {"right_lung": sides[0], "left_lung": sides[1], **masks}
            del masks["lungs"]
    return masks


def load_mask(mask: MaskRecord | SourceMask, path: Path | None, height: int, width: int) -> np.ndarray:
    """Read one mask as bool (height, width).

    path: where its file lies. A mask that its source publishes at another size is scaled (nearest pixel); any other whose size
    is not the film's is a ValueError.
    """
    if mask.rle is not None:
        return decode_rle(mask.rle, height, width)
    inside = read_mask(path, mask.lung_value)
    if inside.shape != (height, width) and not mask.scaled:
        raise ValueError(
            f"{path}: mask of {inside.shape[1]} x {inside.shape[0]} pixels on a film of {width} x {height}; "
            "export it at the film's size"
        )
    if inside.shape != (height, width):
        rows = (np.arange(height) + 0.5) * inside.shape[0] / height
        columns = (np.arange(width) + 0.5) * inside.shape[1] / width
        inside = inside[np.ix_(rows.astype(int), columns.astype(int))]
    return inside


def read_mask(path: Path, lung_value: int | None = None) -> np.ndarray:
    """Read a mask file as bool (H, W), True inside.

    Understood: two values 0 and anything (0/1, 0/255, bool), a JPEG-smeared 0/255, all zero (an empty mask); with `lung_value`
    that value alone is inside. Everything else is a ValueError that lists the values.
    """
    values = read_pixels(path).values
    if lung_value is not None:
        return values == lung_value
    seen = np.unique(values)
    if len(seen) == 1 and seen[0] != 0:
        raise ValueError(f"{path}: every pixel is {seen[0]}; wanted 0 outside and one other value inside")
    if len(seen) <= 2 and seen[0] == 0:
        return values > 0
    if seen[-1] > 255 - SMEAR and seen[-1] <= 255:
        between = np.mean((values > SMEAR) & (values < 255 - SMEAR))
        if between <= SMEAR_SHARE:
            return values > 127
    raise ValueError(
        f"{path}: values {describe_values(seen)}; wanted 0 outside and one other value inside, e.g. 0 and 255"
    )


def describe_values(values: np.ndarray, most: int = 8) -> str:
    """List the distinct values of a mask, shortened where there are many."""
    seen = np.unique(values)
    shown = " ".join(str(value) for value in seen[:most])
    return shown if len(seen) <= most else f"{shown} ... {seen[-1]} ({len(seen)} values)"


def decode_rle(rle: str, height: int, width: int) -> np.ndarray:
    """Decode 'start length' pairs, starts counted from 1 over the row-major image, to bool (height, width)."""
    numbers = np.array(rle.split(), dtype=np.int64) if rle.strip() else np.empty(0, np.int64)
    starts, lengths = numbers[::2] - 1, numbers[1::2]
    if len(numbers) % 2 or (lengths <= 0).any() or (starts < 0).any() or (starts + lengths > height * width).any():
        raise ValueError(f"run-length code of {len(numbers)} numbers does not fit a film of {width} x {height} pixels")
    steps = np.zeros(height * width + 1, np.int64)
    np.add.at(steps, starts, 1)
    np.add.at(steps, starts + lengths, -1)
    return (np.cumsum(steps[:-1]) > 0).reshape(height, width)


def encode_rle(mask: np.ndarray) -> str:
    """Encode bool (H, W) as 'start length' pairs; the inverse of `decode_rle`."""
    edges = np.diff(np.concatenate([[0], mask.ravel().astype(np.int8), [0]]))
    starts, ends = np.nonzero(edges == 1)[0], np.nonzero(edges == -1)[0]
    return " ".join(f"{start + 1} {end - start}" for start, end in zip(starts, ends, strict=True))


def split_lungs(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Split a union mask into (right, left) lung, bool (H, W) each, where it is two clean pieces; else None.

    The patient's right lung is the piece further left in the image. Specks below a tenth of the whole are left out of both
    pieces only if they are tiny (2 % of the whole together); more than that is not clean.
    """
    labels, sizes = label_pieces(mask)
    total = sizes.sum()
    order = np.argsort(sizes)[::-1]
    if len(sizes) < 2 or sizes[order[1]] < SMALLEST_LUNG_SHARE * total or sizes[order[2:]].sum() > 0.02 * total:
        return None
    one, other = labels == order[0] + 1, labels == order[1] + 1
    if np.nonzero(one)[1].mean() > np.nonzero(other)[1].mean():
        one, other = other, one
    return one, other


def encode_mask(mask: np.ndarray) -> Image.Image:
    """Return a mask as an 8-bit picture, 0 outside and 255 inside."""
    return Image.fromarray(np.uint8(mask) * 255)
