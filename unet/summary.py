"""A column of per-film scores in a few numbers: means over films, intervals by resampling patients."""

import math
from collections.abc import Sequence
from itertools import product
from typing import NamedTuple

import numpy as np

DRAWS = 2000
SEED = 0  # of all draws: the same scores give the same interval and the same p
LEVEL = 0.95
ROUNDING = 1e-12  # relative: a spread below it is 0
SMALLEST_GROUP = 10
"""Patients of whom an interval is given; draws of fewer say too little: of five normal values they hold the mean in 85 %."""
FEWEST_FOR_5 = 20
"""Films of which the worst twentieth is told; of fewer it is little else than the worst."""
BLOCK = 2**18  # random numbers held at a time, so that ten thousand patients need no more memory than ten


class Interval(NamedTuple):
    """A value with the bounds of its 95 % interval."""

    value: float
    low: float
    high: float


UNDEFINED = Interval(math.nan, math.nan, math.nan)


class Summary(NamedTuple):
    """films: values, infinite ones too; undefined: NaN or None, counted here only. below: share of films under a limit.

    p5 and p95, the 5th and 95th percentile, are NaN for fewer than 20 films, the mean's bounds for fewer than 10 patients.
    Whether the small or the large end is the bad one depends on the metric: both are here.
    """

    films: int
    undefined: int
    mean: Interval
    median: float
    p5: float
    p95: float
    least: float
    most: float
    below: float


def summarise(values: Sequence[float | None], patients: Sequence[str], limit: float) -> Summary | None:
    """Summarise scores of films, one value and one patient per film; None where no value is defined.

    The mean's interval is the percentile interval of the bootstrap over patients: all films of a drawn patient come along,
    so that ten films of one person do not count as ten persons (Efron & Tibshirani 1993).
    """
    if len(values) != len(patients):
        raise ValueError(f"{len(values)} values for {len(patients)} patients; wanted one patient for each film")
    column = np.array([np.nan if value is None else value for value in values], dtype=np.float64)
    defined = ~np.isnan(column)
    if not defined.any():
        return None
    kept = column[defined]
    p5, p95 = np.percentile(kept, [5, 95]) if len(kept) >= FEWEST_FOR_5 else (math.nan, math.nan)
    mean = bootstrap_mean(kept, np.asarray(patients)[defined])
    return Summary(
        films=len(kept),
        undefined=int(len(column) - len(kept)),
        mean=mean,
        median=float(np.median(kept)),
        p5=float(p5),
        p95=float(p95),
        least=float(kept.min()),
        most=float(kept.max()),
        below=float(np.mean(kept < limit)),
    )


def bootstrap_mean(values: np.ndarray, patients: Sequence[str]) -> Interval:
    """Return the mean over films with its interval, which is NaN for fewer than 10 patients."""
    if len(set(patients)) < SMALLEST_GROUP:
        return Interval(float(values.mean()), math.nan, math.nan)
    return Interval(float(values.mean()), *_bounds(bootstrap_means(values, patients)))


def gap(
    values_a: Sequence[float],
    patients_a: Sequence[str],
    values_b: Sequence[float],
    patients_b: Sequence[str],
) -> Interval:
    """Return the difference of two groups' means over films, a - b, with its interval.

    All patients are resampled together, so one with films in both groups (a PA and an AP film, say) is drawn for both at once;
    a draw that leaves a group empty does not count. With fewer than 10 patients in a group the interval is NaN.
    Raises ValueError for an empty group or a NaN value.
    """
    column_a, column_b = _defined(values_a, patients_a, "group a"), _defined(values_b, patients_b, "group b")
    value = float(column_a.mean() - column_b.mean())
    if min(len(set(patients_a)), len(set(patients_b))) < SMALLEST_GROUP:
        return Interval(value, math.nan, math.nan)
    patients, index = np.unique([*map(str, patients_a), *map(str, patients_b)], return_inverse=True)
    index_a, index_b = index[: len(column_a)], index[len(column_a) :]
    totals = [
        np.bincount(own, weights=weights, minlength=len(patients))
        for own, column in ((index_a, column_a), (index_b, column_b))
        for weights in (column, np.ones(len(column)))
    ]  # sum in a, films in a, sum in b, films in b, of every patient
    drawn = _resampled(np.stack(totals))
    drawn = drawn[:, (drawn[1] > 0) & (drawn[3] > 0)]
    return Interval(value, *_bounds(drawn[0] / drawn[1] - drawn[2] / drawn[3]))


class PairedComparison(NamedTuple):
    """Two runs on the same films: mean difference a - b with its interval, p of 'no difference', number of films."""

    difference: Interval
    p: float
    films: int


