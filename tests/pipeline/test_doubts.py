import numpy as np
import torch

from data.measurements import Measurement
from data.resize import letterbox_of
from pipeline.doubts import doubts, doubts_of_quality, doubts_of_spacing, remarks_of_edge, remarks_of_tilt
from unet.quality import Quality


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
    small = ["lungs cover less than 6 % of the picture", "the heart is larger than both lungs"]
    assert doubts(lungs((5, 6), (40, 41))) == small
    assert doubts(lungs((5, 20), (40, 45))) == ["one lung is 3.0 times the other"]
    assert doubts(lungs((5, 20), (40, 46))) == ["one lung is 2.5 times the other"]
    assert doubts(lungs((5, 20), (40, 47))) == []
    assert doubts(lungs((5, 25), (40, 41))) == ["one lung is more than 10 times the other"]


def test_a_heart_that_was_never_learnt_lies_over_the_lungs():
    """A network without a drawn heart in its training once gave ratios above 1 without any doubt."""
    masks = lungs((5, 20), (40, 55))
    masks["heart"][20:34, 17:40] = True  # 42 of 322 pixels
    assert doubts(masks) == []
    masks["heart"][20:34, 15:40] = True  # 70 of 350 pixels: just not above a fifth
    assert doubts(masks) == []
    masks["heart"][20:34, 14:40] = True
    assert doubts(masks) == ["23 % of the heart lies over the lungs"]
    masks["heart"][:] = True
    assert doubts(masks) == ["38 % of the heart lies over the lungs", "the heart is larger than both lungs"]
    masks["heart"][:] = False
    assert doubts(masks) == []


def test_lungs_are_small_against_the_film_not_against_the_page_that_it_lies_on():
    masks = lungs((5, 10), (40, 45), (100, 100))  # 300 pixels
    assert doubts(masks) == ["lungs cover less than 6 % of the picture"]
    assert doubts(masks, 50 * 60) == [] and doubts(masks, 100 * 60) == ["lungs cover less than 6 % of the picture"]


def test_a_low_predicted_dice_is_told_of_the_side_that_it_is_of():
    def told(*doubtful):
        names = ("right_lung", "left_lung", "lungs", "heart")
        return list(doubts_of_quality({name: Quality(0.8512, name in doubtful, 0.9) for name in names}))

    low = "predicted Dice of the {} 0.851, below 0.900"
    assert told() == [] and list(doubts_of_quality({})) == []
    assert told("left_lung", "lungs") == told("left_lung") == [low.format("left lung")]
    assert told("lungs", "heart") == [low.format("lungs"), low.format("heart")]


def test_a_chest_that_lies_tilted_is_remarked():
    told = [list(remarks_of_tilt([Measurement("thorax_tilt_deg", value, "deg")])) for value in (-12.6, 9.1, 0.0, 17.7)]
    off = "widths, the cardiothoracic ratio and distances from the midline are off"
    assert told == [
        [f"the chest lies tilted by 13 degrees: {off}"], [], [], [f"the chest lies tilted by 18 degrees: {off}"],
    ]  # fmt: skip
    assert list(remarks_of_tilt([Measurement("heart_width_mm", 120.0, "mm")])) == []


def test_a_lung_that_goes_on_beyond_the_film_is_remarked_at_the_films_edge_and_not_at_the_pages():
    page = np.zeros((100, 100), np.float32)
    page[20:80, 10:90] = 0.5
    film = letterbox_of(torch.from_numpy(page), 32)
    assert (film.crop_top, film.crop_left, film.crop_height, film.crop_width) == (20, 10, 60, 80)

    def told(rows, columns):
        masks = {name: np.zeros((100, 100), bool) for name in ("right_lung", "left_lung")}
        masks["left_lung"][rows, columns] = True
        return [remark.split(":")[0] for remark in remarks_of_edge(masks, film)]

    assert told(slice(21, 79), slice(11, 89)) == []
    assert told(slice(20, 79), slice(11, 89)) == ["the film's edge cuts off the left lung above"]
    assert told(slice(20, 80), slice(11, 89)) == ["the film's edge cuts off the left lung above and below"]
    assert told(slice(21, 79), slice(10, 89)) == told(slice(21, 79), slice(11, 90))
    assert told(slice(21, 79), slice(10, 89)) == ["the film's edge cuts off the left lung beside"]


def test_a_thorax_two_metres_wide_has_a_wrong_spacing():
    told = {
        value: list(
            doubts_of_spacing([Measurement("heart_width_mm", 900.0, "mm"), Measurement("thorax_width_mm", value, "mm")])
        )
        for value in (59.0, 60.0, 290.0, 600.0, 2132.4)
    }
    wrong = {
        59.0: ["the pixel spacing makes the thorax 59 mm wide"],
        2132.4: ["the pixel spacing makes the thorax 2132 mm wide"],
    }
    assert {value: found for value, found in told.items() if found} == wrong
    assert list(doubts_of_spacing([Measurement("thorax_width_px", 2132.4, "px")])) == []


def test_the_larger_lung_may_be_either():
    assert doubts(lungs((5, 10), (40, 55))) == ["one lung is 3.0 times the other"]
