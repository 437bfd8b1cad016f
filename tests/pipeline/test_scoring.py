"""One pair of masks: each column holds its metric, in its unit, of the right mask."""

import numpy as np

from pipeline.scoring import score_pair


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
