import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unet import surface
from unet.surface import assd, border, hd, hd95, hd_percentile, nsd, surface_distances


def picture(*rows):
    return np.array([[mark == "#" for mark in row] for row in rows])


def dots(*places, shape=(13, 17)):
    mask = np.zeros(shape, bool)
    for row, column in places:
        mask[row, column] = True
    return mask


def brute_force(mask_from, mask_to, spacing):
    """Distances from each border pixel to the nearest of the other mask, every pair tried in plain Python."""

    def edge(mask):
        height, width = mask.shape
        inside = {(int(r), int(c)) for r, c in zip(*np.nonzero(mask), strict=True)}
        around = [(-1, 0), (1, 0), (0, -1), (0, 1)]
        return sorted((r, c) for r, c in inside if any((r + dr, c + dc) not in inside for dr, dc in around))

    targets = edge(mask_to)
    return [
        min(math.hypot((r - r2) * spacing[0], (c - c2) * spacing[1]) for r2, c2 in targets) for r, c in edge(mask_from)
    ]


def random_blobs(random, shape):
    """A mask of a few rectangles, some touching the frame, now and then a speckled or a full one."""
    kind = random.integers(10)
    if kind == 0:
        return random.random(shape) < random.random()
    if kind == 1:
        return np.ones(shape, bool)
    mask = np.zeros(shape, bool)
    for _ in range(random.integers(1, 4)):
        top, left = random.integers(shape[0]), random.integers(shape[1])
        mask[top : top + random.integers(1, shape[0] + 1), left : left + random.integers(1, shape[1] + 1)] = True
    return mask


def test_border_needs_a_neighbour_outside_and_beyond_the_frame_is_outside():
    mask = picture("####.", "####.", "####.", ".##..")
    expected = picture("####.", "#..#.", "#..#.", ".##..")
    assert (border(mask) == expected).all()
    assert border(np.ones((13, 17), bool)).sum() == 2 * 13 + 2 * 17 - 4
    assert border(picture("#")).all() and not border(np.zeros((3, 5), bool)).any()


def test_distances_by_hand_with_rows_twice_as_far_apart_as_columns():
    # from (2, 3) to (5, 7): 3 rows and 4 columns
    distances = surface_distances(dots((2, 3)), dots((5, 7)), spacing=(2.0, 1.0))
    assert hd(distances) == hd95(distances) == assd(distances) == pytest.approx(math.sqrt(6**2 + 4**2), abs=1e-12)
    swapped = surface_distances(dots((2, 3)), dots((5, 7)), spacing=(1.0, 2.0))
    assert hd(swapped) == pytest.approx(math.sqrt(3**2 + 8**2), abs=1e-12)


def test_the_nearest_pixel_may_lie_in_a_farther_column():
    # own column: 6 rows away; three columns aside: sqrt(1^2 + 3^2)
    distances = surface_distances(dots((6, 8)), dots((0, 8), (7, 11)))
    assert distances.pred_to_true == pytest.approx([math.sqrt(10)], abs=1e-12)
    assert distances.true_to_pred == pytest.approx([6, math.sqrt(10)], abs=1e-12)


def test_every_metric_of_a_square_beside_its_copy_by_hand():
    # two 3 x 3 squares one column apart (half a millimetre). pred's border is 8 pixels: its left column lies on true's
    # middle one, of which the centre (5, 6) is no border and half a millimetre from one; its middle column (two border
    # pixels) on true's right one; its right column (three) one column beyond. So 4 of 8 are off, and so the other way.
    true, pred = np.zeros((13, 17), bool), np.zeros((13, 17), bool)
    true[4:7, 5:8], pred[4:7, 6:9] = True, True
    distances = surface_distances(pred, true, spacing=(1.0, 0.5))
    assert sorted(distances.pred_to_true) == sorted(distances.true_to_pred) == [0, 0, 0, 0, 0.5, 0.5, 0.5, 0.5]
    assert hd(distances) == hd95(distances) == 0.5 and assd(distances) == 0.25
    assert nsd(distances, 0.49) == 0.5 and nsd(distances, 0.5) == 1
    assert distances.diagonal == math.hypot(13, 17 / 2)


def test_percentile_is_the_larger_of_the_two_directions():
    # one dot against itself and nineteen others in a row: 0 one way, 0 .. 19 the other
    row = np.zeros((3, 23), bool)
    row[1, 2:22] = True
    distances = surface_distances(dots((1, 2), shape=(3, 23)), row)
    assert hd(distances) == 19 and hd95(distances) == pytest.approx(0.95 * 19, abs=1e-12)
    assert hd_percentile(distances, 50) == 9.5
    assert assd(distances) == pytest.approx(190 / 21, abs=1e-12)


@pytest.mark.parametrize(
    "pred_empty, true_empty, name", [(True, True, "both"), (True, False, "pred"), (False, True, "true")]
)
def test_an_empty_mask_is_neither_left_out_nor_nan(pred_empty, true_empty, name):
    some, none = dots((3, 4)), np.zeros((13, 17), bool)
    distances = surface_distances(none if pred_empty else some, none if true_empty else some, spacing=(0.4, 0.3))
    worst = 0.0 if name == "both" else math.hypot(13 * 0.4, 17 * 0.3)
    assert distances.empty == name
    assert hd(distances) == hd95(distances) == assd(distances) == pytest.approx(worst, abs=1e-12)
    assert nsd(distances, 100.0) == (1 if name == "both" else 0)


