import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from unet.pieces import label_pieces
from unet.postprocess import binarise, clean, component_count, cut_tails, fill_holes, opening


def mask(*rows):
    return np.array([[c == "#" for c in row] for row in rows])


def flood(m):
    """Label by walking, pixel by pixel: slow and obvious."""
    labels, number = np.zeros(m.shape, int), 0
    for start in zip(*np.nonzero(m), strict=True):
        if labels[start]:
            continue
        number += 1
        waiting = [start]
        while waiting:
            y, x = waiting.pop()
            if 0 <= y < m.shape[0] and 0 <= x < m.shape[1] and m[y, x] and not labels[y, x]:
                labels[y, x] = number
                waiting += [(y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)]
    return labels


def test_pieces_touch_along_edges_not_corners():
    pieces = label_pieces(mask("##..", "..#.", "#.##"))
    assert pieces.labels.tolist() == [[1, 1, 0, 0], [0, 0, 2, 0], [3, 0, 2, 2]]
    assert pieces.sizes.tolist() == [2, 3, 1]
    assert [ends.tolist() for ends in pieces.columns] == [[0, 2, 0], [2, 4, 1]]


def test_a_spiral_is_one_piece():
    assert component_count(mask("#####", "#...#", "#.#.#", "#.###", "#....")) == 1


@settings(max_examples=50, deadline=None)
@given(hnp.arrays(bool, st.tuples(st.integers(1, 17), st.integers(1, 13))))
def test_labels_are_those_of_a_walk(m):
    pieces = label_pieces(m)
    labels, sizes = pieces.labels, pieces.sizes
    assert np.array_equal(labels, flood(m))
    assert sizes.tolist() == [int((labels == n + 1).sum()) for n in range(len(sizes))]


def test_the_largest_piece_stays():
    m = mask("##.#.", "##...", "...##")
    assert np.array_equal(clean({"heart": m})["heart"], mask("##...", "##...", "....."))
    assert not clean({"heart": np.zeros((3, 3), bool)})["heart"].any()


def test_a_lung_is_the_piece_beside_the_other_lung_not_the_air_outside():
    right, left = mask("###.##....", "###.##....", "#........."), mask("........##", "........##", "........##")
    kept = mask("....##....", "....##....", "..........")
    tidy = clean({"right_lung": right, "left_lung": left})
    assert np.array_equal(tidy["right_lung"], kept) and np.array_equal(tidy["left_lung"], left)
    flipped = clean({"right_lung": left[:, ::-1], "left_lung": right[:, ::-1]})
    assert np.array_equal(flipped["left_lung"], kept[:, ::-1])
    alone = mask("###.......", "###.......", "#.........")
    assert np.array_equal(clean({"right_lung": right})["right_lung"], alone)  # nothing says which side is inside
    far = mask("###.#.....", "###.#.....", "#.........")  # too small to be the lung
    assert np.array_equal(clean({"right_lung": far, "left_lung": left})["right_lung"], alone)
    above = mask("###.......", "..........", "###.......")  # a lung in two halves, one above the other
    assert clean({"right_lung": above, "left_lung": left})["right_lung"].sum() == 3


def test_of_several_pieces_beside_the_other_lung_the_largest_that_is_half_as_large_stays():
    nothing, left = "............", mask(*["...........#"] * 7)
    air = mask(*["####........"] * 2, *[nothing] * 5)
    half = mask(*[nothing] * 3, *["....#......."] * 4)  # in the column that follows the air's last one
    less = mask(*[nothing] * 3, *["....#......."] * 3, nothing)
    lung = mask(*[nothing] * 3, *["......##...."] * 3, nothing)
    for right, kept in ((air | half, half), (air | half | lung, lung), (air | less, air)):
        assert np.array_equal(clean({"right_lung": right, "left_lung": left})["right_lung"], kept)


def test_a_piece_of_less_than_half_the_air_is_no_lung():
    left, air = np.zeros((20, 12), bool), np.zeros((20, 12), bool)
    left[:, 11], air[:20, 0] = True, True
    for rows, stays in ((10, True), (9, False)):
        piece = np.zeros((20, 12), bool)
        piece[:rows, 4] = True
        kept = clean({"right_lung": air | piece, "left_lung": left})["right_lung"]
        assert np.array_equal(kept, piece if stays else air)


def test_a_heart_that_would_lose_a_sixth_is_left_alone():
    rows, columns = np.mgrid[:100, :220]
    disc = (rows - 50.0) ** 2 + (columns - 40.0) ** 2 <= 30**2  # 2,821 pixels
    for length, is_cut in ((90, True), (115, False)):  # 14 and 17 % of the whole
        tail = (abs(rows - 50) <= 2) & (columns > 70) & (columns <= 70 + length)
        margins = np.where(disc | tail, 1.0, -1.0)
        assert (cut_tails(margins)[50, 120] < 0) == is_cut


def test_holes_are_filled_and_bays_are_not():
    assert np.array_equal(fill_holes(mask("####", "#..#", "####")), np.ones((3, 4), bool))
    bay = mask("####", "#...", "####")
    assert np.array_equal(fill_holes(bay), bay)


