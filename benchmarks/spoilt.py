"""Held-out films made worse step by step: how long the masks hold, and whether a film on which they fail is called doubtful.

    python -m benchmarks.spoilt runs/cross films.sqlite

Takes the test films of a training or of its folds, each to the network that never saw its patient, spoils film and masks alike
and looks at the film as `predict.py` does. Prints per way of spoiling the Dice of lungs and heart, how many films have lungs
below 0.9, how many of these have a reason for review, and how many of the others have one.
"""

import io
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from cli.progress import track
from data.loading import load_record
from data.masks import load_masks
from db.connection import connect_existing
from db.records import ImageRecord
from evaluate import EvaluateConfig, select_records
from pipeline.film_view import view_film
from pipeline.found_checkpoints import find_checkpoints
from pipeline.predictor import Predictor
from unet.device import keep_freed_memory
from unet.metrics import count, dice
from unet.quality import GOOD_DICE
from unet.structures import with_lungs

GRAIN = 256  # pixels of the noise along each side: finer noise is averaged away before the network sees it
Spoil = Callable[[np.ndarray], np.ndarray]


class Spoiling(NamedTuple):
    """grey: changes grey levels (H, W) in [0, 1], the result is cut to that range. place: moves film or mask, float (H, W)."""

    grey: Spoil = lambda image: image
    place: Spoil = lambda plane: plane


class Seen(NamedTuple):
    """One film: Dice of its lungs, of its heart (None where none is drawn), and whether there is a reason for review."""

    lungs: float
    heart: float | None
    review: bool


def noisy(deviation: float) -> Spoil:
    """Add normal noise in grains, the same on every film."""
    grains = np.random.default_rng(0).normal(scale=deviation, size=(GRAIN, GRAIN)).astype(np.float32)
    return lambda image: image + resized(grains, image.shape, Image.Resampling.NEAREST)


def thumbnail(side: int) -> Spoil:
    """Reduce the film to a longer side of so many pixels and enlarge it again."""
    return lambda image: resized(
        resized(image, [max(1, round(side * n / max(image.shape))) for n in image.shape], Image.Resampling.BOX),
        image.shape,
        Image.Resampling.BILINEAR,
    )


def resized(plane: np.ndarray, size: Sequence[int], how: Image.Resampling) -> np.ndarray:
    """Return a float plane at another (height, width)."""
    return np.asarray(Image.fromarray(plane.astype(np.float32)).resize((size[1], size[0]), how))


def compressed(quality: int) -> Spoil:
    """Save the film as JPEG and read it back."""

    def spoil(image: np.ndarray) -> np.ndarray:
        buffer = io.BytesIO()
        Image.fromarray(np.uint8(255 * image)).save(buffer, "JPEG", quality=quality)
        return np.asarray(Image.open(buffer), np.float32) / 255

    return spoil


def turned(degrees: float) -> Spoil:
    """Turn the film counter-clockwise about its middle; black comes in at the corners."""
    return lambda plane: np.asarray(Image.fromarray(plane).rotate(degrees, Image.Resampling.BILINEAR))


def shaded(image: np.ndarray) -> np.ndarray:
    """Make the left edge 0.5 times and the right edge 1.5 times as bright."""
    return image * np.linspace(0.5, 1.5, image.shape[1], dtype=np.float32)


def barred(image: np.ndarray) -> np.ndarray:
    """Draw a white bar, a twentieth of the width, down through the middle of the right lung."""
    image = image.copy()
    width = image.shape[1]
    image[:, int(0.28 * width) : int(0.33 * width)] = 1
    return image


