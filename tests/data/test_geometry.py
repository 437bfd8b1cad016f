import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from data.geometry import bounding_box, cardiothoracic, find_edges, lung_size, midline
from data.measurements import edges_of, measure_masks, sides_of

ROW, COLUMN = 0.5, 2.0  # unequal, so that swapped axes fail


def chest():
    """40 x 60 px, midline at 29 (upper facing edges 24 and 34); the left lung reaches further out below."""
    right, left, heart = (np.zeros((40, 60), bool) for _ in range(3))
    right[5:35, 4:24] = True
    left[6:34, 34:54] = True
    left[30:34, 34:58] = True
    heart[18:32, 20:44] = True
    return {"right_lung": right & ~heart, "left_lung": left & ~heart, "heart": heart}


def named(masks, spacing):
    return {measurement.name: measurement for measurement in measure_masks(masks, spacing)}


def test_the_ratio_and_its_parts_are_exact_on_rectangles():
    masks = chest()
    edges = edges_of(masks)
    result = cardiothoracic(edges["heart"], edges["lungs"], sides_of(edges), (ROW, COLUMN))
    assert (result.heart_width, result.thorax_width) == (24 * COLUMN, 54 * COLUMN)
    assert result.ratio == 24 / 54
    assert result.midline_column == 29 and (result.right_distance, result.left_distance) == (9 * COLUMN, 15 * COLUMN)
    assert result.internal_diameter == 54 * COLUMN and result.widest_row in range(30, 34)
    assert result.internal_ratio == 24 / 54


def test_the_two_definitions_differ_where_no_single_row_shows_both_outermost_columns():
    masks = chest()
    masks["right_lung"][28:] = False  # the outermost left column lies below the right lung's end
    edges = edges_of(masks)
    result = cardiothoracic(edges["heart"], edges["lungs"], sides_of(edges))
    assert result.thorax_width == 54 and result.internal_diameter == 50
    assert result.ratio == 24 / 54 and result.internal_ratio == 24 / 50


def test_a_heart_beside_the_midline_counts_nothing_on_the_other_side():
    right, left, heart = (np.zeros((10, 30), bool) for _ in range(3))
    right[1:9, 2:10], left[1:9, 14:28], heart[4:8, 15:21] = True, True, True
    edges = edges_of({"right_lung": right, "left_lung": left, "heart": heart})
    result = cardiothoracic(edges["heart"], edges["lungs"], sides_of(edges))
    assert result.midline_column == 12 and (result.right_distance, result.left_distance) == (0, 9)
    assert result.ratio == 6 / 26 and result.internal_ratio == 9 / 26


def test_what_is_undefined_is_none_and_left_out():
    masks = chest()
    empty = np.zeros((40, 60), bool)
    lungs = masks["right_lung"] | masks["left_lung"]
    edges, none = edges_of(masks), find_edges(empty)
    assert cardiothoracic(none, edges["lungs"]) is None and cardiothoracic(edges["heart"], none) is None
    assert bounding_box(empty) is none.box is lung_size(empty, None) is midline(none, edges["left_lung"]) is None
    without_sides = named({"heart": masks["heart"], "lungs": lungs}, None)
    assert set(without_sides) == {
        "cardiothoracic_ratio", "heart_width_px", "thorax_width_px", "internal_thoracic_diameter_px",
    }  # fmt: skip
    assert measure_masks({"heart": masks["heart"]}, None) == () == measure_masks({}, None)
    one_lung = named({**masks, "left_lung": empty}, (ROW, COLUMN))
    assert "lung_area_ratio" not in one_lung and "right_lung_area_mm2" in one_lung
    assert not [name for name in one_lung if "ratio" in name or "thora" in name or "heart" in name]


