"""Sample sizes: a published worked example, the inverse, and power by simulation."""

import math

import numpy as np
import pytest

from proposal.reader_study import (
    auc_gap_half_width,
    correlation_interval,
    detectable_effect,
    kappa_half_width,
    main,
    neutral_filling_passes,
    paired_binary_cases,
    paired_binary_power,
    paired_score_cases,
    reader_variance_factor,
)


def test_paired_binary_by_hand():
    # (1.95996 sqrt(.5) + .84162 sqrt(.5 - .16))^2 / .16 = (1.38590 + .49074)^2 / .16 = 22.01
    assert paired_binary_cases(0.45, 0.05) == 23
    assert paired_binary_cases(0.05, 0.45) == 23
    assert paired_binary_power(0.45, 0.05, 23) >= 0.8 > paired_binary_power(0.45, 0.05, 22)


@pytest.mark.parametrize("shares", [(0.2, 0.2), (0.7, 0.5), (-0.1, 0.2)])
def test_impossible_shares(shares):
    with pytest.raises(ValueError, match="two different shares"):
        paired_binary_cases(*shares)


def test_a_neutral_filling_passes_the_gate_as_often_as_simulated():
    cases, effect, movement, rng = 100, 0.4, 0.3, np.random.default_rng(0)
    halves = rng.normal(0, movement, size=(4000, 2, cases)).mean(axis=2)
    passed = (np.abs(halves) <= 0.1 * effect).all(axis=1).mean()
    assert neutral_filling_passes(effect, movement, cases) == pytest.approx(passed, abs=0.02)
    assert neutral_filling_passes(effect, 1e-9, cases) == pytest.approx(1)
    with pytest.raises(ValueError, match="wanted all above 0"):
        neutral_filling_passes(effect, 0.0, cases)


def test_the_width_of_a_gap_of_aurocs_is_that_of_simulated_scores():
    rng, ranks = np.random.default_rng(0), 3000
    shift, films = 0.545, (60, 190)  # normal scores so far apart have an AUROC of Phi(0.545 / sqrt(2)) = 0.65
    shared = [rng.normal(size=(ranks, n)) for n in films]
    areas = []
    for _ in range(2):
        scores = [0.6 * own + 0.8 * rng.normal(size=own.shape) for own in shared]
        positive, negative = scores[0] + shift, scores[1]
        below = (np.searchsorted(np.sort(negative[row]), positive[row]).mean() / films[1] for row in range(ranks))
        areas.append(np.array(list(below)))
    correlation = float(np.corrcoef(*areas)[0, 1])
    found = auc_gap_half_width(0.65, 0.65, *films, correlation)
    assert found == pytest.approx(1.96 * np.std(areas[0] - areas[1]), rel=0.05)
    with pytest.raises(ValueError, match="wanted AUROCs"):
        auc_gap_half_width(1.0, 0.5, 10, 10, 0.3)


def test_simulated_power_of_mcnemar_is_near_the_power_asked_for():
    cases, rng = paired_binary_cases(0.2, 0.1), np.random.default_rng(0)
    counts = rng.multinomial(cases, [0.2, 0.1, 0.7], size=4000)
    better, worse = counts[:, 0], counts[:, 1]
    significant = np.abs(better - worse) / np.sqrt(better + worse) > 1.959964
    assert significant.mean() == pytest.approx(0.8, abs=0.03)


def test_simulated_power_of_the_paired_t_test():
    cases, rng = paired_score_cases(0.3), np.random.default_rng(0)
    scores = rng.normal(0.3, 1.0, (4000, cases))
    t = scores.mean(axis=1) / (scores.std(axis=1, ddof=1) / math.sqrt(cases))
    assert (np.abs(t) > 1.987).mean() == pytest.approx(0.8, abs=0.03)  # t with 89 degrees of freedom, 97.5 %
    assert cases == 90
    with pytest.raises(ValueError, match="effect 0"):
        paired_score_cases(0.0)


def test_more_readers_help_only_down_to_their_agreement():
    assert reader_variance_factor(1, 0.6) == 1
    assert reader_variance_factor(3, 0.6) == pytest.approx(2.2 / 3)
    assert reader_variance_factor(10**6, 0.6) == pytest.approx(0.6, abs=1e-5)


def test_kappa_half_width_by_hand():
    # sqrt(.8 * .2 / 100) / (1 - .5) = .08
    assert kappa_half_width(0.8, 0.5, 100) == pytest.approx(1.959964 * 0.08)


def test_detectable_effect_is_the_inverse():
    for effect in (0.2, 0.35):
        cases = paired_score_cases(effect)
        assert detectable_effect(cases) <= effect < detectable_effect(cases - 1)
    with pytest.raises(ValueError, match="wanted more"):
        detectable_effect(1)


def test_correlation_interval_by_simulation():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(4000, 50))
    y = 0.6 * x + 0.8 * rng.normal(size=(4000, 50))
    found = [np.corrcoef(a, b)[0, 1] for a, b in zip(x, y, strict=True)]
    low, high = correlation_interval(0.6, 50)
    assert np.percentile(found, [2.5, 97.5]) == pytest.approx((low, high), abs=0.03)
    with pytest.raises(ValueError, match="n >= 4"):
        correlation_interval(0.6, 3)


def test_command_line(capsys):
    assert main(["--better", "0.45", "--worse", "0.05", "--effect", "0.3"]) == 0
    assert "23 cases" in capsys.readouterr().out
