"""Clinical measurements of a phantom from its continuous contours, in millimetres: exact, without pixels."""

import numpy as np

from data.landmarks import REACH_SHARE, tilt_degrees
from data.phantom.anatomy import Chest, Contour
from db.records import SourceMeasurement


def measure_chest(chest: Chest) -> tuple[SourceMeasurement, ...]:
    """Return the measurements of docs/measurements.md that follow from the contours alone."""
    right, left = chest.right_space, chest.left_space
    heart_width = float(np.ptp(chest.heart[:, 0]))
    thorax_width = float(max(right[:, 0].max(), left[:, 0].max()) - min(right[:, 0].min(), left[:, 0].min()))
    heights = {"right": float(np.ptp(right[:, 1])), "left": float(np.ptp(left[:, 1]))}
    values = [
        ("cardiothoracic_ratio", heart_width / thorax_width, "ratio"),
        ("heart_width_mm", heart_width, "mm"),
        ("thorax_width_mm", thorax_width, "mm"),
        ("right_lung_height_mm", heights["right"], "mm"),
        ("left_lung_height_mm", heights["left"], "mm"),
        ("dome_level_difference_mm", float(chest.left_dome[1] - chest.right_dome[1]), "mm"),
        ("right_costophrenic_angle_deg", corner_angle(right, chest.right_angle, REACH_SHARE * heights["right"]), "deg"),
        ("left_costophrenic_angle_deg", corner_angle(left, chest.left_angle, REACH_SHARE * heights["left"]), "deg"),
        ("thorax_tilt_deg", tilt_degrees(_highest(right), _highest(left)), "deg"),
    ]
    return tuple(SourceMeasurement(name=name, value=value, unit=unit) for name, value, unit in values)


def corner_angle(contour: Contour, corner: np.ndarray, reach_mm: float) -> float:
    """Return the angle in degrees at a corner of a closed contour, between the points reach_mm away on both sides.

    corner: (x, y), one of the contour's own points.
    """
    start = int(np.argmin(np.hypot(*(contour - corner).T)))
    rays = []
    for direction in (1, -1):
        path = np.roll(contour[::direction], -start if direction == 1 else start + 1, axis=0)  # begins at the corner
        rays.append(_at_distance(path, corner, reach_mm) - corner)
    cosine = rays[0] @ rays[1] / (np.linalg.norm(rays[0]) * np.linalg.norm(rays[1]))
    return float(np.degrees(np.arccos(np.clip(cosine, -1, 1))))


def _at_distance(path: np.ndarray, centre: np.ndarray, reach: float) -> np.ndarray:
    """The first point of a path that is `reach` away from the centre, between its corners."""
    distance = np.hypot(*(path - centre).T)
    after = int(np.argmax(distance >= reach))
    share = (reach - distance[after - 1]) / (distance[after] - distance[after - 1])
    return path[after - 1] + share * (path[after] - path[after - 1])


def _highest(contour: Contour) -> tuple[float, float]:
    """The highest point of a contour as (y, x)."""
    x, y = contour[np.argmin(contour[:, 1])]
    return float(y), float(x)
