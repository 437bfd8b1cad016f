"""A checkpoint is weights, how to rebuild the network, how films must be prepared, and how far the training had got.

It holds tensors, numbers, texts, lists and dicts only, so it loads with `weights_only=True`: a file from elsewhere cannot
run code.
"""

import pickle
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, get_origin, get_type_hints

import torch
from torch import Tensor

from unet.model import UNet, UNetConfig

FORMAT = "lung-segmentation checkpoint 1"
DEFAULT_THRESHOLD = 0.5  # of a structure that is drawn on no validation film
MOST_IN_CONFIG = 4096  # no number of a network's config is larger
DEEPEST = 16  # steps down: films of 2^16 pixels
HOTTEST = 1e6  # temperature


@dataclass
class Checkpoint:
    """Everything that is kept of a training.

    model: config of the network. weights: its averaged weights, the ones to predict with (before they
    are drawn back by --blend where `resume` is not empty). preprocessing, training: settings
    as plain dicts. structures: names of the channels. progress: counters and history. resume: what only a
    continued training needs (raw weights, optimiser); empty in best.pt. temperature, threshold: how logits become probabilities
    and masks. quality: see `unet.quality`. validation: how many films these three were fitted on, and the operating points there.
    typical: see `unet.typical`. learnt_from: SHA-256 of every film that it was trained on or chosen by, those of the earlier
    trainings whose weights it started from included.
    """

    model: UNetConfig
    weights: dict[str, Tensor]
    preprocessing: dict[str, Any]
    training: dict[str, Any]
    structures: list[str]
    progress: dict[str, Any] = field(default_factory=dict)
    resume: dict[str, Any] = field(default_factory=dict)
    temperature: dict[str, float] = field(default_factory=dict)
    threshold: dict[str, float] = field(default_factory=dict)
    quality: dict[str, Any] = field(default_factory=dict)
    validation: dict[str, Any] = field(default_factory=dict)
    typical: dict[str, Any] = field(default_factory=dict)
    learnt_from: list[str] = field(default_factory=list)

    def build(self) -> UNet:
        """Return the network with its weights, in evaluation mode."""
        model = UNet(self.model)
        model.load_state_dict(self.weights)
        return model.eval()

    def thresholds(self) -> dict[str, float]:
        """Return every structure's threshold, a probability in (0, 1); 0.5 where none was fitted."""
        return {name: self.threshold.get(name, DEFAULT_THRESHOLD) for name in self.structures}

    def temperatures(self) -> dict[str, float]:
        """Return every structure's temperature, by which its logits are divided; 1 where none was fitted."""
        return {name: self.temperature.get(name, 1.0) for name in self.structures}


def save_checkpoint(file: BinaryIO, checkpoint: Checkpoint) -> None:
    """Write a checkpoint to an open binary file; the caller makes the write atomic."""
    content = {name: getattr(checkpoint, name) for name in Checkpoint.__dataclass_fields__}
    torch.save({"format": FORMAT, **content, "model": asdict(checkpoint.model)}, file)


def load_checkpoint(path: str | Path) -> Checkpoint:
    """Read a checkpoint without running anything in it.

    Raises FileNotFoundError where there is none, ValueError for a file that is damaged, not ours, or of another release.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"checkpoint {path}: no such file; train one with `python train.py`")
    content = _read(path)
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        found = content.get("format", "no format mark") if isinstance(content, dict) else type(content).__name__
        raise ValueError(f"checkpoint {path}: got {found!r}, wanted {FORMAT!r}; name a best.pt of train.py")
    del content["format"]
    try:
        checkpoint = Checkpoint(**{**content, "model": UNetConfig(**content["model"])})
        _check_parts(checkpoint)
    except (TypeError, KeyError, ValueError, RuntimeError, AttributeError, OverflowError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"checkpoint {path}: its parts do not fit together ({reason}); train it anew") from error
    _check_finite(path, checkpoint.weights)
    return checkpoint


def _read(path: Path) -> Any:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ValueError(
            f"checkpoint {path}: it is damaged, or carries code, which is not run; wanted a file that train.py wrote"
        ) from error
    except Exception as error:  # foreign bytes break the reader in many ways; all of them mean the same to the user
        raise ValueError(
            f"checkpoint {path}: damaged, truncated or not readable ({error}); use another, or train anew"
        ) from error


def _check_parts(checkpoint: Checkpoint) -> None:
    """Check that the parts fit together before memory is taken for them: a file may name a network of any size."""
    large = [name for name, value in asdict(checkpoint.model).items() if not 0 <= value <= MOST_IN_CONFIG]
    if large:
        raise TypeError(f"{large[0]} of the network is not within 0 and {MOST_IN_CONFIG}")
    if checkpoint.model.depth > DEEPEST:
        raise TypeError(f"the network goes down {checkpoint.model.depth} steps, wanted {DEEPEST} at most")
    with torch.device("meta"):  # shapes without memory
        wanted = {name: tensor.shape for name, tensor in UNet(checkpoint.model).state_dict().items()}
    got = {name: tensor.shape for name, tensor in checkpoint.weights.items()}
    odd = sorted(name for name in wanted.keys() | got.keys() if wanted.get(name) != got.get(name))
    if odd:
        raise TypeError(f"{odd[0]}: {got.get(odd[0])} in the file, {wanted.get(odd[0])} in the network")
    for name, hint in get_type_hints(Checkpoint).items():
        kind = get_origin(hint) or hint
        if not isinstance(getattr(checkpoint, name), kind):
            raise TypeError(f"{name} is a {type(getattr(checkpoint, name)).__name__}, wanted a {kind.__name__}")
    if not all(isinstance(film, str) for film in checkpoint.learnt_from):
        raise TypeError("learnt_from does not name films")
    if len(checkpoint.structures) != checkpoint.model.channels_out:
        raise TypeError(f"{len(checkpoint.structures)} structures, {checkpoint.model.channels_out} channels")
    for kind, most in (("temperature", HOTTEST), ("threshold", 1.0)):
        odd = [name for name, value in getattr(checkpoint, kind).items() if not 0 < value < most]
        if odd:
            raise TypeError(f"{kind} of {odd[0]} is {getattr(checkpoint, kind)[odd[0]]!r}")


def _check_finite(path: Path, weights: dict[str, Tensor]) -> None:
    broken = [name for name, tensor in weights.items() if tensor.is_floating_point() and not tensor.isfinite().all()]
    if broken:
        raise ValueError(
            f"checkpoint {path}: weights {broken[0]} contain NaN or infinity; the training diverged, use another"
        )
