"""Splits by patient, effective sample size against hand-worked numbers, and the bootstrap against simulation."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proposal.splits import (
    cluster_bootstrap,
    crossing_patients,
    design_effect,
    effective_sample_size,
    half_width,
    intraclass_correlation,
    one_study_per_patient,
)


def test_crossing_patients_are_named():
    assert crossing_patients(["train", "test", "test"], ["a", "b", "a"]) == {"a"}
    assert crossing_patients(["train", "test"], ["a", "b"]) == set()


def test_effective_sample_size_by_hand():
    # 12 studies of 4 patients, 3 each, icc 0.5: 1 + 2 * 0.5 = 2, so they are worth 6.
    assert effective_sample_size(12, 4, 0.5) == pytest.approx(6)
    assert effective_sample_size(12, 4, 0.0) == 12
    assert effective_sample_size(12, 4, 1.0) == pytest.approx(4)  # nothing but the patients counts
    # cv 1: 1 + (2 * 3 - 1) * 0.5 = 3.5
    assert design_effect(3, 0.5, 1.0) == pytest.approx(3.5)


@given(st.integers(1, 500), st.integers(1, 40), st.floats(0, 1))
@settings(max_examples=50, deadline=None)
def test_effective_size_lies_between_patients_and_studies(patients, repeats, icc):
    worth = effective_sample_size(patients * repeats, patients, icc)
    assert patients * (1 - 1e-9) <= worth <= patients * repeats * (1 + 1e-9)


def test_half_width_by_hand():
    assert half_width(0.5, 100) == pytest.approx(1.959964 * 0.05)
    with pytest.raises(ValueError, match="wanted"):
        half_width(1.2, 100)


def clustered(patients, repeats, icc, rng):
    own = rng.normal(0, math.sqrt(icc), patients)
    values = own[:, None] + rng.normal(0, math.sqrt(1 - icc), (patients, repeats))
    return values.ravel(), [str(p) for p in range(patients) for _ in range(repeats)]


def test_intraclass_correlation_finds_the_truth_of_a_simulation():
    values, patients = clustered(400, 5, 0.4, np.random.default_rng(0))
    assert intraclass_correlation(values, patients) == pytest.approx(0.4, abs=0.05)
    with pytest.raises(ValueError, match="repeats"):
        intraclass_correlation([1.0, 2.0], ["a", "b"])


def test_bootstrap_of_patients_is_as_wide_as_theory_says_and_wider_than_of_studies():
    values, patients = clustered(150, 6, 0.5, np.random.default_rng(1))
    _, low, high = cluster_bootstrap(values, patients, replicates=600)
    theory = 1.96 / math.sqrt(effective_sample_size(900, 150, 0.5))
    assert (high - low) / 2 == pytest.approx(theory, rel=0.15)
    _, low_alone, high_alone = cluster_bootstrap(values, [str(i) for i in range(900)], replicates=600)
    assert high - low > 1.5 * (high_alone - low_alone)


def test_bootstrap_keeps_rows_together():
    rows = np.array([[1.0, 10.0], [2.0, 20.0], [3.0, 30.0]])
    estimate, low, high = cluster_bootstrap(
        rows, ["a", "b", "c"], lambda r: r[:, 1].sum() / r[:, 0].sum(), replicates=50
    )
    assert (estimate, low, high) == pytest.approx((10.0, 10.0, 10.0))


def test_one_study_per_patient():
    patients = ["a", "b", "a", "c", "b"]
    chosen = one_study_per_patient(patients, seed=2)
    assert sorted(patients[i] for i in chosen) == ["a", "b", "c"]
