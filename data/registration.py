"""Laying one film over another by the geometry of the lungs: turned, scaled and shifted as a whole, never bent."""

from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional as F

from data.geometry import find_edges

HEIGHTS = tuple((step + 0.5) / 12 for step in range(12))  # where along a lung's height its edges are compared
REFINEMENTS = 5


@dataclass(frozen=True)
class Similarity:
    """to = scale * rotation @ from + shift, on points (row, column) of pixel centres. scale: of lengths."""

    scale: float
    rotation: np.ndarray
    shift: np.ndarray

    @property
    def degrees(self) -> float:
        """The turn, counter-clockwise as seen on the film."""
        return float(np.degrees(np.arctan2(self.rotation[1, 0], self.rotation[0, 0])))

    def apply(self, points: np.ndarray) -> np.ndarray:
        """Map points (n, 2)."""
        return self.scale * points @ self.rotation.T + self.shift

    def then(self, next: "Similarity") -> "Similarity":
        """Return the map that does this one and `next` after it."""
        shift = next.scale * next.rotation @ self.shift + next.shift
        return Similarity(self.scale * next.scale, next.rotation @ self.rotation, shift)

    def inverse(self) -> "Similarity":
        """Return the map back."""
        back = self.rotation.T
        return Similarity(1 / self.scale, back, -(back @ self.shift) / self.scale)


def register_lungs(source: np.ndarray, target: np.ndarray) -> Similarity:
    """Return the similarity that lays the lungs of one film over those of another.

    source, target: (2, h, w) and (2, H, W) bool, right and left lung. Twelve heights are compared, the lungs moved and compared
    again, because the heights of a turned lung differ a little from the other's. Raises ValueError where a lung is empty.
    """
    wanted = edge_points(*target)
    found = fit_similarity(edge_points(*source), wanted)
    for _ in range(REFINEMENTS):
        moved = resample_to(source.astype(np.float32), found, target.shape[1:]) >= 0.5
        if not moved.any(axis=(1, 2)).all():
            break  # moved out of the frame: the first fit is all there is
        found = found.then(fit_similarity(edge_points(*moved), wanted))
    return found


def edge_points(right_lung: np.ndarray, left_lung: np.ndarray) -> np.ndarray:
    """Return the outer and inner edge of each lung at twelve heights between its top and bottom: (48, 2) of (row, column).

    The same places on every film, so that points of two films correspond. Raises ValueError where a lung is empty.
    """
    points = []
    for name, lung in (("right lung", right_lung), ("left lung", left_lung)):
        edges = find_edges(lung)
        rows = edges.filled.nonzero()[0]
        if not len(rows):
            raise ValueError(f"no {name} was found, so the film cannot be laid over another")
        for height in HEIGHTS:
            row = rows[int(height * len(rows))]
            points += [(row, edges.first[row]), (row, edges.last[row] - 1)]
    return np.array(points, np.float64)


def fit_similarity(source: np.ndarray, target: np.ndarray) -> Similarity:
    """Return the similarity that maps points (n, 2) onto their partners with the least sum of squared distances.

    Source: Umeyama 1991, IEEE Trans. PAMI 13:376-380. Raises ValueError where all source points are one.
    """
    source_mean, target_mean = source.mean(axis=0), target.mean(axis=0)
    from_centre, to_centre = source - source_mean, target - target_mean
    spread = (from_centre**2).sum()
    if not spread:
        raise ValueError("all points are one; two different ones at least decide a scale")
    left, sizes, right = np.linalg.svd(to_centre.T @ from_centre)
    signs = np.array([1.0, np.sign(np.linalg.det(left @ right))])  # a turn, never a mirror image
    rotation = left @ np.diag(signs) @ right
    scale = float((sizes * signs).sum() / spread)
    return Similarity(scale, rotation, target_mean - scale * rotation @ source_mean)


def resample_to(planes: np.ndarray, similarity: Similarity, size: tuple[int, int]) -> np.ndarray:
    """Return planes (C, H, W) as they lie in the other film's frame, (C, *size), bilinear; 0 beyond their own frame.

    similarity: from the planes' pixels to those of the frame. Meant for scales near 1: shrinking does not average.
    """
    rows, columns = np.mgrid[0 : size[0], 0 : size[1]]
    points = similarity.inverse().apply(np.stack([rows.ravel(), columns.ravel()], axis=1).astype(np.float64))
    height, width = planes.shape[1:]
    grid = (2 * points[:, ::-1] + 1) / np.array([width, height]) - 1
    grid = torch.from_numpy(np.ascontiguousarray(grid)).float().view(1, *size, 2)
    moved = F.grid_sample(torch.from_numpy(planes).float()[None], grid, padding_mode="zeros", align_corners=False)
    return moved[0].numpy()
