"""How values differ between groups and vary with covariates. Everything here is association in one sample, not causation."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from unet.agreement import UPPER, Z
from unet.distributions import chi2_tail, t_quantile, t_two_sided
from unet.summary import DRAWS, ROUNDING, SEED, UNDEFINED, Interval

MOST_SHUFFLED = 5000  # values; with more, Student's tail is closer to that of Welch's t than 2,000 draws could show
FEWEST_EXPECTED = 5  # per cell of a table; with fewer, the statistic is not chi-squared distributed (Cochran 1954)


class GroupDifference(NamedTuple):
    """Group a against group b, one value per patient: difference of means, Hedges' g, p of 'no difference'."""

    n_a: int
    n_b: int
    difference: Interval
    effect: Interval
    p: float


class DependentColumns(ValueError):
    """A linear model's columns are linearly dependent or too many for its values, or the values do not vary."""


class Coefficient(NamedTuple):
    """One row of a linear model: estimate with its interval and p."""

    name: str
    estimate: Interval
    p: float


def compare_groups(a: Sequence[float], b: Sequence[float]) -> GroupDifference:
    """Compare two groups of independent values.

    difference: mean a - mean b, interval of Welch 1947. effect: Hedges' g with the usual normal interval (Hedges & Olkin
    1985). p: by `permutation_p`. Raises ValueError for fewer than two values in a group or a NaN.
    """
    first, second = (_column(values, 2) for values in (a, b))
    difference, error, df = _welch(first, second)
    reach = t_quantile(UPPER, df) * error if error > 0 else 0.0
    return GroupDifference(
        len(first),
        len(second),
        Interval(difference, difference - reach, difference + reach),
        hedges_g(first, second),
        permutation_p(first, second),
    )


def hedges_g(a: Sequence[float], b: Sequence[float]) -> Interval:
    """Return the difference of means in pooled standard deviations, corrected for small samples; NaN where nothing varies."""
    first, second = (_column(values, 2) for values in (a, b))
    n_a, n_b = len(first), len(second)
    df = n_a + n_b - 2
    pooled = math.sqrt(((n_a - 1) * first.var(ddof=1) + (n_b - 1) * second.var(ddof=1)) / df)
    if pooled <= ROUNDING * float(np.abs(np.concatenate([first, second])).max()):
        return UNDEFINED
    g = float(first.mean() - second.mean()) / pooled * (1 - 3 / (4 * df - 1))
    reach = Z * math.sqrt((n_a + n_b) / (n_a * n_b) + g * g / (2 * (n_a + n_b)))
    return Interval(g, g - reach, g + reach)


def permutation_p(a: Sequence[float], b: Sequence[float]) -> float:
    """Return the two-sided p of a permutation test on Welch's t, the observed grouping counted in.

    The difference of means is divided by its standard error (Janssen 1997); undivided, it would also call groups different that
    differ only in spread and size. 2,000 draws, never 0 (Phipson & Smyth 2010). Above MOST_SHUFFLED values p is Student's tail of
    Welch's t. Raises ValueError for fewer than two values in a group or a NaN.
    """
    first, second = (_column(values, 2) for values in (a, b))
    pooled = np.concatenate([first, second])
    if _is_constant(pooled):
        return 1.0
    if len(pooled) > MOST_SHUFFLED:
        difference, error, df = _welch(first, second)
        return t_two_sided(difference / error, df) if error > 0 else 0.0
    generator = np.random.default_rng(SEED)
    centred = pooled - pooled.mean()
    groups = (generator.permutation(centred)[: len(first)] for _ in range(DRAWS))
    sums, squares = np.array([(drawn.sum(), drawn @ drawn) for drawn in groups]).T
    own = centred[: len(first)]
    total = float(centred @ centred)
    observed = _squared_t(own.sum(), own @ own, len(first), len(second), total)
    # sums of the same numbers in another order differ in the last bits; they count as equal
    as_large = np.count_nonzero(_squared_t(sums, squares, len(first), len(second), total) >= observed * (1 - 1e-9))
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
    """Fit y = intercept + sum of coefficients x columns by least squares, with intervals that do not assume equal variances.

    clusters: the patient of each value; errors may be correlated within a patient (Liang & Zeger 1986, usual small-sample
    factor), Student's t with patients - 1 degrees of freedom. Raises DependentColumns for too few or constant values or
    linearly dependent columns, ValueError for a NaN or a single patient.
    """
    values = _column(y, 1)
    design = np.column_stack([np.ones(len(values)), *(np.asarray(column, np.float64) for column in columns.values())])
    n, k = design.shape
    if n <= k or np.linalg.matrix_rank(design) < k:
        raise DependentColumns(
            f"{n} values for {k} coefficients that must not follow from each other; leave a column out"
        )
    if _is_constant(values):
        raise DependentColumns(f"all {n} values are alike; there is nothing to explain")
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
    """Return (Cramer's V, p) of a table of counts by Pearson's chi-squared, uncorrected; (NaN, 1) for one row or column.

    Where a cell's expected count is below FEWEST_EXPECTED, p is the share of 2,000 random tables with the same margins whose
    chi-squared is at least as large, the observed one counted in.
    """
    counts = np.asarray(table, np.int64)
    counts = counts[counts.sum(axis=1) > 0][:, counts.sum(axis=0) > 0]
    if min(counts.shape, default=0) < 2:
        return math.nan, 1.0
    n, rows, columns = int(counts.sum()), counts.sum(axis=1), counts.sum(axis=0)
    expected = np.outer(rows, columns) / n
    chi2 = float(np.sum((counts - expected) ** 2 / expected))
    v = math.sqrt(chi2 / (n * (min(counts.shape) - 1)))
    if expected.min() >= FEWEST_EXPECTED:
        return v, chi2_tail(chi2, (len(rows) - 1) * (len(columns) - 1))
    generator = np.random.default_rng(SEED)
    drawn = np.stack([_dealt(rows, columns, generator) for _ in range(DRAWS)])
    as_large = np.count_nonzero(np.sum((drawn - expected) ** 2 / expected, axis=(1, 2)) >= chi2 * (1 - 1e-9))
    return v, (as_large + 1) / (DRAWS + 1)


