"""Pictures side by side with a line of text above each, and values as colour over a film."""

from collections.abc import Mapping

import numpy as np
from PIL import Image, ImageDraw

CAPTION_HEIGHT, GAP = 22, 6  # pixels
DIMMED = 0.6  # of its brightness, so that colours stand out on the film
MORE, LESS = np.array([230, 110, 50]), np.array([86, 180, 233])  # vermilion, sky blue: apart for colour-blind eyes too


def tint(image: np.ndarray, values: np.ndarray, full: float) -> np.ndarray:
    """Return an RGB picture of a film with values over it: vermilion above 0, sky blue below; `full` and more hide the film.

    image: (h, w) in [0, 1]; values: (h, w).
    """
    strength = np.clip(np.abs(values) / full, 0, 1)[..., None]
    grey = np.repeat(image[..., None] * 255 * DIMMED, 3, axis=2)
    return np.uint8(grey * (1 - strength) + np.where(values[..., None] > 0, MORE, LESS) * strength)


def side_by_side(panels: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return RGB pictures (h, w, 3) uint8 of one height beside each other, each under its caption."""
    return np.concatenate([_captioned(text, panel) for text, panel in panels.items()], axis=1)


def _captioned(text: str, panel: np.ndarray) -> np.ndarray:
    height, width = panel.shape[:2]
    canvas = Image.new("RGB", (width + GAP, height + CAPTION_HEIGHT), "white")
    canvas.paste(Image.fromarray(panel), (0, CAPTION_HEIGHT))
    ImageDraw.Draw(canvas).text((2, 4), text, fill="black")
    return np.asarray(canvas)
