"""The border of a mask, and its connected pieces, found through the runs of pixels along the rows."""

from typing import NamedTuple

import numpy as np


class Pieces(NamedTuple):
    """labels: (H, W) int32, 0 outside, 1 .. n inside, in reading order of the pieces' first pixels. sizes: (n,) pixels."""

    labels: np.ndarray
    sizes: np.ndarray


def border(mask: np.ndarray) -> np.ndarray:
    """Return the pixels of a bool mask (H, W) with one of the four neighbours outside, the frame's outside included."""
    padded = np.pad(mask, 1)
    surrounded = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    return mask & ~surrounded


def label_pieces(mask: np.ndarray) -> Pieces:
    """Number the pieces of a bool mask (H, W) that hang together through the four neighbours.

    The work grows with the number of runs, not of pixels: runs that overlap in neighbouring rows are joined until nothing
    changes, each time halving the way to the first run of the piece (Shiloach & Vishkin 1982).
    """
    height, width = mask.shape
    # with an empty column on either side no run goes on in the next row, and one ascending number says row and column
    flat = np.pad(mask, ((0, 0), (1, 1))).ravel()
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    starts, ends = changes[::2], changes[1::2]
    first = _first_runs(len(starts), *_touching_runs(starts, ends, width + 2))
    is_first = first == np.arange(len(first))
    numbers = np.cumsum(is_first, dtype=np.int32)[first]
    sizes = np.bincount(numbers, weights=ends - starts, minlength=1)[1:].astype(np.int64)
    painted = np.zeros(len(changes) + 1, np.int32)
    painted[1::2] = numbers
    labels = np.repeat(painted, np.diff(changes, prepend=0, append=flat.size))
    return Pieces(labels.reshape(height, width + 2)[:, 1:-1], sizes)


def _touching_runs(starts: np.ndarray, ends: np.ndarray, stride: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the pairs (lower run, upper run) that overlap in neighbouring rows, which lie `stride` apart.

    Runs come in reading order, so those of the row above that overlap are a range found by bisection.
    """
    low = np.searchsorted(ends, starts - stride, side="right")
    high = np.searchsorted(starts, ends - stride, side="left")
    counts = np.maximum(high - low, 0)
    below = np.repeat(np.arange(len(starts)), counts)
    offset = np.arange(len(below)) - np.repeat(np.cumsum(counts) - counts, counts)
    return below, np.repeat(low, counts) + offset


def _first_runs(runs: int, below: np.ndarray, above: np.ndarray) -> np.ndarray:
    """Return for each run the first run, in reading order, of the piece that it belongs to."""
    first = np.arange(runs)
    while True:
        before = first.copy()
        lower = np.minimum(first[below], first[above])
        np.minimum.at(first, before[below], lower)
        np.minimum.at(first, before[above], lower)
        first = first[first]
        if np.array_equal(first, before):
            return first
