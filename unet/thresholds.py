"""Choice of the threshold that turns probabilities into masks: mean Dice at each threshold, from one histogram per film."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

THRESHOLDS = np.arange(1, 100) / 100
FLAT = 0.001  # of Dice; a gain below this is no reason to leave 0.5


class OperatingPoint(NamedTuple):
    """The chosen threshold, the mean Dice over films there and at 0.5, and the range that is as good."""

    threshold: float
    dice: float
    dice_at_half: float
    lowest: float
    highest: float


def dice_by_threshold(
    probability: np.ndarray, mask_true: np.ndarray, thresholds: np.ndarray = THRESHOLDS
) -> np.ndarray:
    """Return the Dice of `probability >= t` with the truth for each ascending threshold t: (T,), for one film.

    probability: (H, W) in [0, 1]; mask_true: bool (H, W). One histogram of the pixels between thresholds, cumulated from above,
    gives all of them. Two empty masks give 1. The masks are untidied: no largest piece, no filled holes.
    """
    if probability.shape != mask_true.shape or mask_true.dtype != bool:
        raise ValueError(
            f"probability is {probability.shape}, mask_true {mask_true.dtype} {mask_true.shape}; wanted one size, bool"
        )
    if np.isnan(probability).any():
        raise ValueError("some probabilities are NaN; the network's weights are likely damaged")
    # in the probabilities' own precision, as `probability >= 0.29` is: 0.29 in float32 lies below 0.29 in float64
    passed = np.searchsorted(thresholds.astype(probability.dtype), probability.ravel(), side="right")
    predicted = _at_least(np.bincount(passed, minlength=len(thresholds) + 1))
    shared = _at_least(np.bincount(passed[mask_true.ravel()], minlength=len(thresholds) + 1))
    total = predicted + np.count_nonzero(mask_true)
    return np.where(total > 0, 2 * shared / np.maximum(total, 1), 1.0)


def choose_threshold(curves: Sequence[np.ndarray], thresholds: np.ndarray = THRESHOLDS) -> OperatingPoint:
    """Choose a threshold from the films' curves (films, T): of those as good as the best, the nearest to 0.5.

    As good means a mean Dice within FLAT of the best one, or within one standard error of the difference over the films
    (Breiman et al. 1984), with none worse in between. A curve is flat around its top; its very highest point is an accident
    of the films at hand, and 0.5 needs no explanation. The mean is over films, so a large film counts no more than a small one.
    """
    if not len(curves):
        raise ValueError("no film to choose a threshold on; wanted at least one of the validation split")
    curves = np.asarray(curves)
    mean = curves.mean(axis=0)
    best = int(mean.argmax())
    lost = curves[:, best][:, None] - curves
    error = lost.std(axis=0, ddof=1) / np.sqrt(len(curves)) if len(curves) > 1 else 0.0
    worse = np.flatnonzero(lost.mean(axis=0) > np.maximum(FLAT, error))
    first, last = worse[worse < best].max(initial=-1) + 1, worse[worse > best].min(initial=len(thresholds))
    good = thresholds[first:last]
    chosen = float(good[np.argmin(np.abs(good - 0.5))])
    at = {float(threshold): float(value) for threshold, value in zip(thresholds, mean, strict=True)}
    half = at[float(thresholds[np.argmin(np.abs(thresholds - 0.5))])]
    return OperatingPoint(chosen, at[chosen], half, float(good[0]), float(good[-1]))


def _at_least(counts: np.ndarray) -> np.ndarray:
    """From pixels that passed exactly k thresholds to pixels that passed the k-th: (T + 1,) to (T,)."""
    return np.cumsum(counts[::-1])[::-1][1:]
