"""Masks from files and run-length codes: what the values mean is decided openly, and refused where it is not clear."""

import struct
import zlib
from pathlib import Path

import numpy as np

from data.reading import read_labels, read_mask_pixels
from db.records import ImageRecord, MaskRecord
from unet.pieces import label_pieces

LISTED_VALUES = 8
SMEAR = 32  # a JPEG copy of a 0/255 mask leaves values within this of both ends ...
SMEAR_SHARE = 0.02  # ... except for this share of pixels, along the border
MOST_LABELS = 16  # more values than this are no label numbers
SAME_SHAPE = 0.01  # a mask published at another size may differ by this in the ratio of its sides
SMALLEST_LUNG_SHARE = 0.1  # of the union: a smaller second piece is no lung
RUN_MEMORY = 4  # zlib's memory level; the usual 8 keeps tables that packing runs never uses


def load_masks(record: ImageRecord) -> dict[str, np.ndarray]:
    """Read a film's masks at its own size: structure to bool (H, W).

    A `lungs` mask that is two clean pieces comes as right_lung and left_lung; one that is not stays `lungs`. Raises ValueError
    when a mask's size is not the film's.
    """
    masks = {}
    for mask in record.masks:
        masks[mask.structure] = load_mask(mask, record.height, record.width)
    if "lungs" in masks and "right_lung" not in masks and "left_lung" not in masks:
        sides = split_lungs(masks["lungs"])
        if sides is not None:
            masks = {"right_lung": sides[0], "left_lung": sides[1], **masks}
            del masks["lungs"]
    return masks


def load_unjudged(record: ImageRecord) -> np.ndarray:
    """Return what the sources of a film's masks mark as not to be judged, bool (H, W): devices, say, or text.

    These are the pixels that are neither 0 nor a lung_value of that file; `load_masks` has them outside. A mask that states no
    lung_value marks none. Raises ValueError when a mask's size is not the film's.
    """
    unjudged = np.zeros((record.height, record.width), bool)
    for mask in record.masks:
        if mask.lung_value is not None and mask.rle is None:
            values = read_labels(mask.path)
            named = [other.lung_value for other in record.masks if other.path == mask.path]
            other = (values != 0) & ~np.isin(values, named)
            unjudged |= fit_to_film(other, mask.path, record.height, record.width, mask.scaled)
    return unjudged


def load_mask(mask: MaskRecord, height: int, width: int) -> np.ndarray:
    """Read one mask as bool (height, width).

    A mask that its source publishes at another size is scaled (nearest pixel); any other whose size
    is not the film's is a ValueError.
    """
    if mask.rle is not None:
        return decode_rle(mask.rle, height, width)
    return fit_to_film(read_mask(mask.path, mask.lung_value), mask.path, height, width, mask.scaled)


def fit_to_film(inside: np.ndarray, path: Path, height: int, width: int, scaled: bool = False) -> np.ndarray:
    """Return the mask at the film's size, by nearest pixels if its source scales; ValueError for any other size."""
    rows, columns = inside.shape
    same_shape = abs(rows * width - columns * height) <= SAME_SHAPE * rows * width
    if (rows, columns) != (height, width) and not (scaled and same_shape):
        raise ValueError(
            f"{path}: mask of {columns} x {rows} pixels on a film of {width} x {height}; export it at the film's size"
        )
    if (rows, columns) == (height, width):
        return inside
    nearest_row = ((np.arange(height) + 0.5) * rows / height).astype(int)
    nearest_column = ((np.arange(width) + 0.5) * columns / width).astype(int)
    return inside[np.ix_(nearest_row, nearest_column)]


def read_mask(path: Path, lung_value: int | None = None) -> np.ndarray:
    """Read a mask file as bool (H, W), True inside; `pixels_inside` says which values are understood."""
    return pixels_inside(read_values(path, lung_value), path, lung_value)


def read_values(path: Path, lung_value: int | None) -> np.ndarray:
    """Read a mask's stored values (H, W): labels as their numbers where one is the lung's, else grey levels."""
    return read_mask_pixels(path) if lung_value is None else read_labels(path)


def pixels_inside(values: np.ndarray, path: Path, lung_value: int | None = None) -> np.ndarray:
    """Turn a mask's stored values (H, W) into bool, True inside.

    Understood: two values 0 and anything (0/1, 0/255, bool), a JPEG-smeared 0/255, all zero (an empty mask); with `lung_value`
    that value alone is inside. Everything else, label numbers above all, is a ValueError that lists the values.
    """
    seen = np.unique(values)
    if lung_value is not None:
        if len(seen) > MOST_LABELS:  # a lossy copy has values beside the stated one, and they would be lost
            raise ValueError(
                f"{path}: values {describe_values(seen)}; wanted few labels, of which {lung_value} is inside"
            )
        return values == lung_value
    if len(seen) == 1 and seen[0] != 0:
        raise ValueError(f"{path}: every pixel is {seen[0]}; wanted 0 outside and one other value inside")
    if len(seen) <= 2 and seen[0] == 0:
        return values > 0
    if _is_smeared(values, seen):
        return values > 127
    raise ValueError(
        f"{path}: values {describe_values(seen)}; wanted 0 outside and one other value inside, e.g. 0 and 255"
    )


