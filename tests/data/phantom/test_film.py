import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.phantom import draw_phantom
from data.phantom.film import draw_findings
from data.phantom.measurements import corner_angle
from data.phantom.physics import display
from data.phantom.tissue import Findings

SIZE = 160  # small films are drawn quickly and have the same anatomy


def values(phantom):
    return {value.name: value.value for value in phantom.measurements}


def test_the_same_number_gives_the_same_film_and_another_gives_another():
    one, again, other = draw_phantom(3, 5, SIZE), draw_phantom(3, 5, SIZE), draw_phantom(3, 6, SIZE)
    assert np.array_equal(one.image, again.image) and values(one) == values(again)
    assert not np.array_equal(one.image, other.image)
    assert not np.array_equal(draw_phantom(4, 5, SIZE).image, one.image)


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 10_000))
def test_anatomy_is_plausible(index):
    phantom = draw_phantom(0, index, SIZE)
    right, left, heart = (phantom.masks[name] for name in ("right_lung", "left_lung", "heart"))
    assert phantom.image.shape == right.shape == (SIZE, SIZE) and phantom.image.dtype == np.uint8
    assert not (right & left).any() and not ((right | left) & heart).any()
    assert np.nonzero(right)[1].mean() < np.nonzero(heart)[1].mean() < np.nonzero(left)[1].mean()
    assert 0.08 < (right | left).mean() < 0.6 and 0.02 < heart.mean() < 0.3
    lungs_grey = phantom.image[right | left].mean()
    assert lungs_grey < phantom.image[heart].mean()  # air is dark


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 10_000))
def test_measurements_fit_the_masks_to_a_pixel_or_two(index):
    phantom = draw_phantom(0, index, 2 * SIZE)
    truth, spacing = values(phantom), phantom.facts["pixel_spacing_mm"]
    heart = np.nonzero(phantom.masks["heart"].any(axis=0))[0]
    assert (np.ptp(heart) + 1) * spacing == pytest.approx(truth["heart_width_mm"], abs=2.5 * spacing)
    assert truth["cardiothoracic_ratio"] == pytest.approx(truth["heart_width_mm"] / truth["thorax_width_mm"])
    lungs = np.nonzero((phantom.masks["right_lung"] | phantom.masks["left_lung"]).any(axis=0))[0]
    assert (np.ptp(lungs) + 1) * spacing == pytest.approx(truth["thorax_width_mm"], abs=2.5 * spacing)
    assert 15 < truth["right_costophrenic_angle_deg"] < 110


def test_hearts_lie_on_the_diaphragm_and_are_shaped_as_readers_draw_them():
    places, beneath = [], []
    for index in range(40):
        masks = draw_phantom(6, index, SIZE).masks
        heart, lungs = masks["heart"], masks["right_lung"] | masks["left_lung"]
        rows, columns = np.flatnonzero(heart.any(axis=1)), np.flatnonzero(heart.any(axis=0))
        right = np.flatnonzero(masks["right_lung"].any(axis=1))
        low = np.flatnonzero(heart[rows[0] + round(0.9 * np.ptp(rows))])
        places.append([
            (rows[0] - right[0]) / len(right), (rows[-1] + 1 - right[0]) / len(right),
            (low[0] - columns[0]) / len(columns), heart.sum() / (len(rows) * len(columns)),
        ])  # fmt: skip
        beneath.append((np.maximum.accumulate(heart, axis=0) & lungs).sum() / heart.sum())
    # of 62 reference hearts of JSRT: upper and lower end in heights of the right lung, start of the lower border, fill
    assert np.mean(places, axis=0) == pytest.approx([0.486, 0.91, 0.22, 0.755], abs=0.035)
    assert max(beneath) < 0.06 and np.mean(beneath) < 0.03


