"""Whether a probability means what it says: reliability, proper scores and temperature, from sums over films.

Nothing here keeps pixels: each film gives a small record of sums, records are added and measures are computed from the total, so
a set of any size needs the memory of one film. Formulas and sources: docs/metrics.md.
"""

import math
from collections.abc import Iterable
from typing import NamedTuple, TypeVar

import numpy as np

from unet.pieces import border

BINS = 15
NEAR = 64  # a pixel is near the border if it is within 1/64 of the square film's side: 4 px of 256
COLDEST, HOTTEST = 0.05, 20.0  # temperatures tried; for a network without errors the best one would be 0
LOGIT_LIMIT, LOGIT_BINS = 32.0, 4096  # bins of 1/64; beyond +-32 a probability is 0 or 1 in float32
NEWTON_STEPS = 50

Sums = TypeVar("Sums", bound=tuple)


class Reliability(NamedTuple):
    """Sums over one structure's pixels: number, probability and truth per probability bin (BINS,); squared error and loss."""

    pixels: np.ndarray
    probability: np.ndarray
    inside: np.ndarray
    squared_error: float
    log_loss: float


class LogitSums(NamedTuple):
    """What T is fitted on: pixels (or weights) and sum of logits per logit bin (LOGIT_BINS,), sum of logits in the truth."""

    pixels: np.ndarray
    logit: np.ndarray
    logit_inside: float


def add(sums: Iterable[Sums]) -> Sums:
    """Add the records of films, all of one kind; raises ValueError where there is none."""
    sums = list(sums)
    if not sums:
        raise ValueError("no record to add; wanted the record of at least one film")
    return type(sums[0])(*(sum(parts[1:], start=parts[0]) for parts in zip(*sums, strict=True)))


def reliability(logits: np.ndarray, mask_true: np.ndarray, where: np.ndarray | None = None) -> Reliability:
    """Return the sums of one film and structure.

    logits: (H, W), before the sigmoid, so that the log loss is exact where a probability rounds to 0 or 1, and already divided by
    the temperature; mask_true: bool (H, W); where: bool (H, W), the pixels that count (see `near_border`), None for all.
    Probability = sigmoid(logit); bin k of 15 holds k/15 <= p < (k+1)/15, the last one 1 too.
    """
    z, inside = _chosen(logits, mask_true, where)
    probability = _sigmoid(z)
    bins = np.minimum((probability * BINS).astype(np.int64), BINS - 1)
    return Reliability(
        pixels=np.bincount(bins, minlength=BINS),
        probability=np.bincount(bins, weights=probability, minlength=BINS),
        inside=np.bincount(bins, weights=inside, minlength=BINS),
        squared_error=float(np.square(probability - inside).sum()),
        log_loss=float(np.logaddexp(0, z).sum() - z[inside].sum()),
    )


def near_border(mask_true: np.ndarray, distance_px: float) -> np.ndarray:
    """Return the pixels within a distance of the true border, on both sides: bool (H, W), for one bool mask (H, W).

    Distances go between pixel centres, in pixels; the border is that of `unet.pieces.border`. No pixel for an empty mask.
    """
    height, width = mask_true.shape
    edge, reach = border(mask_true), int(distance_px)
    near = np.zeros((height + 2 * reach, width + 2 * reach), bool)
    for down in range(-reach, reach + 1):
        for right in range(-reach, reach + 1):
            if math.hypot(down, right) <= distance_px:
                near[reach + down : reach + down + height, reach + right : reach + right + width] |= edge
    return near[reach : reach + height, reach : reach + width]


def curve(sums: Reliability) -> list[tuple[float, float, int]]:
    """Return (mean probability, share that is inside, pixels) of each bin that holds a pixel: the reliability diagram."""
    filled = sums.pixels > 0
    pixels = sums.pixels[filled]
    means, shares = sums.probability[filled] / pixels, sums.inside[filled] / pixels
    return [(float(p), float(share), int(n)) for p, share, n in zip(means, shares, pixels, strict=True)]


def ece(sums: Reliability) -> float:
    """Return the expected calibration error, in [0, 1]: the bins' |mean probability - share inside|, weighted by pixels.

    NaN without a pixel.
    """
    return _per_pixel(float(np.abs(sums.probability - sums.inside).sum()), sums)