def _is_smeared(values: np.ndarray, seen: np.ndarray) -> bool:
    """Tell a JPEG copy of a 0/255 mask, which rings at both ends, from numbered labels such as 0, 1 and 255 for a border."""
    near_black = (seen > 0) & (seen <= SMEAR)
    near_white = (seen >= 255 - SMEAR) & (seen < 255)
    if seen[-1] > 255 or not near_black.any() or not near_white.any():
        return False
    return bool(np.mean((values > SMEAR) & (values < 255 - SMEAR)) <= SMEAR_SHARE)


def describe_values(values: np.ndarray) -> str:
    """List the distinct values of a mask, shortened where there are many."""
    seen = np.unique(values)
    shown = " ".join(str(value) for value in seen[:LISTED_VALUES])
    return shown if len(seen) <= LISTED_VALUES else f"{shown} ... {seen[-1]} ({len(seen)} values)"


def decode_rle(rle: str, height: int, width: int) -> np.ndarray:
    """Decode 'start length' pairs, starts counted from 1 over the row-major image, to bool (height, width)."""
    try:
        numbers = np.array(rle.split(), dtype=np.int64)
    except (ValueError, OverflowError) as error:
        raise ValueError(
            f"run-length code is no list of whole numbers ({error}); copy it anew from its source"
        ) from None
    starts, lengths = numbers[::2] - 1, numbers[1::2]
    outside = (numbers <= 0) | (numbers > height * width)  # looked at before the sum, which could overflow
    if len(numbers) % 2 or outside.any() or (starts + lengths > height * width).any():
        raise ValueError(f"run-length code of {len(numbers)} numbers does not fit a film of {width} x {height} pixels")
    steps = np.zeros(height * width + 1, np.int64)
    np.add.at(steps, starts, 1)
    np.add.at(steps, starts + lengths, -1)
    return (np.cumsum(steps[:-1]) > 0).reshape(height, width)


def runs_cross_rows(rle: str, width: int) -> bool:
    """Tell whether a run of a code that `decode_rle` can read goes on in the next row, as a lung's does at a wrong width."""
    numbers = np.array(rle.split(), dtype=np.int64)
    return bool(((numbers[::2] - 1) % width + numbers[1::2] > width).any())


def encode_rle(mask: np.ndarray) -> str:
    """Encode bool (H, W) as 'start length' pairs; the inverse of `decode_rle`."""
    edges = np.diff(np.concatenate([[0], mask.ravel().astype(np.int8), [0]]))
    starts, ends = np.nonzero(edges == 1)[0], np.nonzero(edges == -1)[0]
    return " ".join(f"{start + 1} {end - start}" for start, end in zip(starts, ends, strict=True))


def split_lungs(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Split a union mask into (right, left) lung, bool (H, W) each, where it is two clean pieces side by side; else None.

    The patient's right lung is the piece further left in the image. Specks are left out of both pieces if they are tiny (2 %
    of the whole together); more than that is not clean. Two pieces one above the other are one lung in two, or no lungs.
    """
    pieces = label_pieces(mask)
    labels, sizes = pieces.labels, pieces.sizes
    total = sizes.sum()
    order = np.argsort(sizes)[::-1]
    if len(sizes) < 2 or sizes[order[1]] < SMALLEST_LUNG_SHARE * total or sizes[order[2:]].sum() > 0.02 * total:
        return None
    one, other = labels == order[0] + 1, labels == order[1] + 1
    columns, others = np.nonzero(one)[1], np.nonzero(other)[1]
    if columns.mean() > others.mean():
        one, other, columns, others = other, one, others, columns
    side_by_side = columns.mean() < others.min() and columns.max() < others.mean()
    return (one, other) if side_by_side else None


def medial_half(lung: np.ndarray, side: str) -> np.ndarray:
    """Return the half of a lung, bool (H, W), that is nearer the midline in every row, the middle column included.

    side: 'right_lung' or 'left_lung'. A row's middle lies between its outermost lung pixels; an empty row has no half.
    """
    columns = np.arange(lung.shape[1])
    first = np.where(lung, columns, lung.shape[1]).min(axis=1)
    last = np.where(lung, columns, -1).max(axis=1)
    middle = (first + last)[:, None] / 2
    return lung & (columns <= middle if side == "left_lung" else columns >= middle)


def encode_mask(mask: np.ndarray) -> bytes:
    """Return a bool mask (H, W) as the bytes of an 8-bit grey PNG file, 0 outside and 255 inside.

    Written by hand (PNG specification, third edition): for long runs of two values zlib's run-length strategy takes a third of
    the time of what Pillow does, and the files are smaller.
    """
    height, width = mask.shape
    lines = np.zeros((height, width + 1), np.uint8)  # each line begins with its filter, 0: none
    np.negative(np.asarray(mask, bool).view(np.uint8), out=lines[:, 1:])  # 255 inside
    packer = zlib.compressobj(1, zlib.DEFLATED, zlib.MAX_WBITS, RUN_MEMORY, zlib.Z_RLE)
    # 8 bits, grey, the only compression and filter methods, not interlaced
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    pixels = packer.compress(lines) + packer.flush()
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", pixels) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
