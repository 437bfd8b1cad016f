"""From the film's own size to the network's square and back: black borders cut, aspect kept, padded, undone exactly."""

from typing import NamedTuple

import numpy as np
from torch import Tensor
from torch.nn import functional as F

BLACK = 0.04  # grey level, of 0..1, below which a border counts as black
BRIGHT_SHARE = 0.02  # a row or column belongs to the film when more than this share of it is brighter


class Letterbox(NamedTuple):
    """Where a film lies inside the network's square, all in pixels.

    height, width: of the film. crop_...: the part of it that is not black border. size: side of the square. top, left,
    inner_height, inner_width: where that part lies in the square.
    """

    height: int
    width: int
    crop_top: int
    crop_left: int
    crop_height: int
    crop_width: int
    size: int
    top: int
    left: int
    inner_height: int
    inner_width: int


def letterbox_of(image: Tensor, size: int, crop: bool = True) -> Letterbox:
    """Return the placement of a film (H, W), grey levels in [0, 1], in a (size, size) square: longer side fits, centred.

    crop: leave out rows and columns at the frame that are black, as films scanned or digitised with borders have them; the lungs
    then fill the square alike whatever the border.
    """
    height, width = image.shape
    top, bottom, left, right = _content(image) if crop else (0, height, 0, width)
    crop_height, crop_width = bottom - top, right - left
    scale = size / max(crop_height, crop_width)
    inner_height, inner_width = max(1, round(crop_height * scale)), max(1, round(crop_width * scale))
    return Letterbox(
        height, width, top, left, crop_height, crop_width,
        size, (size - inner_height) // 2, (size - inner_width) // 2, inner_height, inner_width,
    )  # fmt: skip


def to_square(planes: Tensor, box: Letterbox) -> Tensor:
    """Resize (C, H, W) float planes to (C, size, size), padding with black.

    Each pixel of the result is the mean of the area it covers, so a 0/1 mask becomes the covered share in [0, 1].
    """
    return pad_to_square(shrink(planes, box), box)


def shrink(planes: Tensor, box: Letterbox) -> Tensor:
    """Cut the black border off (C, H, W) planes and resize them: (C, inner_height, inner_width)."""
    if planes.shape[1:] != (box.height, box.width):
        raise ValueError(f"planes are {tuple(planes.shape[1:])}, the letterbox was made for {(box.height, box.width)}")
    rows = slice(box.crop_top, box.crop_top + box.crop_height)
    columns = slice(box.crop_left, box.crop_left + box.crop_width)
    return resample(planes[:, rows, columns], (box.inner_height, box.inner_width))


def pad_to_square(inner: Tensor, box: Letterbox) -> Tensor:
    """Put (C, inner_height, inner_width) planes at their place in a black square: (C, size, size)."""
    bottom = box.size - box.top - box.inner_height
    right = box.size - box.left - box.inner_width
    return F.pad(inner, (box.left, right, box.top, bottom))


def from_square(planes: Tensor, box: Letterbox, fill: float = 0.0) -> Tensor:
    """Undo `to_square`: (C, size, size) float planes to (C, H, W) of the film, bilinear; the border that was cut gets `fill`."""
    if planes.shape[1:] != (box.size, box.size):
        raise ValueError(f"planes are {tuple(planes.shape[1:])}, the letterbox was made for a square of {box.size}")
    inner = planes[:, box.top : box.top + box.inner_height, box.left : box.left + box.inner_width]
    content = resample(inner, (box.crop_height, box.crop_width))
    below, beyond = box.height - box.crop_top - box.crop_height, box.width - box.crop_left - box.crop_width
    return F.pad(content, (box.crop_left, beyond, box.crop_top, below), value=fill)


def resample(planes: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize (C, H, W) float planes to (C, *size): area-weighted when shrinking, bilinear when growing."""
    if planes.shape[1:] == size:
        return planes
    return F.interpolate(planes[None], size=size, mode="bilinear", align_corners=False, antialias=True)[0]


def _content(image: Tensor) -> tuple[int, int, int, int]:
    """Return (top, bottom, left, right) of what is not black border; a film that is black all over is left whole."""
    bright = (image > BLACK).numpy()  # numpy counts bool pixels several times faster than torch
    rows = np.flatnonzero(np.count_nonzero(bright, axis=1) > BRIGHT_SHARE * bright.shape[1])
    columns = np.flatnonzero(bright.view(np.uint8).sum(axis=0, dtype=np.int32) > BRIGHT_SHARE * bright.shape[0])
    if not len(rows) or not len(columns):
        return 0, image.shape[0], 0, image.shape[1]
    return int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1