def mce(sums: Reliability) -> float:
    """Return the largest |mean probability - share inside| of a bin that holds a pixel, in [0, 1]; no pixel: NaN."""
    return max((abs(p - share) for p, share, _ in curve(sums)), default=math.nan)


def brier(sums: Reliability) -> float:
    """Return the mean squared difference of probability and truth, in [0, 1]; no pixel: NaN (Brier 1950)."""
    return _per_pixel(sums.squared_error, sums)


def nll(sums: Reliability) -> float:
    """Return the mean negative log likelihood in nats; ln 2 is what 0.5 everywhere scores; no pixel: NaN."""
    return _per_pixel(sums.log_loss, sums)


def logit_sums(logits: np.ndarray, mask_true: np.ndarray, where: np.ndarray | None = None) -> LogitSums:
    """Return the sums of one film and structure for `fit_temperature`; logits, mask_true and where as in `reliability`."""
    z, inside = _chosen(logits, mask_true, where)
    bins = ((z + LOGIT_LIMIT) * (LOGIT_BINS / (2 * LOGIT_LIMIT))).astype(np.int64).clip(0, LOGIT_BINS - 1)
    pixels = np.bincount(bins, minlength=LOGIT_BINS)
    return LogitSums(pixels, np.bincount(bins, weights=z, minlength=LOGIT_BINS), float(z[inside].sum()))


def mean_sums(sums: LogitSums) -> LogitSums:
    """Divide sums by their number of pixels, so that each counts alike once they are added; without a pixel they stay 0."""
    pixels = max(1.0, float(sums.pixels.sum()))
    return LogitSums(sums.pixels / pixels, sums.logit / pixels, sums.logit_inside / pixels)


def fit_temperature(sums: LogitSums) -> float:
    """Return the temperature T > 0 whose sigmoid(logit / T) has the least negative log likelihood (Guo et al. 2017).

    In 1 / T the loss is convex, so its slope has one zero, which Newton's method finds; a step that would leave the bracket
    goes to the bracket's middle instead. All pixels of a bin count with their mean logit, which changes the loss by less than
    1e-5 nats at T = 1. Where the best temperature is outside [COLDEST, HOTTEST], as for a network without errors, the nearer
    end is returned.
    """
    filled = sums.pixels > 0
    pixels, z = sums.pixels[filled], sums.logit[filled] / sums.pixels[filled]

    def slope(inverse: float) -> float:
        return float((pixels * z * _sigmoid(inverse * z)).sum()) - sums.logit_inside

    low, high = 1 / HOTTEST, 1 / COLDEST
    if slope(low) >= 0 or slope(high) <= 0:
        return HOTTEST if slope(low) >= 0 else COLDEST
    inverse = 1.0
    for _ in range(NEWTON_STEPS):
        steepness = slope(inverse)
        low, high = (inverse, high) if steepness < 0 else (low, inverse)
        share = _sigmoid(inverse * z)
        curvature = float((pixels * z * z * share * (1 - share)).sum())
        before, inverse = inverse, inverse - steepness / max(curvature, 1e-300)
        if not low <= inverse <= high:
            inverse = (low + high) / 2
        if abs(inverse - before) < 1e-12:
            break
    return 1 / inverse


def _chosen(logits: np.ndarray, mask_true: np.ndarray, where: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    if logits.shape != mask_true.shape or mask_true.dtype != bool:
        raise ValueError(
            f"logits are {logits.shape}, mask_true {mask_true.dtype} {mask_true.shape}; wanted one size, bool"
        )
    if not np.isfinite(logits).all():
        raise ValueError("some logits are NaN or infinite; the network's weights are likely damaged")
    chosen = slice(None) if where is None else where.ravel()
    return logits.ravel()[chosen].astype(np.float64), mask_true.ravel()[chosen]


def _sigmoid(z: np.ndarray) -> np.ndarray:
    return (1 + np.tanh(z / 2)) / 2  # the usual 1 / (1 + exp(-z)) overflows for a large negative z


def _per_pixel(total: float, sums: Reliability) -> float:
    pixels = int(sums.pixels.sum())
    return total / pixels if pixels else math.nan
