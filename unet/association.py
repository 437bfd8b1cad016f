"""How values differ between groups and go along with covariates. Everything here is association in one sample, not cause."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from unet.agreement import UPPER, Z
from unet.distributions import chi2_tail, normal_two_sided, t_quantile, t_two_sided
from unet.summary import DRAWS, UNDEFINED, Interval

MOST_SHUFFLED = 5000  # values; with more, the shuffled means are normal to far below what 2,000 draws could show


class GroupDifference(NamedTuple):
    """Group a against group b, one value per patient: difference of means, Hedges' g, p of 'no difference'."""

    n_a: int
    n_b: int
    difference: Interval
    effect: Interval
    p: float


class DependentColumns(ValueError):
    """A linear model's columns follow from each other, or are more than its values."""


class Coefficient(NamedTuple):
    """One row of a linear model: estimate with its interval and p."""

    name: str
    estimate: Interval
    p: float


def compare_groups(a: Sequence[float], b: Sequence[float], seed: int = 0) -> GroupDifference:
    """Compare two groups of independent values.

    difference: mean a - mean b, interval of Welch 1947. effect: Hedges' g with the usual normal interval (Hedges & Olkin
    1985). p: by `permutation_p`. Raises ValueError for fewer than two values in a group or a NaN.
    """
    first, second = (_column(values, 2) for values in (a, b))
    n_a, n_b = len(first), len(second)
    difference = float(first.mean() - second.mean())
    parts = first.var(ddof=1) / n_a, second.var(ddof=1) / n_b
    error = math.sqrt(sum(parts))
    if error > 0:
        df = sum(parts) ** 2 / (parts[0] ** 2 / (n_a - 1) + parts[1] ** 2 / (n_b - 1))
        reach = t_quantile(UPPER, df) * error
    else:
        reach = 0.0
    return GroupDifference(
        n_a,
        n_b,
        Interval(difference, difference - reach, difference + reach),
        hedges_g(first, second),
        permutation_p(first, second, seed),
    )


def hedges_g(a: Sequence[float], b: Sequence[float]) -> Interval:
    """Return the difference of means in pooled standard deviations, corrected for small samples; NaN where nothing varies."""
    first, second = (_column(values, 2) for values in (a, b))
    n_a, n_b = len(first), len(second)
    df = n_a + n_b - 2
    pooled = math.sqrt(((n_a - 1) * first.var(ddof=1) + (n_b - 1) * second.var(ddof=1)) / df)
    if pooled == 0:
        return UNDEFINED
    g = float(first.mean() - second.mean()) / pooled * (1 - 3 / (4 * df - 1))
    reach = Z * math.sqrt((n_a + n_b) / (n_a * n_b) + g * g / (2 * (n_a + n_b)))
    return Interval(g, g - reach, g + reach)


def permutation_p(a: Sequence[float], b: Sequence[float], seed: int = 0) -> float:
    """Return the share of random regroupings whose means differ at least as much as observed, the observed one counted in.

    2,000 draws, never 0 (Phipson & Smyth 2010). Above MOST_SHUFFLED values the draws' exact mean and variance with a normal tail.
    """
    first, second = (_column(values, 1) for values in (a, b))
    pooled = np.concatenate([first, second])
    n, size = len(pooled), len(first)
    distance = abs(float(first.sum()) - size * float(pooled.mean()))
    if n > MOST_SHUFFLED:
        spread = math.sqrt(size * (n - size) / n * float(pooled.var(ddof=1)))
        return normal_two_sided(distance / spread) if spread > 0 else 1.0
    generator = np.random.default_rng(seed)
    centred = pooled - pooled.mean()
    sums = np.array([generator.permutation(centred)[:size].sum() for _ in range(DRAWS)])
    # sums of the same numbers in another order differ in the last bits; they count as equal
    as_large = np.count_nonzero(np.abs(sums) >= distance - 1e-12 * float(np.abs(pooled).sum()))
    return float((as_large + 1) / (DRAWS + 1))


def benjamini_hochberg(p: Sequence[float]) -> np.ndarray:
    """Return p values adjusted for the number of comparisons by the false discovery rate (Benjamini & Hochberg 1995)."""
    values = np.asarray(p, np.float64)
    order = np.argsort(values)[::-1]
    ranks = len(values) - np.arange(len(values))
    adjusted = np.minimum.accumulate(np.minimum(values[order] * len(values) / ranks, 1.0))
    found = np.empty(len(values))
    found[order] = adjusted
    return found


