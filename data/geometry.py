"""Widths, heights and areas of masks, and the cardiothoracic ratio, in millimetres where the spacing is known, else in pixels.

A pixel is a square with a size: a mask of n columns is n columns wide, from outer edge to outer edge.
Definitions, sources and undefined cases of every value: docs/measurements.md.
"""

from dataclasses import dataclass

import numpy as np

from unet.pieces import window_of

Spacing = tuple[float, float]  # between rows, between columns
PIXELS: Spacing = (1.0, 1.0)
UPPER_SHARE = 1 / 3  # of the rows that show both lungs: there the mediastinum is narrow and the heart has not begun


@dataclass(frozen=True)
class Box:
    """The outer edges of a mask in pixels; bottom and right lie past the last pixel."""

    top: int
    bottom: int
    left: int
    right: int


@dataclass(frozen=True)
class Edges:
    """Where a mask (H, W) begins and ends, found once for all that is measured from it.

    box: of the whole mask, None where it is empty. first, last: (H,), the outer edges of every row, first column and last
    column + 1; W and 0 in empty rows.
    """

    box: Box | None
    first: np.ndarray
    last: np.ndarray

    @property
    def filled(self) -> np.ndarray:
        """The rows that are not empty: (H,) bool."""
        return self.last > self.first

    def unite(self, other: "Edges") -> "Edges":
        """Return the edges of both masks together."""
        boxes = [box for box in (self.box, other.box) if box is not None]
        box = Box(
            min(box.top for box in boxes), max(box.bottom for box in boxes),
            min(box.left for box in boxes), max(box.right for box in boxes),
        ) if boxes else None  # fmt: skip
        return Edges(box, np.minimum(self.first, other.first), np.maximum(self.last, other.last))

    def mirror(self, width: int) -> "Edges":
        """Return the edges of the mask, `width` columns wide, with its columns in reverse."""
        box = self.box and Box(self.box.top, self.box.bottom, width - self.box.right, width - self.box.left)
        return Edges(box, width - self.last, width - self.first)


@dataclass(frozen=True)
class Cardiothoracic:
    """The cardiothoracic ratio of one film and its parts; lengths in the spacing's unit, None where undefined.

    ratio: heart_width / thorax_width, both from the outermost columns. internal_ratio: (right_distance + left_distance) /
    internal_diameter. The distances go from the midline to the heart's outermost column on the patient's right and left, 0 on
    a side that the heart does not reach; the diameter is that of the lungs' widest single row. midline_column, widest_row:
    their positions in pixels, for drawing.
    """

    ratio: float
    heart_width: float
    thorax_width: float
    internal_ratio: float | None
    right_distance: float | None
    left_distance: float | None
    internal_diameter: float
    midline_column: float | None
    widest_row: int


@dataclass(frozen=True)
class LungSize:
    """One lung: extent across rows, extent across columns, covered area, in the spacing's unit (area: its square)."""

    height: float
    width: float
    area: float


def bounding_box(mask: np.ndarray) -> Box | None:
    """Return the outer edges of a bool mask (H, W); None where it is empty."""
    window = window_of(mask)
    return None if window is None else Box(window[0].start, window[0].stop, window[1].start, window[1].stop)


def find_edges(mask: np.ndarray) -> Edges:
    """Return the edges of a bool mask (H, W)."""
    height, width = mask.shape
    first, last = np.full(height, width), np.zeros(height, int)
    box = bounding_box(mask)
    if box is not None:
        # a copy of the box, row by row in memory: searching it takes a fraction of the time, for turned masks above all
        inside = np.ascontiguousarray(mask[box.top : box.bottom, box.left : box.right])
        rows = np.flatnonzero(inside.any(axis=1))
        first[box.top + rows] = box.left + inside.argmax(axis=1)[rows]
        last[box.top + rows] = box.right - inside[:, ::-1].argmax(axis=1)[rows]
    return Edges(box, first, last)


def lung_size(lung: np.ndarray, box: Box | None, spacing: Spacing = PIXELS) -> LungSize | None:
    """Return height, width and area of a bool mask (H, W) and its box; None where it is empty."""
    if box is None:
        return None
    row, column = spacing
    return LungSize(
        height=(box.bottom - box.top) * row,
        width=(box.right - box.left) * column,
        area=float(np.count_nonzero(lung)) * row * column,
    )


def midline(right_lung: Edges, left_lung: Edges) -> float | None:
    """Return the column midway between the lungs' facing edges, the mean over the upper third of the rows that show both.

    right_lung, left_lung: the patient's sides. None where no row shows both.
    """
    rows = np.flatnonzero(right_lung.filled & left_lung.filled)
    if not len(rows):
        return None
    upper = rows[: max(1, round(UPPER_SHARE * len(rows)))]
    return float(np.mean(right_lung.last[upper] + left_lung.first[upper]) / 2)


def cardiothoracic(
    heart: Edges,
    lungs: Edges,
    sides: tuple[Edges, Edges] | None = None,
    spacing: Spacing = PIXELS,
) -> Cardiothoracic | None:
    """Return the cardiothoracic ratio by both definitions in use; None where heart or lungs are empty.

    lungs: of the union. sides: (right lung, left lung), from which the midline comes; without them, or where no row shows both,
    the values that need a midline are None. spacing: mm between rows and columns.
    Sources: x-extent, Danzer 1919 and CheXmask; (MRD + MLD) / ID, CXAS and textbooks (docs/measurements.md).
    """
    heart_box, lung_box = heart.box, lungs.box
    if heart_box is None or lung_box is None:
        return None
    column_mm = spacing[1]
    widths = lungs.last - lungs.first
    widest = int(np.argmax(widths))
    diameter = int(widths[widest])
    middle = midline(*sides) if sides is not None else None
    right = left = ratio = None
    if middle is not None:
        right, left = max(0.0, middle - heart_box.left), max(0.0, heart_box.right - middle)
        ratio = (right + left) / diameter
    return Cardiothoracic(
        ratio=(heart_box.right - heart_box.left) / (lung_box.right - lung_box.left),
        heart_width=(heart_box.right - heart_box.left) * column_mm,
        thorax_width=(lung_box.right - lung_box.left) * column_mm,
        internal_ratio=ratio,
        right_distance=None if right is None else right * column_mm,
        left_distance=None if left is None else left * column_mm,
        internal_diameter=diameter * column_mm,
        midline_column=middle,
        widest_row=widest,
    )
