"""Points and angles of a lung mask: apex, diaphragm dome, costophrenic and cardiophrenic corner, and what lies between two lungs.

Points are (row, column) in pixels, on the pixels' edges. Definitions and undefined cases: docs/measurements.md.
"""

from dataclasses import dataclass

import numpy as np

from data.geometry import PIXELS, UPPER_SHARE, Box, Edges, Spacing

Point = tuple[float, float]

REACH_SHARE = 1 / 12  # of the lung's height: how far from a corner its angle is taken; 2 cm in a lung 24 cm high
LATERAL_SHARE = 0.6  # of the lung's width: further in, the lower border is that of heart or spine, not diaphragm
STEEPNESS = 2.0  # weight of down against outward in the search for a costophrenic corner: low matters more than lateral
CARINA_SHARE = UPPER_SHARE  # of both lungs' height, from above: about the height of carina and aortic arch
CIRCLE_STEPS = 1440
SINES, COSINES = (turn(2 * np.pi * np.arange(CIRCLE_STEPS) / CIRCLE_STEPS) for turn in (np.sin, np.cos))


@dataclass(frozen=True)
class Corner:
    """A corner of a lung with its inner angle in degrees; start, end: the points of the border where the angle's legs end."""

    point: Point
    degrees: float
    start: Point
    end: Point


@dataclass(frozen=True)
class LungPoints:
    """The landmarks of one lung; None where undefined (docs/measurements.md)."""

    apex: Point | None
    dome: Point | None
    costophrenic: Corner | None
    cardiophrenic: Corner | None


@dataclass(frozen=True)
class Mediastinum:
    """Where the mediastinum's width is taken: a row (its centre) and the facing edges of the lungs in it, in pixels."""

    row: float
    right_edge: int
    left_edge: int


def lung_points(
    lung: np.ndarray, edges: Edges, side: str, heart: Edges | None, spacing: Spacing = PIXELS
) -> LungPoints | None:
    """Return the landmarks of one lung, a bool mask (H, W) and its edges; None where it is empty.

    side: 'right' or 'left', the patient's. heart: None where it is not drawn: the left dome, half behind the heart, is then
    undefined.
    """
    if edges.box is None:
        return None
    if side == "right":
        return _right_points(lung, edges, heart and heart.box, spacing, needs_heart=False)
    width = lung.shape[1]
    heart_box = heart and heart.mirror(width).box
    return _mirror(_right_points(lung[:, ::-1], edges.mirror(width), heart_box, spacing, needs_heart=True), width)


def mediastinum(right_lung: Edges, left_lung: Edges) -> Mediastinum | None:
    """Return the gap between two lungs in the row a third down their common height.

    None where that row does not show both, or they overlap in it.
    """
    box = right_lung.unite(left_lung).box
    if box is None:
        return None
    row = min(int(box.top + CARINA_SHARE * (box.bottom - box.top)), box.bottom - 1)
    if not (right_lung.filled[row] and left_lung.filled[row]):
        return None
    right_edge, left_edge = int(right_lung.last[row]), int(left_lung.first[row])
    return Mediastinum(row + 0.5, right_edge, left_edge) if left_edge >= right_edge else None


def tilt_degrees(right_apex: Point | None, left_apex: Point | None, spacing: Spacing = PIXELS) -> float | None:
    """Return by how much the line from the right apex to the left one falls to the image's right, -90 to 90 degrees.

    None unless both are defined and the left apex lies further right in the image than the right one.

    When two equal domes are turned, the line of their highest points stays parallel to that of their centres: this is the turn.
    """
    if right_apex is None or left_apex is None:
        return None
    down, across = (left_apex[0] - right_apex[0]) * spacing[0], (left_apex[1] - right_apex[1]) * spacing[1]
    return None if across <= 0 else float(np.degrees(np.arctan2(down, across)))


def corner_at(lung: np.ndarray, point: Point, reach: float, spacing: Spacing = PIXELS) -> Corner | None:
    """Return the angle at a corner: the share of a circle around it that lies inside the bool mask (H, W), times 360 degrees.

    point: the corner. reach: the circle's radius in the spacing's unit. Of several arcs the longest counts; None where the
    circle lies all inside or all outside. For straight legs this is their angle exactly, however the mask is turned.
    """
    rows, columns = point[0] + reach / spacing[0] * SINES, point[1] + reach / spacing[1] * COSINES
    inside = _covered(lung, rows, columns) - 0.5
    enters = np.flatnonzero((inside <= 0) & (np.roll(inside, -1) > 0))
    leaves = np.flatnonzero((inside > 0) & (np.roll(inside, -1) <= 0))
    if not len(enters):
        return None
    starts, ends = (np.array([_crossing(inside, step) for step in steps]) for steps in (enters, leaves))
    following = ends[np.searchsorted(ends, starts) % len(ends)]
    lengths = (following - starts) % CIRCLE_STEPS
    longest = int(np.argmax(lengths))
    legs = [2 * np.pi * step / CIRCLE_STEPS for step in (starts[longest], following[longest])]
    start, end = (
        (float(point[0] + reach / spacing[0] * np.sin(leg)), float(point[1] + reach / spacing[1] * np.cos(leg)))
        for leg in legs
    )
    return Corner(point, float(lengths[longest]) * 360 / CIRCLE_STEPS, start, end)


