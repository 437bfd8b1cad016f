"""How well two ways of measuring the same films agree: bias and limits, ICC, and agreement on which films exceed a limit.

Bias and limits have intervals that resample patients. All other intervals treat films as independent and are too narrow where
patients have several.
"""

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from unet.distributions import f_quantile
from unet.summary import LEVEL, ROUNDING, UNDEFINED, Interval, bootstrap_spread

UPPER = 0.5 + LEVEL / 2
Z = NormalDist().inv_cdf(UPPER)


class BlandAltman(NamedTuple):
    """Differences a - b of n pairs: bias and limits of agreement with intervals, and three measures of disagreement.

    sd: of the differences. mae: their mean absolute value. cv: within-film standard deviation of one measurement / mean of all.
    """

    n: int
    bias: Interval
    lower: Interval
    upper: Interval
    sd: float
    mae: float
    cv: float


class TwoByTwo(NamedTuple):
    """Agreement on 'above the limit': counts, Cohen's kappa, sensitivity and specificity of a with b as reference."""

    both: int
    only_a: int
    only_b: int
    neither: int
    kappa: Interval
    sensitivity: Interval
    specificity: Interval


def bland_altman(a: Sequence[float], b: Sequence[float], patients: Sequence[str]) -> BlandAltman:
    """Return bias and limits of agreement of a against b, pair by pair; patients: whose film each pair is of.

    limits: bias -+ 1.96 sd (Bland & Altman 1986). Intervals resample patients: the usual formula for the limits' holds for
    normally distributed differences only, and segmentation fails on a few films by far more than on the others. cv:
    sqrt(mean(d^2) / 2) / mean (Bland & Altman 1996). Raises ValueError for fewer than two pairs, a NaN, or another number of
    patients.
    """
    first, second = _pairs(a, b, 2)
    if len(patients) != len(first):
        raise ValueError(f"{len(patients)} patients for {len(first)} pairs; wanted one patient for each pair")
    differences = first - second
    bias, lower, upper = bootstrap_spread(differences, patients, Z)
    mean = float(np.concatenate([first, second]).mean())
    within = math.sqrt(float(np.mean(differences**2)) / 2)
    return BlandAltman(
        n=len(differences),
        bias=bias,
        lower=lower,
        upper=upper,
        sd=float(differences.std(ddof=1)),
        mae=float(np.abs(differences).mean()),
        cv=within / mean if mean else math.nan,
    )


def icc_2_1(a: Sequence[float], b: Sequence[float]) -> Interval:
    """Return the intraclass correlation ICC(2,1): two-way random effects, absolute agreement, a single measurement.

    Shrout & Fleiss 1979; interval of McGraw & Wong 1996. NaN where all values are equal; only the bounds are NaN where all
    pairs are equal, or the films' means are. Raises ValueError for fewer than three pairs or a NaN.
    """
    table = np.stack(_pairs(a, b, 3), axis=1)
    if np.ptp(table) <= ROUNDING * np.abs(table).max():  # equal decimals have a mean that differs from them
        return UNDEFINED
    n, k = table.shape
    films, readers, grand = table.mean(axis=1), table.mean(axis=0), table.mean()
    between = float(k * np.sum((films - grand) ** 2) / (n - 1))
    reader = float(n * np.sum((readers - grand) ** 2) / (k - 1))
    error = float(np.sum((table - films[:, None] - readers[None] + grand) ** 2) / ((n - 1) * (k - 1)))
    whole = between + (k - 1) * error + k * (reader - error) / n
    if whole <= 0:
        return UNDEFINED
    icc = (between - error) / whole
    if icc > 1 - ROUNDING:  # all pairs equal: these films say nothing of how much others may differ
        return Interval(icc, math.nan, math.nan)
    x, y = k * icc / (n * (1 - icc)), 1 + k * icc * (n - 1) / (n * (1 - icc))
    if abs(x * reader + y * error) <= ROUNDING * (reader + error):  # the films' means are all equal
        return Interval(float(icc), math.nan, math.nan)
    df = (x * reader + y * error) ** 2 / ((x * reader) ** 2 / (k - 1) + (y * error) ** 2 / ((n - 1) * (k - 1)))
    below, above = f_quantile(UPPER, n - 1, df), f_quantile(UPPER, df, n - 1)
    rest = k * reader + (k * n - k - n) * error
    low = n * (between - below * error) / (below * rest + n * between)
    high = n * (above * between - error) / (rest + n * above * between)
    return Interval(float(icc), float(low), float(high))


def agree_above(a: Sequence[float], b: Sequence[float], limit: float) -> TwoByTwo:
    """Return how a and b agree on which films lie above `limit`; b is the reference for sensitivity and specificity."""
    first, second = (values > limit for values in _pairs(a, b, 1))
    both, only_a = int(np.sum(first & second)), int(np.sum(first & ~second))
    only_b, neither = int(np.sum(~first & second)), int(np.sum(~first & ~second))
    kappa = cohen_kappa(both, only_a, only_b, neither)
    return TwoByTwo(
        both, only_a, only_b, neither,
        kappa=Interval(*np.clip(kappa, -1.0, 1.0).tolist()),  # normal intervals are unbounded
        sensitivity=wilson(both, both + only_b),
        specificity=wilson(neither, neither + only_a),
    )  # fmt: skip


def cohen_kappa(both: int, only_a: int, only_b: int, neither: int) -> Interval:
    """Return Cohen's kappa of a 2 x 2 table, interval by the variance of Fleiss, Cohen & Everitt 1969.

    NaN where one level holds all films; only the bounds are NaN where all films agree, or one side has one level only.
    """
    table = np.array([[both, only_a], [only_b, neither]], np.float64)
    n = table.sum()
    if n == 0:
        return UNDEFINED
    share = table / n
    rows, columns = share.sum(axis=1), share.sum(axis=0)
    agreed, by_chance = float(np.trace(share)), float(rows @ columns)
    if by_chance == 1:
        return UNDEFINED
    kappa = (agreed - by_chance) / (1 - by_chance)
    agreeing = sum(share[i, i] * (1 - (rows[i] + columns[i]) * (1 - kappa)) ** 2 for i in range(2))
    apart = sum(share[i, j] * (columns[i] + rows[j]) ** 2 for i in range(2) for j in range(2) if i != j)
    variance = agreeing + (1 - kappa) ** 2 * apart - (kappa - by_chance * (1 - kappa)) ** 2
    one_level = 0 in (*rows, *columns)
    if only_a == only_b == 0 or one_level:  # the formula's variance is 0, which is not what is known of other films
        return Interval(kappa, math.nan, math.nan)
    reach = Z * math.sqrt(max(variance, 0.0)) / ((1 - by_chance) * math.sqrt(n))
    return Interval(kappa, kappa - reach, kappa + reach)


def wilson(count: int, n: int) -> Interval:
    """Return a share with Wilson's interval (1927); NaN for no trials."""
    if n == 0:
        return UNDEFINED
    share, z2 = count / n, Z * Z
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    reach = Z * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    return Interval(share, max(0.0, centre - reach), min(1.0, centre + reach))


def _pairs(a: Sequence[float], b: Sequence[float], least: int) -> tuple[np.ndarray, np.ndarray]:
    first, second = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if first.shape != second.shape or len(first) < least:
        raise ValueError(f"{len(first)} and {len(second)} values; wanted the same number in both, at least {least}")
    if np.isnan(first).any() or np.isnan(second).any():
        raise ValueError("a value is NaN; leave such films out of both and say how many")
    return first, second
