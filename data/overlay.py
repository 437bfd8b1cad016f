"""Pictures of a film with its masks: contours of truth and prediction, and where the two differ."""

import io

import numpy as np
from PIL import Image

from data.resize import DIM, grey_range
from db.records import MASK_STRUCTURES
from unet.pieces import border

TRUE_COLOUR = (255, 255, 255)
PRED_COLOURS = {
    "right_lung": (86, 180, 233),
    "left_lung": (240, 228, 66),
    "heart": (230, 110, 50),
    "lungs": (86, 180, 233),
}  # sky blue, yellow, vermilion of Okabe & Ito (2008): apart for colour-blind eyes too
# reddish purple and bluish green of the same palette: truth without prediction, prediction without truth
MISSED, INVENTED = (204, 121, 167), (0, 158, 115)
ERROR_OPACITY = 0.45
LONGEST_SIDE = 512  # pixels of a picture
GLOW = (255, 176, 0)  # where probabilities disagree
HOTTEST = 0.3  # standard deviation of a probability; 0.5 is the most there can be


def overlay(
    image: np.ndarray,
    masks_pred: dict[str, np.ndarray],
    masks_true: dict[str, np.ndarray] | None = None,
    longest_side: int = LONGEST_SIDE,
) -> np.ndarray:
    """Return an RGB picture (h, w, 3) uint8 of a film with the contours drawn on it, longer side at most `longest_side`.

    image: (H, W) float in [0, 1]. masks_pred, masks_true: structure to bool (H, W). Prediction is drawn in the structure's
    colour, truth in white; pixels inside the truth alone are tinted purple, inside the prediction alone green.
    """
    masks_true = masks_true or {}
    picture, size = _grey_picture(image, longest_side)
    pred = {name: _shrink(mask, size) for name, mask in masks_pred.items()}
    true = {name: _shrink(mask, size) for name, mask in masks_true.items()}
    _tint_errors(picture, pred, true)
    for name in MASK_STRUCTURES:
        if name in true:
            _paint(picture, border(true[name]), TRUE_COLOUR)
        if name in pred:
            _paint(picture, border(pred[name]), PRED_COLOURS[name])
    return picture


def heat(image: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return an RGB picture (h, w, 3) uint8 of a film on which values (H, W) glow: 0 not at all, HOTTEST and more fully."""
    picture, size = _grey_picture(image, LONGEST_SIDE)
    small = np.asarray(Image.fromarray(values.astype(np.float32)).resize(size, Image.Resampling.BOX))
    glow = np.clip(small / HOTTEST, 0, 1)[..., None]
    return np.uint8(np.clip(picture * (1 - glow) + glow * np.array(GLOW, np.float32), 0, 255))


def encode_picture(picture: np.ndarray, format: str = "PNG") -> bytes:
    """Return a picture (h, w, 3) or (h, w) uint8 as the bytes of a PNG or JPEG file."""
    buffer = io.BytesIO()
    options = {"quality": 82} if format == "JPEG" else {"optimize": True}
    Image.fromarray(picture).save(buffer, format, **options)
    return buffer.getvalue()


def _grey_picture(image: np.ndarray, longest_side: int) -> tuple[np.ndarray, tuple[int, int]]:
    """The film in RGB as uint8, and its (width, height); a dim one is brightened, so that one sees it."""
    low, high = grey_range(image[::8])
    if 0 < high - low < DIM:
        image = np.clip((image - low) / (high - low), 0, 1)
    step = max(1.0, max(image.shape) / longest_side)
    size = (max(1, round(image.shape[1] / step)), max(1, round(image.shape[0] / step)))
    grey = Image.fromarray(np.uint8(image * 255)).resize(size, Image.Resampling.BOX, reducing_gap=1.0)
    return np.array(grey.convert("RGB")), size


def _paint(picture: np.ndarray, where: np.ndarray, colour: tuple[int, int, int]) -> None:
    picture.reshape(-1, 3)[np.flatnonzero(where)] = colour  # a bool picture as index takes eight times as long


def _tint_errors(picture: np.ndarray, pred: dict[str, np.ndarray], true: dict[str, np.ndarray]) -> None:
    both = [name for name in MASK_STRUCTURES if name in pred and name in true]  # in one order: errors may overlap
    for name in both:
        for where, colour in ((true[name] & ~pred[name], MISSED), (pred[name] & ~true[name], INVENTED)):
            picture[where] = (1 - ERROR_OPACITY) * picture[where] + ERROR_OPACITY * np.array(colour, np.float32)


def _shrink(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Take the nearest pixel: contours to look at need no more, and it takes a tenth of the time of averaging."""
    return np.asarray(Image.fromarray(np.asarray(mask, bool).view(np.uint8)).resize(size, Image.Resampling.NEAREST)) > 0
