"""Every clinical measurement that a film's masks allow, by name and with its unit, as the table `measurement` holds it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from data.geometry import PIXELS, Cardiothoracic, Edges, Spacing, cardiothoracic, find_edges, lung_size
from data.landmarks import LungPoints, lung_points, mediastinum, tilt_degrees
from db.records import MASK_STRUCTURES


class Measurement(NamedTuple):
    """One value of one film. name: as in docs/measurements.md, a length's unit in it. spread: over repeated predictions."""

    name: str
    value: float
    unit: str
    spread: float | None = None


def measure_masks(
    masks: Mapping[str, np.ndarray],
    spacing_mm: Spacing | None,
    views: Sequence[Mapping[str, np.ndarray]] = (),
) -> tuple[Measurement, ...]:
    """Measure what the masks of one film allow; a value that is undefined is left out.

    masks: structure to bool (H, W), any of right_lung, left_lung, heart, lungs. spacing_mm: between rows and between columns;
    None: lengths are in pixels and named so. views: masks of the same film from repeated predictions (test-time views, members
    of an ensemble); a value's spread is its standard deviation (n - 1) over those that define it, None for fewer than two.
    Raises ValueError where the masks differ in size, are not bool (grey levels would be measured wrongly), or have another name.
    """
    repeated = [{name: value for name, value, _ in _values(view, spacing_mm)} for view in views]
    found = []
    for name, value, unit in _values(masks, spacing_mm):
        found.append(Measurement(name, value, unit, spread_of(name, repeated)))
    return tuple(found)


def spread_of(name: str, repeated: Sequence[Mapping[str, float]]) -> float | None:
    """Return the standard deviation (n - 1) of a named value over repeated predictions; None where fewer than two define it."""
    values = [own[name] for own in repeated if name in own]
    return float(np.std(values, ddof=1)) if len(values) > 1 else None


def _values(masks: Mapping[str, np.ndarray], spacing_mm: Spacing | None) -> list[tuple[str, float, str]]:
    """The defined values of one set of masks."""
    for name, mask in masks.items():
        if name not in MASK_STRUCTURES or mask.dtype != bool or mask.ndim != 2:
            raise ValueError(
                f"mask {name!r} is {mask.dtype} of shape {mask.shape}; wanted bool (H, W) of {', '.join(MASK_STRUCTURES)}"
            )
    shapes = sorted({mask.shape for mask in masks.values()})
    if len(shapes) > 1:
        raise ValueError(f"masks of one film have the sizes {shapes}; wanted one size, the film's")
    spacing, unit = (PIXELS, "px") if spacing_mm is None else (spacing_mm, "mm")
    edges = edges_of(masks)
    values = [
        *_thorax(edges, spacing, unit), *_lungs(masks, edges, spacing, unit), *_landmarks(masks, edges, spacing, unit),
    ]  # fmt: skip
    return [(name, float(value), unit) for name, value, unit in values if value is not None]


def edges_of(masks: Mapping[str, np.ndarray]) -> dict[str, Edges]:
    """Return the edges of every mask; where both lungs are drawn apart, `lungs` is both together."""
    edges = {name: find_edges(mask) for name, mask in masks.items()}
    sides = sides_of(edges)
    return edges if sides is None else {**edges, "lungs": sides[0].unite(sides[1])}


def sides_of(edges: Mapping[str, Edges]) -> tuple[Edges, Edges] | None:
    """Return (right lung, left lung) where both are drawn apart, else None."""
    return (edges["right_lung"], edges["left_lung"]) if {"right_lung", "left_lung"} <= edges.keys() else None


def thorax_of(edges: Mapping[str, Edges], spacing: Spacing) -> Cardiothoracic | None:
    """Return the cardiothoracic ratio and its parts; None where heart or lungs are not drawn, or one of them is empty.

    One lung alone is no thorax: its width would make a ratio of 1.
    """
    sides = sides_of(edges)
    if not {"lungs", "heart"} <= edges.keys() or any(side.box is None for side in sides or ()):
        return None
    return cardiothoracic(edges["heart"], edges["lungs"], sides, spacing)


Value = tuple[str, float | None, str]


def _thorax(edges: Mapping[str, Edges], spacing: Spacing, unit: str) -> Iterator[Value]:
    result = thorax_of(edges, spacing)
    if result is None:
        return
    yield "cardiothoracic_ratio", result.ratio, "ratio"
    yield "cardiothoracic_ratio_internal", result.internal_ratio, "ratio"
    yield f"heart_width_{unit}", result.heart_width, unit
    yield f"thorax_width_{unit}", result.thorax_width, unit
    yield f"heart_right_of_midline_{unit}", result.right_distance, unit
    yield f"heart_left_of_midline_{unit}", result.left_distance, unit
    yield f"internal_thoracic_diameter_{unit}", result.internal_diameter, unit


def _lungs(masks: Mapping[str, np.ndarray], edges: Mapping[str, Edges], spacing: Spacing, unit: str) -> Iterator[Value]:
    sizes = {
        side: lung_size(masks[f"{side}_lung"], edges[f"{side}_lung"].box, spacing)
        for side in ("right", "left")
        if f"{side}_lung" in masks
    }
    for side, size in sizes.items():
        if size is not None:
            yield f"{side}_lung_height_{unit}", size.height, unit
            yield f"{side}_lung_width_{unit}", size.width, unit
            yield f"{side}_lung_area_{unit}2", size.area, f"{unit}2"
    right, left = sizes.get("right"), sizes.get("left")
    if right is not None and left is not None:
        yield "lung_area_ratio", right.area / left.area, "ratio"


def points_of(masks: Mapping[str, np.ndarray], edges: Mapping[str, Edges], spacing: Spacing) -> dict[str, LungPoints]:
    """Return the landmarks of each lung that is drawn and not empty: 'right', 'left'. edges: as `edges_of` gives them."""
    found = {
        side: lung_points(masks[f"{side}_lung"], edges[f"{side}_lung"], side, edges.get("heart"), spacing)
        for side in ("right", "left")
        if f"{side}_lung" in masks
    }
    return {side: points for side, points in found.items() if points is not None}


def _landmarks(
    masks: Mapping[str, np.ndarray], edges: Mapping[str, Edges], spacing: Spacing, unit: str
) -> Iterator[Value]:
    points = points_of(masks, edges, spacing)
    for side, own in points.items():
        if own.apex is not None and own.dome is not None:
            yield f"{side}_apex_to_dome_{unit}", (own.dome[0] - own.apex[0]) * spacing[0], unit
        if own.dome is not None and own.costophrenic is not None:
            yield f"{side}_dome_height_{unit}", (own.costophrenic.point[0] - own.dome[0]) * spacing[0], unit
        if own.costophrenic is not None:
            yield f"{side}_costophrenic_angle_deg", own.costophrenic.degrees, "deg"
        if own.cardiophrenic is not None:
            yield f"{side}_cardiophrenic_angle_deg", own.cardiophrenic.degrees, "deg"
    if len(points) < 2:
        return
    right, left = points["right"], points["left"]
    if right.dome is not None and left.dome is not None:
        yield f"dome_level_difference_{unit}", (left.dome[0] - right.dome[0]) * spacing[0], unit
    yield "thorax_tilt_deg", tilt_degrees(right.apex, left.apex, spacing), "deg"
    gap = mediastinum(edges["right_lung"], edges["left_lung"])
    if gap is not None:
        yield f"mediastinal_width_{unit}", (gap.left_edge - gap.right_edge) * spacing[1], unit
