import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from data.resize import from_square, letterbox_of, to_square


def test_a_tall_film_is_centred_between_black_borders():
    box = letterbox_of(4, 2, 8)
    assert box[3:] == (0, 2, 8, 4)
    square = to_square(torch.ones(1, 4, 2), box)
    assert square.shape == (1, 8, 8)
    assert square[0, :, 2:6].min() == 1 and square[0, :, :2].sum() == 0 and square[0, :, 6:].sum() == 0


def test_shrinking_a_mask_gives_the_covered_share():
    mask = torch.zeros(1, 8, 8)
    mask[0, :, :3] = 1
    share = to_square(mask, letterbox_of(8, 8, 4))
    assert share[0, 0, 0] > 0.9 and 0.3 < share[0, 0, 1] < 0.7 and share[0, 0, 3] == 0
    assert share.mean().item() == pytest.approx(3 / 8, abs=0.02)


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 90), st.integers(1, 90), st.sampled_from([16, 33, 64]))
def test_a_round_trip_has_the_films_size_and_keeps_flat_planes(height, width, size):
    box = letterbox_of(height, width, size)
    assert box.inner_height <= size and box.inner_width <= size
    back = from_square(to_square(torch.full((2, height, width), 0.5), box), box)
    assert back.shape == (2, height, width) and torch.allclose(back, torch.tensor(0.5), atol=1e-5)


@settings(max_examples=30, deadline=None)
@given(st.integers(40, 120), st.integers(40, 120), st.floats(-0.3, 0.3), st.floats(-0.3, 0.3))
def test_a_disc_survives_the_round_trip(height, width, shift_y, shift_x):
    y, x = torch.meshgrid(torch.linspace(-1, 1, height), torch.linspace(-1, 1, width), indexing="ij")
    disc = ((x - shift_x) ** 2 + (y - shift_y) ** 2 < 0.35).float()[None]
    box = letterbox_of(height, width, 64)
    back = from_square(to_square(disc, box), box) >= 0.5
    dice = 2 * (back & (disc > 0)).sum() / (back.sum() + disc.sum())
    assert dice > 0.95


def test_planes_of_another_size_are_refused():
    box = letterbox_of(10, 12, 16)
    with pytest.raises(ValueError, match=r"\(12, 10\).*\(10, 12\)"):
        to_square(torch.zeros(1, 12, 10), box)
    with pytest.raises(ValueError, match="square of 16"):
        from_square(torch.zeros(1, 8, 8), box)