@settings(max_examples=30, deadline=None)
@given(hnp.arrays(bool, st.tuples(st.integers(1, 13), st.integers(1, 17))))
def test_filling_agrees_with_scipy(m):
    ndimage = pytest.importorskip("scipy.ndimage")
    assert np.array_equal(fill_holes(m), ndimage.binary_fill_holes(m))


def test_cleaning_leaves_one_solid_piece_of_each():
    dirty = {"heart": mask("#....", "..###", "..#.#", "..###"), "left_lung": np.zeros((4, 5), bool)}
    tidy = clean(dirty)
    assert np.array_equal(tidy["heart"], mask(".....", "..###", "..###", "..###"))
    assert not tidy["left_lung"].any()


def test_lungs_as_one_structure_would_lose_one_of_them():
    with pytest.raises(ValueError, match="two pieces"):
        clean({"lungs": mask("#.#")})


def test_a_pixel_goes_to_the_more_probable_lung_and_the_union_stays():
    right, left = np.array([[0.9, 0.6, 0.7, 0.2]]), np.array([[0.1, 0.8, 0.7, 0.7]])
    heart = np.array([[0.0, 0.9, 0.2, 0.0]])
    masks = binarise(
        {"right_lung": right, "left_lung": left, "heart": heart},
        dict.fromkeys(("right_lung", "left_lung", "heart"), 0.6),
    )
    assert masks["right_lung"].tolist() == [[True, False, True, False]]
    assert masks["left_lung"].tolist() == [[False, True, False, True]]
    assert masks["heart"].tolist() == [[False, True, False, False]]


def test_a_threshold_belongs_to_the_mask_and_to_its_structure():
    planes = {"heart": np.array([[0.29, 0.3, 0.31]]), "left_lung": np.array([[0.29, 0.3, 0.31]])}
    masks = binarise(planes, {"heart": 0.3, "left_lung": 0.31})
    assert masks["heart"].tolist() == [[False, True, True]] and masks["left_lung"].tolist() == [[False, False, True]]
    with pytest.raises(ValueError, match="no threshold for left_lung"):
        binarise(planes, {"heart": 0.3})


@pytest.mark.parametrize("turn", [0, 1])
def test_a_long_winding_piece_is_followed_to_its_end(turn):
    # a meander of one pixel's width: the first and the last run hang together through every one between
    m = np.zeros((41, 33), bool)
    m[::2] = True
    m[1::4, -1] = m[3::4, 0] = True
    m = np.rot90(m, turn)
    assert component_count(m) == 1 and component_count(np.pad(m, 3)) == 1
    m = m.copy()
    m[np.nonzero(m)[0][0] + 20, :] = False
    assert component_count(m) > 1


@settings(max_examples=60, deadline=None)
@given(hnp.arrays(bool, st.tuples(st.integers(1, 12), st.integers(1, 12))), st.integers(1, 3))
def test_an_opening_is_the_union_of_the_discs_that_fit(inside, radius):
    height, width = inside.shape
    rows, columns = np.mgrid[:height, :width]
    expected = np.zeros_like(inside)
    for row in range(radius, height - radius):
        for column in range(radius, width - radius):
            disc = (rows - row) ** 2 + (columns - column) ** 2 <= radius**2
            if inside[disc].all():
                expected |= disc
    assert np.array_equal(opening(inside, radius), expected)


def test_a_heart_loses_its_tail_and_nothing_else():
    rows, columns = np.mgrid[:100, :160]
    disc = (rows - 50.0) ** 2 + (columns - 60.0) ** 2 <= 30**2
    tail = (abs(rows - 60) <= 2) & (columns >= 60) & (columns < 140)
    margins = np.where(disc | tail, 2.0, -3.0).astype(np.float32)
    cut = cut_tails(margins)
    assert np.count_nonzero((cut >= 0) ^ disc) < 0.02 * disc.sum()
    assert set(np.unique(cut)) == {-3.0, -2.0, 2.0}  # a tail is as far below as it was above
    assert np.array_equal(cut_tails(margins / 8), cut / 8)
    # the radius is 7 % of about 60 columns, 4: a strip of 7 rows is a tail and one of 9 is none
    for half, goes in ((3, True), (4, False)):
        strip = np.where(disc | (abs(rows - 50) <= half) & (columns >= 60) & (columns < 110), 2.0, -3.0)
        assert (cut_tails(strip)[50, 100] < 0) == goes
    lattice = np.where((rows % 2 == 0) & (columns % 2 == 0), -1.0, margins).astype(np.float32)
    assert np.count_nonzero((cut_tails(lattice) >= 0) ^ (disc & (lattice >= 0))) < 0.02 * disc.sum()
    small, strip = np.full((9, 9), -1.0, np.float32), np.where(rows == 5, 1.0, -1.0).astype(np.float32)
    small[3:5, 3:6] = 1.0
    for left_alone in (np.full((5, 5), -1.0, np.float32), small, strip):
        assert np.array_equal(cut_tails(left_alone), left_alone)
