from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from data import landmarks
from data.geometry import find_edges
from data.landmarks import corner_at, tilt_degrees
from data.measurement_overlay import BLUE, GREEN, ORANGE, PINK, WHITE, captions, draw_measurements, measurement_lines
from data.measurements import measure_masks
from data.phantom import draw_phantom

ROOT = Path(__file__).parent.parent.parent


def named(masks, spacing, views=()):
    return {measurement.name: measurement for measurement in measure_masks(masks, spacing, views)}


def lung_points(lung, side, heart, spacing=(1.0, 1.0)):
    return landmarks.lung_points(lung, find_edges(lung), side, None if heart is None else find_edges(heart), spacing)


def mediastinum(right, left):
    return landmarks.mediastinum(find_edges(right), find_edges(left))


def stepped_lung():
    """A right lung: apex row 5 at column 20, wall at column 10, corner in row 60, dome at row 50, inner corner in row 54."""
    lung = np.zeros((80, 60), bool)
    lung[5, 19:21] = True
    lung[6:50, 10:40] = True
    lung[50:60, 10:14] = True
    lung[50:54, 34:40] = True
    return lung


def test_landmarks_of_a_drawn_lung_are_where_they_were_drawn():
    points = lung_points(stepped_lung(), "right", None)
    assert points.apex == (5, 20)
    assert points.costophrenic.point == (60, 10)
    assert points.dome == (50, 21)  # columns 14 .. 27, within 60 % of the width, have their lower edge there
    assert points.cardiophrenic.point == (54, 40)


def test_what_the_films_frame_cuts_off_is_no_landmark():
    lung = stepped_lung()
    points = lung_points(lung, "right", None)
    assert points.costophrenic and points.dome and points.cardiophrenic
    above_corner = lung_points(lung[:57], "right", None)  # the corner is lost, dome and inner corner are seen
    assert above_corner.costophrenic is None
    assert above_corner.dome == points.dome and above_corner.cardiophrenic.point == points.cardiophrenic.point
    above_inner = lung_points(lung[:52], "right", None)
    assert above_inner.dome == points.dome and above_inner.cardiophrenic is None
    above_dome = lung_points(lung[:48], "right", None)
    assert above_dome.dome is None and above_dome.cardiophrenic is None and above_dome.apex == points.apex
    below_apex = lung_points(lung[6:], "right", None)  # the uppermost row that is seen is no apex
    assert below_apex.apex is None and below_apex.dome == (points.dome[0] - 6, points.dome[1])
    assert lung_points(lung[:, 12:], "right", None).costophrenic is None  # the wall lies outside of the film
    names = named({"right_lung": lung[:48], "left_lung": lung[:48, ::-1]}, None)
    assert "right_lung_height_px" in names and not any("angle" in name or "dome" in name for name in names)


def test_a_film_that_begins_within_the_lungs_has_no_tilt_and_no_height_of_the_apex():
    masks = {"right_lung": stepped_lung(), "left_lung": stepped_lung()[:, ::-1], "heart": np.zeros((80, 60), bool)}
    masks = {name: np.pad(mask, ((0, 0), (0, 60) if name == "right_lung" else (60, 0))) for name, mask in masks.items()}
    masks["left_lung"] = np.roll(masks["left_lung"], 3, axis=0)  # the left apex in row 8
    whole, cut, shallow = (named({name: mask[rows:] for name, mask in masks.items()}, None) for rows in (0, 9, 6))
    assert {"thorax_tilt_deg", "right_apex_to_dome_px"} <= set(whole)
    lost = {"thorax_tilt_deg", "right_apex_to_dome_px", "left_apex_to_dome_px"}
    assert not lost & set(cut) and "right_dome_height_px" in cut
    assert "thorax_tilt_deg" not in shallow and "right_apex_to_dome_px" not in shallow
    tilt_lines = [
        sum(
            line.colour == WHITE
            for line in measurement_lines({name: mask[rows:] for name, mask in masks.items()}, None)
        )
        for rows in (0, 9)
    ]
    assert tilt_lines[0] == tilt_lines[1] + 1


