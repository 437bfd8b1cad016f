"""Distances between the borders of two masks, exact, computed once and read by every distance metric."""

from typing import NamedTuple

import numpy as np

from unet.metrics import check_pair
from unet.pieces import border, window_of

FAR = 2**30  # rows; farther than any film is high, and still an int32
NEAR = 8  # columns; borders that agree find their nearest pixel within these (measured: benchmarks/metrics.py)
# of the normalised surface distance, by unit; db/scores.py has a column for each
NSD_TOLERANCES = {"mm": (1, 2, 4), "px": (2, 4, 8)}
BLOCK = 2**16  # distances held at a time when far pixels are compared with every column; fits a core's cache


class SurfaceDistances(NamedTuple):
    """Distances from each border pixel of one mask to the nearest border pixel of the other, in the spacing's unit.

    diagonal: of the film, the distance given where one mask is empty. empty: 'none', 'true', 'pred' or 'both'.
    """

    pred_to_true: np.ndarray
    true_to_pred: np.ndarray
    diagonal: float
    empty: str


def surface_distances(
    mask_pred: np.ndarray, mask_true: np.ndarray, spacing: tuple[float, float] = (1.0, 1.0)
) -> SurfaceDistances:
    """Measure the distances between the borders of two bool masks (H, W).

    spacing: distance between rows and between columns, in mm, or (1, 1) for pixels. A border pixel is a pixel inside that
    has one of its four neighbours outside; what lies beyond the frame is outside. Distances go from pixel centre to centre.
    The diagonal is that of the whole frame, sqrt((H * row)^2 + (W * column)^2), so no true distance reaches it.
    """
    _check(mask_pred, mask_true, spacing)
    spacing = float(spacing[0]), float(spacing[1])  # whole numbers would square far rows past what they can hold
    height, width = mask_true.shape
    diagonal = float(np.hypot(height * spacing[0], width * spacing[1]))
    empty = {(True, True): "both", (True, False): "pred", (False, True): "true"}.get(
        (not mask_pred.any(), not mask_true.any()), "none"
    )
    if empty != "none":
        return SurfaceDistances(np.empty(0), np.empty(0), diagonal, empty)
    window = window_of(mask_pred | mask_true)  # nothing outside of it can be nearest to anything
    pred, true = border(mask_pred[window]), border(mask_true[window])
    return SurfaceDistances(_nearest(pred, true, spacing), _nearest(true, pred, spacing), diagonal, empty)


def hd(distances: SurfaceDistances) -> float:
    """Return the Hausdorff distance: the largest distance, either way. Both empty: 0; one: the diagonal."""
    return hd_percentile(distances, 100.0)


def hd95(distances: SurfaceDistances) -> float:
    """Return the larger of the two 95th percentiles (pred to true, true to pred). Both empty: 0; one: the diagonal."""
    return hd_percentile(distances, 95.0)


def hd_percentile(distances: SurfaceDistances, percentile: float) -> float:
    """Return the larger of the two directed percentiles, linear between order statistics."""
    if distances.empty != "none":
        return _undefined(distances)
    one, other = (np.percentile(d, percentile) for d in (distances.pred_to_true, distances.true_to_pred))
    return float(max(one, other))


def assd(distances: SurfaceDistances) -> float:
    """Return the mean of all distances, both ways together. Both empty: 0; one: the diagonal."""
    if distances.empty != "none":
        return _undefined(distances)
    total = distances.pred_to_true.sum() + distances.true_to_pred.sum()
    return float(total / (len(distances.pred_to_true) + len(distances.true_to_pred)))


def nsd(distances: SurfaceDistances, tolerance: float) -> float:
    """Return the share of border pixels of both masks within the tolerance (Nikolov et al. 2018). Both empty: 1; one: 0."""
    if distances.empty != "none":
        return float(distances.empty == "both")
    near = np.count_nonzero(distances.pred_to_true <= tolerance) + np.count_nonzero(distances.true_to_pred <= tolerance)
    return float(near / (len(distances.pred_to_true) + len(distances.true_to_pred)))


def _undefined(distances: SurfaceDistances) -> float:
    return 0.0 if distances.empty == "both" else distances.diagonal


def _check(mask_pred: np.ndarray, mask_true: np.ndarray, spacing: tuple[float, float]) -> None:
    check_pair(mask_pred, mask_true)
    if len(spacing) != 2 or not all(np.isfinite(step) and step > 0 for step in spacing):
        raise ValueError(f"spacing is {spacing}; wanted two positive numbers, between rows and between columns")


def _nearest(from_border: np.ndarray, to_border: np.ndarray, spacing: tuple[float, float]) -> np.ndarray:
    """Return, for each pixel of one border in reading order, the distance to the nearest pixel of the other.

    Two sweeps over the rows give, for every place, the distance to the nearest pixel in the same column; it remains to choose
    the column. The search goes outwards from the pixel's own column until the sideways distance alone exceeds the best; the few
    pixels still open after NEAR columns are compared with all columns at once.
    """
    up_down = _rows_to_nearest(to_border)
    rows, columns = np.nonzero(from_border)
    best = (up_down[rows, columns] * spacing[0]) ** 2
    for offset in range(1, NEAR + 1):
        pending = np.flatnonzero(best > (offset * spacing[1]) ** 2)
        for side in (columns[pending] - offset, columns[pending] + offset):
            # beyond the frame the outermost column stands in: it is nearer than `offset`, so no distance is too small
            side = np.clip(side, 0, to_border.shape[1] - 1)
            found = (up_down[rows[pending], side] * spacing[0]) ** 2 + (offset * spacing[1]) ** 2
            best[pending] = np.minimum(best[pending], found)
    pending = np.flatnonzero(best > ((NEAR + 1) * spacing[1]) ** 2)
    best[pending] = _nearest_of_all_columns(rows[pending], columns[pending], up_down, to_border, spacing)
    return np.sqrt(best)


def _nearest_of_all_columns(
    rows: np.ndarray, columns: np.ndarray, up_down: np.ndarray, to_border: np.ndarray, spacing: tuple[float, float]
) -> np.ndarray:
    """Return the squared distance of each place (rows, columns) to the border, by comparing every column that holds any."""
    occupied = np.flatnonzero(to_border.any(axis=0))
    along = (up_down[:, occupied] * spacing[0]) ** 2
    squared = np.empty(len(rows))
    step = max(1, BLOCK // len(occupied))
    for start in range(0, len(rows), step):
        block = slice(start, start + step)
        across = (columns[block, None] - occupied) * spacing[1]
        squared[block] = (along[rows[block]] + across * across).min(axis=1)
    return squared


def _rows_to_nearest(border_pixels: np.ndarray) -> np.ndarray:
    """Return how many rows each place is from its column's nearest border pixel: (H, W) int32, >= FAR / 2 if there is none.

    Row by row and not by `accumulate` along an axis, which takes six times as long for widths that are a power of two, because
    its steps down a column all fall into the same lines of the cache.
    """
    row = np.arange(len(border_pixels), dtype=np.int32)[:, None]
    above = np.where(border_pixels, row, np.int32(-FAR))
    below = np.where(border_pixels, row, np.int32(FAR))
    for index in range(1, len(row)):
        np.maximum(above[index], above[index - 1], out=above[index])
    for index in range(len(row) - 2, -1, -1):
        np.minimum(below[index], below[index + 1], out=below[index])
    return np.minimum(row - above, below - row)
