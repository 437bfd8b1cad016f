"""Augmentation of a batch: random numbers are drawn, `apply` is a pure function of them; image and masks move together.

Drawing and applying are separate so that the pixel part can be tested exactly and any picture can be made again from its
numbers. All maps are in the network's square, coordinates from -1 to 1 as torch.nn.functional.grid_sample has them.
"""

import math
from dataclasses import asdict, dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

PROBABILITIES = ("blur", "opacity", "collimation", "invert")


@dataclass(frozen=True)
class AugmentConfig:
    """How far each change may go; 0 switches one off. Ranges are symmetric around no change unless said otherwise.

    No film is mirrored: its heart would lie on the right, and it is what tells right from left lung.
    """

    rotate_degrees: float = 10.0
    scale: float = 0.25  # zoom between 1 - scale and 1 + scale
    stretch: float = 0.1  # height against width
    shift: float = 0.12  # of the square's half side
    shear: float = 0.1
    elastic: float = 0.02  # largest displacement of the bent grid's corners, of the half side; up to twice that between
    gamma: float = 0.6  # exponent between exp(-gamma) and exp(+gamma)
    contrast: float = 0.3
    brightness: float = 0.2
    shading: float = 0.2  # strength of a smooth bias across the film, as scatter and heel effect give
    noise: float = 0.05  # largest standard deviation
    blur: float = 0.5  # probability of smoothing or sharpening
    opacity: float = 0.3  # probability of pasted bright clouds, as consolidation and effusion give; masks stay
    collimation: float = 0.2  # probability of black borders that cut the film (masks are cut with it)
    invert: float = 0.0  # probability of a film with black and white exchanged

    def scaled(self, strength: float) -> "AugmentConfig":
        """Return every change `strength` times as far and as likely; zoom and contrast stop short of losing the film."""
        most = {"scale": 0.6, "contrast": 0.9, **dict.fromkeys(PROBABILITIES, 1.0)}
        return AugmentConfig(
            **{name: min(most.get(name, math.inf), strength * value) for name, value in asdict(self).items()}
        )


ELASTIC_POINTS = 5  # control points of the bent grid along each side
SHADING_POINTS = 3
CLOUDS = 3


class AugmentParameters(NamedTuple):
    """The numbers drawn for a batch of B films; every field starts with B rows."""

    affine: Tensor  # (B, 2, 3) output to input coordinates
    bend: Tensor  # (B, 2, P, P) displacement of control points
    gamma: Tensor  # (B,)
    contrast: Tensor  # (B,)
    brightness: Tensor  # (B,)
    shading: Tensor  # (B, 1, S, S)
    sharpen: Tensor  # (B,) -1 fully blurred .. 0 as it is .. +1 sharpened
    noise: Tensor  # (B,) standard deviation
    noise_seed: Tensor  # (B,) int64
    clouds: Tensor  # (B, CLOUDS, 5) x, y, width, height, strength
    window: Tensor  # (B, 4) left, top, right, bottom of what is not collimated, in -1..1
    invert: Tensor  # (B,) bool


def draw_parameters(batch: int, config: AugmentConfig, generator: torch.Generator) -> AugmentParameters:
    """Draw the numbers of one batch; the same generator state gives the same numbers."""

    def uniform(*shape: int, low: float = -1.0, high: float = 1.0) -> Tensor:
        return torch.rand(batch, *shape, generator=generator) * (high - low) + low

    def chance(probability: float) -> Tensor:
        return torch.rand(batch, generator=generator) < probability

    cut = uniform(4, low=0.0, high=0.25) * chance(config.collimation)[:, None]
    clouds = torch.cat(
        [uniform(CLOUDS, 2) * 0.7, uniform(CLOUDS, 2, low=0.05, high=0.4), uniform(CLOUDS, 1, low=0.1, high=0.7)], 2
    )
    clouds[..., 4] *= chance(config.opacity)[:, None]
    return AugmentParameters(
        affine=_affine(uniform(6), config),
        bend=uniform(2, ELASTIC_POINTS, ELASTIC_POINTS) * config.elastic,
        gamma=torch.exp(uniform() * config.gamma),
        contrast=1 + uniform() * config.contrast,
        brightness=uniform() * config.brightness,
        shading=uniform(1, SHADING_POINTS, SHADING_POINTS) * config.shading,
        sharpen=uniform() * chance(config.blur),
        noise=uniform(low=0.0) * config.noise,
        noise_seed=torch.randint(2**62, (batch,), generator=generator),
        clouds=clouds,
        window=torch.stack([-1 + cut[:, 0], -1 + cut[:, 1], 1 - cut[:, 2], 1 - cut[:, 3]], dim=1),
        invert=chance(config.invert),
    )


