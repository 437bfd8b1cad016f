"""The U-Net (Ronneberger et al. 2015), with a space-to-depth stem: the film enters, one logit per structure leaves."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from unet.blocks import DoubleConv, Down, Up
from unet.structures import LEFT_LUNG, RIGHT_LUNG, STRUCTURES


@dataclass(frozen=True)
class UNetConfig:
    """The numbers that define the network."""

    channels_out: int = len(STRUCTURES)
    base: int = 32  # channels of the first level; each level down has twice as many
    widest: int = 256  # most channels of any level
    depth: int = 4  # steps down: at 256 pixels the deepest convolutions then see the whole film
    stem: int = 2  # pixels of stem x stem blocks become channels: a quarter of the work at nearly the same sharpness
    dropout: float = 0.0  # share of channels dropped at the bottom, during training

    @property
    def multiple(self) -> int:
        """Height and width of the input must be multiples of this; `forward` pads and crops for those that are not."""
        return self.stem * 2**self.depth


class UNet(nn.Module):
    """U-Net on one grey channel.

    images (B, 1, H, W) float, standardised grey levels in [0, 1] -> logits (B, channels_out, H, W). Any H and W: the input is
    padded at the right and bottom to the next multiple and the logits are cropped back.
    """

    def __init__(self, config: UNetConfig):
        super().__init__()
        self.config = config
        widths = [min(config.base * 2**level, config.widest) for level in range(config.depth + 1)]
        self.first = DoubleConv(config.stem**2, widths[0])
        self.downs = nn.ModuleList(Down(a, b) for a, b in zip(widths[:-1], widths[1:], strict=True))
        self.dropout = nn.Dropout2d(config.dropout)
        self.ups = nn.ModuleList(Up(b, a) for a, b in reversed(list(zip(widths[:-1], widths[1:], strict=True))))
        self.head = nn.Conv2d(widths[0], config.channels_out * config.stem**2, 1)
        if not self.head.weight.is_meta:  # on "meta" there are shapes only, to check a checkpoint's weights
            self.apply(_initialise)

    def forward(self, images: Tensor) -> Tensor:
        height, width = images.shape[-2:]
        x = F.pixel_unshuffle(self._pad(images) * 4 - 2, self.config.stem)  # (B, stem^2, H/stem, W/stem), about -2..2
        skips = [self.first(x)]
        for down in self.downs:
            skips.append(down(skips[-1]))  # (B, min(base * 2^level, widest), H / (stem * 2^level), ...)
        x = self.dropout(skips.pop())
        for up in self.ups:
            x = up(x, skips.pop())
        logits = F.pixel_shuffle(self.head(x), self.config.stem)  # (B, channels_out, H, W)
        return logits[..., :height, :width]

    def _pad(self, images: Tensor) -> Tensor:
        if images.ndim != 4 or images.shape[1] != 1:
            raise ValueError(f"images have shape {tuple(images.shape)}; wanted (B, 1, H, W)")
        multiple = self.config.multiple
        bottom, right = -images.shape[-2] % multiple, -images.shape[-1] % multiple
        return F.pad(images, (0, right, 0, bottom)) if bottom or right else images


def _initialise(module: nn.Module) -> None:
    """He et al. 2015: keep the signal's variance through ReLU layers."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def count_parameters(model: nn.Module) -> int:
    """Return the number of trainable values."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def with_union(logits: Tensor) -> Tensor:
    """Append the lungs' logit: (B, 3, H, W) of right lung, left lung, heart to (B, 4, H, W); the union is the larger one.

    The sigmoid grows with its argument, so the union's probability is the larger of the two probabilities.
    """
    right, left = logits[:, RIGHT_LUNG : RIGHT_LUNG + 1], logits[:, LEFT_LUNG : LEFT_LUNG + 1]
    return torch.cat([logits, torch.maximum(right, left)], dim=1)
