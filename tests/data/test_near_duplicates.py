import io

import numpy as np
import pytest
from PIL import Image

from data.near_duplicates import film_print, near_pairs
from data.phantom import draw_phantom


def films(count=12, size=160):
    return [draw_phantom(0, index, size).image / 255 for index in range(count)]


def recoded(image, side, quality=60):
    buffer = io.BytesIO()
    Image.fromarray(np.uint8(255 * image)).resize((side, side)).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer)) / 255


def test_rescaled_recoded_and_brighter_copies_are_found_and_no_other_film_is():
    own = films()
    copies = [recoded(own[2], 97), np.clip(0.8 * own[5] + 0.1, 0, 1)]
    pairs = near_pairs([film_print(image) for image in (*own, *copies)])
    assert [(i, j) for i, j, _ in pairs] == [(2, 12), (5, 13)]
    assert all(correlation > 0.985 for *_, correlation in pairs)


def test_an_inverted_or_mirrored_film_is_not_the_same_picture():
    one = films(1)[0]
    assert near_pairs([film_print(one), film_print(1 - one), film_print(one[:, ::-1])]) == []


def test_the_waves_equal_scipys():
    fft = pytest.importorskip("scipy.fft")
    image = np.random.default_rng(1).random((32, 32))
    waves = fft.dctn(image)[:8, :8].ravel()[1:]  # of one size, so that no resizing blurs the comparison
    bits = np.unpackbits(np.frombuffer(film_print(image).bits, np.uint8))[:63]
    # rows and columns of frequency 0 weigh the same in both up to a common factor
    assert np.array_equal(bits, waves > np.median(waves))


def test_a_flat_film_has_a_print():
    assert not film_print(np.zeros((20, 30))).thumbnail.any()
