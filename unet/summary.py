"""A column of per-film scores in a few numbers: means over films, intervals by resampling patients."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

DRAWS = 2000
LEVEL = 0.95


class Interval(NamedTuple):
    """A value with the bounds of its 95 % interval."""

    value: float
    low: float
    high: float


class Summary(NamedTuple):
    """films: finite values; undefined: NaN or None, left out of the rest but counted. below: share of films under a limit."""

    films: int
    undefined: int
    mean: Interval
    median: float
    p5: float
    worst: float
    below: float


def summarise(values: Sequence[float | None], patients: Sequence[str], limit: float, seed: int = 0) -> Summary | None:
    """Summarise scores of films, one value and one patient per film; None where no value is defined.

    The mean's interval is the percentile interval of the bootstrap over patients: all films of a drawn patient come along,
    so that ten films of one person do not count as ten persons (Efron & Tibshirani 1993).
    """
    column = np.array([np.nan if value is None else value for value in values], dtype=np.float64)
    defined = ~np.isnan(column)
    if not defined.any():
        return None
    kept = column[defined]
    mean = bootstrap_mean(kept, np.asarray(patients)[defined], seed)
    return Summary(
        films=len(kept),
        undefined=int(len(column) - len(kept)),
        mean=mean,
        median=float(np.median(kept)),
        p5=float(np.percentile(kept, 5)),
        worst=float(kept.min()),
        below=float(np.mean(kept < limit)),
    )


def bootstrap_mean(values: np.ndarray, patients: Sequence[str], seed: int = 0) -> Interval:
    """Return the mean over films with its interval; with one patient the interval is not known (NaN)."""
    if len(set(patients)) < 2:
        return Interval(float(values.mean()), float("nan"), float("nan"))
    return Interval(float(values.mean()), *_bounds(bootstrap_means(values, patients, seed)))


def gap(
    values_a: np.ndarray, patients_a: Sequence[str], values_b: np.ndarray, patients_b: Sequence[str], seed: int = 0
) -> Interval:
    """Return the difference of two groups' means, a - b, with its interval; the groups are resampled apart."""
    difference = bootstrap_means(values_a, patients_a, seed) - bootstrap_means(values_b, patients_b, seed + 1)
    return Interval(float(values_a.mean() - values_b.mean()), *_bounds(difference))


class PairedComparison(NamedTuple):
    """Two runs on the same films: mean difference a - b with its interval, p of 'no difference', number of films."""

    difference: Interval
    p: float
    films: int


def compare_paired(
    values_a: np.ndarray, values_b: np.ndarray, patients: Sequence[str], seed: int = 0
) -> PairedComparison:
    """Compare two runs film by film.

    p: share of sign flips, drawn by patient, whose mean difference is at least as large in size as the observed one, the
    observed one counted in (Phipson & Smyth 2010). Raises ValueError where a value is NaN.
    """
    differences = np.asarray(values_a, np.float64) - np.asarray(values_b, np.float64)
    if np.isnan(differences).any():
        raise ValueError(
            f"{int(np.isnan(differences).sum())} films have no value in one of the runs; compare films that have both"
        )
    sums, _ = _per_patient(differences, patients)
    signs = np.random.default_rng(seed).choice([-1.0, 1.0], size=(DRAWS, len(sums)))
    flipped = np.abs(signs @ sums)
    as_large = np.count_nonzero(flipped >= abs(sums.sum()) * (1 - 1e-12))
    return PairedComparison(bootstrap_mean(differences, patients, seed), (as_large + 1) / (DRAWS + 1), len(differences))


def bootstrap_means(values: np.ndarray, patients: Sequence[str], seed: int) -> np.ndarray:
    """Return the mean over films of each of the 2,000 draws of patients with replacement: (DRAWS,)."""
    sums, counts = _per_patient(np.asarray(values, np.float64), patients)
    drawn = np.random.default_rng(seed).integers(len(sums), size=(DRAWS, len(sums)))
    return sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)


def _per_patient(values: np.ndarray, patients: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    _, index = np.unique(np.asarray(patients), return_inverse=True)
    return np.bincount(index, weights=values), np.bincount(index).astype(np.float64)


def _bounds(draws: np.ndarray) -> tuple[float, float]:
    low, high = np.percentile(draws, [50 * (1 - LEVEL), 100 - 50 * (1 - LEVEL)])
    return float(low), float(high)
