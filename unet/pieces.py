"""The border of a mask, and its connected pieces, found through the runs of pixels along the rows."""

from typing import NamedTuple

import numpy as np


class Pieces(NamedTuple):
    """The pieces of a mask of `shape`, numbered 1 .. n in the reading order of their first pixels.

    sizes: (n,) pixels. runs: (r,) the piece of each run of pixels along a row. changes: (2 r,) where the runs start and end in
    the flattened mask, after an empty column was added on either side.
    """

    shape: tuple[int, int]
    sizes: np.ndarray
    runs: np.ndarray
    changes: np.ndarray

    def paint(self, values: np.ndarray) -> np.ndarray:
        """Return values (n + 1,) spread over the pixels: (H, W), values[0] outside, values[k] in piece k."""
        height, width = self.shape
        painted = np.full(len(self.changes) + 1, values[0])
        painted[1::2] = values[self.runs]
        lengths = np.diff(self.changes, prepend=0, append=height * (width + 2))
        return np.repeat(painted, lengths).reshape(height, width + 2)[:, 1:-1]

    @property
    def columns(self) -> tuple[np.ndarray, np.ndarray]:
        """The first column and the last column + 1 of each piece: (n,) both."""
        starts = self.changes[::2] % (self.shape[1] + 2) - 1
        ends = starts + self.changes[1::2] - self.changes[::2]
        first, end = np.full(len(self.sizes), self.shape[1]), np.zeros(len(self.sizes), int)
        np.minimum.at(first, self.runs - 1, starts)
        np.maximum.at(end, self.runs - 1, ends)
        return first, end

    @property
    def labels(self) -> np.ndarray:
        """The number of each pixel's piece: (H, W) int32, 0 outside."""
        return self.paint(np.arange(len(self.sizes) + 1, dtype=np.int32))


def window_of(mask: np.ndarray) -> tuple[slice, slice] | None:
    """Return rows and columns of the smallest rectangle that holds a bool mask (H, W); None where it is empty."""
    rows = np.flatnonzero(mask.any(axis=1))
    if not len(rows):
        return None
    columns = np.flatnonzero(mask[rows[0] : rows[-1] + 1].any(axis=0))
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def border(mask: np.ndarray) -> np.ndarray:
    """Return the pixels of a bool mask (H, W) with one of the four neighbours outside, the frame's outside included."""
    padded = np.pad(mask, 1)
    surrounded = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    return mask & ~surrounded


def label_pieces(mask: np.ndarray) -> Pieces:
    """Number the connected pieces (four neighbours) of a bool mask (H, W).

    The work grows with the number of runs, not of pixels: runs that overlap in neighbouring rows are joined through trees that
    are flattened by pointer jumping (Shiloach & Vishkin 1982).
    """
    height, width = mask.shape
    # with an empty column on either side no run continues in the next row, and one ascending index gives row and column
    padded = np.zeros((height, width + 2), bool)
    padded[:, 1:-1] = mask
    flat = padded.ravel()
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    starts, ends = changes[::2], changes[1::2]
    first = _first_runs(len(starts), *_touching_runs(starts, ends, width + 2))
    is_first = first == np.arange(len(first))
    runs = np.cumsum(is_first)[first]
    sizes = np.bincount(runs, weights=ends - starts, minlength=1)[1:].astype(np.int64)
    return Pieces((height, width), sizes, runs, changes)


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
    first[below] = above  # one tree per run with none above it; the loop joins trees through a run's other contacts
    while True:
        further = first[first]
        while not np.array_equal(further, first):
            first, further = further, further[further]
        one, other = first[below], first[above]
        apart = one != other
        if not apart.any():
            return first
        np.minimum.at(first, np.maximum(one, other)[apart], np.minimum(one, other)[apart])
