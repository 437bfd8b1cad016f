import numpy as np

from pipeline.doubts import doubts


def lungs(right, left, shape=(40, 60)):
    masks = {name: np.zeros(shape, bool) for name in ("right_lung", "left_lung", "heart")}
    for name, columns in (("right_lung", right), ("left_lung", left)):
        masks[name][5:35, slice(*columns)] = True
    masks["heart"][20:34, 25:40] = True
    return masks


def test_doubts_name_what_no_chest_film_shows():
    assert doubts(lungs((5, 20), (40, 55))) == []
    assert doubts(lungs((0, 0), (40, 55))) == ["no right lung"]
    assert doubts(lungs((40, 55), (5, 20))) == ["lungs on the wrong sides"]
    assert doubts(lungs((5, 6), (40, 41))) == ["lungs cover less than 6 % of the picture"]
    assert doubts(lungs((5, 20), (40, 45))) == ["one lung is 3.0 times the other"]
    assert doubts(lungs((5, 20), (40, 46))) == ["one lung is 2.5 times the other"]
    assert doubts(lungs((5, 20), (40, 47))) == []
    assert doubts(lungs((5, 25), (40, 41))) == ["one lung is more than 10 times the other"]


def test_lungs_are_small_against_the_film_not_against_the_page_that_it_lies_on():
    masks = lungs((5, 10), (40, 45), (100, 100))  # 300 pixels
    assert doubts(masks) == ["lungs cover less than 6 % of the picture"]
    assert doubts(masks, 50 * 60) == [] and doubts(masks, 100 * 60) == ["lungs cover less than 6 % of the picture"]
