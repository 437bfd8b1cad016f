"""Connected pieces of a mask, found through its runs of pixels along the rows."""

from typing import NamedTuple

import numpy as np


class Pieces(NamedTuple):
    """labels: (H, W) int64, 0 outside, 1 .. n inside, in reading order of the pieces' first pixels. sizes: (n,) pixels."""

    labels: np.ndarray
    sizes: np.ndarray


def label_pieces(mask: np.ndarray) -> Pieces:
    """Number the pieces of a bool mask (H, W) that hang together through the four neighbours.

    The work grows with the number of runs, not of pixels: runs that overlap in neighbouring rows are joined until nothing
    changes, each time halving the way to the first run of the piece (Shiloach & Vishkin 1982).
    """
    height, width = mask.shape
    edges = np.diff(np.pad(mask, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    rows, starts = np.nonzero(edges == 1)
    ends = np.nonzero(edges == -1)[1]
    below, above = _touching_runs(rows, starts, ends, width)
    first = np.arange(len(rows))
    while True:
        before = first.copy()
        lower = np.minimum(first[below], first[above])
        np.minimum.at(first, first[below], lower)
        np.minimum.at(first, first[above], lower)
        first = first[first]
        if np.array_equal(first, before):
            break
    _, numbers = np.unique(first, return_inverse=True)
    steps = np.zeros((height, width + 1), np.int64)
    steps[rows, starts] += numbers + 1
    steps[rows, ends] -= numbers + 1  # a run never starts where another ends: a gap lies between
    sizes = np.bincount(numbers, weights=ends - starts).astype(np.int64) if len(rows) else np.zeros(0, np.int64)
    return Pieces(np.cumsum(steps, axis=1)[:, :-1], sizes)


def _touching_runs(rows: np.ndarray, starts: np.ndarray, ends: np.ndarray, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the pairs (lower run, upper run) that overlap in neighbouring rows.

    Row and column make one ascending key, so the runs of the row above that overlap are a range found by bisection.
    """
    row_above = (rows - 1) * (width + 2)
    low = np.searchsorted(rows * (width + 2) + ends, row_above + starts, side="right")
    high = np.searchsorted(rows * (width + 2) + starts, row_above + ends, side="left")
    counts = np.maximum(high - low, 0)
    below = np.repeat(np.arange(len(rows)), counts)
    offset = np.arange(len(below)) - np.repeat(np.cumsum(counts) - counts, counts)
    return below, np.repeat(low, counts) + offset