def compare_paired(values_a: Sequence[float], values_b: Sequence[float], patients: Sequence[str]) -> PairedComparison:
    """Compare two runs film by film: values_a[i] and values_b[i] belong to one film.

    p: share of sign flips by patient whose mean difference is at least as large in absolute value as the observed one, which is
    counted in (Phipson & Smyth 2010), so p is never 0: of all flips where these are no more than 2,000, else of random ones.
    Raises ValueError where a value is NaN.
    """
    if len(values_a) != len(values_b):
        raise ValueError(f"run a has {len(values_a)} films, run b {len(values_b)}; compare the films that have both")
    differences = _defined(np.subtract(values_a, values_b), patients, "one of the runs")
    sums = _per_patient(differences, patients)[0]
    if 2 ** len(sums) <= DRAWS:  # every pattern of signs, the observed one among them
        flipped = np.abs(np.array(list(product((-1.0, 1.0), repeat=len(sums)))) @ sums)
        observed = 0
    else:
        generator = np.random.default_rng(SEED)
        flipped = np.concatenate(
            [np.abs(generator.choice([-1.0, 1.0], size=(draws, len(sums))) @ sums) for draws in _blocks(len(sums))]
        )
        observed = 1
    # sums of the same numbers in another order differ in the last bits; they count as equal
    as_large = np.count_nonzero(flipped >= abs(sums.sum()) - ROUNDING * np.abs(sums).sum())
    p = (as_large + observed) / (len(flipped) + observed)
    return PairedComparison(bootstrap_mean(differences, patients), p, len(differences))


def bootstrap_means(values: np.ndarray, patients: Sequence[str]) -> np.ndarray:
    """Return the mean over films of each of the 2,000 draws of patients with replacement: (DRAWS,)."""
    sums, films = _resampled(_per_patient(np.asarray(values, np.float64), patients))
    return sums / films


def bootstrap_spread(values: np.ndarray, patients: Sequence[str], reach: float) -> tuple[Interval, ...]:
    """Return the mean over films, mean - reach sd and mean + reach sd, each with its interval from draws of patients.

    sd: with n - 1. The bounds are NaN for fewer than 10 patients and where all values are equal.
    """
    mean, sd = float(values.mean()), float(values.std(ddof=1))
    points = (mean, mean - reach * sd, mean + reach * sd)
    if len(set(patients)) < SMALLEST_GROUP or sd <= ROUNDING * float(np.abs(values).max()):
        return tuple(Interval(point, math.nan, math.nan) for point in points)
    centred = values - mean  # squares of small numbers, so that nothing cancels
    sums, films = _per_patient(centred, patients)
    squares = _per_patient(centred**2, patients)[0]
    sums, squares, films = _resampled(np.stack([sums, squares, films]))
    means = sums / films
    sds = np.sqrt(np.maximum(squares - sums * means, 0) / (films - 1))
    drawn = (means, means - reach * sds, means + reach * sds)
    return tuple(Interval(point, *_bounds(mean + own)) for point, own in zip(points, drawn, strict=True))


def _defined(values: Sequence[float], patients: Sequence[str], name: str) -> np.ndarray:
    column = np.asarray(values, np.float64)
    if len(column) != len(patients):
        raise ValueError(f"{name}: {len(column)} values for {len(patients)} patients; wanted one patient for each film")
    if not len(column):
        raise ValueError(f"{name} holds no film; wanted at least one")
    if np.isnan(column).any():
        missing = int(np.isnan(column).sum())
        raise ValueError(f"{missing} films have no value in {name}; leave them out of both sides and say how many")
    return column


def _per_patient(values: np.ndarray, patients: Sequence[str]) -> np.ndarray:
    """Return each patient's sum of values and number of films: (2, patients)."""
    _, index = np.unique(np.asarray(patients), return_inverse=True)
    return np.stack([np.bincount(index, weights=values), np.bincount(index)])


def _resampled(totals: np.ndarray) -> np.ndarray:
    """Return the totals (K, patients) summed over each draw of as many patients with replacement: (K, DRAWS)."""
    patients, generator = totals.shape[1], np.random.default_rng(SEED)
    blocks = (generator.integers(patients, size=(draws, patients)) for draws in _blocks(patients))
    return np.concatenate([totals[:, drawn].sum(axis=2) for drawn in blocks], axis=1)


def _blocks(patients: int) -> list[int]:
    """Split the draws so that a block holds about BLOCK random numbers."""
    step = max(1, BLOCK // max(1, patients))
    return [min(step, DRAWS - start) for start in range(0, DRAWS, step)]


def _bounds(draws: np.ndarray) -> tuple[float, float]:
    low, high = np.percentile(draws, [50 * (1 - LEVEL), 100 - 50 * (1 - LEVEL)])
    return float(low), float(high)
