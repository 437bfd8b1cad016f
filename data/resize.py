"""From the film's own size to the network's square and back: aspect kept, padded with black, undone exactly."""

from typing import NamedTuple

from torch import Tensor
from torch.nn import functional as F


class Letterbox(NamedTuple):
    """Where a film lies inside the network's square, all in pixels: film size, square size, offset and size inside."""

    height: int
    width: int
    size: int
    top: int
    left: int
    inner_height: int
    inner_width: int


def letterbox_of(height: int, width: int, size: int) -> Letterbox:
    """Return the placement of a (height, width) film in a (size, size) square: longer side fits, centred."""
    scale = size / max(height, width)
    inner_height, inner_width = max(1, round(height * scale)), max(1, round(width * scale))
    top, left = (size - inner_height) // 2, (size - inner_width) // 2
    return Letterbox(height, width, size, top, left, inner_height, inner_width)


def to_square(planes: Tensor, box: Letterbox) -> Tensor:
    """Resize (C, H, W) float planes to (C, size, size), padding with black.

    Each pixel of the result is the mean of the area it covers, so a 0/1 mask becomes the covered share in [0, 1].
    """
    if planes.shape[1:] != (box.height, box.width):
        raise ValueError(f"planes are {tuple(planes.shape[1:])}, the letterbox was made for {(box.height, box.width)}")
    return pad_to_square(resample(planes, (box.inner_height, box.inner_width)), box)


def pad_to_square(inner: Tensor, box: Letterbox) -> Tensor:
    """Put (C, inner_height, inner_width) planes at their place in a black square: (C, size, size)."""
    bottom = box.size - box.top - box.inner_height
    right = box.size - box.left - box.inner_width
    return F.pad(inner, (box.left, right, box.top, bottom))


def from_square(planes: Tensor, box: Letterbox) -> Tensor:
    """Undo `to_square`: (C, size, size) float planes to (C, H, W) of the film, bilinear."""
    if planes.shape[1:] != (box.size, box.size):
        raise ValueError(f"planes are {tuple(planes.shape[1:])}, the letterbox was made for a square of {box.size}")
    bottom, right = box.top + box.inner_height, box.left + box.inner_width
    inner = planes[:, box.top : bottom, box.left : right]
    return resample(inner, (box.height, box.width))


def resample(planes: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize (C, H, W) float planes to (C, *size): area-weighted when shrinking, bilinear when growing."""
    if planes.shape[1:] == size:
        return planes
    return F.interpolate(planes[None], size=size, mode="bilinear", align_corners=False, antialias=True)[0]