def linear_model(y: Sequence[float], columns: dict[str, Sequence[float]], clusters: Sequence[str]) -> list[Coefficient]:
    """Fit y = intercept + sum of coefficients x columns by least squares, with intervals that do not trust equal variances.

    clusters: one patient per value; errors may go together within a patient (Liang & Zeger 1986, usual small-sample factor),
    Student's t with patients - 1 degrees of freedom. Raises DependentColumns for too few values or columns that follow from
    each other, ValueError for a NaN or a single patient.
    """
    values = _column(y, 1)
    design = np.column_stack([np.ones(len(values)), *(np.asarray(column, np.float64) for column in columns.values())])
    n, k = design.shape
    if n <= k or np.linalg.matrix_rank(design) < k:
        raise DependentColumns(
            f"{n} values for {k} coefficients that must not follow from each other; leave a column out"
        )
    inverse = np.linalg.inv(design.T @ design)
    beta = inverse @ (design.T @ values)
    residual = values - design @ beta
    middle, df = _clustered(design * residual[:, None], clusters, n, k)
    errors = np.sqrt(np.diag(inverse @ middle @ inverse))
    t = t_quantile(UPPER, df)
    return [
        Coefficient(name, Interval(float(b), float(b - t * e), float(b + t * e)), t_two_sided(float(b / e), df))
        for name, b, e in zip(("intercept", *columns), beta, errors, strict=True)
    ]


def independence_p(table: Sequence[Sequence[int]]) -> tuple[float, float]:
    """Return (Cramer's V, p) of a table of counts by Pearson's chi-squared, uncorrected; (NaN, 1) for one row or column."""
    counts = np.asarray(table, np.float64)
    counts = counts[counts.sum(axis=1) > 0][:, counts.sum(axis=0) > 0]
    if min(counts.shape) < 2:
        return math.nan, 1.0
    n = counts.sum()
    expected = counts.sum(axis=1, keepdims=True) * counts.sum(axis=0, keepdims=True) / n
    chi2 = float(np.sum((counts - expected) ** 2 / expected))
    rows, columns = counts.shape
    return math.sqrt(chi2 / (n * (min(rows, columns) - 1))), chi2_tail(chi2, (rows - 1) * (columns - 1))


def smd(a: Sequence[float], b: Sequence[float]) -> float:
    """Return the standardised mean difference |mean a - mean b| / sqrt((var a + var b) / 2); NaN for too few values."""
    first, second = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if min(len(first), len(second)) < 2:
        return math.nan
    spread = math.sqrt((first.var(ddof=1) + second.var(ddof=1)) / 2)
    return abs(float(first.mean() - second.mean())) / spread if spread > 0 else 0.0


def smd_shares(a: Sequence[int], b: Sequence[int]) -> float:
    """Return the standardised difference of two groups' counts over the same levels (Yang & Dalton 2012); NaN for an empty group.

    For two levels this is |p - q| / sqrt((p(1 - p) + q(1 - q)) / 2).
    """
    first, second = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if first.sum() == 0 or second.sum() == 0:
        return math.nan
    p, q = (counts / counts.sum() for counts in (first, second))
    p, q = p[1:], q[1:]  # the shares add up to 1, so one level follows from the others
    covariance = (np.diag(p) - np.outer(p, p) + np.diag(q) - np.outer(q, q)) / 2
    return math.sqrt(max(0.0, float((p - q) @ np.linalg.pinv(covariance) @ (p - q))))


def _clustered(scores: np.ndarray, clusters: Sequence[str], n: int, k: int) -> tuple[np.ndarray, int]:
    names, index = np.unique(np.asarray(clusters), return_inverse=True)
    if len(names) < 2:
        raise ValueError("films of one patient; wanted at least two")
    sums = np.stack([np.bincount(index, weights=column) for column in scores.T], axis=1)
    return sums.T @ sums * len(names) / (len(names) - 1) * (n - 1) / (n - k), len(names) - 1


def _column(values: Sequence[float], least: int) -> np.ndarray:
    column = np.asarray(values, np.float64)
    if len(column) < least or np.isnan(column).any():
        raise ValueError(
            f"{len(column)} values, {int(np.isnan(column).sum())} of them NaN; wanted {least} or more, none NaN"
        )
    return column
