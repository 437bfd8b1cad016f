import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from data.augment import PROBABILITIES, AugmentConfig, _affine, apply, change_grey_levels, draw_parameters, warp

OFF = AugmentConfig(**dict.fromkeys((field.name for field in dataclasses.fields(AugmentConfig)), 0.0))


def draw(config, seed=0, batch=2):
    return draw_parameters(batch, config, torch.Generator().manual_seed(seed))


def film(batch=2, height=40, width=48):
    """A bright disc off the centre and the mask that is exactly that disc, in two planes."""
    y, x = torch.meshgrid(torch.linspace(-1, 1, height), torch.linspace(-1, 1, width), indexing="ij")
    disc = (((x + 0.25) ** 2 + (y - 0.1) ** 2) < 0.2).float()
    return disc.expand(batch, 1, -1, -1).clone(), torch.stack([disc, torch.zeros_like(disc)]).expand(
        batch, 2, -1, -1
    ).clone()


def test_everything_switched_off_changes_nothing():
    images, masks = film()
    new_images, new_masks = apply(images, masks, draw(OFF))
    assert torch.allclose(new_images, images, atol=1e-5) and torch.allclose(new_masks, masks, atol=1e-5)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**31))
def test_image_and_mask_move_together(seed):
    images, masks = film()
    warped, moved = warp(images, masks, draw(AugmentConfig(), seed))
    union = moved.sum(dim=1, keepdim=True)
    assert torch.allclose(warped, union, atol=1e-5)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**31))
def test_results_stay_in_range_inputs_stay_as_they_were_and_the_draw_can_be_replayed(seed):
    images, masks = film()
    before = images.clone(), masks.clone()
    parameters = draw(AugmentConfig(collimation=1.0, opacity=1.0, invert=0.5), seed)
    one, two = apply(images, masks, parameters), apply(images, masks, parameters)
    assert torch.equal(images, before[0]) and torch.equal(masks, before[1])
    for plane in one:
        assert plane.min() >= 0 and plane.max() <= 1 and plane.isfinite().all()
    assert torch.equal(one[0], two[0]) and torch.equal(one[1], two[1])


def test_the_same_seed_draws_the_same_numbers_and_another_others():
    one, two, other = draw(AugmentConfig()), draw(AugmentConfig()), draw(AugmentConfig(), seed=1)
    assert all(torch.equal(a, b) for a, b in zip(one, two, strict=True))
    assert not torch.equal(one.affine, other.affine)


def test_a_quarter_turn_moves_a_pixel_to_where_it_belongs():
    image = torch.zeros(1, 1, 5, 5)
    image[0, 0, 0, 2] = 1.0  # the middle of the upper edge
    parameters = draw(OFF, batch=1)._replace(affine=torch.tensor([[[0.0, -1.0, 0.0], [1.0, 0.0, 0.0]]]))
    turned, _ = warp(image, image, parameters)
    assert turned[0, 0].nonzero().tolist() == [[2, 0]]  # (x, y) is read at (-y, x): the upper edge comes to lie left
    assert turned.sum() == pytest.approx(1.0, abs=1e-5)


def test_collimation_blackens_film_and_mask_alike():
    images, masks = torch.ones(2, 1, 20, 20), torch.ones(2, 1, 20, 20)
    window = torch.tensor([[-0.5, -1.0, 1.0, 1.0], [-1.0, -1.0, 1.0, 0.0]])
    new_images, new_masks = apply(images, masks, draw(OFF)._replace(window=window))
    assert torch.equal(new_images, new_masks)
    assert new_images[0, 0, :, :5].sum() == 0 and new_images[0, 0, :, 5:].min() == pytest.approx(1.0, abs=1e-5)
    assert new_images[1, 0, 10:].sum() == 0 and new_images[1, 0, :10].min() == pytest.approx(1.0, abs=1e-5)


def test_clouds_brighten_dark_ground_and_leave_the_masks_alone():
    images, masks = torch.full((2, 1, 32, 32), 0.2), torch.ones(2, 2, 32, 32)
    new_images, new_masks = apply(images, masks, draw(dataclasses.replace(OFF, opacity=1.0), seed=5))
    assert (new_images >= images - 1e-5).all() and new_images.max() > 0.25
    assert torch.allclose(new_masks, masks, atol=1e-5)


def test_another_size_shows_the_same_film():
    images, masks = film(height=48, width=48)
    parameters = draw(dataclasses.replace(AugmentConfig(), noise=0.0, blur=0.0, collimation=0.0), seed=3)
    full, full_masks = apply(images, masks, parameters)
    small, small_masks = apply(images, masks, parameters, (24, 24))
    assert small.shape == (2, 1, 24, 24) and small_masks.shape == (2, 2, 24, 24)
    shrunk = torch.nn.functional.avg_pool2d(full_masks, 2)
    assert (small_masks - shrunk).abs().mean() < 0.01
    assert (small - torch.nn.functional.avg_pool2d(full, 2)).abs().mean() < 0.02


def test_a_scaled_augmentation_goes_as_far_as_told_and_never_past_what_is_possible():
    usual = AugmentConfig()
    assert usual.scaled(1.0) == usual and usual.scaled(0.0) == OFF
    calm, wild = usual.scaled(0.5), usual.scaled(4.0)
    assert calm.rotate_degrees == 0.5 * usual.rotate_degrees and calm.opacity == 0.5 * usual.opacity
    assert (
        wild.gamma == 4 * usual.gamma
        and wild.opacity == wild.blur == 1.0
        and wild.scale == 0.6
        and wild.contrast == 0.9
    )


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(AugmentConfig)])
def test_every_change_does_something_alone(name):
    y, x = torch.meshgrid(torch.linspace(0, 1, 40), torch.linspace(0, 1, 48), indexing="ij")
    images = (0.3 + 0.4 * x * y + 0.2 * ((x - 0.4) ** 2 + (y - 0.6) ** 2 < 0.05)).expand(8, 1, -1, -1)
    config = dataclasses.replace(OFF, **{name: 1.0 if name in PROBABILITIES else getattr(AugmentConfig(), name)})
    assert (apply(images, images, draw(config, batch=8))[0] - images).abs().max() > 0.01


