import io

import numpy as np
from PIL import Image

from data.overlay import ERROR_OPACITY, INVENTED, MISSED, PRED_COLOURS, TRUE_COLOUR, encode_picture, overlay
from unet.pieces import border


def disc(shift=0):
    y, x = np.mgrid[:60, :80]
    return (x - 30 - shift) ** 2 + (y - 30) ** 2 < 200


def test_contours_have_the_colours_of_the_legend_and_the_film_stays_grey():
    image = np.full((60, 80), 0.5, np.float32)
    picture = overlay(image, {"heart": disc()}, {"heart": disc()}, longest_side=80)
    assert picture.shape == (60, 80, 3) and picture.dtype == np.uint8
    assert tuple(picture[border(disc())][0]) == PRED_COLOURS["heart"]
    assert tuple(picture[0, 0]) == (127, 127, 127) and tuple(picture[30, 30]) == (127, 127, 127)


def test_a_film_of_few_grey_levels_is_brightened_to_be_seen():
    bright = np.tile(np.linspace(0, 1, 80, dtype=np.float32), (60, 1))
    assert np.array_equal(overlay(bright / 16, {}, longest_side=80), overlay(bright, {}, longest_side=80))
    assert overlay(bright / 2, {}, longest_side=80).max() == 127, "half of the range is seen well enough"


def test_missed_is_purple_and_invented_green():
    image = np.full((60, 80), 0.5, np.float32)
    picture = overlay(image, {"heart": disc(10)}, {"heart": disc()}, longest_side=80).astype(int)
    missed, invented = picture[30, 19], picture[30, 51]
    assert min(missed[0], missed[2]) > missed[1] + 15 and invented[1] > max(invented[0], invented[2]) + 15
    assert (picture == TRUE_COLOUR).all(axis=2).any()


def test_where_errors_of_two_structures_meet_the_later_structure_lies_on_top():
    image = np.full((60, 80), 0.5, np.float32)
    nothing = np.zeros((60, 80), bool)
    picture = overlay(
        image, {"heart": disc(), "left_lung": nothing}, {"left_lung": disc(), "heart": nothing}, longest_side=80
    )
    below = (1 - ERROR_OPACITY) * 127 + ERROR_OPACITY * np.array(MISSED)
    on_top = (1 - ERROR_OPACITY) * below + ERROR_OPACITY * np.array(INVENTED)
    assert np.abs(picture[30, 30] - on_top).max() < 2  # rounded down twice


def test_large_films_are_shrunk_with_their_aspect():
    assert overlay(np.zeros((900, 600), np.float32), {}, longest_side=300).shape == (300, 200, 3)


def test_pictures_are_encoded_whole():
    picture = overlay(np.zeros((20, 30), np.float32), {"heart": np.zeros((20, 30), bool)})
    for kind in ("PNG", "JPEG"):
        assert Image.open(io.BytesIO(encode_picture(picture, kind))).size == (30, 20)