def test_of_two_equal_corners_rounding_does_not_choose():
    lung = np.zeros((80, 60), bool)
    lung[10:50, 10:40] = lung[50:52, 11:40] = True  # rows 49 and 51: two down and one in are as low at spacing (0.5, 2)
    for factor in (1, 2.8166190989062603, 0.1, 1 / 3, 0.7, 1.1, 1.9):
        points = lung_points(lung, "right", None, (0.5 * factor, 2.0 * factor))
        assert points.costophrenic.point == (50, 10), factor


def test_the_inner_corner_weighs_down_against_inward_in_millimetres():
    lung = stepped_lung()
    lung[6:52, 40:44] = True  # two rows higher than the corner at (54, 40) and four columns further in
    corners = {
        spacing: lung_points(lung, "right", None, spacing).cardiophrenic.point
        for spacing in ((1.0, 0.5), (1.0, 2.0), (0.5, 1.0), (2.0, 1.0))
    }
    assert corners == {(1.0, 0.5): (54, 40), (1.0, 2.0): (52, 44), (0.5, 1.0): (52, 44), (2.0, 1.0): (54, 40)}


def test_the_left_dome_needs_the_heart_and_stays_outside_its_columns():
    lung = stepped_lung()[:, ::-1]
    heart = np.zeros_like(lung)
    assert lung_points(lung, "left", None).dome is None is lung_points(lung, "left", heart).dome
    heart[40:58, 20:40] = True
    assert lung_points(lung, "left", heart).dome == (50, 60 - 17)  # mirrored: columns 14 .. 19 are free of the heart
    covered = np.ones_like(lung)
    assert lung_points(lung, "left", covered).dome is None


@pytest.mark.parametrize("spacing", [(1.0, 1.0), (0.5, 2.0)])
@pytest.mark.parametrize("turn", [0, 90, 180, 270])
def test_the_angle_of_a_square_corner_is_exact(spacing, turn):
    mask = np.zeros((101, 101), bool)
    mask[30:, 40:] = True
    mask = np.rot90(mask, turn // 90)
    row, column = {0: (30, 40), 90: (61, 30), 180: (71, 61), 270: (40, 71)}[turn]
    assert corner_at(mask, (row, column), 15.0, spacing).degrees == pytest.approx(90, abs=0.2)


@settings(max_examples=40, deadline=None)
@given(st.floats(15, 160), st.floats(0, 360))
def test_the_angle_of_a_wedge_is_its_angle_however_it_is_turned(angle, turned):
    rows, columns = np.mgrid[:401, :401] + 0.5
    direction = np.degrees(np.arctan2(rows - 200.5, columns - 200.5))
    wedge = (direction - turned) % 360 < angle
    corner = corner_at(wedge, (200.5, 200.5), 150.0)
    assert corner.degrees == pytest.approx(angle, abs=0.6)
    legs = np.degrees([np.arctan2(row - 200.5, column - 200.5) for row, column in (corner.start, corner.end)])
    assert (legs[0] - turned + 180) % 360 - 180 == pytest.approx(0, abs=0.6)


def test_an_angle_without_a_crossing_is_undefined_and_the_longest_arc_counts():
    assert corner_at(np.ones((50, 50), bool), (25, 25), 5.0) is None
    assert corner_at(np.zeros((50, 50), bool), (25, 25), 5.0) is None
    mask = np.zeros((101, 101), bool)
    mask[51:, 51:] = True  # a quarter, and a thin ray the other way
    mask[49:51, :40] = True
    assert corner_at(mask, (51, 51), 30.0).degrees == pytest.approx(90, abs=0.2)


def test_the_gap_between_the_lungs_is_read_a_third_down():
    right, left = np.zeros((40, 50), bool), np.zeros((40, 50), bool)
    right[2:32, 5:20], left[2:32, 30:45] = True, True
    right[12, 20:23] = True
    assert mediastinum(right, left) == (mediastinum(right, left).__class__)(12.5, 23, 30)
    left[12] = False
    assert mediastinum(right, left) is None
    left[12, 20:30] = True  # overlaps the other lung
    assert mediastinum(right, left) is None


def test_the_tilt_has_a_sign_and_uses_both_spacings():
    assert tilt_degrees((10, 0), (20, 10)) == pytest.approx(45)
    assert tilt_degrees((10, 0), (20, 10), (1.0, 10.0)) == pytest.approx(np.degrees(np.arctan(0.1)))
    assert tilt_degrees((20, 0), (10, 10)) == pytest.approx(-45)
    assert tilt_degrees((10, 10), (20, 10)) is None


blobs = arrays(bool, (12, 15), elements=st.booleans())


@settings(max_examples=60, deadline=None)
@given(blobs, blobs, blobs)
def test_a_mirrored_film_swaps_the_sides_of_every_landmark(right, left, heart):
    assume(right.any() and left.any() and heart.any())
    spacing = (0.5, 2.0)
    for side, other in (("right", "left"), ("left", "right")):
        lung = right if side == "right" else left
        plain, mirrored = (
            lung_points(lung, side, heart, spacing),
            lung_points(lung[:, ::-1], other, heart[:, ::-1], spacing),
        )
        assert (plain.apex is None) == (mirrored.apex is None) == bool(lung[0].any())
        if plain.apex is not None:
            assert plain.apex == (mirrored.apex[0], pytest.approx(15 - mirrored.apex[1]))
        if plain.dome is not None and mirrored.dome is not None:
            assert plain.dome == (mirrored.dome[0], pytest.approx(15 - mirrored.dome[1]))
        for one, twin in ((plain.costophrenic, mirrored.costophrenic), (plain.cardiophrenic, mirrored.cardiophrenic)):
            assert (one is None) == (twin is None)
            if one is not None:
                assert one.degrees == pytest.approx(twin.degrees, abs=1e-6)


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 500))
def test_a_film_twice_as_fine_gives_the_same_millimetres_and_degrees(index):
    masks = draw_phantom(0, index, 128).masks
    fine = {name: mask.repeat(2, axis=0).repeat(2, axis=1) for name, mask in masks.items()}
    coarse, finer = named(masks, (2.0, 2.0)), named(fine, (1.0, 1.0))
    assert coarse.keys() == finer.keys()
    for name, measurement in coarse.items():
        if "cardiophrenic" in name:
            continue  # where heart and dome meet in a sliver, a pixel decides
        tolerance = {"deg": 12, "mm": 2.1, "mm2": 1, "ratio": 0.02}[measurement.unit]
        assert finer[name].value == pytest.approx(measurement.value, abs=tolerance), name


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 500))
def test_the_masks_of_phantoms_give_the_contours_values(index):
    phantom = draw_phantom(0, index, 384)
    spacing = phantom.facts["pixel_spacing_mm"]
    truth = {m.name: m.value for m in phantom.measurements}
    found = named(phantom.masks, (spacing, spacing))
    for name in ("right_costophrenic_angle_deg", "left_costophrenic_angle_deg"):
        assert found[name].value == pytest.approx(truth[name], abs=6)
    assert found["thorax_tilt_deg"].value == pytest.approx(truth["thorax_tilt_deg"], abs=1.5)
    assert found["cardiothoracic_ratio"].value == pytest.approx(truth["cardiothoracic_ratio"], abs=0.015)