@settings(max_examples=60, deadline=None)
@given(arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9))), st.booleans())
def test_edges_of_rows_are_those_a_walk_along_each_row_finds(mask, turned):
    mask = mask.T[:, ::-1] if turned else mask
    edges = find_edges(mask)
    assert edges.box == bounding_box(mask)
    for row, start, end in zip(mask, edges.first, edges.last, strict=True):
        filled = [column for column, inside in enumerate(row) if inside]
        assert (start, end) == ((filled[0], filled[-1] + 1) if filled else (len(row), 0))


@settings(max_examples=60, deadline=None)
@given(arrays(bool, (6, 7)), arrays(bool, (6, 7)))
def test_edges_of_both_and_of_the_mirror_image_are_those_found_in_the_mask_itself(one, other):
    for derived, mask in (
        (find_edges(one).unite(find_edges(other)), one | other),
        (find_edges(one).mirror(7), one[:, ::-1]),
    ):
        found = find_edges(mask)
        assert derived.box == found.box
        assert np.array_equal(derived.first, found.first) and np.array_equal(derived.last, found.last)


def test_masks_of_two_sizes_are_refused():
    with pytest.raises(ValueError, match=r"sizes \[\(4, 5\), \(5, 4\)\]; wanted one size"):
        measure_masks({"heart": np.ones((4, 5), bool), "lungs": np.ones((5, 4), bool)}, None)
    for name, mask in {
        "heart": np.ones((4, 5), np.uint8),
        "lung": np.ones((4, 5), bool),
        "lungs": np.ones((1, 4, 5), bool),
    }.items():
        with pytest.raises(ValueError, match=f"mask '{name}' is .* wanted bool"):
            measure_masks({name: mask}, None)


def test_lengths_carry_their_unit_in_the_name():
    mm, px = named(chest(), (ROW, COLUMN)), named(chest(), None)
    assert mm["right_lung_height_mm"].value == 30 * ROW and mm["right_lung_height_mm"].unit == "mm"
    assert px["right_lung_height_px"].value == 30 and px["right_lung_height_px"].unit == "px"
    assert mm["left_lung_area_mm2"].value == px["left_lung_area_px2"].value * ROW * COLUMN
    assert mm["cardiothoracic_ratio"].value == px["cardiothoracic_ratio"].value
    assert not [name for name in mm if "_px" in name] and not [name for name in px if "_mm" in name]


blobs = arrays(bool, (11, 14), elements=st.booleans())


@settings(max_examples=80, deadline=None)
@given(blobs, blobs, blobs, st.floats(0.1, 10))
def test_lengths_grow_with_the_spacing_and_ratios_do_not(right, left, heart, factor):
    masks = {"right_lung": right, "left_lung": left, "heart": heart}
    small, large = named(masks, (ROW, COLUMN)), named(masks, (factor * ROW, factor * COLUMN))
    assert small.keys() == large.keys()
    power = {"mm": 1, "mm2": 2}
    for name, measurement in small.items():
        expected = measurement.value * factor ** power.get(measurement.unit, 0)
        assert large[name].value == pytest.approx(expected, rel=1e-12), name


@settings(max_examples=80, deadline=None)
@given(blobs, blobs, blobs)
def test_a_mirrored_film_swaps_the_sides(right, left, heart):
    assume(right.any() and left.any() and heart.any())
    plain = named({"right_lung": right, "left_lung": left, "heart": heart}, (ROW, COLUMN))
    mirrored = {"right_lung": left[:, ::-1], "left_lung": right[:, ::-1], "heart": heart[:, ::-1]}
    other = named(mirrored, (ROW, COLUMN))
    swap = {"right": "left", "left": "right"}
    for name, measurement in plain.items():
        twin = "_".join(swap.get(word, word) for word in name.split("_"))
        expected = 1 / measurement.value if name == "lung_area_ratio" else measurement.value
        if name in ("thorax_tilt_deg", "dome_level_difference_mm"):
            expected = -expected
        if "dome" in name and twin not in other or "cardiophrenic" in name:
            continue  # noise for lungs: which of several equal corners is taken has no side
        assert other[twin].value == pytest.approx(expected), name
