"""Drawing smooth shapes in millimetres onto a pixel grid: anti-aliased polygons, tapered lines, blurs."""

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

OVERSAMPLING = 3


@dataclass(frozen=True)
class Frame:
    """The detector: size pixels square, mm_per_px, and the point in mm that its upper left corner sees."""

    size: int
    mm_per_px: float
    left_mm: float
    top_mm: float

    def to_pixels(self, points: np.ndarray) -> np.ndarray:
        """Return the pixel coordinates (x, y), pixel edges counted from 0, of points in mm."""
        return (np.asarray(points, np.float64) - (self.left_mm, self.top_mm)) / self.mm_per_px

    def coverage(self, contour: np.ndarray) -> np.ndarray:
        """Return the share of each pixel that a closed contour covers: (size, size) float32."""
        picture = Image.new("L", (self.size * OVERSAMPLING,) * 2)
        corners = self.to_pixels(contour) * OVERSAMPLING - 0.5
        ImageDraw.Draw(picture).polygon([tuple(corner) for corner in corners], fill=255)
        return np.asarray(picture.reduce(OVERSAMPLING), np.float32) / 255

    def strokes(self, lines: list[tuple[np.ndarray, float]]) -> np.ndarray:
        """Return the thickness of round rods seen from the front, in mm: (size, size) float32.

        lines: (points in mm, diameter in mm). A rod is thickest along its middle, which three nested strokes imitate.
        """
        total = np.zeros((self.size, self.size), np.float32)
        for share, part in ((1.0, 0.45), (0.72, 0.33), (0.4, 0.22)):
            picture = Image.new("F", (self.size * 2,) * 2)
            draw = ImageDraw.Draw(picture)
            for points, diameter in lines:
                corners = [tuple(corner) for corner in self.to_pixels(points) * 2 - 0.5]
                width = max(1, round(diameter * share / self.mm_per_px * 2))
                joint = "curve" if width > 6 else None  # thin lines show no gaps at their bends, and joints are slow
                draw.line(corners, fill=diameter * part, width=width, joint=joint)
            total += np.asarray(picture.reduce(2))
        return total

    def blur(self, plane: np.ndarray, sigma_mm: float) -> np.ndarray:
        """Return a plane smoothed with a Gaussian of sigma_mm; the frame's edge is continued."""
        sigma = sigma_mm / self.mm_per_px
        factor = int(np.clip(sigma // 3, 1, 8))  # a wide blur is the same on a coarser grid, and much faster
        picture = Image.fromarray(plane.astype(np.float32))
        if factor > 1:
            picture = picture.resize((-(-self.size // factor),) * 2, Image.Resampling.BOX)
        smooth = _gaussian(np.asarray(picture), sigma / factor)
        if factor == 1:
            return smooth
        return np.asarray(Image.fromarray(smooth).resize((self.size,) * 2, Image.Resampling.BICUBIC))

    def ramp(self, coverage: np.ndarray, sigma_mm: float, power: float = 0.55) -> np.ndarray:
        """Return 0 at a shape's edge rising to 1 inside, over about two sigma_mm: the chord of a rounded body."""
        return np.clip(2 * self.blur(coverage, sigma_mm) - 1, 0, 1) ** power * (coverage > 0)


def _gaussian(plane: np.ndarray, sigma: float) -> np.ndarray:
    if sigma < 0.2:
        return plane.astype(np.float32)
    radius = int(3 * sigma + 1)
    kernel = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2).astype(np.float32)
    kernel /= kernel.sum()
    for axis in (0, 1):
        padded = np.pad(plane, [(radius, radius) if a == axis else (0, 0) for a in (0, 1)], mode="edge")
        plane = np.lib.stride_tricks.sliding_window_view(padded, len(kernel), axis=axis) @ kernel
    return plane.astype(np.float32)
