"""Films and masks at the network's size: decoded once, kept as uint8 in one memory-mapped file, handed out in batches."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from data.augment import AugmentConfig, AugmentParameters, apply, draw_parameters
from data.cache import cache_key
from data.intensity import standardise
from data.loading import load_record
from data.masks import load_masks, load_unjudged, medial_half
from data.reading import DECODING_THREADS
from data.resize import Letterbox, letterbox_of, pad_to_square, shrink, to_square
from data.writing import atomic_file
from db.records import MASK_STRUCTURES, ImageRecord
from unet.structures import DRAWN, HEART, LEFT_LUNG, RIGHT_LUNG, STRUCTURES, WITH_HEART, with_lungs

PROCESSOR = torch.device("cpu")


@dataclass(frozen=True)
class Preprocessing:
    """What is done to a film before the network sees it; stored in the checkpoint, so that prediction does the same."""

    size: int = 256  # side of the network's square, pixels
    intensity: str = "percentile"  # see data.intensity
    crop: bool = True  # cut the border, black or a page's, before resizing


class Batch(NamedTuple):
    """images (B, 1, N, N), masks (B, 4, N, N) as smoothed shares (`data.resize`), both float in [0, 1].

    known (B, 4): DRAWN where a mask exists.

    The four planes are right lung, left lung, heart, lungs (the union). A film whose lungs are drawn with the heart's shadow
    inside has WITH_HEART for right and left lung, no union, and in the heart's plane what the loss ignores.
    """

    images: Tensor
    masks: Tensor
    known: Tensor

    def to(self, device: torch.device) -> "Batch":
        """Return the batch on a device."""
        return Batch(*(part.to(device) for part in self))

    def resized(self, side: int) -> "Batch":
        """Return the batch in squares of `side` pixels; the masks stay smoothed shares."""
        if self.images.shape[-1] == side:
            return self
        planes = torch.cat([self.images, self.masks], dim=1)
        small = F.interpolate(planes, size=(side, side), mode="bilinear", align_corners=False, antialias=True)
        return Batch(small[:, :1], small[:, 1:], self.known)


def prepare(image: Tensor, preprocessing: Preprocessing) -> tuple[Tensor, Letterbox]:
    """Turn a film (H, W) in [0, 1] into what the network sees, (1, N, N) in [0, 1], and say where the film lies in it.

    Grey levels are standardised after shrinking, so that films of every resolution have the same noise, and before
    padding, so that the border does not count.
    """
    box = letterbox_of(image, preprocessing.size, preprocessing.crop)
    small = shrink(image[None], box)[0]
    return pad_to_square(standardise(small, preprocessing.intensity)[None], box), box


def prepare_record(
    record: ImageRecord, preprocessing: Preprocessing, with_heart: bool = False
) -> tuple[Tensor, Tensor]:
    """Read a film and its masks: (5, N, N) planes in [0, 1], image and four masks as smoothed shares, and (4,) which are known.

    Where both lungs are drawn, their union is known too. with_heart: see `Batch`; of such a film only the two lungs are
    used, and nothing is known where they are not drawn separately.
    """
    image = torch.from_numpy(load_record(record))
    prepared, box = prepare(image, preprocessing)
    masks = load_masks(record)
    apart = "right_lung" in masks and "left_lung" in masks
    if with_heart:
        masks = _drawn_with_heart(record, masks) if apart else {}
    elif apart:
        masks = with_lungs(masks)
    planes = torch.zeros(1 + len(MASK_STRUCTURES), preprocessing.size, preprocessing.size)
    planes[:1] = prepared
    known = torch.zeros(len(MASK_STRUCTURES))
    for channel, structure in enumerate(MASK_STRUCTURES):
        if structure in masks:
            planes[1 + channel] = to_square(torch.from_numpy(masks[structure])[None].float(), box)[0]
            known[channel] = WITH_HEART if with_heart else DRAWN
    if with_heart:
        known[HEART] = 0  # its plane holds no heart, but what the loss ignores
    return planes, known


def _drawn_with_heart(record: ImageRecord, masks: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the planes of a film whose lungs are drawn with the heart's shadow inside, bool (H, W).

    The heart's plane holds what the loss ignores: the lungs' medial halves, and what the source does not judge; the latter
    is marked in both lungs as well.
    """
    unjudged = load_unjudged(record)
    medial = [medial_half(masks[side], side) for side in ("right_lung", "left_lung")]
    sides = {side: masks[side] | unjudged for side in ("right_lung", "left_lung")}
    return {**sides, "heart": medial[0] | medial[1] | unjudged}