def test_repeated_predictions_give_a_spread():
    masks = draw_phantom(0, 1, 96).masks
    wider = {**masks, "heart": masks["heart"] | np.roll(masks["heart"], 2, axis=1)}
    once, thrice = named(masks, None), named(masks, None, [masks, wider, wider])
    assert {m.spread for m in once.values()} == {None}
    assert thrice["heart_width_px"].spread == pytest.approx(np.std([0, 2, 2], ddof=1))
    assert thrice["right_lung_width_px"].spread == 0
    assert named(masks, None, [masks])["heart_width_px"].spread is None


def test_every_measurement_is_described():
    described = (ROOT / "docs/measurements.md").read_text(encoding="utf-8")
    phantom = draw_phantom(0, 1, 96)
    for name in named(phantom.masks, (1.0, 1.0)):
        own = name.removeprefix("right_").removeprefix("left_")
        assert f"`{name}`" in described or f"`right_{own}`, `left_" in described, name
    for measurement in phantom.measurements:
        assert measurement.name in named(phantom.masks, (1.0, 1.0)), measurement.name


def test_the_drawing_shows_the_lines_where_they_were_taken():
    phantom = draw_phantom(0, 1, 256)
    image = phantom.image / 255
    picture = draw_measurements(image, phantom.masks, (1.0, 1.0), longest_side=256)
    assert picture.shape[0] == 16 + 16 * len(captions(phantom.masks, (1.0, 1.0))) > 256 and picture.dtype == np.uint8
    lines = measurement_lines(phantom.masks, (1.0, 1.0))
    for line in lines:
        row, column = (round((a + b) / 2) for a, b in zip(line.start, line.end, strict=True))
        window = picture[max(0, row - 2) : row + 3, max(0, column - 2) : column + 3].reshape(-1, 3)
        assert (window == line.colour).all(axis=1).any(), line
    widest = max(lines, key=lambda line: abs(line.end[1] - line.start[1]))
    assert abs(widest.end[1] - widest.start[1]) == named(phantom.masks, None)["internal_thoracic_diameter_px"].value
    low = draw_measurements(image, phantom.masks, (1.0, 1.0), longest_side=64)
    lines = len(captions(phantom.masks, (1.0, 1.0)))
    assert len(low) == 16 + 16 * lines > 64 and low[8 + 16 * (lines - 1) :, 64:].any()  # the last value is on it
    empty = draw_measurements(image, {}, None, longest_side=128)
    assert empty.shape[0] == 128


