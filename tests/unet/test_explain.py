import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from unet.explain import occlusion, seg_grad_cam
from unet.model import UNet, UNetConfig


class TwoPlanes(nn.Module):
    """A layer of two planes, the image and its mirror image; the logit is the first minus half the second."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Identity()

    def forward(self, images):
        planes = self.layer(torch.cat([F.avg_pool2d(images, 2), F.avg_pool2d(images.flip(3), 2)], dim=1))
        logits = F.interpolate(planes[:, :1] - 0.5 * planes[:, 1:], scale_factor=2, mode="nearest")
        return torch.cat([logits, -logits], dim=1)


def bright_spot():
    image = torch.zeros(1, 1, 8, 8)
    image[..., 2:4, 0:2] = 1.0
    return image


def test_the_map_is_the_definition_worked_by_hand():
    region = torch.zeros(8, 8, dtype=torch.bool)
    region[2:4, 0:2] = (
        True  # 4 pixels, one place of the 4 x 4 layer: its gradient is 4 and -2, the mean over 16 places 1/4, -1/8
    )
    model = TwoPlanes()
    found = seg_grad_cam(model, bright_spot(), 0, region, model.layer)
    places = torch.zeros(1, 1, 4, 4)
    places[..., 1, 0] = (
        1.0  # 1/4 * 1; at the mirrored place -1/8, which the ReLU takes away; then divided by the largest
    )
    wanted = F.interpolate(places, size=(8, 8), mode="bilinear", align_corners=False)[0, 0]
    assert torch.allclose(found, wanted / wanted.max())


def test_the_other_channel_and_an_empty_region_give_what_they_must():
    model, everywhere = TwoPlanes(), torch.ones(8, 8, dtype=torch.bool)
    mirrored = seg_grad_cam(model, bright_spot(), 1, everywhere, model.layer)
    assert mirrored[2:4, 6:8].mean() > 0.5 and not mirrored[:, :3].any()
    assert not seg_grad_cam(model, bright_spot(), 0, ~everywhere, model.layer).any()
    assert not occlusion(model, bright_spot(), 0, ~everywhere, 4, 2).any()


def test_no_hook_and_no_gradient_is_left_behind():
    model = UNet(UNetConfig(base=4, depth=2)).requires_grad_(False)
    region = torch.ones(32, 32, dtype=torch.bool)
    found = seg_grad_cam(model, torch.rand(1, 1, 32, 32), 1, region, model.downs[-1])
    assert found.shape == (32, 32) and found.min() >= 0 and found.max() in (0, 1)
    assert not model.downs[-1]._forward_hooks and all(parameter.grad is None for parameter in model.parameters())


def test_covering_what_counts_lowers_the_probability_and_covering_the_rest_does_not():
    model, image = TwoPlanes(), bright_spot()
    region = image[0, 0] > 0
    falls = occlusion(model, image, 0, region, patch=2, stride=2)
    mean = float(image.mean())
    logit = {"before": 1.0, "spot": mean, "mirrored": 1.0 - 0.5 * mean}
    probability = {name: 1 / (1 + np.exp(-value)) for name, value in logit.items()}
    assert float(falls[2, 0]) == pytest.approx(probability["before"] - probability["spot"], abs=1e-6)
    assert float(falls[2, 6]) == pytest.approx(probability["before"] - probability["mirrored"], abs=1e-6)
    assert falls[6, 4] == 0


def test_the_cover_has_the_films_grey_and_leaves_the_padding():
    seen = []

    class Watched(TwoPlanes):
        def forward(self, images):
            seen.extend(images[:, 0].clone())
            return super().forward(images)

    image, film = torch.zeros(1, 1, 8, 8), torch.zeros(8, 8, dtype=torch.bool)
    film[:, 2:6] = True
    image[0, 0, :, 2:6] = torch.tensor([0.2, 0.4, 0.6, 0.8])
    occlusion(Watched(), image, 0, film, patch=4, stride=4, film=film)
    covered = [one for one in seen if not torch.equal(one, image[0, 0])]
    assert len(covered) == 4  # one for each square; each touches the film
    for one in covered:
        changed = one != image[0, 0]
        assert not (changed & ~film).any() and torch.allclose(one[changed], torch.tensor(0.5))


def test_squares_reach_the_frame_also_when_the_steps_do_not_fit():
    falls = occlusion(TwoPlanes(), torch.rand(1, 1, 10, 10), 0, torch.ones(10, 10, dtype=torch.bool), patch=4, stride=4)
    assert (falls[-1] != 0).any() and (falls[:, -1] != 0).any()


def test_a_place_is_worth_the_mean_of_the_squares_that_cover_it():
    class Mean(nn.Module):
        def forward(self, images):
            return images

    image = torch.zeros(1, 1, 6, 6)
    image[..., 4, 1] = 3.6  # the mean grey is 0.1
    region = torch.zeros(6, 6, dtype=torch.bool)
    region[4, 1] = True
    found = occlusion(Mean(), image, 0, region, patch=4, stride=2)
    fall = torch.sigmoid(torch.tensor(3.6)) - torch.sigmoid(torch.tensor(0.1))
    # squares of four begin in rows and columns 0 and 2; only the one from row 2 and column 0 covers the bright pixel
    expected = torch.zeros(6, 6)
    expected[2:4, 0:2], expected[4:, 0:2] = fall / 2, fall
    expected[2:4, 2:4], expected[4:, 2:4] = fall / 4, fall / 2
    assert torch.allclose(found, expected, atol=1e-6)


def test_the_temperature_divides_the_logits():
    class Mean(nn.Module):
        def forward(self, images):
            return images.mean(dim=(2, 3), keepdim=True).expand(-1, 1, *images.shape[2:]) * 4

    image, region = torch.zeros(1, 1, 4, 4), torch.ones(4, 4, dtype=torch.bool)
    image[0, 0, :2] = 1.0
    for temperature in (1.0, 2.0):
        falls = occlusion(Mean(), image, 0, region, patch=2, stride=2, temperature=temperature)
        before, after = (torch.sigmoid(torch.tensor(4 * mean / temperature)) for mean in (0.5, 0.375))
        assert falls[0, 0] == pytest.approx(float(before - after), abs=1e-6)
