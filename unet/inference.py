"""From prepared images to logits: one pass, or one for each of several slightly changed copies."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from unet.device import autocast

IDENTITY = (0.0, 1.0)
TEST_TIME_VIEWS = (IDENTITY, (-4.0, 1.0), (4.0, 1.0), (0.0, 0.93), (0.0, 1.07))
"""(rotation in degrees, zoom) of the copies; no mirror image, because sides carry meaning."""


@torch.inference_mode()
def predict_logits(model: nn.Module, images: Tensor, precision: str = "float32") -> Tensor:
    """Return logits (B, C, H, W) in float32 for prepared images (B, 1, H, W) in [0, 1]. Puts the model in evaluation mode."""
    if model.training:  # setting it again in every layer takes a millisecond
        model.eval()
    device = next(model.parameters()).device
    images = images.to(device=device, memory_format=torch.channels_last)
    with autocast(device, precision):
        logits = model(images)
    return logits.float()


def predict_views(
    model: nn.Module, images: Tensor, precision: str = "float32", views: Sequence[tuple[float, float]] = TEST_TIME_VIEWS
) -> Tensor:
    """Return the logits of every view, turned back to the image's own frame: (V, B, C, H, W)."""
    logits = []
    for degrees, zoom in views:
        if (degrees, zoom) == IDENTITY:
            logits.append(predict_logits(model, images, precision))
        else:
            turned = _turn(images, degrees, zoom)
            logits.append(_turn(predict_logits(model, turned, precision), -degrees, 1 / zoom))
    return torch.stack(logits)


def _turn(planes: Tensor, degrees: float, zoom: float) -> Tensor:
    """Rotate counter-clockwise about the centre and enlarge by `zoom`; outside, the border's values are repeated."""
    angle = torch.deg2rad(torch.tensor(degrees))
    cos, sin = float(torch.cos(angle)) / zoom, float(torch.sin(angle)) / zoom
    height, width = planes.shape[-2:]
    aspect = height / width  # affine_grid's coordinates are -1..1 along each side, whatever its length
    matrix = torch.tensor([[cos, -sin * aspect, 0.0], [sin / aspect, cos, 0.0]], device=planes.device)
    grid = F.affine_grid(matrix.expand(len(planes), 2, 3), list(planes.shape), align_corners=False)
    return F.grid_sample(planes, grid, padding_mode="border", align_corners=False)
