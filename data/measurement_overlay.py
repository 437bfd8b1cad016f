"""A film with its measurements drawn on it, so that a reader can check each line against the picture."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from data.geometry import PIXELS, Edges, Spacing
from data.landmarks import Corner, Point, mediastinum, tilt_degrees
from data.measurements import edges_of, measure_masks, points_of, thorax_of
from data.overlay import overlay

BLUE, ORANGE, GREEN, PINK, WHITE = (86, 180, 233), (230, 159, 0), (0, 158, 115), (204, 121, 167), (255, 255, 255)
PANEL_WIDTH = 240  # pixels beside the film, for the values
LINE_HEIGHT = 16  # pixels


class Line(NamedTuple):
    """One measured line: from (row, column) to (row, column) in the film's pixels, and what it shows."""

    start: Point
    end: Point
    colour: tuple[int, int, int]


def measurement_lines(masks: Mapping[str, np.ndarray], spacing_mm: Spacing | None) -> list[Line]:
    """Return the lines of every measurement that the masks allow (see docs/measurements.md for colours)."""
    spacing = spacing_mm or PIXELS
    edges = edges_of(masks)
    points = points_of(masks, edges, spacing)
    lines = [*_thorax_lines(masks.get("heart"), edges, spacing)]
    for own in points.values():
        if own.apex is not None and own.dome is not None:
            lines.append(Line(own.apex, (own.dome[0], own.apex[1]), GREEN))
            lines.append(Line((own.dome[0], own.apex[1]), own.dome, GREEN))
        lines += [line for corner in (own.costophrenic, own.cardiophrenic) for line in _legs(corner)]
    if len(points) == 2:
        apices = points["right"].apex, points["left"].apex
        if tilt_degrees(*apices, spacing) is not None:
            lines.append(Line(*apices, WHITE))
        gap = mediastinum(edges["right_lung"], edges["left_lung"])
        if gap is not None:
            lines.append(Line((gap.row, gap.right_edge), (gap.row, gap.left_edge), BLUE))
    return lines


def draw_measurements(
    image: np.ndarray, masks: Mapping[str, np.ndarray], spacing_mm: Spacing | None, longest_side: int = 768
) -> np.ndarray:
    """Return an RGB picture (h, w, 3) uint8 of a film with its masks' contours and every measured line on it.

    image: (H, W) float in [0, 1]. masks: structure to bool (H, W). The values stand in a panel beside it.
    """
    picture = Image.fromarray(overlay(image, dict(masks), longest_side=longest_side))
    scale = (picture.height / image.shape[0], picture.width / image.shape[1])
    pen = ImageDraw.Draw(picture)
    for line in measurement_lines(masks, spacing_mm):
        ends = [(column * scale[1], row * scale[0]) for row, column in (line.start, line.end)]
        pen.line(ends, fill=line.colour, width=2)
        for x, y in ends:
            pen.ellipse([x - 2, y - 2, x + 2, y + 2], fill=line.colour)
    film, panel = np.asarray(picture), _caption_panel(masks, spacing_mm)
    height = max(len(film), len(panel))  # a small film is lower than the list of values
    return np.concatenate([np.pad(part, ((0, height - len(part)), (0, 0), (0, 0))) for part in (film, panel)], axis=1)


def _thorax_lines(heart: np.ndarray | None, edges: Mapping[str, Edges], spacing: Spacing) -> list[Line]:
    result = thorax_of(edges, spacing)
    if result is None:
        return []
    row, lungs = result.widest_row + 0.5, edges["lungs"]
    ends = float(lungs.first[result.widest_row]), float(lungs.last[result.widest_row])
    lines = [Line((row, ends[0]), (row, ends[1]), BLUE)]
    box, chest = edges["heart"].box, lungs.box
    columns = [(box.left, heart[:, box.left]), (box.right, heart[:, box.right - 1])]
    middle = result.midline_column if result.midline_column is not None else (box.left + box.right) / 2
    for column, pixels in columns:
        height = float(np.flatnonzero(pixels).mean() + 0.5)
        lines.append(Line((height, float(column)), (height, middle), ORANGE))
    for column in (chest.left, chest.right):
        lines.append(Line((float(chest.bottom), float(column)), (row, float(column)), PINK))
    if result.midline_column is not None:
        lines.append(Line((float(chest.top), middle), (float(chest.bottom), middle), WHITE))
    return lines


def _legs(corner: Corner | None) -> list[Line]:
    return [] if corner is None else [Line(corner.point, corner.start, ORANGE), Line(corner.point, corner.end, ORANGE)]


def _caption_panel(masks: Mapping[str, np.ndarray], spacing_mm: Spacing | None) -> np.ndarray:
    texts = captions(masks, spacing_mm)
    panel = Image.new("RGB", (PANEL_WIDTH, 16 + LINE_HEIGHT * len(texts)))
    pen = ImageDraw.Draw(panel)
    for index, text in enumerate(texts):
        pen.text((8, 8 + LINE_HEIGHT * index), text, fill=WHITE)
    return np.asarray(panel)


def captions(masks: Mapping[str, np.ndarray], spacing_mm: Spacing | None) -> list[str]:
    """Return every measured value except areas in words, one per line; right and left share a line if both are defined."""
    values = {m.name: (m.value, m.unit) for m in measure_masks(masks, spacing_mm) if m.unit not in ("mm2", "px2")}
    texts = []
    for name, (value, unit) in values.items():
        twin = values.get(name.replace("right_", "left_", 1)) if name.startswith("right_") else None
        if name.startswith("left_") and name.replace("left_", "right_", 1) in values:
            continue
        shown = f"{value:.3f}" if unit == "ratio" else f"{value:.0f}"
        if twin is not None:
            name, shown = name.removeprefix("right_"), f"{shown} / {twin[0]:.0f}"
        words = name.removesuffix("" if unit == "ratio" else f"_{unit}").replace("_", " ")
        texts.append(f"{words} {shown}{'' if unit == 'ratio' else ' ' + unit}")
    return texts
