import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from data.intensity import BINS, CLAHE_CLIP, CLAHE_TILES, METHODS, _clahe, standardise


def test_percentiles_become_black_and_white():
    image = torch.linspace(0.2, 0.6, 101).view(1, 101)
    out = standardise(image, "percentile")
    assert out[0, 1] == 0 < out[0, 2] and out[0, 98] < 1 == out[0, 99] and out[0, 50] == pytest.approx(0.5, abs=0.01)
    assert (out.diff() >= 0).all()


def test_equalised_levels_are_spread_evenly():
    image = torch.rand(60, 50, generator=torch.Generator().manual_seed(0)) ** 1.5
    out = standardise(image, "equalise")
    shares = torch.histc(out, bins=4, min=0, max=1) / out.numel()
    assert (shares - 0.25).abs().max() < 0.06


def test_clahe_brings_up_what_is_hidden_in_a_dark_corner():
    image = torch.full((64, 64), 0.9)
    image[:32, :32] = 0.1 + 0.05 * torch.rand(32, 32, generator=torch.Generator().manual_seed(0))
    image[0, 0], image[-1, -1] = 0.0, 1.0
    corner = (slice(4, 28), slice(4, 28))
    assert standardise(image, "clahe")[corner].std() > 1.5 * standardise(image, "percentile")[corner].std()


@pytest.mark.parametrize("method", METHODS)
def test_a_film_of_one_value_stays_finite(method):
    assert standardise(torch.full((9, 7), 0.4), method).isfinite().all()


@pytest.mark.parametrize("method", METHODS[1:])
def test_what_resizing_leaves_of_an_even_film_is_not_stretched(method):
    rounded = 0.5 + 1e-7 * torch.randint(-3, 4, (40, 30), generator=torch.Generator().manual_seed(0))
    assert (standardise(rounded, method) == 0).all()


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31), st.sampled_from(METHODS[1:]), st.floats(0.2, 0.9), st.floats(0.0, 0.1))
def test_gain_and_offset_of_a_film_do_not_matter(seed, method, gain, offset):
    image = torch.rand(40, 33, generator=torch.Generator().manual_seed(seed))
    one, two = standardise(image, method), standardise(image * gain + offset, method)
    assert one.min() >= 0 and one.max() <= 1
    assert (one - two).abs().mean() < 0.01


def test_an_unknown_method_names_the_known_ones():
    with pytest.raises(ValueError, match="none, percentile, equalise, clahe"):
        standardise(torch.zeros(3, 3), "magic")


def test_clahe_of_a_film_narrower_than_its_tiles_is_one_tile():
    image = torch.linspace(0, 1, 3 * 40).view(3, 40)
    assert torch.equal(standardise(image, "clahe"), standardise(image, "equalise"))


def plain_clahe(image):
    """Pixel by pixel: the pixel's level in the maps of the four tiles whose centres surround it, linear in between."""
    height, width = image.shape
    levels = np.round(image * (BINS - 1)).astype(int)
    tile_of = [[r * CLAHE_TILES // height for r in range(height)], [c * CLAHE_TILES // width for c in range(width)]]

    def tile_map(row, column):
        inside = levels[np.equal(tile_of[0], row)][:, np.equal(tile_of[1], column)]
        counts = np.bincount(inside.ravel(), minlength=BINS).astype(float)
        most = CLAHE_CLIP * inside.size / BINS
        counts = np.minimum(counts, most) + sum(count - most for count in counts if count > most) / BINS
        below = np.cumsum(counts)
        return (below - counts[0]) / (below[-1] - counts[0])

    maps = [[tile_map(row, column) for column in range(CLAHE_TILES)] for row in range(CLAHE_TILES)]
    centres = np.arange(CLAHE_TILES)
    found = np.zeros((height, width))
    for r in range(height):
        for c in range(width):
            y, x = (r + 0.5) * CLAHE_TILES / height - 0.5, (c + 0.5) * CLAHE_TILES / width - 0.5
            across = [np.interp(x, centres, [one[levels[r, c]] for one in row]) for row in maps]
            found[r, c] = np.interp(y, centres, across)  # beyond the outermost centres it stays as it is there
    return found


def test_clahe_equals_one_written_pixel_by_pixel():
    image = torch.rand(27, 34, generator=torch.Generator().manual_seed(4)) ** 2
    image[:, :9] = 0.3  # all pixels of one level: far more than may be of one
    assert _clahe(image).numpy() == pytest.approx(plain_clahe(image.numpy()), abs=1e-5)
