"""The parts of the U-Net: two convolutions, a step down, a step up."""

import torch
from torch import Tensor, nn


class DoubleConv(nn.Sequential):
    """Twice convolution 3 x 3, batch norm, ReLU: (B, in, H, W) to (B, out, H, W)."""

    def __init__(self, channels_in: int, channels_out: int):
        super().__init__(
            nn.Conv2d(channels_in, channels_out, 3, padding=1, bias=False),  # the norm's shift replaces the bias
            nn.BatchNorm2d(channels_out),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels_out, channels_out, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels_out),
            nn.ReLU(inplace=True),
        )


class Down(nn.Sequential):
    """Halve the size, then two convolutions: (B, in, H, W) to (B, out, H/2, W/2)."""

    def __init__(self, channels_in: int, channels_out: int):
        super().__init__(nn.MaxPool2d(2), DoubleConv(channels_in, channels_out))


class Up(nn.Module):
    """Double the size, put the skip beside it, two convolutions: (B, in, H, W), (B, out, 2H, 2W) to (B, out, 2H, 2W)."""

    def __init__(self, channels_in: int, channels_out: int):
        super().__init__()
        self.grow = nn.ConvTranspose2d(channels_in, channels_out, 2, stride=2)
        self.conv = DoubleConv(2 * channels_out, channels_out)

    def forward(self, below: Tensor, skip: Tensor) -> Tensor:
        return self.conv(torch.cat([skip, self.grow(below)], dim=1))