def _right_points(lung: np.ndarray, edges: Edges, heart: Box | None, spacing: Spacing, needs_heart: bool) -> LungPoints:
    """Landmarks of a lung, not empty, whose outer side is the image's left."""
    box = edges.box
    apex = (float(box.top), float(np.flatnonzero(lung[box.top]).mean() + 0.5)) if box.top > 0 else None
    reach = REACH_SHARE * (box.bottom - box.top) * spacing[0]
    rows = np.arange(box.top, box.bottom)
    outer = edges.first[rows]
    depth = STEEPNESS * rows * spacing[0] - outer * spacing[1]
    lowest = _first_largest(np.where(edges.filled[rows], depth, -np.inf), spacing)
    corner = (float(rows[lowest] + 1), float(outer[lowest]))
    costophrenic = None if _on_frame(corner, lung) else corner_at(lung, corner, reach, spacing)
    bottoms = _bottoms(lung, box)
    dome = None
    if not needs_heart or heart is not None:
        dome = _dome(bottoms, heart, int(outer[lowest]), box.left + LATERAL_SHARE * (box.right - box.left))
    cardiophrenic = None
    if dome is not None and _on_frame(dome, lung):
        dome = None
    if dome is not None:
        medial = _medial_corner(bottoms, int(dome[1]), spacing)
        cardiophrenic = None if _on_frame(medial, lung) else corner_at(lung, medial, reach, spacing)
    return LungPoints(apex, dome, costophrenic, cardiophrenic)


def _on_frame(point: Point, lung: np.ndarray) -> bool:
    """Whether a point of the lower border lies where the film ends: there the film's edge is seen, not the lung's."""
    return point[0] >= lung.shape[0] or not 0 < point[1] < lung.shape[1]


def _bottoms(lung: np.ndarray, box: Box) -> np.ndarray:
    """Of every column the last row + 1, 0 where the column is empty: (W,)."""
    bottoms = np.zeros(lung.shape[1], int)
    numbered = (
        lung[box.top : box.bottom, box.left : box.right]
        * np.arange(box.top + 1, box.bottom + 1, dtype=np.uint32)[:, None]
    )
    bottoms[box.left : box.right] = numbered.max(axis=0)
    return bottoms


def _dome(bottoms: np.ndarray, heart: Box | None, start: int, end: float) -> Point | None:
    """The highest point of the lower border between the outer corner's column and column `end`, outside the heart's columns."""
    if heart is not None:
        end = min(end, heart.left)
    columns = np.arange(start, round(end))
    columns = columns[bottoms[columns] > 0]
    if not len(columns):
        return None
    highest = bottoms[columns].min()
    return float(highest), float(columns[bottoms[columns] == highest].mean() + 0.5)


def _medial_corner(bottoms: np.ndarray, dome_column: int, spacing: Spacing) -> Point:
    """The lowest and innermost point of the lower border from the dome inwards."""
    columns = np.flatnonzero(bottoms)
    columns = columns[columns >= dome_column] if (columns >= dome_column).any() else columns[-1:]
    chosen = columns[_first_largest(STEEPNESS * bottoms[columns] * spacing[0] + columns * spacing[1], spacing)]
    return float(bottoms[chosen]), float(chosen + 1)


def _first_largest(lengths: np.ndarray, spacing: Spacing) -> int:
    """Return the first index of the largest; a millionth of a row is rounding, and must not decide between equal corners."""
    return int(np.argmax(lengths >= lengths.max() - 1e-6 * spacing[0]))


def _covered(mask: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """The mask, linear between pixel centres and 0 beyond the frame, at points counted from the pixels' edges."""
    row, column = np.floor(rows - 0.5).astype(int), np.floor(columns - 0.5).astype(int)
    down, across = rows - 0.5 - row, columns - 0.5 - column
    return sum(
        weight * _pixel(mask, row + a, column + b)
        for a, b, weight in (
            (0, 0, (1 - down) * (1 - across)), (0, 1, (1 - down) * across),
            (1, 0, down * (1 - across)), (1, 1, down * across),
        )
    )  # fmt: skip


def _pixel(mask: np.ndarray, row: np.ndarray, column: np.ndarray) -> np.ndarray:
    height, width = mask.shape
    within = (row >= 0) & (row < height) & (column >= 0) & (column < width)
    return within & mask[np.clip(row, 0, height - 1), np.clip(column, 0, width - 1)]


def _crossing(inside: np.ndarray, step: int) -> float:
    """Where between step and step + 1 the value passes 0."""
    before, after = inside[step], inside[(step + 1) % len(inside)]
    return step + before / (before - after)


def _mirror(points: LungPoints, width: int) -> LungPoints:
    def turn(point: Point) -> Point:
        return point[0], width - point[1]

    def corner(one: Corner | None) -> Corner | None:
        return None if one is None else Corner(turn(one.point), one.degrees, turn(one.end), turn(one.start))

    apex, dome = (None if point is None else turn(point) for point in (points.apex, points.dome))
    return LungPoints(apex, dome, corner(points.costophrenic), corner(points.cardiophrenic))