def on_a_page(image: np.ndarray) -> np.ndarray:
    """Lay a film that has been made half as large onto a grey page."""
    rows, columns = (slice(side // 4, side // 4 + round(side / 2)) for side in image.shape)
    page = np.full_like(image, 0.5)
    page[rows, columns] = image[rows, columns]
    return page


def half_as_large(plane: np.ndarray) -> np.ndarray:
    """Make film or mask half as large, in the middle of black."""
    height, width = (round(side / 2) for side in plane.shape)
    page = np.zeros_like(plane)
    top, left = (side // 4 for side in plane.shape)
    page[top : top + height, left : left + width] = resized(plane, (height, width), Image.Resampling.BOX)
    return page


SPOILINGS: Mapping[str, Spoiling] = {
    "as it is": Spoiling(),
    "darker, gamma 2": Spoiling(lambda image: image**2),
    "brighter, gamma 0.5": Spoiling(lambda image: image**0.5),
    "a third of the contrast": Spoiling(lambda image: 0.5 + (image - 0.5) / 3),
    "overexposed: the brightest third white": Spoiling(lambda image: image / max(np.quantile(image, 2 / 3), 1e-3)),
    "underexposed: the darkest third black": Spoiling(lambda image: image - np.quantile(image, 1 / 3)),
    "darker to the left": Spoiling(shaded),
    "noise, deviation 0.1": Spoiling(noisy(0.1)),
    "noise, deviation 0.2": Spoiling(noisy(0.2)),
    "a thumbnail of 64 pixels": Spoiling(thumbnail(64)),
    "a thumbnail of 32 pixels": Spoiling(thumbnail(32)),
    "JPEG of quality 5": Spoiling(compressed(5)),
    "a white bar through the right lung": Spoiling(barred),
    "turned by 10 degrees": Spoiling(place=turned(10)),
    "turned by 20 degrees": Spoiling(place=turned(20)),
    "the lowest fifth cut off": Spoiling(place=lambda plane: plane[: round(0.8 * len(plane))]),
    "the left tenth cut off": Spoiling(place=lambda plane: plane[:, round(0.1 * plane.shape[1]) :]),
    "half as large on a grey page": Spoiling(on_a_page, half_as_large),
}


def main(checkpoint: Path, database: Path) -> None:
    """Print one line for each way of spoiling."""
    keep_freed_memory()
    films = list(held_out(checkpoint, database))
    print(f"{'':40s} films  lungs  5th perc.  heart  below {GOOD_DICE}: called  others called")
    for name, spoiling in SPOILINGS.items():
        seen = [look(predictor, record, spoiling) for predictor, record in track(films, len(films), name)]
        lungs, called = np.array([film.lungs for film in seen]), np.array([film.review for film in seen])
        hearts = [film.heart for film in seen if film.heart is not None]
        bad = lungs < GOOD_DICE
        print(
            f"{name:40s} {len(seen):5d} {lungs.mean():.4f}  {np.quantile(lungs, 0.05):9.3f}  {np.mean(hearts or [np.nan]):.3f}"
            f"  {called[bad].sum():3d} of {bad.sum():3d}  {called[~bad].sum():3d} of {(~bad).sum():3d}",
            flush=True,
        )


def held_out(checkpoint: Path, database: Path) -> Iterator[tuple[Predictor, ImageRecord]]:
    """Yield every test film with lungs that are drawn, and the network that did not see its patient."""
    connection = connect_existing(database)
    for path in find_checkpoints(checkpoint, Path("runs")).paths:
        predictor = Predictor(path, "cpu", "float32")
        for record in select_records(connection, EvaluateConfig(), predictor):  # by default those of the test split
            drawn = {mask.structure for mask in record.masks}
            if "lungs" in drawn or {"right_lung", "left_lung"} <= drawn:
                yield predictor, record


def look(predictor: Predictor, record: ImageRecord, spoiling: Spoiling) -> Seen:
    """Spoil a film and compare its masks with those drawn, moved alike."""
    moved = np.ascontiguousarray(spoiling.place(load_record(record)))
    image = np.clip(spoiling.grey(moved), 0, 1).astype(np.float32)
    masks_true = {
        name: spoiling.place(mask.astype(np.float32)) >= 0.5 for name, mask in with_lungs(load_masks(record)).items()
    }
    view = view_film(predictor, image, None, fix_orientation=False)
    masks = with_lungs(view.stored)
    found = {name: dice(count(masks[name], mask)) for name, mask in masks_true.items()}
    return Seen(found["lungs"], found.get("heart"), bool(view.review))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]))
