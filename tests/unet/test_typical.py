from pathlib import Path

import numpy as np
import pytest

from unet.traits import SIGNS
from unet.typical import MARGIN, check_typical, fit_typical, is_fitted, strangeness

RNG = np.random.default_rng(0)
MIXING = RNG.normal(size=(len(SIGNS), len(SIGNS)))


def draw(count):
    return list(RNG.normal(size=(count, len(SIGNS))) @ MIXING + 5)


def test_films_like_the_training_are_usual_and_far_ones_strange():
    fit = fit_typical(draw(300), draw(200))
    shares = np.array([strangeness(fit, shape) for shape in draw(2000)])
    assert (shares < 1 / MARGIN).mean() == pytest.approx(0.97, abs=0.02)
    assert strangeness(fit, np.full(len(SIGNS), 500.0)) > 1
    assert strangeness(fit, np.full(len(SIGNS), np.nan)) > 1


def test_few_films_of_many_numbers_do_not_make_the_limit_too_narrow():
    """30 films are near their own mean in 16 directions; judged by fits without them, new films are as usual as they."""
    kept = [np.mean([strangeness(fit_typical(draw(30), []), new) < 1 / MARGIN for new in draw(200)]) for _ in range(20)]
    assert np.mean(kept) == pytest.approx(0.95, abs=0.03)


def test_a_training_film_that_lacks_one_number_is_left_out_of_the_fit():
    train, val = draw(60), draw(20)
    fit = fit_typical(train, val)
    one, all_of_them = draw(1)[0], np.full(len(SIGNS), np.nan)
    one[3] = np.nan
    assert fit_typical([*train, one, all_of_them], val) == fit


def test_the_distance_counts_what_goes_together():
    """Two numbers that always agree in training: both high is usual, one high and one low is strange."""
    base = RNG.normal(size=(400, len(SIGNS)))
    base[:, 1] = base[:, 0] + 0.1 * base[:, 1]
    fit = fit_typical(list(base[:300]), list(base[300:]))
    together, apart = np.zeros(len(SIGNS)), np.zeros(len(SIGNS))
    together[:2], apart[:2] = (2, 2), (2, -2)
    assert strangeness(fit, apart) > 1.5 * strangeness(fit, together)


def test_the_distance_is_that_of_mahalanobis_with_the_shrunk_covariance():
    train, val = draw(50), draw(20)
    fit = fit_typical(train, val)

    def distance(films, shape):
        middle, spread = np.median(films, axis=0), np.std(films, axis=0)
        z = (np.array(films) - middle) / spread
        covariance = np.cov(z.T)
        shrunk = 0.7 * covariance + 0.3 * np.trace(covariance) / len(SIGNS) * np.eye(len(SIGNS))
        apart = (shape - middle) / spread - z.mean(axis=0)
        return np.sqrt(apart @ np.linalg.solve(shrunk, apart) / len(SIGNS))

    def without(place):
        return [film for other, film in enumerate(train) if other % 10 != place % 10]

    left_out = [distance(without(place), film) for place, film in enumerate(train)]
    limit = MARGIN * np.quantile([*left_out, *(distance(train, film) for film in val)], 0.97)
    assert strangeness(fit, val[3]) == pytest.approx(distance(train, val[3]) / limit)


def test_with_too_few_films_nothing_is_said():
    fit = fit_typical(draw(19), draw(5))
    assert fit["films"] == 19 and strangeness(fit, draw(1)[0]) is None and strangeness({}, draw(1)[0]) is None
    assert not is_fitted(fit) and not is_fitted({}) and is_fitted(fit_typical(draw(20), draw(5)))


def test_a_fit_of_other_numbers_is_refused():
    fit = fit_typical(draw(30), draw(5))
    check_typical(Path("best.pt"), fit)
    check_typical(Path("best.pt"), {})
    with pytest.raises(ValueError, match="best.pt.*another release"):
        check_typical(Path("best.pt"), {**fit, "signs": ["a"]})


def test_a_training_film_without_a_mask_is_left_out_of_the_fit():
    films = list(np.random.default_rng(12).normal(size=(40, len(SIGNS))))
    assert fit_typical([*films, np.full(len(SIGNS), np.nan)], []) == fit_typical(films, [])