def smd(a: Sequence[float], b: Sequence[float]) -> float:
    """Return the standardised mean difference |mean a - mean b| / sqrt((var a + var b) / 2).

    NaN for fewer than two values in a group; infinite where both groups are constant and differ.
    """
    first, second = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if min(len(first), len(second)) < 2:
        return math.nan
    spread = math.sqrt((first.var(ddof=1) + second.var(ddof=1)) / 2)
    apart, least = abs(float(first.mean() - second.mean())), ROUNDING * float(np.abs([*first, *second]).max())
    if spread <= least:
        return math.inf if apart > least else 0.0
    return apart / spread


def smd_shares(a: Sequence[int], b: Sequence[int]) -> float:
    """Return the standardised difference of two groups' counts over the same levels (Yang & Dalton 2012); NaN for an empty group.

    For two levels this is |p - q| / sqrt((p(1 - p) + q(1 - q)) / 2). Infinite where the groups differ in something that varies
    within neither, as where one source is all CR and the other all DX.
    """
    first, second = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if first.sum() == 0 or second.sum() == 0:
        return math.nan
    p, q = (counts / counts.sum() for counts in (first, second))
    p, q = p[1:], q[1:]  # the shares add up to 1, so one level follows from the others
    covariance = (np.diag(p) - np.outer(p, p) + np.diag(q) - np.outer(q, q)) / 2
    apart, inverse = p - q, np.linalg.pinv(covariance)
    if np.abs(covariance @ inverse @ apart - apart).max(initial=0.0) > 1e-9:  # a part that the inverse ignores
        return math.inf
    return math.sqrt(max(0.0, float(apart @ inverse @ apart)))


def _welch(a: np.ndarray, b: np.ndarray) -> tuple[float, float, float]:
    """Difference of means, its standard error, degrees of freedom (Welch 1947; NaN without any variance)."""
    parts = a.var(ddof=1) / len(a), b.var(ddof=1) / len(b)
    shares = parts[0] ** 2 / (len(a) - 1) + parts[1] ** 2 / (len(b) - 1)
    df = float(sum(parts) ** 2 / shares) if shares > 0 else math.nan
    return float(a.mean() - b.mean()), math.sqrt(sum(parts)), df


def _squared_t(sums, squares, size: int, others: int, total: float):
    """Welch's t, squared, from sum and sum of squares of the first group; all values add up to 0, their squares to `total`."""
    first = np.maximum(squares - sums**2 / size, 0) / (size - 1) / size
    second = np.maximum(total - squares - sums**2 / others, 0) / (others - 1) / others
    least = ROUNDING * total / (size + others) ** 2  # keeps t finite for groups without any spread
    return (sums / size + sums / others) ** 2 / np.maximum(first + second, least)


def _dealt(rows: np.ndarray, columns: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Return a random table with these margins, distributed as if the row labels of all counts were shuffled."""
    left, table = columns.copy(), []
    for total in rows[:-1]:
        table.append(generator.multivariate_hypergeometric(left, total))
        left = left - table[-1]
    return np.stack([*table, left])


def _is_constant(values: np.ndarray) -> bool:
    return float(np.ptp(values)) <= ROUNDING * float(np.abs(values).max())


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
