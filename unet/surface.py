"""Distances between the borders of two masks, exact, computed once and read by every distance metric."""

from typing import NamedTuple

import numpy as np

FAR = 2**30  # rows; farther than any film is high, and still an int32


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
    """
    if mask_pred.shape != mask_true.shape:
        raise ValueError(f"mask_pred is {mask_pred.shape}, mask_true {mask_true.shape}; wanted one size")
    height, width = mask_true.shape
    diagonal = float(np.hypot(height * spacing[0], width * spacing[1]))
    empty = {(True, True): "both", (True, False): "pred", (False, True): "true"}.get(
        (not mask_pred.any(), not mask_true.any()), "none"
    )
    if empty != "none":
        return SurfaceDistances(np.empty(0), np.empty(0), diagonal, empty)
    window = _common_window(mask_pred, mask_true)
    pred, true = border(mask_pred)[window], border(mask_true)[window]
    return SurfaceDistances(_nearest(pred, true, spacing), _nearest(true, pred, spacing), diagonal, empty)


def border(mask: np.ndarray) -> np.ndarray:
    """Return the pixels of a bool mask (H, W) with one of the four neighbours outside, the frame's outside included."""
    padded = np.pad(mask, 1)
    surrounded = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    return mask & ~surrounded


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
    return near / (len(distances.pred_to_true) + len(distances.true_to_pred))


def _undefined(distances: SurfaceDistances) -> float:
    return 0.0 if distances.empty == "both" else distances.diagonal


def _common_window(one: np.ndarray, other: np.ndarray) -> tuple[slice, slice]:
    """The smallest rectangle that holds both masks: nothing outside it can be nearest to anything."""
    either = one | other
    rows, columns = np.nonzero(either.any(axis=1))[0], np.nonzero(either.any(axis=0))[0]
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def _nearest(from_border: np.ndarray, to_border: np.ndarray, spacing: tuple[float, float]) -> np.ndarray:
    """Return, for each pixel of one border, the distance to the nearest pixel of the other.

    The nearest pixel within each column is known for every place from two sweeps along the rows. The nearest of all is then
    looked for column by column outwards from one's own, and the search ends where the sideways distance alone is larger.
    """
    up_down = _rows_to_nearest(to_border)
    rows, columns = np.nonzero(from_border)
    width = to_border.shape[1]
    best = (up_down[rows, columns] * spacing[0]) ** 2.0
    open_points = np.arange(len(rows))
    for offset in range(1, width):
        sideways = (offset * spacing[1]) ** 2
        open_points = open_points[best[open_points] > sideways]
        if not len(open_points):
            break
        row, column = rows[open_points], columns[open_points]
        for side in (np.maximum(column - offset, 0), np.minimum(column + offset, width - 1)):
            # at the frame the column is nearer than `offset`, which can only give a distance that is too long
            found = (up_down[row, side] * spacing[0]) ** 2 + sideways
            best[open_points] = np.minimum(best[open_points], found)
    return np.sqrt(best)


def _rows_to_nearest(border_pixels: np.ndarray) -> np.ndarray:
    """Return for every place the number of rows to the nearest border pixel of its column, FAR where there is none."""
    row = np.arange(len(border_pixels), dtype=np.int32)[:, None]
    above = np.maximum.accumulate(np.where(border_pixels, row, -FAR), axis=0)
    below = np.minimum.accumulate(np.where(border_pixels, row, FAR)[::-1], axis=0)[::-1]
    return np.minimum(row - above, below - row).astype(np.float64)