def test_changes_go_as_far_as_told():
    usual = draw(AugmentConfig(), batch=2000)
    turned = draw(dataclasses.replace(OFF, rotate_degrees=10.0), batch=2000).affine
    degrees = torch.rad2deg(torch.atan2(turned[:, 1, 0], turned[:, 0, 0])).abs()
    for most, drawn in ((10.0, degrees), (0.02, usual.bend.abs()), (0.6, usual.gamma.log().abs())):
        assert 0.95 * most < drawn.max() <= most * 1.0001


@pytest.mark.parametrize("draws", [[1, 0, 0, 0, 0, 0], [-0.5, 0.8, 0, 0, 0, 0], [0.3, -0.7, 0.9, -0.6, 0.5, -1]])
def test_the_matrix_is_a_turn_and_a_zoom_after_a_shear_after_a_stretch(draws):
    angle, zoom, stretch, shear = np.deg2rad(10 * draws[0]), 1 + 0.25 * draws[1], np.exp(0.1 * draws[2]), 0.1 * draws[3]
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    expected = turn / zoom @ np.array([[1, shear], [0, 1]]) @ np.diag([1 / stretch, stretch])
    found = _affine(torch.tensor([draws], dtype=torch.float), AugmentConfig())[0].numpy()
    assert found[:, :2] == pytest.approx(expected, abs=1e-6)
    assert found[:, 2] == pytest.approx([0.12 * draws[4], 0.12 * draws[5]], abs=1e-6)


def test_collimation_takes_up_to_an_eighth_of_the_film_from_each_side():
    window = draw(dataclasses.replace(OFF, collimation=1.0), batch=500).window
    assert window[:, :2].min() >= -1 and window[:, 2:].max() <= 1
    for taken in (window[:, 0] + 1, window[:, 1] + 1, 1 - window[:, 2], 1 - window[:, 3]):
        assert taken.min() < 0.01 and 0.24 < taken.max() <= 0.25


def test_grey_levels_change_by_gamma_then_contrast_then_brightness():
    flat = draw(OFF)._replace(
        gamma=torch.tensor([2.0, 0.5]), contrast=torch.tensor([1.5, 0.8]), brightness=torch.tensor([0.3, -0.1])
    )
    found = change_grey_levels(torch.full((2, 1, 6, 5), 0.25), flat)
    assert found[0].numpy() == pytest.approx((0.25**2 - 0.5) * 1.5 + 0.5 + 0.3, abs=1e-6)
    assert found[1].numpy() == pytest.approx((0.25**0.5 - 0.5) * 0.8 + 0.5 - 0.1, abs=1e-6)


def test_sharpening_adds_what_smoothing_takes_away():
    point = torch.full((2, 1, 5, 5), 0.4)
    point[:, :, 2, 2] = 0.49
    blurred, sharp = change_grey_levels(point, draw(OFF)._replace(sharpen=torch.tensor([-1.0, 1.0])))
    assert blurred[0, 1:4, 1:4].numpy() == pytest.approx(0.41, abs=1e-6)
    assert sharp[0, 2, 2].item() == pytest.approx(0.57, abs=1e-6) and sharp[0, 1, 1].item() == pytest.approx(
        0.39, abs=1e-6
    )


def test_noise_has_the_deviation_that_was_drawn_and_each_film_its_own():
    parameters = draw(OFF)._replace(noise=torch.tensor([0.05, 0.02]))
    noise = change_grey_levels(torch.full((2, 1, 100, 100), 0.5), parameters) - 0.5
    assert noise.std(dim=(1, 2, 3)).tolist() == pytest.approx([0.05, 0.02], rel=0.05)
    assert noise.mean(dim=(1, 2, 3)).abs().max() < 0.002
    assert np.corrcoef(noise[0].flatten(), noise[1].flatten())[0, 1] == pytest.approx(0, abs=0.05)


def test_a_cloud_is_a_bell_that_fills_air_and_leaves_bone():
    cloud = torch.tensor([0.0, 0.0, 0.5, 0.25, 0.6])  # x, y, width, height, strength
    clouds = torch.stack([cloud, torch.tensor([0.0, 0.0, 1.0, 1.0, 0.0]), torch.tensor([0.0, 0.0, 1.0, 1.0, 0.0])])[
        None
    ]
    film = torch.full((1, 1, 9, 9), 0.15)  # pixel centres every 2 / 9
    film[0, 0, 4, 0] = 0.8
    found = change_grey_levels(film, draw(OFF, batch=1)._replace(clouds=clouds))[0, 0]
    assert found[4, 4].item() == pytest.approx(0.15 + 0.6 * 0.6, abs=1e-6)
    beside, below = 0.6 * np.exp(-0.5 * (4 / 9 / 0.5) ** 2), 0.6 * np.exp(-0.5 * (4 / 9 / 0.25) ** 2)
    assert found[4, 6].item() == pytest.approx(0.15 + 0.6 * beside, abs=1e-6)
    assert found[6, 4].item() == pytest.approx(0.15 + 0.6 * below, abs=1e-6)
    assert found[4, 0].item() == pytest.approx(0.8, abs=1e-6)
