"""From the film's own size to the network's square and back: borders cut, aspect kept, padded, undone exactly."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

BLACK = 0.04  # grey level, of 0..1, below which a border counts as black
BRIGHT_SHARE = 0.02  # a row or column belongs to the film when more than this share of it is brighter
PAGE = 0.02  # of 0..1: a page on which a film lies, white or grey, has one grey level to within this all around
DIM = 0.3  # a film whose grey levels spread less, as those of 12 bits in a file of 16 do, is stretched before both are asked
MARKED = 0.25  # share of the rows that a bright mark, a line of text or a dead pixel may be in without counting for that spread
LARGEST_ON_PAGE = 0.8  # share of the page that the film covers; the margin around a larger one changes little


class Letterbox(NamedTuple):
    """Where a film lies inside the network's square, all in pixels.

    height, width: of the film. crop_...: the part of it that is not border. size: side of the square. top, left,
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

    crop: leave out rows and columns at the frame that are black, as films scanned or digitised with borders have them, or those
    of a page on which a film lies; the lungs then fill the square alike whatever the border.
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

    Each pixel of the result is a mean of the area it covers and of its neighbours' halves, weighted by a triangle (torch's
    antialiased interpolation), so a 0/1 mask becomes a smoothed share in [0, 1], 0.5 where its border runs through a
    pixel's middle.
    """
    return pad_to_square(shrink(planes, box), box)


def shrink(planes: Tensor, box: Letterbox) -> Tensor:
    """Cut the border off (C, H, W) planes and resize them: (C, inner_height, inner_width)."""
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


def positive(planes: Tensor, box: Letterbox) -> np.ndarray:
    """Return where `from_square(planes, box)` is 0 or more: (C, size, size) float planes to (C, H, W) bool, not in the border.

    For a film larger than the square only the rectangle that such values can reach is computed: for a lung a sixth of the film.
    """
    if (
        min(box.inner_height, box.inner_width) < 2
        or box.inner_height > box.crop_height
        or box.inner_width > box.crop_width
    ):
        return (from_square(planes, box, fill=-1.0) >= 0).numpy()
    inner = planes[:, box.top : box.top + box.inner_height, box.left : box.left + box.inner_width].numpy()
    down, across = _taps(box.inner_height, box.crop_height), _taps(box.inner_width, box.crop_width)
    found = np.zeros((len(planes), box.height, box.width), bool)
    content = found[:, box.crop_top : box.crop_top + box.crop_height, box.crop_left : box.crop_left + box.crop_width]
    for plane, mask in zip(inner, content, strict=True):
        inside = plane >= 0
        if inside.any():
            rows, columns = down.reached(inside.any(axis=1)), across.reached(inside.any(axis=0))
            top, left = down.first[rows], across.first[columns]
            band = plane[top[0] : top[-1] + 2]
            wide = band[:, left] * across.weights[0, columns] + band[:, left + 1] * across.weights[1, columns]
            upper, lower = wide[top - top[0]], wide[top + 1 - top[0]]
            upper *= down.weights[0, rows, None]
            lower *= down.weights[1, rows, None]
            np.greater_equal(np.add(upper, lower, out=upper), 0, out=mask[rows, columns])
    return found


class _Taps(NamedTuple):
    """How `resample` enlarges an axis: new pixel i is weights[0, i] * old pixel first[i] + weights[1, i] * the next one."""

    first: np.ndarray
    weights: np.ndarray

    def reached(self, flags: np.ndarray) -> slice:
        """Return from the first to the last new pixel that depends on a flagged old pixel; there must be one."""
        places = np.flatnonzero(flags[self.first] | flags[self.first + 1])
        return slice(int(places[0]), int(places[-1]) + 1)


@lru_cache(maxsize=64)
def _taps(source: int, to: int) -> _Taps:
    weights = resample(torch.eye(source)[None], (to, source))[0].numpy()
    first = np.minimum((weights > 0).argmax(axis=1), source - 2)
    return _Taps(first, np.stack([weights[np.arange(to), first], weights[np.arange(to), first + 1]]))


def resample(planes: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize (C, H, W) float planes to (C, *size): by a triangle two new pixels wide when shrinking, bilinear when growing."""
    if planes.shape[1:] == size:
        return planes
    return F.interpolate(planes[None], size=size, mode="bilinear", align_corners=False, antialias=True)[0]


def _content(image: Tensor) -> tuple[int, int, int, int]:
    """Return (top, bottom, left, right) without the border: a page that is large enough to matter, or else black."""
    grey = image.numpy()  # numpy compares and counts several times faster than torch
    low, high = grey_range(grey)
    if 0 < high - low < DIM:
        grey = (grey - low) / (high - low)
    page, frame = grey[0, 0], np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    if page > BLACK and np.mean(np.abs(frame - page) > PAGE) <= BRIGHT_SHARE:
        top, bottom, left, right = _extent(np.abs(grey - page) > PAGE)
        if (bottom - top) * (right - left) <= LARGEST_ON_PAGE * grey.size:
            return top, bottom, left, right
    return _extent(grey > BLACK)


def grey_range(image: np.ndarray) -> tuple[np.float32, np.float32]:
    """Return the darkest and the brightest grey level of a film (H, W), whatever marks in MARKED of its rows hold."""
    darkest, brightest, marked = image.min(axis=1), image.max(axis=1), int(MARKED * (len(image) - 1))
    return np.sort(darkest)[marked], np.sort(brightest)[-1 - marked]


def _extent(pixels: np.ndarray) -> tuple[int, int, int, int]:
    """Return (top, bottom, left, right) of the lines with more than BRIGHT_SHARE of pixels; of all if there is none."""
    pixels = pixels.view(np.uint8)
    rows = np.flatnonzero(pixels.sum(axis=1, dtype=np.int32) > BRIGHT_SHARE * pixels.shape[1])
    columns = np.flatnonzero(pixels.sum(axis=0, dtype=np.int32) > BRIGHT_SHARE * pixels.shape[0])
    if not len(rows) or not len(columns):
        return 0, pixels.shape[0], 0, pixels.shape[1]
    return int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1
