"""A trained network in use: from a film to its probabilities and masks at the film's own size."""

import math
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from data.dataset import Preprocessing, prepare
from data.intensity import METHODS
from data.resize import Letterbox, from_square, positive
from db.records import MASK_STRUCTURES, STRUCTURES
from unet.checkpoint import Checkpoint, load_checkpoint
from unet.device import choose_device, choose_precision, prepare_model
from unet.inference import IDENTITY, TEST_TIME_VIEWS, predict_views
from unet.metrics import count, dice
from unet.postprocess import clean, cut_tails, tidied
from unet.quality import Quality, check_fit, predict_quality
from unet.traits import SHAPES, TRAITS, FilmTraits, film_signs, film_traits
from unet.typical import check_typical, strangeness

MOST_SIZE = 8192  # side of the network's square, pixels; more would fill the memory of any machine
NO_LUNG_LOGIT = -30.0  # outside of what the network has seen


class Predictor:
    """One checkpoint, ready to predict.

    path: best.pt of a training. test_time_views: average over slightly turned and zoomed copies (five times the work).
    """

    def __init__(self, path: Path, device: str = "auto", precision: str = "auto", test_time_views: bool = False):
        self.path = path
        self.checkpoint: Checkpoint = load_checkpoint(path)
        check_structures(path, self.checkpoint)
        check_fits(path, self.checkpoint)
        self.structures = tuple(self.checkpoint.structures)
        self.learnt_from = frozenset(self.checkpoint.learnt_from)
        self.thresholds = self.checkpoint.thresholds()
        self.preprocessing = preprocessing_of(path, self.checkpoint)
        self.device = choose_device(device)
        self.precision, self.reason = choose_precision(precision, self.device)
        self.model = prepare_model(self.checkpoint.build(), self.device)
        self.views = TEST_TIME_VIEWS if test_time_views else (IDENTITY,)
        if self.unfinished is not None:
            warnings.warn(self.unfinished, stacklevel=2)

    @property
    def unfinished(self) -> str | None:
        """Say that this is a checkpoint to go on from, or one whose training has not ended; None of a finished best.pt."""
        epochs = self.checkpoint.training.get("epochs")
        if self.checkpoint.validation or not epochs or "epoch" not in self.checkpoint.progress:
            return None
        if self.checkpoint.resume:
            return (
                f"{self.path}: is what --resume goes on from: these masks are not those of the training's result, and nothing is "
                "fitted on its validation films; use the best.pt beside it"
            )
        return (
            f"{self.path}: its training of {epochs} epochs has not ended: these masks are a half-trained network's, and nothing "
            f"is fitted on its validation films; go on with python train.py --resume {self.path.parent}"
        )

    def logits(self, image: np.ndarray) -> tuple[torch.Tensor, Letterbox]:
        """Return the logits of every view, (V, C, N, N), and where the film lies in them.

        image: (H, W) of floats in [0, 1], lungs dark, as `data.loading.load_film` gives it; ValueError for anything else.
        """
        check_film(image)
        prepared, box = prepare(torch.from_numpy(np.ascontiguousarray(image, np.float32)), self.preprocessing)
        return predict_views(self.model, prepared[None], self.precision, self.views)[:, 0].cpu(), box

    def calibrated(self, logits: torch.Tensor) -> torch.Tensor:
        """Divide logits (..., C, H, W) by each structure's temperature."""
        return logits / torch.tensor(list(self.checkpoint.temperatures().values()))[:, None, None]

    def margins(self, logits: torch.Tensor) -> torch.Tensor:
        """Return how far calibrated logits (..., C, H, W) lie above each threshold; a mask is where this is 0 or more."""
        least = torch.tensor([self.thresholds[name] for name in self.structures]).logit()
        return self.calibrated(logits) - least[:, None, None]

    def probabilities(self, image: np.ndarray) -> np.ndarray:
        """Return the probability of each structure at the film's own size: (C, H, W) float32; 0 in the border."""
        logits, box = self.logits(image)
        return from_square(self.calibrated(logits.mean(dim=0)), box, fill=NO_LUNG_LOGIT).sigmoid().numpy()

    def film_masks(self, logits: torch.Tensor, box: Letterbox) -> dict[str, np.ndarray]:
        """Return the masks at the film's own size, from what `logits` gave: structure to bool (H, W), tidy.

        They are what `unet.postprocess.binarise` makes of `probabilities`, but the heart has no tails, and logits are compared
        with the threshold's logit, only where a structure can be.
        """
        margins = self.margins(logits.mean(dim=0))
        heart = margins[self.structures.index("heart")]
        heart[:] = torch.from_numpy(cut_tails(heart.numpy()))
        masks = dict(zip(self.structures, positive(margins, box), strict=True))
        right, left = masks["right_lung"], masks["left_lung"]
        both = right & left
        if both.any():
            planes = self.calibrated(logits.mean(dim=0))
            right_plane, left_plane = (planes[self.structures.index(name)] for name in ("right_lung", "left_lung"))
            more_right = positive((right_plane - left_plane)[None], box)[0]
            right &= ~both | more_right
            left &= ~(both & more_right)
        return clean(masks)

    def view_masks(self, logits: torch.Tensor, box: Letterbox) -> list[dict[str, np.ndarray]]:
        """Return the masks of each view as `film_masks` does, from what `logits` gave; none where there is only one view."""
        # one at a time: five films of logits at full size need not be held together
        return [self.film_masks(view[None], box) for view in logits] if len(logits) > 1 else []

    def quality(self, logits: torch.Tensor) -> dict[str, Quality]:
        """Return the predicted quality of each structure, from what `logits` gave; empty where the checkpoint has none."""
        return predict_quality(self.checkpoint.quality, self.traits(logits))

    def traits(self, logits: torch.Tensor) -> FilmTraits:
        """Return the traits of probabilities and masks at the network's own size, from what `logits` gave."""
        probabilities = self._small(logits)
        return film_traits(probabilities, *tidied(probabilities, self.thresholds))

    def signs(self, logits: torch.Tensor) -> np.ndarray:
        """Return the part of `traits` by which strange films are recognised (SIGNS,), from what `logits` gave."""
        probabilities = self._small(logits)
        return film_signs(probabilities, tidied(probabilities, self.thresholds)[1])

    def _small(self, logits: torch.Tensor) -> dict[str, np.ndarray]:
        """Return the calibrated probabilities at the network's own size."""
        return dict(zip(self.structures, self.calibrated(logits.mean(dim=0)).sigmoid().numpy(), strict=True))

    def spread(self, logits: torch.Tensor, box: Letterbox) -> np.ndarray:
        """Return how far the views disagree, pixel by pixel, at the film's own size: (H, W), 0 with one view.

        It is the standard deviation of the probability over the views, of the structure where it is largest: at most 0.5.
        """
        deviation = self.calibrated(logits).sigmoid().std(dim=0, correction=0).amax(dim=0, keepdim=True)
        return from_square(deviation, box)[0].numpy()

    def disagreement(self, logits: torch.Tensor) -> float | None:
        """Return the lungs' mean 1 - Dice between the mask of each view and that of their mean; None with one view."""
        if len(logits) < 2:
            return None
        both = [self.structures.index(name) for name in ("right_lung", "left_lung")]
        margins = self.margins(torch.cat([logits.mean(dim=0, keepdim=True), logits]))
        inside = (margins >= 0)[:, both].any(dim=1).numpy()
        return float(np.mean([1 - dice(count(view, inside[0])) for view in inside[1:]]))

    def masks(self, image: np.ndarray) -> dict[str, np.ndarray]:
        """Return the masks at the film's own size: structure to bool (H, W), each one piece without holes."""
        return self.film_masks(*self.logits(image))


