from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from db.scores import METRIC_COLUMNS
from unet.metrics import (
    Counts,
    balanced_accuracy,
    count,
    dice,
    iou,
    precision,
    recall,
    relative_area_error,
    specificity,
)

BOTH_EMPTY, ONLY_PRED, ONLY_TRUE = Counts(0, 0, 0, 221), Counts(0, 7, 0, 214), Counts(0, 0, 7, 214)
FULL = Counts(221, 0, 0, 0)


def picture(*rows):
    return np.array([[mark == "#" for mark in row] for row in rows])


def test_counts_and_every_ratio_by_hand():
    true = picture(".###.", ".###.", ".....")
    pred = picture("..###", "..##.", "..#..")
    counts = count(pred, true)
    assert counts == Counts(tp=4, fp=2, fn=2, tn=7)
    assert dice(counts) == 8 / 12 and iou(counts) == 4 / 8
    assert precision(counts) == 4 / 6 and recall(counts) == 4 / 6
    assert specificity(counts) == 7 / 9
    assert balanced_accuracy(counts) == pytest.approx((4 / 6 + 7 / 9) / 2, abs=1e-12)
    assert relative_area_error(counts) == 0


def test_prediction_and_truth_are_not_exchangeable():
    true, pred = picture("##########"), picture("####......")
    counts = count(pred, true)
    assert (precision(counts), recall(counts)) == (1, 0.4)
    assert relative_area_error(counts) == -0.6
    assert relative_area_error(count(true, pred)) == 1.5


def test_two_empty_masks_agree():
    assert dice(BOTH_EMPTY) == iou(BOTH_EMPTY) == precision(BOTH_EMPTY) == recall(BOTH_EMPTY) == 1
    assert specificity(BOTH_EMPTY) == 1 and relative_area_error(BOTH_EMPTY) is None


def test_one_empty_mask_is_a_failure_and_not_left_out():
    for counts in (ONLY_PRED, ONLY_TRUE):
        assert dice(counts) == iou(counts) == precision(counts) == recall(counts) == 0
    assert relative_area_error(ONLY_TRUE) == -1 and relative_area_error(ONLY_PRED) is None
    assert balanced_accuracy(ONLY_TRUE) == 0.5


def test_a_full_film_has_no_background_to_spare():
    assert specificity(FULL) == 1 and specificity(Counts(5, 3, 0, 0)) == 0


@pytest.mark.parametrize(
    "pred, message",
    [
        (np.zeros((13, 17), np.uint8), "mask_pred is uint8"),
        (np.zeros((1, 13, 17), bool), r"shape \(1, 13, 17\)"),
        (np.zeros((17, 13), bool), "wanted one size"),
    ],
)
def test_masks_that_cannot_be_compared_are_refused(pred, message):
    with pytest.raises(ValueError, match=message):
        count(pred, np.zeros((13, 17), bool))


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 19), st.integers(1, 23), st.floats(0, 1), st.floats(0, 1), st.integers(0, 2**31))
def test_ratios_equal_those_of_pixel_sets(height, width, share_pred, share_true, seed):
    random = np.random.default_rng(seed)
    pred, true = random.random((height, width)) < share_pred, random.random((height, width)) < share_true
    inside_pred, inside_true = (set(zip(*np.nonzero(mask), strict=True)) for mask in (pred, true))
    common, either = inside_pred & inside_true, inside_pred | inside_true
    counts = count(pred, true)
    assert sum(counts) == height * width
    both_empty = not either
    assert iou(counts) == pytest.approx(1 if both_empty else len(common) / len(either), abs=1e-9)
    total = len(inside_pred) + len(inside_true)
    assert dice(counts) == pytest.approx(1 if both_empty else 2 * len(common) / total, abs=1e-9)
    assert dice(counts) == pytest.approx(2 * iou(counts) / (1 + iou(counts)), abs=1e-9)
    if inside_true:
        assert recall(counts) == pytest.approx(len(common) / len(inside_true), abs=1e-9)
        area_error = (len(inside_pred) - len(inside_true)) / len(inside_true)
        assert relative_area_error(counts) == pytest.approx(area_error, abs=1e-9)
    if inside_pred:
        assert precision(counts) == pytest.approx(len(common) / len(inside_pred), abs=1e-9)
    if len(inside_true) < height * width:
        kept = np.mean(~pred[~true])
        assert specificity(counts) == pytest.approx(kept, abs=1e-9)


@pytest.mark.parametrize("column", METRIC_COLUMNS)
def test_every_column_of_the_score_table_is_explained(column):
    page = Path(__file__).parents[2] / "docs" / "metrics.md"
    assert f"`{column}`" in page.read_text(encoding="utf-8")