class FilmDataset:
    """The prepared films of a list of records; `batch(indices)` gives any of them.

    The first call for a list decodes the films into `cache_folder`; later ones, also of other processes, map that file.
    Its name is a hash of the films' contents, their and their masks' files, and the preprocessing: what changes is decoded anew.
    """

    def __init__(
        self, records: Sequence[ImageRecord], preprocessing: Preprocessing, cache_folder: Path, guests: int = 0
    ):
        """guests: the number of records, the last ones, whose lungs are drawn with the heart's shadow inside.

        Where no training film has a heart drawn, their left lungs count as not drawn.
        """
        self.records = list(records)
        self.guests = guests
        self.preprocessing = preprocessing
        planes = 1 + len(MASK_STRUCTURES)
        self.shape = (len(self.records), planes, preprocessing.size, preprocessing.size)
        key = cache_key(self.records, asdict(preprocessing), guests)
        pixels, known = cache_folder / f"{key}.u8", cache_folder / f"{key}.known"
        if not (pixels.is_file() and known.is_file()):
            cache_folder.mkdir(parents=True, exist_ok=True)
            self._decode(pixels, known)
        self._pixels = np.memmap(pixels, np.uint8, "r", shape=self.shape)
        self._known = torch.from_numpy(np.fromfile(known, np.uint8).reshape(len(self.records), -1).copy())
        if not self._rows_with(HEART, "train"):  # nothing tells the heart from a guest's left lung
            self._known[len(self) - guests :, LEFT_LUNG] = 0

    def __len__(self) -> int:
        return len(self.records)

    def guest_rows(self) -> list[int]:
        """Return the guests' rows in the training split, without those whose lungs are not separate: they teach nothing."""
        rows = range(len(self) - self.guests, len(self))
        return [
            row for row in rows if self.records[row].split == "train" and self._known[row, RIGHT_LUNG] == WITH_HEART
        ]

    def batch(self, indices: Sequence[int]) -> Batch:
        """Return the films at the indices, in that order."""
        planes = torch.from_numpy(self._pixels[np.asarray(indices, dtype=np.int64)]).float() / 255
        return Batch(planes[:, :1], planes[:, 1:], self._known[torch.as_tensor(indices)].float())

    def batches_of(self, rows: Sequence[int], size: int) -> Iterator[Batch]:
        """Yield the films of the rows in order, none dropped; the last batch may be smaller."""
        for start in range(0, len(rows), size):
            yield self.batch(rows[start : start + size])

    def augmented_batches(
        self,
        rows: Sequence[int],
        size: int,
        generator: torch.Generator,
        config: AugmentConfig | None,
        shard: slice = slice(None),
        side: int | None = None,
        device: torch.device = PROCESSOR,
    ) -> Iterator[Batch]:
        """Yield the films of the rows once, in a random order and changed on the device; config None leaves them as they are.

        shard: which films of each batch to yield. Random numbers are drawn for the whole batch, so the shards of several
        processes together are the batch of a single one. side: of the squares to yield, pixels; None: as they are kept.
        """
        side = side or self.preprocessing.size
        order = torch.randperm(len(rows), generator=generator).tolist()
        for start in range(0, len(rows), size):
            chosen = [rows[i] for i in order[start : start + size]]
            batch = self.batch(chosen[shard])
            if config is None:
                yield batch.resized(side).to(device)
            else:
                drawn = draw_parameters(len(chosen), config, generator)
                own = AugmentParameters(*(numbers[shard] for numbers in drawn))
                images, masks, known = batch.to(device)
                yield Batch(*apply(images, masks, own, (side, side)), known)

    def faults(self, taught_before: bool = False) -> list[str]:
        """Return which structures are drawn on no training film, only as empty masks, or on no film to choose by.

        taught_before: other films have taught, or will first teach, what these do not. An empty list is good news.
        """
        shares = self.positive_share()
        faults = [
            f"{structure}: the masks have no positive pixel on any film; check that they are white where the organ is"
            for structure, share in shares.items()
            if share == 0
        ]
        missing = [name for name in STRUCTURES if name not in shares]
        if "lungs" in shares and "right_lung" in missing and "left_lung" in missing:
            missing = [name for name in missing if name == "heart"]
            result = "which is which stays as other films taught it" if taught_before else "only their union is trained"
            faults.append(f"no training film has right and left lung apart; {result}")
        result = "what other films taught of it stays" if taught_before else "that channel stays untrained"
        faults += [f"{name}: no training film has it drawn; {result}" for name in missing]
        return faults + [
            f"{name}: no film to choose by has it drawn; the kept epoch, thresholds and predicted quality do not regard it"
            for channel, name in enumerate(MASK_STRUCTURES)
            if name in shares and not self._rows_with(channel, "val")
        ]

    def _rows_with(self, channel: int, split: str) -> list[int]:
        """Return the rows of the films of a split that have the structure drawn."""
        rows = (self._known[:, channel] == DRAWN).nonzero()[:, 0].tolist()
        return [row for row in rows if self.records[row].split == split]

    def positive_share(self) -> dict[str, float]:
        """Return per structure the mean share of the square that is inside, over the training films that have it drawn."""
        shares = {}
        for channel, structure in enumerate(MASK_STRUCTURES):
            rows = self._rows_with(channel, "train")
            if rows:
                shares[structure] = float(np.mean([self._pixels[row, 1 + channel].mean() / 255 for row in rows]))
        return shares

    def _decode(self, pixels: Path, known: Path) -> None:
        """Write both files under temporary names; two processes doing so at once write the same bytes."""
        flags = np.zeros((len(self.records), len(MASK_STRUCTURES)), np.uint8)
        with atomic_file(pixels) as file, ThreadPoolExecutor(DECODING_THREADS) as pool:
            for row, (planes, film_known) in enumerate(pool.map(self._decode_one, range(len(self)))):
                file.write(planes.tobytes())
                flags[row] = film_known
        with atomic_file(known) as file:
            file.write(flags.tobytes())

    def _decode_one(self, row: int) -> tuple[np.ndarray, np.ndarray]:
        planes, known = prepare_record(self.records[row], self.preprocessing, row >= len(self) - self.guests)
        return (planes * 255).round().to(torch.uint8).numpy(), known.to(torch.uint8).numpy()