def test_the_angle_of_a_right_angled_corner():
    square = np.array([[x, 0.0] for x in range(0, 40)] + [[40.0, y] for y in range(0, 40)] + [[40, 40], [0, 40]], float)
    assert corner_angle(square, np.array([40.0, 0.0]), 20.0) == pytest.approx(90, abs=1e-9)
    wedge = np.array([[0.0, 0.0], [50.0, 0.0], [50.0, 50.0]])
    assert corner_angle(wedge, np.array([0.0, 0.0]), 20.0) == pytest.approx(45, abs=1e-9)


def test_on_a_third_of_the_films_what_absorbs_most_is_one_white():
    rng = np.random.default_rng(0)
    density = rng.permutation(np.linspace(0, 1, 10_000)).reshape(100, 100)  # no order that shading could follow
    dense, densest = (density > 0.85) & (density < 0.9), density > 0.95
    steps = [grey[densest].mean() - grey[dense].mean() for grey in (display(density, rng) for _ in range(200))]
    assert 0.15 < np.mean(np.array(steps) < 0.005) < 0.4 and max(steps) > 0.1


def test_fluid_hides_the_lung_base_and_leaves_its_mask(monkeypatch):
    from data.phantom import film

    dry, wet = Findings(None, ()), Findings((-1, 0.3), ())
    monkeypatch.setattr(film, "draw_findings", lambda rng: dry)
    without = draw_phantom(1, 1, SIZE)
    monkeypatch.setattr(film, "draw_findings", lambda rng: wet)
    with_fluid = draw_phantom(1, 1, SIZE)
    for name, mask in without.masks.items():  # readers draw a base under fluid to where it must end
        assert np.array_equal(with_fluid.masks[name], mask)
    brighter = with_fluid.image.astype(int) - without.image > 90
    base, top = np.nonzero(brighter & without.masks["right_lung"]), np.nonzero(without.masks["right_lung"])
    assert len(base[0]) > 0.05 * len(top[0]) and base[0].mean() > top[0].mean()
    assert (brighter & without.masks["left_lung"]).sum() < 0.01 * len(top[0])


def test_fluid_is_at_one_side_in_a_sixth_of_the_films_and_clouds_are_in_a_quarter():
    rng = np.random.default_rng(0)
    drawn = [draw_findings(rng) for _ in range(3000)]
    effusions = [one.effusion for one in drawn if one.effusion]
    assert np.mean([bool(one.opacities) for one in drawn]) == pytest.approx(0.27, abs=0.03)
    assert len(effusions) / len(drawn) == pytest.approx(0.16, abs=0.025)
    assert {side for side, _ in effusions} == {-1, 1} and np.mean([side for side, _ in effusions]) == pytest.approx(
        0, abs=0.15
    )
    assert all(0.04 <= height <= 0.38 for _, height in effusions)
    assert {len(one.opacities) for one in drawn} == {0, 1, 2, 3, 4}


def test_a_large_heart_is_one_that_is_wide_for_its_view():
    phantoms = [draw_phantom(7, index, 64) for index in range(24)]
    for phantom in phantoms:
        findings, view = set(phantom.facts["findings"]), phantom.facts["view"]
        large = values(phantom)["cardiothoracic_ratio"] > (0.55 if view == "AP" else 0.5)
        assert ("cardiomegaly" in findings) == large
        assert ("normal" in findings) == (not findings & {"cardiomegaly", "effusion", "opacity"})
    assert {phantom.facts["view"] for phantom in phantoms} == {"AP", "PA"}
    assert 2 < sum("cardiomegaly" in phantom.facts["findings"] for phantom in phantoms) < 22


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 10_000))
def test_both_lungs_lie_on_the_film_whole(index):
    phantom = draw_phantom(2, index, SIZE)
    lungs = phantom.masks["right_lung"] | phantom.masks["left_lung"]
    assert not (lungs[0].any() or lungs[:, 0].any() or lungs[:, -1].any())
    rows, columns = np.flatnonzero(lungs.any(axis=1)), np.flatnonzero(lungs.any(axis=0))
    assert max(np.ptp(rows), np.ptp(columns)) > SIZE / 1.6  # the frame is at most half as large again as the lungs
