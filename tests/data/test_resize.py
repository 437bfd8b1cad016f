import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from data.resize import from_square, letterbox_of, positive, to_square


def grey(height, width):
    return torch.full((height, width), 0.5)


def test_a_tall_film_is_centred_between_black_borders():
    box = letterbox_of(grey(4, 2), 8)
    assert (box.top, box.left, box.inner_height, box.inner_width) == (0, 2, 8, 4)
    square = to_square(torch.ones(1, 4, 2), box)
    assert square.shape == (1, 8, 8)
    assert square[0, :, 2:6].min() == 1 and square[0, :, :2].sum() == 0 and square[0, :, 6:].sum() == 0


def test_black_borders_are_cut_and_put_back():
    film = torch.zeros(40, 30)
    film[4:36, 10:26] = 0.5
    film[10:14, 12:20] = 0.0  # black inside the film is no border
    box = letterbox_of(film, 32)
    assert (box.crop_top, box.crop_left, box.crop_height, box.crop_width) == (4, 10, 32, 16)
    back = from_square(to_square(film[None], box), box, fill=-7.0)
    assert torch.allclose(back[0, 4:36, 10:26], film[4:36, 10:26], atol=1e-6)
    assert (back[0, :4] == -7).all() and (back[0, :, 26:] == -7).all()
    whole = letterbox_of(film, 32, crop=False)
    assert (whole.crop_top, whole.crop_left, whole.crop_height, whole.crop_width) == (0, 0, 40, 30)


def test_a_specked_border_is_still_a_border_and_a_black_film_stays_whole():
    film = torch.zeros(100, 100)
    film[20:80, 20:80] = 0.5
    film[5, 50] = 1.0
    assert letterbox_of(film, 32).crop_top == 20
    assert letterbox_of(torch.zeros(9, 7), 32).crop_height == 9


@pytest.mark.parametrize("share", [1 / 16, 0.25, 0.29])
@pytest.mark.parametrize("inverted", [False, True])
def test_a_film_that_uses_a_part_of_the_range_has_the_border_of_one_that_uses_all(share, inverted):
    film = torch.zeros(100, 80)
    film[10:90, 8:72] = torch.linspace(0.1, 1, 64)  # darkest on the left, as a lung is: no border
    dim = film * share + (1 - share if inverted else 0)  # `1 - image` of twelve stored bits in sixteen
    assert letterbox_of(film, 32)[:6] == (100, 80, 10, 8, 80, 64)
    assert letterbox_of(dim, 32) == letterbox_of(film, 32)
    dim[20:32, 20:30], film[20:32, 20:30] = float(not inverted), float(not inverted)  # a letter on the film
    assert letterbox_of(dim, 32) == letterbox_of(film, 32)


def test_a_dim_film_on_a_floor_loses_its_border_too():
    film = torch.zeros(100, 80)
    film[3:97, 3:77] = torch.linspace(0.1, 1, 74)  # nine tenths of the picture: no film on a page
    assert letterbox_of(0.1 + 0.2 * film, 32) == letterbox_of(film, 32)
    assert letterbox_of(film, 32)[2:6] == (3, 3, 94, 74)


@pytest.mark.parametrize("page", [0.5, 1.0])
def test_a_film_on_a_page_of_one_grey_is_cut_out_and_one_with_a_white_side_is_not(page):
    film = torch.full((60, 50), page)
    film[10:50, 15:45] = torch.rand(40, 30, generator=torch.Generator().manual_seed(0)) * 0.6
    film[3, 4] = 0.0  # a speck
    film[0, :2] += 0.01  # what JPEG leaves
    box = letterbox_of(film.clamp(max=1), 32)
    assert (box.crop_top, box.crop_left, box.crop_height, box.crop_width) == (10, 15, 40, 30)
    thin = film[9:51, 14:46]  # a frame of a pixel, as a drawn line: the film covers nearly all
    assert letterbox_of(thin, 32)[:6] == (42, 32, 0, 0, 42, 32)
    side = film[10:50]  # the film fills the height: pages have margins all around
    assert letterbox_of(side, 32)[:6] == (40, 50, 0, 0, 40, 50)
    assert letterbox_of(torch.full((9, 7), page), 32)[:6] == (9, 7, 0, 0, 9, 7)


def test_shrinking_a_mask_gives_a_share_smoothed_by_a_triangle():
    mask = torch.zeros(1, 64, 64)
    mask[0, :, :24] = 1  # the border of two new pixels
    share = to_square(mask, letterbox_of(grey(64, 64), 8))[0, 4]
    assert share.tolist() == pytest.approx(
        [1, 1, 0.875, 0.125, 0, 0, 0, 0]
    )  # half a pixel of the triangle lies beyond: 1/8
    mask[0, :, :28] = 1  # the middle of one
    assert to_square(mask, letterbox_of(grey(64, 64), 8))[0, 4].tolist() == pytest.approx([1, 1, 1, 0.5, 0, 0, 0, 0])


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 90), st.integers(1, 90), st.sampled_from([16, 33, 64]))
def test_a_round_trip_has_the_films_size_and_keeps_flat_planes(height, width, size):
    box = letterbox_of(grey(height, width), size)
    assert box.inner_height <= size and box.inner_width <= size
    back = from_square(to_square(torch.full((2, height, width), 0.5), box), box)
    assert back.shape == (2, height, width) and torch.allclose(back, torch.tensor(0.5), atol=1e-5)


@settings(max_examples=30, deadline=None)
@given(st.integers(40, 120), st.integers(40, 120), st.floats(-0.3, 0.3), st.floats(-0.3, 0.3))
def test_a_disc_survives_the_round_trip(height, width, shift_y, shift_x):
    y, x = torch.meshgrid(torch.linspace(-1, 1, height), torch.linspace(-1, 1, width), indexing="ij")
    disc = ((x - shift_x) ** 2 + (y - shift_y) ** 2 < 0.35).float()[None]
    box = letterbox_of(grey(height, width), 64)
    back = from_square(to_square(disc, box), box) >= 0.5
    dice = 2 * (back & (disc > 0)).sum() / (back.sum() + disc.sum())
    assert dice > 0.95


def test_planes_of_another_size_are_refused():
    box = letterbox_of(grey(10, 12), 16)
    with pytest.raises(ValueError, match=r"\(12, 10\).*\(10, 12\)"):
        to_square(torch.zeros(1, 12, 10), box)
    with pytest.raises(ValueError, match="square of 16"):
        from_square(torch.zeros(1, 8, 8), box)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 300), st.integers(1, 300), st.sampled_from([8, 33, 64]), st.integers(0, 99), st.floats(-3, 3))
@example(20, 250, 256, 0, 0.0)  # enlarged one way, rounded smaller the other
def test_what_is_positive_is_found_without_enlarging_all(height, width, size, seed, level):
    film = torch.full((height, width), 0.5)
    film[: height // 5] = 0.0
    box = letterbox_of(film, size)
    planes = torch.randn(2, size, size, generator=torch.Generator().manual_seed(seed)) + level
    assert (positive(planes, box) == (from_square(planes, box, fill=-1.0) >= 0).numpy()).all()
    assert not positive(torch.full((1, size, size), -1.0), box).any()
