"""A network that includes the preparation of films, as tensor operations that torch.export, TorchScript and ONNX can represent.

The border, and with it the scale, differs from film to film, so cutting and resizing are products with matrices of known
shape whose entries are computed from the film; a row or column that is cut has weight 0.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class FilmModule(nn.Module):
    """The whole way from a film to its probabilities: film (H, W) float32 in [0, 1], 0 black -> (C, H, W) float32 in [0, 1].

    model: logits from (1, 1, size, size). size: side of its square. temperature: one for each structure. percentiles: (low,
    high) that are stretched to 0..1, None: grey levels as they are; flat: no farther apart, they make the film 0. black: grey
    level up to which a pixel counts as black, None: no border is cut. dim: (spread, marked): a film whose grey levels spread
    less, the extremes of that share of its rows aside, is stretched to 0..1 before its border is looked for. page:
    (tolerance, largest): a frame of one brighter grey level, to within the tolerance, is a page's and is cut likewise, if the
    film covers at most that share of it. bright_share: a row or column with a larger share of other pixels belongs to the
    film. fill: logit in the border that was cut.
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        size: int,
        temperature: Sequence[float],
        percentiles: tuple[float, float] | None,
        flat: float,
        black: float | None,
        dim: tuple[float, float],
        page: tuple[float, float],
        bright_share: float,
        fill: float,
    ):
        super().__init__()
        self.model = model
        self.size, self.percentiles, self.flat = size, percentiles, flat
        self.black, self.page, self.bright_share, self.fill = black, page, bright_share, fill
        self.dim, self.marked = dim
        self.register_buffer("temperature", torch.tensor(list(temperature))[:, None, None])

    def forward(self, film: Tensor) -> Tensor:
        top, crop_height, left, crop_width = self._content(film)
        scale = self.size / torch.maximum(crop_height, crop_width)
        inner_height, inner_width = (
            (crop_height * scale).round().clamp(min=1),
            (crop_width * scale).round().clamp(min=1),
        )
        square_top, square_left = ((self.size - inner_height) / 2).floor(), ((self.size - inner_width) / 2).floor()
        square, rows, columns = (_positions(film, count) for count in (self.size, film.shape[0], film.shape[1]))
        down = _resampling(square - square_top, inner_height, rows - top, crop_height)  # (size, H)
        across = _resampling(square - square_left, inner_width, columns - left, crop_width)  # (size, W)
        small = self._standardise(down @ film @ across.T, down.sum(1) > 0, across.sum(1) > 0)
        logits = self.model(small[None, None])[0] / self.temperature
        up = _resampling(rows - top, crop_height, square - square_top, inner_height)  # (H, size)
        along = _resampling(columns - left, crop_width, square - square_left, inner_width)  # (W, size)
        inside = (up.sum(1) > 0)[:, None] & (along.sum(1) > 0)[None, :]
        return torch.where(inside, up @ logits @ along.T, self.fill).sigmoid()

    def _content(self, film: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return first row, rows, first column, columns without the border, float64; for a film of one grey level the whole."""
        if self.black is None:
            return self._extent(torch.ones_like(film, dtype=torch.bool))
        marked = (self.marked * (torch.ones_like(film[:, 0]).sum() - 1)).long()
        low = film.amin(1).sort().values[marked]
        spread = film.amax(1).sort(descending=True).values[marked] - low
        film = torch.where((spread > 0) & (spread < self.dim), (film - low) / spread.clamp(min=1e-12), film)
        tolerance, largest = self.page
        corner, frame = film[0, 0], torch.cat([film[0], film[-1], film[:, 0], film[:, -1]])
        others = ((frame - corner).abs() > tolerance).float().mean()
        on_page = self._extent((film - corner).abs() > tolerance)
        is_page = (corner > self.black) & (others <= self.bright_share)
        is_page = is_page & (on_page[1] * on_page[3] <= largest * film.numel())
        return tuple(torch.where(is_page, *pair) for pair in zip(on_page, self._extent(film > self.black), strict=True))

    def _extent(self, pixels: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return first row, rows, first column, columns of the lines with enough pixels; of all lines where there are none."""
        rows, columns = (pixels.float().mean(dim=axis) > self.bright_share for axis in (1, 0))
        whole = ~(rows.any() & columns.any())
        return (*_first_and_length(rows | whole), *_first_and_length(columns | whole))

    def _standardise(self, small: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
        """Stretch the grey levels between the percentiles of the pixels inside the film; outside stays 0."""
        inside = rows[:, None] & columns[None, :]
        if self.percentiles is None:
            return torch.where(inside, small, 0.0)
        ordered = torch.where(inside, small, torch.inf).flatten().sort().values  # pixels outside come last
        last = (rows.sum() * columns.sum() - 1).double()
        low, high = (ordered[(share / 100 * last).round().long()] for share in self.percentiles)
        stretches = high - low > self.flat
        stretched = ((small - low) / torch.where(stretches, high - low, 1.0)).clamp(0, 1)
        return torch.where(inside & stretches, stretched, 0.0)


def _positions(film: Tensor, count: int) -> Tensor:
    return torch.arange(count, device=film.device, dtype=torch.float64)


def _first_and_length(inside: Tensor) -> tuple[Tensor, Tensor]:
    """Return the first true position of a line and the length from there to the last one."""
    positions = torch.arange(inside.shape[0], device=inside.device)
    first = torch.where(inside, positions, inside.shape[0]).min()
    last = torch.where(inside, positions, -1).max()
    return first.double(), (last - first + 1).double()


def _resampling(to: Tensor, to_size: Tensor, source: Tensor, source_size: Tensor) -> Tensor:
    """Return the (len(to), len(source)) weights of a resize from source_size to to_size pixels along one axis.

    to, source: positions counted from the first pixel of each; those outside 0..size - 1 have weight 0. The filter is torch's
    antialiased interpolation: a triangle two new pixels wide when shrinking, bilinear when enlarging.
    """
    step = source_size / to_size
    centre = (to[:, None] + 0.5) * step
    weights = (1 - (source[None, :] + 0.5 - centre).abs() / step.clamp(min=1)).clamp(min=0)
    weights = weights * ((source >= 0) & (source < source_size))[None, :] * ((to >= 0) & (to < to_size))[:, None]
    return (weights / weights.sum(dim=1, keepdim=True).clamp(min=1e-12)).float()
