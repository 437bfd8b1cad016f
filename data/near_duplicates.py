"""Films that look the same although their bytes differ: a perceptual hash finds candidates, their pixels decide."""

from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
from PIL import Image

THUMBNAIL = 32  # pixels a side
WAVES = 8  # lowest frequencies a side; their signs are the hash
BANDS = 8  # of 8 bits each: two hashes with fewer differing bits than bands share at least one band
MOST_BITS = 7
ALIKE = 0.985  # correlation of two thumbnails of one film, rescaled or recoded


class Print(NamedTuple):
    """What is kept of a film: 64 bits of its coarse shape (8 bytes, one a band), and a normed thumbnail (1024,) float32."""

    bits: bytes
    thumbnail: np.ndarray


def film_print(image: np.ndarray) -> Print:
    """Return the print of a film (H, W): signs of its lowest cosine waves against their median, and its thumbnail.

    The mean (wave 0, 0) is left out, so that brighter copies of a film hash the same; inverted ones do not. The hash is that of
    Zauner 2010 ("pHash") with the waves computed as two matrix products.
    """
    picture = Image.fromarray(np.asarray(image, np.float32)).resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BOX)
    small = np.asarray(picture, np.float64)
    cosines = _cosines()
    waves = (cosines @ small @ cosines.T).ravel()[1:]
    above = np.append(waves > np.median(waves), False)  # 63 waves, filled up to 64 bits
    centred = small.ravel() - small.mean()
    norm = np.linalg.norm(centred)
    return Print(np.packbits(above).tobytes(), np.float32(centred / norm if norm > 0 else centred))


def near_pairs(prints: Sequence[Print]) -> list[tuple[int, int, float]]:
    """Return (i, j, correlation) of all pairs i < j that look the same.

    Only films whose hashes share a band of 8 bits are compared, which misses no pair with at most 7 differing bits: a thirtieth
    of all pairs by chance alone, more where films are alike.
    """
    found: dict[tuple[int, int], float] = {}
    for band in range(BANDS):
        alike: dict[int, list[int]] = {}
        for index, one in enumerate(prints):
            alike.setdefault(one.bits[band], []).append(index)
        for members in alike.values():
            for i, j in combinations(members, 2):
                if (i, j) not in found and _differing(prints[i], prints[j]) <= MOST_BITS:
                    found[i, j] = float(prints[i].thumbnail @ prints[j].thumbnail)
    return sorted((i, j, correlation) for (i, j), correlation in found.items() if correlation >= ALIKE)


def _differing(one: Print, other: Print) -> int:
    return (int.from_bytes(one.bits) ^ int.from_bytes(other.bits)).bit_count()


def _cosines() -> np.ndarray:
    """The lowest cosine waves (DCT-II) as rows: (WAVES, THUMBNAIL)."""
    places = (np.arange(THUMBNAIL) + 0.5) / THUMBNAIL
    return np.cos(np.pi * np.arange(WAVES)[:, None] * places[None])
