"""Patients, not films: who crosses a split, what clustered films are worth, and intervals that resample patients."""

import math
from collections.abc import Callable, Mapping, Sequence
from statistics import NormalDist

import numpy as np


def crossing_patients(split_of_row: Sequence[str], patient_of_row: Sequence[str]) -> set[str]:
    """Return the patients that stand in more than one split; an empty set is what one wants."""
    seen: dict[str, str] = {}
    pairs = zip(patient_of_row, split_of_row, strict=True)
    return {patient for patient, split in pairs if seen.setdefault(patient, split) != split}


def design_effect(mean_size: float, icc: float, size_cv: float = 0.0) -> float:
    """Return by how much clustering multiplies the variance of a mean over studies: 1 + ((1 + cv^2) m - 1) icc.

    mean_size: studies per patient, >= 1; icc: correlation of two studies of one patient, 0..1; size_cv: standard deviation
    of studies per patient over their mean. Formula: Kish 1965; unequal sizes as Eldridge, Ashby and Kerry 2006.
    """
    if mean_size < 1 or not 0 <= icc <= 1 or size_cv < 0:
        raise ValueError(
            f"design_effect: m = {mean_size}, icc = {icc}, cv = {size_cv}; wanted m >= 1, 0 <= icc <= 1, cv >= 0"
        )
    return 1 + ((1 + size_cv**2) * mean_size - 1) * icc


def effective_sample_size(studies: int, patients: int, icc: float, size_cv: float = 0.0) -> float:
    """Return how many independent studies a set of clustered ones is worth for a mean over studies."""
    if not 0 < patients <= studies:
        raise ValueError(
            f"effective_sample_size: {patients} patients, {studies} studies; wanted 0 < patients <= studies"
        )
    return studies / design_effect(studies / patients, icc, size_cv)


def half_width(proportion: float, sample_size: float, confidence: float = 0.95) -> float:
    """Return half the width of the normal interval of a proportion (0..1) from sample_size independent cases."""
    if not 0 <= proportion <= 1 or sample_size <= 0:
        raise ValueError(f"half_width: p = {proportion}, n = {sample_size}; wanted 0 <= p <= 1 and n > 0")
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    return z * math.sqrt(proportion * (1 - proportion) / sample_size)


def intraclass_correlation(values: Sequence[float], patients: Sequence[str]) -> float:
    """Return the correlation of two values of one patient (one-way analysis of variance, Donner 1986); may be below 0.

    ValueError unless there are two patients or more and one of them has two values or more.
    """
    groups = _groups(values, patients)
    sizes = np.array([len(group) for group in groups])
    if len(groups) < 2 or sizes.max() < 2:
        raise ValueError(
            f"intraclass_correlation: {len(groups)} patients, {len(values)} values; wanted repeats and 2 patients"
        )
    means = np.array([group.mean() for group in groups])
    total, k = sizes.sum(), len(groups)
    between = float((sizes * (means - np.mean(values)) ** 2).sum()) / (k - 1)
    within = float(sum(((group - group.mean()) ** 2).sum() for group in groups)) / (total - k)
    typical_size = (total - (sizes**2).sum() / total) / (k - 1)
    spread = between + (typical_size - 1) * within
    return (between - within) / spread if spread > 0 else 0.0


def bootstrap_replicates(
    values: Sequence[float],
    patients: Sequence[str],
    statistic: Callable[[np.ndarray], float] = np.mean,
    replicates: int = 2000,
    seed: int = 0,
) -> np.ndarray:
    """Return a statistic of `replicates` samples of whole patients, drawn with replacement: (replicates,).

    values: (n,) one number per study, or (n, k) rows that the statistic takes together; patients: (n,).
    """
    groups = _groups(values, patients)
    rng = np.random.default_rng(seed)
    draws = rng.integers(0, len(groups), (replicates, len(groups)))
    return np.array([statistic(np.concatenate([groups[i] for i in draw])) for draw in draws])


def cluster_bootstrap(
    values: Sequence[float],
    patients: Sequence[str],
    statistic: Callable[[np.ndarray], float] = np.mean,
    replicates: int = 2000,
    confidence: float = 0.95,
    seed: int = 0,
) -> tuple[float, float, float]:
    """Return (estimate, low, high) of a statistic, drawing whole patients with replacement (percentile interval)."""
    numbers = bootstrap_replicates(values, patients, statistic, replicates, seed)
    tail = 50 * (1 - confidence)
    low, high = np.nanpercentile(numbers, [tail, 100 - tail])
    return float(statistic(np.asarray(values, dtype=np.float64))), float(low), float(high)


def one_study_per_patient(patients: Sequence[str], seed: int = 0) -> list[int]:
    """Return the index of one study of each patient, drawn at random, in the order of the rows."""
    rng = np.random.default_rng(seed)
    places: Mapping[str, list[int]] = {}
    for index, patient in enumerate(patients):
        places.setdefault(patient, []).append(index)
    return sorted(int(rng.choice(rows)) for rows in places.values())


def _groups(values: Sequence[float], patients: Sequence[str]) -> list[np.ndarray]:
    array = np.asarray(values, dtype=np.float64)
    if len(array) != len(patients) or not len(array):
        raise ValueError(
            f"got {len(array)} values and {len(patients)} patients, wanted as many of each and at least one"
        )
    order: dict[str, list[int]] = {}
    for index, patient in enumerate(patients):
        order.setdefault(patient, []).append(index)
    return [array[rows] for rows in order.values()]