def check_film(image: np.ndarray) -> None:
    """Raise ValueError where an array is no film: not floats (H, W), or a value that is not in [0, 1], such as NaN."""
    got = f"{image.dtype} of shape {image.shape}" if isinstance(image, np.ndarray) else type(image).__name__
    wanted = "wanted an array (H, W) of floats in [0, 1], lungs dark, as data.loading.load_film reads it"
    if not isinstance(image, np.ndarray) or image.dtype.kind != "f" or image.ndim != 2 or not image.size:
        raise ValueError(f"a film was given as {got}; {wanted}")
    low, high = image.min(), image.max()
    if not 0 <= low <= high <= 1:  # false for NaN too
        raise ValueError(f"a film was given with values from {low:g} to {high:g}; {wanted}")


def check_structures(path: Path, checkpoint: Checkpoint) -> None:
    """Raise ValueError where the channels of a checkpoint are not the STRUCTURES in their order, in which all code reads them."""
    if list(checkpoint.structures) != list(STRUCTURES):
        raise ValueError(
            f"checkpoint {path}: its channels are {', '.join(map(str, checkpoint.structures))}, wanted {', '.join(STRUCTURES)}; "
            "name a best.pt of train.py"
        )


def check_fits(path: Path, checkpoint: Checkpoint) -> None:
    """Raise ValueError where what was fitted after a training comes from another release or lacks a part."""
    check_fit(path, checkpoint.quality)
    check_typical(path, checkpoint.typical)
    for fit in (checkpoint.quality, checkpoint.typical):
        if not all(map(math.isfinite, numbers_in(fit))):
            raise ValueError(
                f"checkpoint {path}: its predicted quality, or what its training's films look like, holds numbers that are not "
                "finite, with which no film would be called doubtful; train it anew"
            )
    own = {name: np.zeros(len(TRAITS)) for name in MASK_STRUCTURES}
    anything = FilmTraits(own, np.zeros(len(SHAPES)))
    try:  # the values for a made-up film do not matter, only that there are some
        predict_quality(checkpoint.quality, anything)
        strangeness(checkpoint.typical, anything.signs)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(
            f"checkpoint {path}: its predicted quality, or what its training's films look like, is not understood ({error!r}); "
            "train it anew"
        ) from error


def numbers_in(value: object) -> Iterator[float]:
    """Yield the numbers of nested dicts, lists, arrays and tensors."""
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, np.ndarray | Tensor):
        value = value.flatten().tolist()
    if isinstance(value, list | tuple):
        for part in value:
            yield from numbers_in(part)
    elif isinstance(value, int | float):
        yield value


def preprocessing_of(path: Path, checkpoint: Checkpoint) -> Preprocessing:
    """Return how a checkpoint's films are prepared; ValueError where it states nothing valid."""
    try:
        preprocessing = Preprocessing(**checkpoint.preprocessing)
        if type(preprocessing.size) is not int or not 1 <= preprocessing.size <= MOST_SIZE:
            raise TypeError(f"size {preprocessing.size!r}, wanted a whole number of pixels from 1 to {MOST_SIZE}")
        if preprocessing.intensity not in METHODS:
            raise TypeError(f"intensity {preprocessing.intensity!r}, wanted one of {', '.join(METHODS)}")
    except TypeError as error:
        raise ValueError(f"checkpoint {path}: its preprocessing is not understood ({error}); train it anew") from error
    return preprocessing