def apply(
    images: Tensor, masks: Tensor, parameters: AugmentParameters, size: tuple[int, int] | None = None
) -> tuple[Tensor, Tensor]:
    """Return the changed images (B, 1, H, W) and masks (B, C, H, W), both in [0, 1], on their device; the inputs stay.

    size: height and width of the result; None: as the input. Outside the collimated window both are 0. Beyond
    the input masks are 0, and the image is what changed grey levels make of black, as in a border that the input holds.
    """
    parameters = AugmentParameters(*(numbers.to(images.device) for numbers in parameters))
    images, masks = warp(images, masks, parameters, size)
    images = change_grey_levels(images, parameters)
    inside = _window_mask(images.shape[-2:], parameters.window)
    return images * inside, masks * inside


def warp(
    images: Tensor, masks: Tensor, parameters: AugmentParameters, size: tuple[int, int] | None = None
) -> tuple[Tensor, Tensor]:
    """Rotate, zoom, stretch, shift, shear and bend images and masks by one and the same grid, also to another size.

    A much smaller size would need smoothing first: each output pixel is read between its four nearest input pixels.
    """
    size = size or tuple(images.shape[-2:])
    grid = F.affine_grid(parameters.affine, [len(images), 1, *size], align_corners=False)
    bend = F.interpolate(parameters.bend, size=size, mode="bicubic", align_corners=True)
    grid = grid + bend.permute(0, 2, 3, 1)
    both = F.grid_sample(torch.cat([images, masks], dim=1), grid, padding_mode="zeros", align_corners=False)
    return both[:, :1], both[:, 1:]


def change_grey_levels(images: Tensor, parameters: AugmentParameters) -> Tensor:
    """Change exposure, contrast, shading, sharpness and noise of images (B, 1, H, W) in [0, 1]; the result stays there."""

    def per_film(values: Tensor) -> Tensor:
        return values.view(-1, 1, 1, 1)

    x = images.clamp(0, 1).pow(per_film(parameters.gamma))
    x = x + _clouds(x, parameters.clouds)
    x = (x - 0.5) * per_film(parameters.contrast) + 0.5 + per_film(parameters.brightness)
    x = x + F.interpolate(parameters.shading, size=x.shape[-2:], mode="bicubic", align_corners=True)
    smooth = F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)
    x = x + per_film(parameters.sharpen) * (x - smooth)
    x = x + per_film(parameters.noise) * _noise(x, parameters.noise_seed)
    x = x.clamp(0, 1)
    return torch.where(per_film(parameters.invert), 1 - x, x)


def _affine(draws: Tensor, config: AugmentConfig) -> Tensor:
    """Turn six numbers in -1..1 per film into (B, 2, 3) matrices that map output to input coordinates."""
    angle = torch.deg2rad(draws[:, 0] * config.rotate_degrees)
    zoom = 1 + draws[:, 1] * config.scale
    stretch = torch.exp(draws[:, 2] * config.stretch)
    shear = draws[:, 3] * config.shear
    cos, sin = torch.cos(angle) / zoom, torch.sin(angle) / zoom
    return torch.stack(
        [
            torch.stack([cos / stretch, (shear * cos - sin) * stretch, draws[:, 4] * config.shift], dim=1),
            torch.stack([sin / stretch, (shear * sin + cos) * stretch, draws[:, 5] * config.shift], dim=1),
        ],
        dim=1,
    )


def _clouds(images: Tensor, clouds: Tensor) -> Tensor:
    """Smooth bright patches; brightest where the film is dark, so that air fills up and bone stays what it was."""
    y, x = _coordinates(images.shape[-2:], images.device)
    centre_x, centre_y, width, height, strength = (part[..., None] for part in clouds.unbind(-1))  # each (B, CLOUDS, 1)
    along_x = torch.exp(-0.5 * ((x - centre_x) / width) ** 2)
    along_y = torch.exp(-0.5 * ((y - centre_y) / height) ** 2) * strength
    patch = torch.einsum("bcy,bcx->byx", along_y, along_x).clamp(max=0.9)
    return patch[:, None] * (0.75 - images).clamp(min=0)


def _noise(images: Tensor, seeds: Tensor) -> Tensor:
    """Standard normal noise, each film from its own seed."""
    shape = images.shape[1:]
    own = [torch.randn(shape, generator=torch.Generator().manual_seed(seed)) for seed in seeds.tolist()]
    return torch.stack(own).to(images.device)  # drawn on the processor: the same films wherever the network is


def _window_mask(size: torch.Size, window: Tensor) -> Tensor:
    """1 inside the collimated field, 0 outside: (B, 1, H, W)."""
    y, x = _coordinates(size, window.device)
    left, top, right, bottom = (part[:, None] for part in window.unbind(1))
    inside_x, inside_y = (x >= left) & (x <= right), (y >= top) & (y <= bottom)
    return (inside_y[:, None, :, None] & inside_x[:, None, None, :]).float()


def _coordinates(size: torch.Size, device: torch.device) -> tuple[Tensor, Tensor]:
    """Pixel centres along y and x in -1..1."""
    y, x = ((2 * torch.arange(side, device=device) + 1) / side - 1 for side in size)
    return y, x
