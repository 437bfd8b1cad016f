"""Traits of a film, worked by hand on small grids."""

import numpy as np
import pytest

from unet.traits import (
    LEAST,
    SHAPES,
    SIGNS,
    TRAITS,
    film_shape,
    film_signs,
    film_traits,
    mirrored_signs,
    structure_traits,
)


def named(values, names=TRAITS):
    return dict(zip(names, values, strict=True))


def rectangle(top, bottom, left, right, size=20):
    mask = np.zeros((size, size), bool)
    mask[top:bottom, left:right] = True
    return mask


def chest():
    """Lungs of 10 x 4 and 8 x 4 pixels, a heart of 4 x 5, in a square of 20."""
    return {
        "right_lung": rectangle(2, 12, 3, 7),
        "left_lung": rectangle(2, 10, 11, 15),
        "heart": rectangle(6, 10, 7, 12),
    }


def sure_to(masks, **shares):
    """The probabilities of a network that is so sure of each structure, inside of its mask alone."""
    return {name: masks[name] * share for name, share in shares.items()}


def test_a_sure_mask_expects_no_loss_and_an_unsure_one_its_share():
    mask = rectangle(4, 8, 5, 10)
    sure = named(structure_traits(mask.astype(np.float32), mask, mask))
    assert sure["expected_loss"] == sure["doubt"] == sure["blur"] == pytest.approx(np.log(LEAST))
    unsure = named(structure_traits(np.where(mask, 0.75, 0.0), mask, mask))
    assert unsure["expected_loss"] == pytest.approx(np.log(1 - 2 * 15 / 35 + LEAST))  # 2 * 20 * .75 / (20 * .75 + 20)
    assert unsure["doubt"] == pytest.approx(np.log(0.25 + LEAST))
    entropy = -20 * (0.75 * np.log(0.75) + 0.25 * np.log(0.25))
    assert unsure["blur"] == pytest.approx(np.log(entropy / 14 + LEAST))  # 14 of the 4 x 5 pixels are border
    assert unsure["raggedness"] == pytest.approx(np.log(14**2 / 20)) and unsure["area"] == pytest.approx(np.log(0.05))


def test_what_tidying_took_away_counts_as_strays():
    tidy = rectangle(4, 8, 5, 10)
    raw = tidy | rectangle(15, 17, 15, 17)
    raw[5, 6] = False  # a hole that was filled
    assert named(structure_traits(raw * 0.9, raw, tidy))["strays"] == pytest.approx(5 / 25)


def test_an_empty_mask_has_finite_traits():
    nothing = np.zeros((20, 20), bool)
    found = named(structure_traits(np.full((20, 20), 0.1), nothing, nothing))
    assert found["missing"] == 1 and np.isfinite(list(found.values())).all()
    assert np.isfinite(list(named(structure_traits(np.zeros((20, 20)), nothing, nothing)).values())).all()


def test_shape_is_read_off_the_boxes():
    shape = named(film_shape(chest()), SHAPES)
    assert shape["height_ratio"] == pytest.approx(np.log(10 / 8)) and shape["area_ratio"] == pytest.approx(
        np.log(40 / 32)
    )
    assert shape["top_difference"] == 0 and shape["bottom_difference"] == pytest.approx(2 / 10)
    assert shape["gap"] == pytest.approx(4 / 12) and shape["aspect"] == pytest.approx(np.log(12 / 10))
    assert shape["heart_width"] == pytest.approx(5 / 12) and shape["heart_across"] == pytest.approx(6.5 / 12)
    assert shape["heart_down"] == pytest.approx(6 / 10) and shape["right_fill"] == shape["left_fill"] == 1
    assert shape["heart_area"] == pytest.approx(np.log(20 / 72)) and shape["lungs_share"] == pytest.approx(
        np.sqrt(72 / 400)
    )


def test_shape_is_not_known_without_a_lung_and_half_known_without_the_heart():
    masks = chest()
    masks["heart"][:] = False
    assert np.isnan(film_shape(masks)).sum() == 4
    masks["left_lung"][:] = False
    assert np.isnan(film_shape(masks)).all()


def test_a_film_has_its_traits_for_the_union_too():
    masks = chest()
    traits = film_traits({name: mask * 0.8 for name, mask in masks.items()}, masks, masks)
    assert set(traits.own) == {*masks, "lungs"} and traits.shape.shape == (len(SHAPES),)
    assert named(traits.own["lungs"])["area"] == pytest.approx(np.log(72 / 400))


def test_mirrored_signs_are_the_signs_of_mirrored_masks():
    masks = chest()
    planes = sure_to(masks, right_lung=0.9, left_lung=0.5, heart=0.7)

    def flipped(maps):
        own = {name: plane[:, ::-1] for name, plane in maps.items()}
        return {**own, "right_lung": own["left_lung"], "left_lung": own["right_lung"]}

    assert mirrored_signs(film_signs(planes, masks)) == pytest.approx(film_signs(flipped(planes), flipped(masks)))


def test_the_signs_of_a_film_are_its_shape_and_how_sure_each_structure_is_either_way():
    masks = chest()
    planes = sure_to(masks, right_lung=1.0, left_lung=0.5, heart=0.0)
    signs = film_signs(planes, masks)
    losses = named(signs[len(SHAPES) :], SIGNS[len(SHAPES) :])
    assert list(losses.values()) == pytest.approx(np.log([LEAST, 1 / 3 + LEAST, 1 + LEAST]))
    assert np.array_equal(signs, film_traits(planes, masks, masks).signs)