def test_the_values_beside_a_film_have_both_sides_in_one_line_and_a_lone_one_in_its_own():
    lung, heart = np.zeros((60, 80), bool), np.zeros((60, 80), bool)
    lung[10:50, 50:70] = heart[30:50, 30:52] = True
    both = captions({"right_lung": lung[:, ::-1], "left_lung": lung, "heart": heart}, None)
    assert "lung height 40 / 40 px" in both and any(text.startswith("lung area ratio 1.000") for text in both)
    assert not any("px2" in text for text in both)
    assert "left lung height 40 px" in captions({"left_lung": lung, "heart": heart}, None)


def test_every_value_by_hand():
    """Pixels of 0.5 x 2 mm, two lungs that differ, a heart off the middle: an exchanged axis, side or sign changes a value."""
    right, left, heart = (np.zeros((80, 140), bool) for _ in range(3))
    right[5, 29:31] = right[6:50, 20:50] = right[50:60, 20:24] = right[50:54, 44:50] = True
    left[7:58, 80:116] = left[58:64, 112:116] = left[60:64, 116:120] = True
    heart[30:70, 55:90] = True
    left &= ~heart
    masks = {"right_lung": right, "left_lung": left, "heart": heart}
    got = {name: measurement.value for name, measurement in named(masks, (0.5, 2.0)).items()}
    assert got["right_lung_width_mm"] == 60 and got["lung_area_ratio"] == right.sum() / left.sum()
    assert (got["heart_right_of_midline_mm"], got["heart_left_of_midline_mm"]) == (20, 50)
    assert (got["right_apex_to_dome_mm"], got["right_dome_height_mm"], got["dome_level_difference_mm"]) == (22.5, 5, 4)
    assert got["mediastinal_width_mm"] == 60
    assert got["thorax_tilt_deg"] == pytest.approx(np.degrees(np.arctan2(1, 136)))
    assert (got["internal_thoracic_diameter_mm"], got["thorax_width_mm"]) == (192, 200)


def test_lines_have_the_length_and_the_colour_of_what_they_measure():
    masks = {name: np.zeros((80, 80), bool) for name in ("right_lung", "left_lung", "heart")}
    masks["right_lung"][10:60, 10:30] = masks["left_lung"][10:60, 50:70] = masks["heart"][40:62, 28:54] = True
    lines = measurement_lines(masks, None)
    across = {(line.colour, abs(line.end[1] - line.start[1])) for line in lines if line.start[0] == line.end[0]}
    # inner diameter and mediastinum; heart to the midline in column 40, right and left; between the apices
    assert {(BLUE, 60), (BLUE, 20), (ORANGE, 12), (ORANGE, 14), (WHITE, 40)} <= across
    upright = {(line.colour, line.start[1]) for line in lines if line.start[1] == line.end[1]}
    assert {(PINK, 10), (PINK, 70), (WHITE, 40)} <= upright
    depth = {
        abs(line.end[0] - line.start[0]) for line in lines if line.colour == GREEN and line.start[1] == line.end[1]
    }
    assert depth == {named(masks, None)["right_apex_to_dome_px"].value}
    one_lung = masks | {"left_lung": np.zeros_like(masks["left_lung"])}
    masks["heart"][:] = False
    assert {line.colour for line in measurement_lines(masks, None)} & {PINK} == set()
    assert {line.colour for line in measurement_lines(one_lung, None)} & {PINK, BLUE} == set()