def test_a_spacing_in_whole_numbers_is_one_like_any_other():
    pred, true = dots((0, 0)), dots((12, 16))
    assert hd(surface_distances(pred, true, (1, 1))) == hd(surface_distances(pred, true)) == 20


def test_missing_a_structure_is_worse_than_the_farthest_wrong_one():
    missed = surface_distances(np.zeros((13, 17), bool), dots((0, 0)))
    opposite = surface_distances(dots((12, 16)), dots((0, 0)))
    assert hd(missed) > hd(opposite)


SHAPES = [(1, 1), (1, 17), (13, 1), (13, 17), (17, 13), (5, 40), (40, 7)]


@settings(max_examples=50, deadline=None)
@given(
    st.sampled_from(SHAPES),
    st.sampled_from([(1.0, 1.0), (0.143, 0.143), (0.7, 0.25), (0.2, 3.0)]),
    st.integers(0, 2**31),
)
def test_distances_equal_brute_force(shape, spacing, seed):
    random = np.random.default_rng(seed)
    pred, true = random_blobs(random, shape), random_blobs(random, shape)
    distances = surface_distances(pred, true, spacing)
    if distances.empty == "none":
        there, back = brute_force(pred, true, spacing), brute_force(true, pred, spacing)
        assert distances.pred_to_true == pytest.approx(there, abs=1e-9)
        assert distances.true_to_pred == pytest.approx(back, abs=1e-9)
        assert hd(distances) == pytest.approx(max(there + back), abs=1e-9)
        assert assd(distances) == pytest.approx(math.fsum(there + back) / len(there + back), abs=1e-9)
        flipped = surface_distances(pred[::-1, ::-1], true[::-1, ::-1], spacing)
        assert hd95(flipped) == pytest.approx(hd95(distances), abs=1e-9)
        transposed = surface_distances(true.T, pred.T, spacing[::-1])
        assert hd95(transposed) == pytest.approx(hd95(distances), abs=1e-9)
        assert assd(transposed) == pytest.approx(assd(distances), abs=1e-9)


@pytest.mark.parametrize("shift", [0, 3, 40, 250])
def test_distances_of_a_lung_equal_those_of_scipy_near_and_far(shift):
    ndimage = pytest.importorskip("scipy.ndimage")
    y, x = np.mgrid[:301, :463]
    true = ((x - 110) / 60.3) ** 2 + ((y - 150) / 110.7) ** 2 < 1
    pred = np.roll(((x - 110) / 64.1) ** 2 + ((y - 148) / 105.2) ** 2 < 1, shift, axis=1)
    pred[2:5, 455:460] = True  # a stray blob in the far corner
    spacing = (0.35, 0.41)
    distances = surface_distances(pred, true, spacing)
    from_true = ndimage.distance_transform_edt(~border(true), sampling=spacing)[border(pred)]
    from_pred = ndimage.distance_transform_edt(~border(pred), sampling=spacing)[border(true)]
    assert np.abs(distances.pred_to_true - from_true).max() < 1e-6
    assert np.abs(distances.true_to_pred - from_pred).max() < 1e-6


def test_far_pixels_are_exact_however_they_are_divided_into_blocks(monkeypatch):
    random = np.random.default_rng(5)
    pred, true = np.zeros((37, 90), bool), np.zeros((37, 90), bool)
    pred[:, 60:], true[:, :30] = random.random((37, 30)) < 0.3, random.random((37, 30)) < 0.3
    whole = surface_distances(pred, true, (1.0, 0.8))
    monkeypatch.setattr(surface, "BLOCK", 1)
    single = surface_distances(pred, true, (1.0, 0.8))
    assert np.array_equal(whole.pred_to_true, single.pred_to_true)
    assert whole.pred_to_true == pytest.approx(brute_force(pred, true, (1.0, 0.8)), abs=1e-9)


def test_masks_are_left_as_they_were():
    pred, true = dots((2, 3), (2, 4)), dots((5, 5))
    copies = pred.copy(), true.copy()
    surface_distances(pred, true)
    assert np.array_equal(pred, copies[0]) and np.array_equal(true, copies[1])


@pytest.mark.parametrize(
    "pred, spacing, message",
    [
        (np.zeros((13, 17), np.uint8), (1.0, 1.0), "mask_pred is uint8"),
        (np.zeros((17, 13), bool), (1.0, 1.0), "wanted one size"),
        (np.zeros((13, 17), bool), (0.0, 1.0), "spacing is"),
        (np.zeros((13, 17), bool), (1.0, float("nan")), "spacing is"),
        (np.zeros((13, 17), bool), (1.0, 1.0, 1.0), "spacing is"),
    ],
)
def test_input_that_has_no_distance_is_refused(pred, spacing, message):
    with pytest.raises(ValueError, match=message):
        surface_distances(pred, np.zeros((13, 17), bool), spacing)
