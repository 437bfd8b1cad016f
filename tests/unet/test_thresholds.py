import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unet.metrics import count, dice
from unet.thresholds import THRESHOLDS, choose_threshold, dice_by_threshold


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31), st.sampled_from([np.float32, np.float64]), st.floats(0, 1))
def test_the_histogram_gives_the_dice_of_every_thresholded_mask(seed, dtype, share):
    random = np.random.default_rng(seed)
    probability = random.random((13, 17)).astype(dtype)
    probability[0] = THRESHOLDS[random.integers(99, size=17)]  # values that lie on a threshold
    true = random.random((13, 17)) < share
    expected = [dice(count(probability >= float(threshold), true)) for threshold in THRESHOLDS]
    assert dice_by_threshold(probability, true) == pytest.approx(expected, abs=1e-9)


def test_the_curve_by_hand():
    probability, true = np.array([[0.1, 0.4, 0.6, 0.9]]), np.array([[False, True, False, True]])
    curve = dice_by_threshold(probability, true, np.array([0.05, 0.4, 0.5, 0.7, 0.95]))
    assert curve.tolist() == pytest.approx([4 / 6, 4 / 5, 2 / 4, 2 / 3, 0])


def test_an_empty_truth_is_right_only_once_nothing_is_predicted():
    curve = dice_by_threshold(np.array([[0.2, 0.6]]), np.zeros((1, 2), bool), np.array([0.1, 0.5, 0.7]))
    assert curve.tolist() == [0, 0, 1]


def test_the_best_threshold_wins_by_the_mean_over_films():
    thresholds = np.array([0.3, 0.5, 0.7])
    point = choose_threshold([np.array([0.9, 0.8, 0.1]), np.array([0.8, 0.7, 0.9])], thresholds)
    assert point.threshold == 0.3 and point.dice == pytest.approx(0.85) and point.dice_at_half == pytest.approx(0.75)
    assert (point.lowest, point.highest) == (0.3, 0.3)


def test_a_gain_too_small_to_mean_anything_leaves_the_half():
    thresholds = np.array([0.3, 0.4, 0.5, 0.6, 0.7])
    point = choose_threshold([np.array([0.9009, 0.9, 0.9005, 0.9, 0.8])], thresholds)
    assert point.threshold == 0.5 and (point.lowest, point.highest) == (0.3, 0.6)
    towards = choose_threshold([np.array([0.95, 0.9495, 0.9, 0.8, 0.8])], thresholds)
    assert towards.threshold == 0.4  # as good as the best, and nearer to the half
    worse = choose_threshold([np.array([0.9012, 0.9, 0.9, 0.9, 0.8])], thresholds)
    assert worse.threshold == worse.lowest == worse.highest == 0.3


@pytest.mark.parametrize("films, threshold", [(4, 0.5), (16, 0.3)])
def test_a_gain_below_its_standard_error_leaves_the_half(films, threshold):
    # the half loses 0.07 or gains 0.03 a film, 0.02 on average, with a standard error of 0.029 over 4 films, 0.013 over 16
    curves = np.array([[0.9, 0.83], [0.9, 0.93]] * (films // 2))
    assert choose_threshold(curves, np.array([0.3, 0.5])).threshold == threshold


def test_the_thresholds_are_the_hundredths_between_0_and_1():
    assert THRESHOLDS.tolist() == [k / 100 for k in range(1, 100)]


@pytest.mark.parametrize(
    "probability, message",
    [(np.zeros((3, 5)), "wanted one size"), (np.full((5, 3), np.nan), "NaN")],
)
def test_probabilities_that_cannot_be_judged_are_refused(probability, message):
    with pytest.raises(ValueError, match=message):
        dice_by_threshold(probability, np.zeros((5, 3), bool))


def test_no_film_gives_no_threshold():
    with pytest.raises(ValueError, match="no film"):
        choose_threshold([])
