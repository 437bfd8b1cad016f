import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unet.calibration import (
    COLDEST,
    HOTTEST,
    add,
    brier,
    curve,
    ece,
    fit_temperature,
    logit_sums,
    mce,
    near_border,
    nll,
    reliability,
)
from unet.surface import border


def logit(probability):
    probability = np.asarray(probability, np.float64)
    return np.log(probability / (1 - probability))


def film(seed, temperature=1.0, shape=(61, 83)):
    """Logits that are right about themselves at the given temperature: the truth is drawn from their probabilities."""
    random = np.random.default_rng(seed)
    z = random.normal(0, 2, shape)
    return (z * temperature).astype(np.float32), random.random(shape) < 1 / (1 + np.exp(-z))


def mean_loss(logits, mask_true, temperature):
    z = logits.astype(np.float64).ravel() / temperature
    return float(np.mean(np.logaddexp(0, np.where(mask_true.ravel(), -z, z))))


def test_four_pixels_by_hand():
    # two pixels at 0.9, one of them inside; one at 0.8, inside; one at 0.1, outside
    sums = reliability(logit([[0.9, 0.9], [0.8, 0.1]]), np.array([[True, False], [True, False]]))
    assert [n for _, _, n in curve(sums)] == [1, 1, 2]
    assert np.array(curve(sums)) == pytest.approx(np.array([[0.1, 0, 1], [0.8, 1, 1], [0.9, 0.5, 2]]))
    assert ece(sums) == pytest.approx((0.1 + 0.2 + 2 * 0.4) / 4) and mce(sums) == pytest.approx(0.4)
    assert brier(sums) == pytest.approx((0.01 + 0.81 + 0.04 + 0.01) / 4)
    assert nll(sums) == pytest.approx(-(2 * math.log(0.9) + math.log(0.1) + math.log(0.8)) / 4)


def test_the_ends_of_the_scale_have_bins_and_a_finite_exact_loss():
    sums = reliability(np.array([[-1000.0, 1000.0, 50.0]]), np.array([[False, True, False]]))
    assert sums.pixels[0] == 1 and sums.pixels[-1] == 2
    assert nll(sums) == pytest.approx(50 / 3, rel=1e-12)
    assert brier(sums) == pytest.approx(1 / 3)


def test_no_pixel_is_undefined_and_not_perfect():
    sums = reliability(np.zeros((3, 5)), np.zeros((3, 5), bool), where=np.zeros((3, 5), bool))
    assert curve(sums) == [] and all(math.isnan(measure(sums)) for measure in (ece, mce, brier, nll))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**31), st.floats(0.3, 5))
def test_measures_equal_those_of_all_pixels_at_once(seed, temperature):
    films = [film(seed + k, 1.5, shape) for k, shape in enumerate([(13, 17), (5, 40), (1, 1)])]
    total = add(reliability(z.astype(np.float64) / temperature, true) for z, true in films)
    p = np.concatenate([1 / (1 + np.exp(-z.ravel().astype(np.float64) / temperature)) for z, _ in films])
    y = np.concatenate([true.ravel() for _, true in films])
    gaps, weights = [], []
    for low in range(15):
        own = (p >= low / 15) & ((p < (low + 1) / 15) | (low == 14))
        if own.any():
            gaps.append(abs(p[own].mean() - y[own].mean()))
            weights.append(own.sum())
    assert ece(total) == pytest.approx(np.average(gaps, weights=weights), abs=1e-9)
    assert mce(total) == pytest.approx(max(gaps), abs=1e-9)
    assert brier(total) == pytest.approx(np.mean((p - y) ** 2), abs=1e-9)
    assert nll(total) == pytest.approx(-np.mean(np.log(np.where(y, p, 1 - p))), abs=1e-9)


def test_near_and_far_pixels_make_up_the_film():
    z, true = film(3)
    near = near_border(true, 2)
    parts = [reliability(z, true, where=chosen) for chosen in (near, ~near)]
    for whole, summed in zip(reliability(z, true), add(parts), strict=True):
        assert summed == pytest.approx(whole)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**31), st.sampled_from([0, 1, 1.5, 2.9, 6]))
def test_near_is_within_the_distance_of_a_border_pixel(seed, distance):
    random = np.random.default_rng(seed)
    true = random.random((9, 14)) < random.random() ** 2
    edge = np.argwhere(border(true))
    expected = np.zeros(true.shape, bool)
    for row in range(9):
        for column in range(14):
            expected[row, column] = any(math.hypot(row - r, column - c) <= distance for r, c in edge)
    assert np.array_equal(near_border(true, distance), expected)


@pytest.mark.parametrize("temperature", [0.4, 1.0, 3.0])
def test_the_temperature_that_made_the_logits_is_found_and_mends_them(temperature):
    films = [film(seed, temperature) for seed in range(12)]
    found = fit_temperature(add(logit_sums(z, true) for z, true in films))
    assert found == pytest.approx(temperature, rel=0.03)
    before, after = (add(reliability(z / t, true) for z, true in films) for t in (1.0, found))
    assert nll(after) <= nll(before) and ece(after) < 0.01
    if temperature != 1.0:
        assert nll(after) < nll(before) - 0.01 and ece(after) < ece(before) / 3


def test_the_fit_is_the_minimum_that_a_fine_search_over_all_pixels_finds():
    z, true = film(8, 1.7)
    found = fit_temperature(logit_sums(z, true))
    tried = np.geomspace(found * 0.9, found * 1.1, 401)
    best = tried[np.argmin([mean_loss(z, true, t) for t in tried])]
    assert found == pytest.approx(best, rel=1e-3)
    assert mean_loss(z, true, found) <= mean_loss(z, true, best) + 1e-8


@pytest.mark.parametrize(
    "truth_of, end", [(lambda z: z > 0, COLDEST), (lambda z: z < 0, HOTTEST)], ids=["errs nowhere", "errs everywhere"]
)
def test_a_temperature_without_a_minimum_stops_at_the_end_of_the_range(truth_of, end):
    z = film(9)[0]
    assert fit_temperature(logit_sums(z, truth_of(z))) == end
    assert (COLDEST, HOTTEST) == (0.05, 20)


def test_confident_mistakes_far_beyond_the_bins_still_count():
    # 1 of 10 pixels is wrong, all at |logit| 100: at the optimum sigmoid(100 / T) = 0.9
    z, true = np.full((10, 10), 100.0), np.ones((10, 10), bool)
    true[0] = False
    assert fit_temperature(logit_sums(z, true)) == HOTTEST  # 100 / ln 9 = 45.5 lies beyond the range
    assert fit_temperature(logit_sums(z / 10, true)) == pytest.approx(10 / math.log(9), rel=1e-9)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: reliability(np.zeros((3, 5)), np.zeros((5, 3), bool)), "wanted one size"),
        (lambda: logit_sums(np.zeros((3, 5)), np.zeros((3, 5))), "wanted one size, bool"),
        (lambda: reliability(np.full((3, 5), np.nan), np.zeros((3, 5), bool)), "NaN or infinite"),
        (lambda: add([]), "no record"),
    ],
)
def test_input_that_cannot_be_judged_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
