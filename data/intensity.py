"""Grey levels made comparable between hospitals: one named method, stored with the checkpoint that was trained on it."""

import numpy as np
import torch
from torch import Tensor

METHODS = ("none", "percentile", "equalise", "clahe")
LOW_PERCENTILE, HIGH_PERCENTILE = 1.0, 99.0
FLAT = 1e-5  # percentiles no farther apart differ by the rounding of a resize; the steps of 16 bits are wider
CLAHE_TILES = 4
CLAHE_CLIP = 3.0
BINS = 256


def standardise(image: Tensor, method: str) -> Tensor:
    """Map a film (H, W) in [0, 1] to standardised grey levels in [0, 1].

    none: as it is. percentile: 1st to 99th percentile stretched to 0..1. equalise: each grey level becomes the share of the
    film's pixels, without those of its darkest level, that are no brighter. clahe: the same in 4 x 4 tiles with limited
    slope, blended between tiles (contrast-limited adaptive histogram equalisation, Zuiderveld 1994). Both start
    from the percentile stretch. A film of one value becomes 0, but for `none`.
    """
    if method == "none":
        return image
    if method == "percentile":
        return _stretch(image)
    if method == "equalise":
        return _equalise(_stretch(image))
    if method == "clahe":
        return _clahe(_stretch(image))
    raise ValueError(f"intensity method {method!r}; wanted one of {', '.join(METHODS)}")


def _stretch(image: Tensor) -> Tensor:
    """Exact order statistics; torch.quantile refuses films of more than 16 million pixels, a sort takes ten times longer."""
    values = image.flatten().numpy()
    places = [round(share / 100 * (len(values) - 1)) for share in (LOW_PERCENTILE, HIGH_PERCENTILE)]
    low, high = np.partition(values, places)[places].tolist()
    return ((image - low) / (high - low)).clamp(0, 1) if high - low > FLAT else torch.zeros_like(image)


def _levels(image: Tensor) -> Tensor:
    return (image * (BINS - 1)).round().long()


def _equalise(image: Tensor) -> Tensor:
    levels = _levels(image)
    return _mapping(torch.bincount(levels.flatten(), minlength=BINS).float())[levels]


def _mapping(histogram: Tensor) -> Tensor:
    """Cumulated share of each level, so that the darkest level present maps to 0 and the brightest to 1."""
    cumulated = histogram.cumsum(0)
    lowest = histogram[histogram.nonzero()[0, 0]]
    return ((cumulated - lowest) / (cumulated[-1] - lowest).clamp(min=1e-6)).clamp(0, 1)


def _clahe(image: Tensor) -> Tensor:
    height, width = image.shape
    if min(height, width) < CLAHE_TILES:  # no pixel for some of the tiles
        return _equalise(image)
    levels = _levels(image)
    rows = torch.arange(height) * CLAHE_TILES // height
    columns = torch.arange(width) * CLAHE_TILES // width
    tile = rows[:, None] * CLAHE_TILES + columns[None, :]
    counts = torch.bincount((tile * BINS + levels).flatten(), minlength=CLAHE_TILES**2 * BINS)
    histograms = counts.view(CLAHE_TILES**2, BINS).float()
    limit = CLAHE_CLIP * histograms.sum(1, keepdim=True) / BINS
    excess = (histograms - limit).clamp(min=0).sum(1, keepdim=True)
    histograms = torch.minimum(histograms, limit) + excess / BINS  # what was cut off is spread over all levels
    maps = torch.stack([_mapping(histogram) for histogram in histograms]).view(CLAHE_TILES, CLAHE_TILES, BINS)
    return _blend(maps, levels)


def _blend(maps: Tensor, levels: Tensor) -> Tensor:
    """Look each pixel up in the maps of the four nearest tile centres, weighted by nearness."""
    height, width = levels.shape
    y = ((torch.arange(height) + 0.5) * CLAHE_TILES / height - 0.5).clamp(0, CLAHE_TILES - 1)
    x = ((torch.arange(width) + 0.5) * CLAHE_TILES / width - 0.5).clamp(0, CLAHE_TILES - 1)
    y0, x0 = y.long(), x.long()
    y1, x1 = (y0 + 1).clamp(max=CLAHE_TILES - 1), (x0 + 1).clamp(max=CLAHE_TILES - 1)
    wy, wx = (y - y0)[:, None], (x - x0)[None, :]

    def value(rows: Tensor, columns: Tensor) -> Tensor:
        return maps[rows[:, None], columns[None, :], levels]

    upper = value(y0, x0) * (1 - wx) + value(y0, x1) * wx
    lower = value(y1, x0) * (1 - wx) + value(y1, x1) * wx
    return upper * (1 - wy) + lower * wy
