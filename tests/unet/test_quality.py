"""Predicted quality: what is planted in the traits is found again, on films that were not fitted."""

from pathlib import Path

import numpy as np
import pytest

from unet.quality import (
    COLUMNS,
    FALSE_ALARMS,
    GOOD_DICE,
    _unseen_losses,
    alarm_limit,
    check_fit,
    fit_quality,
    predict_quality,
)
from unet.traits import SHAPES, TRAITS, FilmTraits


def invent(count, seed, noise=0.1):
    """Films whose loss of Dice grows with two of the traits and with how odd the shape is."""
    generator = np.random.default_rng(seed)
    own = generator.normal(size=(count, len(TRAITS)))
    own[:, TRAITS.index("missing")] = 0
    shape = generator.normal(size=(count, len(SHAPES))) * (1 + (np.arange(count) % 3)[:, None])
    odd = np.log1p(np.square(shape).mean(axis=1))
    loss = np.exp(-2.8 + 0.4 * own[:, 0] + 0.3 * own[:, 1] + 0.5 * odd + noise * generator.normal(size=count))
    shape *= np.geomspace(0.1, 10, len(SHAPES))  # a length, a share, an angle: only the standardised ones are alike
    films = [
        FilmTraits({"lungs": own_row, "heart": own_row}, shape_row)
        for own_row, shape_row in zip(own, shape, strict=True)
    ]
    return films, np.clip(1 - loss, 0, 1)


def fit_on(count=200, seed=0, **changes):
    films, dice = invent(count, seed)
    truths = [{"lungs": value} for value in dice]
    return fit_quality(films, truths, **{"groups": range(count), "plain": count, **changes})


def test_planted_quality_is_predicted_on_films_that_were_not_fitted():
    fit = fit_on(800)
    films, dice = invent(400, seed=1)
    found = [predict_quality(fit, film)["lungs"] for film in films]
    predicted = np.array([quality.predicted_dice for quality in found])
    assert np.corrcoef(predicted, dice)[0, 1] > 0.9 and np.abs(predicted - dice).mean() < 0.02
    doubtful, good = np.array([quality.doubtful for quality in found]), dice >= GOOD_DICE
    assert doubtful[good].mean() == pytest.approx(FALSE_ALARMS, abs=0.04)
    assert doubtful[~good].mean() > 0.75


def test_the_mean_prediction_is_the_mean_dice_however_the_losses_scatter():
    films, dice = invent(6000, seed=2, noise=0.5)
    fit = fit_quality(films[:3000], [{"lungs": value} for value in dice[:3000]], range(3000), 3000)
    found = [predict_quality(fit, film)["lungs"] for film in films[3000:]]
    predicted = np.array([quality.predicted_dice for quality in found])
    # with the intercept of the logarithms 0.020 too high
    assert predicted.mean() == pytest.approx(dice[3000:].mean(), abs=0.006)
    rung = [quality.doubtful for quality, value in zip(found, dice[3000:], strict=True) if value >= GOOD_DICE]
    assert np.mean(rung) == pytest.approx(FALSE_ALARMS, abs=0.015)  # the limit moves with the predictions


def test_a_limit_from_few_patients_rings_on_few_new_films():
    rung = []
    for seed in range(30):
        fit = fit_on(25, seed)
        films, dice = invent(100, seed + 1000)
        found = [
            predict_quality(fit, film)["lungs"] for film, value in zip(films, dice, strict=True) if value >= GOOD_DICE
        ]
        rung.append(np.mean([quality.doubtful for quality in found]))
    assert np.mean(rung) < 0.125  # 0.15 where the usual shapes are those of all films, the predicted one's too


def test_a_patients_films_are_predicted_without_any_of_them():
    films, dice = invent(60, seed=3)
    films, dice, patients = films * 2, np.tile(dice, 2), np.tile(np.arange(60), 2)
    drawn, as_is = np.ones(120, bool), np.arange(120) < 60
    before = _unseen_losses(films, dice, "lungs", drawn, patients, as_is)
    dice[[7, 67]] = 0.0
    after = _unseen_losses(films, dice, "lungs", drawn, patients, as_is)
    assert np.array_equal(after[[7, 67]], before[[7, 67]]) and not np.allclose(after, before)


def test_the_limit_lies_midway_between_those_of_films_as_they_are_and_of_all_copies():
    plain = np.linspace(0.90, 0.99, 19)  # of 19 films one in twenty is the least
    copies = [*plain, *np.linspace(0.70, 0.99, 101)]
    assert alarm_limit(plain, copies) == pytest.approx((0.90 + np.quantile(copies, 0.05)) / 2)
    assert alarm_limit(plain[:5], copies) == alarm_limit(plain, copies)  # fewer films than twenty: still the least
    assert alarm_limit([], copies) == pytest.approx(np.quantile(copies, 0.05)) and alarm_limit([], []) == GOOD_DICE


def test_traits_that_say_nothing_predict_the_middle():
    films, dice = invent(300, seed=0)
    shuffled = np.random.default_rng(5).permutation(dice)
    fit = fit_quality(films, [{"lungs": value} for value in shuffled], range(300), 300)
    predicted = [predict_quality(fit, film)["lungs"].predicted_dice for film in films]
    assert np.std(predicted) < 0.3 * np.std(dice)


def test_only_structures_with_enough_films_are_fitted():
    films, dice = invent(24, seed=0)
    truths = [{"lungs": value, **({"heart": value} if row < 4 else {})} for row, value in enumerate(dice)]
    assert set(fit_quality(films, truths, range(24), 24)["structures"]) == {"lungs"}
    copies = [row % 4 for row in range(24)]  # twenty-four copies of four films are four films
    fit = fit_quality(films, truths, copies, 4)
    assert fit["structures"] == {} and predict_quality(fit, films[0]) == {}


def test_a_checkpoint_without_a_fit_predicts_no_quality():
    films, _ = invent(1, seed=0)
    assert predict_quality({}, films[0]) == {}
    check_fit(Path("best.pt"), {})


def test_a_fit_of_other_columns_is_refused():
    fit = fit_on(20)
    check_fit(Path("best.pt"), fit)
    with pytest.raises(ValueError, match="best.pt: its predicted quality was fitted by another release"):
        check_fit(Path("best.pt"), {**fit, "columns": list(COLUMNS[1:])})


def test_a_film_without_lungs_is_as_odd_as_can_be_and_stays_in_range():
    fit = fit_on()
    film = FilmTraits({"lungs": np.full(len(TRAITS), 1e6)}, np.full(len(SHAPES), np.nan))
    quality = predict_quality(fit, film)["lungs"]
    assert 0 <= quality.predicted_dice <= 1 and quality.doubtful


def test_the_fit_is_plain_numbers():
    def plain(value):
        if isinstance(value, dict):
            return all(plain(part) for part in value.values())
        return all(plain(part) for part in value) if isinstance(value, list) else type(value) in (int, float, str)

    assert plain(fit_on(20))


def test_usual_are_the_shapes_of_films_as_they_are():
    def film(shape):
        return FilmTraits({"lungs": np.zeros(len(TRAITS))}, np.full(len(SHAPES), shape))

    fit = fit_quality(
        [film(0.0)] * 10 + [film(1.0)] * 20, [{"lungs": 0.95}] * 30, [*range(10), *range(10), *range(10)], 10
    )
    assert fit["shape_middle"] == [0.0] * len(SHAPES)
