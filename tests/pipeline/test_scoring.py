"""One pair of masks: each column holds its metric, in its unit, of the right mask."""

import numpy as np

from db.records import ImageRecord
from pipeline.scoring import score_film, score_pair


def test_each_column_is_its_metric_in_its_unit():
    true = np.zeros((40, 50), bool)
    true[10:20, 10:30] = True
    pred = true.copy()
    pred[15, 30:36] = True  # a spur of six columns, 2 mm each
    mm, px = score_pair(pred, true, (0.5, 2.0)), score_pair(pred, true, None)
    assert mm["hd_mm"] == 12 and px["hd_px"] == 6 and mm["hd95_mm"] < 12
    assert (mm["precision"], mm["recall"]) == (200 / 206, 1) and mm["relative_area_error"] == 0.03
    # borders: 56 pixels of the rectangle, 55 of them and the spur's six of the prediction, of which each is 2 mm farther
    assert [mm[f"nsd_{tolerance}mm"] for tolerance in (1, 2, 4)] == [111 / 117, 112 / 117, 113 / 117]
    assert score_pair(true & False, true, None)["components"] == 0


def test_pixels_count_as_one_each_where_the_spacing_is_not_known():
    true, pred = np.zeros((40, 90), bool), np.zeros((40, 90), bool)
    for start, away in ((0, 0), (25, 3), (50, 5), (75, 9)):  # four lines, each with a copy so many rows below
        true[20, start : start + 10] = pred[20 + away, start : start + 10] = True
    found = score_pair(pred, true, None)
    assert [found[f"nsd_{tolerance}px"] for tolerance in (2, 4, 8)] == [0.25, 0.5, 0.75]
    assert found["hd_px"] == 9 and found["assd_px"] == (0 + 3 + 5 + 9) / 4 and found["components"] == 4


def test_what_is_drawn_and_predicted_is_scored_and_the_union_of_two_lungs_with_it():
    blank = np.zeros((9, 9), bool)
    right, left = blank.copy(), blank.copy()
    right[2:6, 1:3], left[2:6, 5:8] = True, True
    record = ImageRecord(
        image_id=7, source="s", file="a.png", path=None, patient_id="p", split="val", height=9, width=9,
        photometric_interpretation=None, spacing_mm=None, content_sha256="",
    )  # fmt: skip
    pred = {"right_lung": right, "left_lung": right, "heart": blank}
    rows = {row["structure"]: row for row in score_film(record, pred, {"right_lung": right, "left_lung": left})}
    assert {name: row["dice"] for name, row in rows.items()} == {"right_lung": 1, "left_lung": 0, "lungs": 16 / 28}
    assert {(row["image_id"], row["split"]) for row in rows.values()} == {(7, "val")}
    (row,) = score_film(record, pred, {"lungs": right | left})
    assert row["structure"] == "lungs" and row["dice"] == 16 / 28
