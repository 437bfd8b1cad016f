"""Bedside and diseased films: what can be said without clear-field masks to compare with.

    python -m data.ingest covid_chestxray FOLDER/covid --db films.sqlite
    python -m benchmarks.bedside runs/own films.sqlite [FOLDER]

Each film is looked at by a network that never saw its patient: of several folds the first that did not, of one training only
the films of those it was not trained on. Counts the frontal films with two lungs on the right sides, of plausible size. Masks
of two other makings are there; Dice with them compares networks with each other and does not tell how good one is: masks by
hand that hold most of the heart's shadow, against lungs and heart together; and masks of another network, against the lungs.
Two shares of the masks by hand are true of the clear field too: how much of the lungs lies outside of them, where no lung can
be, and how much of their lateral halves is missed, where lung is, or on the left the heart. With a FOLDER the overlays of the
films with the least predicted Dice are written there.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from data.loading import load_record
from data.masks import load_masks, load_unjudged, medial_half
from data.overlay import encode_picture, overlay
from data.writing import atomic_file
from db.connection import connect_existing
from db.records import ImageRecord
from db.selection import query_text, select_images
from pipeline.doubts import doubts
from pipeline.found_checkpoints import find_checkpoints
from pipeline.predictor import Predictor
from pipeline.trained_on import patients_trained_on
from unet.device import keep_freed_memory
from unet.metrics import count, dice
from unet.structures import with_lungs

SOURCE = "covid_chestxray"
FRONTAL = """
SELECT image_id, NULL AS mask_id FROM image JOIN source USING (source_id)
WHERE duplicate_of IS NULL AND modality IN ('CR', 'DX') AND view_position IN ('PA', 'AP') AND source.name = :source
ORDER BY image_id
"""
BY_HAND = "lungs and heart, by hand"
OTHER_MASKS = {
    BY_HAND: {"convention": "includes_heart", "provenance": "manual", "source": SOURCE},
    "lungs, by another network": {"convention": "clear_field", "provenance": "model", "source": SOURCE},
}
POOR = 0.85
WORST = 20


class Seen(NamedTuple):
    """One film: doubts about its masks, the predicted Dice of its lungs, and the Dice with each kind of other mask it has.

    outside: share of the lungs that lies outside of what was drawn by hand, missed: share of its lateral halves that was not
    found, where that is.
    """

    predictor: Predictor
    film: ImageRecord
    doubts: list[str]
    predicted_dice: float | None
    agreement: dict[str, float]
    outside: float | None
    missed: float | None


def main(checkpoint: Path, database: Path, folder: Path | None) -> None:
    """Print what was found and draw the films of the least predicted Dice."""
    keep_freed_memory()
    networks = [
        (Predictor(path), patients_trained_on(path)) for path in find_checkpoints(checkpoint, Path("runs")).paths
    ]
    seen = list(look(networks, database))
    if not seen:
        sys.exit(
            f"{database} has no frontal film of {SOURCE} whose patient {checkpoint} was not trained on; read that source first"
        )
    plausible = sum(not row.doubts for row in seen)
    print(
        f"{len(seen)} frontal films; two lungs of plausible size on the right sides: {plausible} ({plausible / len(seen):.1%})"
    )
    for name in OTHER_MASKS:
        values = np.array([row.agreement[name] for row in seen if name in row.agreement])
        if not len(values):
            continue
        print(
            f"{name}: {len(values)} films, mean Dice {values.mean():.4f}, median {np.median(values):.4f}, "
            f"5th percentile {np.quantile(values, 0.05):.3f}, below {POOR} {np.mean(values < POOR):.1%}"
        )
    print_shares("share of the lungs outside of what was drawn by hand", [row.outside for row in seen])
    print_shares("share missed of the lateral halves drawn by hand", [row.missed for row in seen])
    if folder:
        judged = [row for row in seen if row.predicted_dice is not None]
        draw_overlays(sorted(judged, key=lambda row: row.predicted_dice)[:WORST], folder)


def print_shares(label: str, values: Sequence[float | None]) -> None:
    """Print mean and 95th percentile of the shares there are."""
    known = np.array([value for value in values if value is not None])
    if len(known):
        print(f"{label}: mean {known.mean():.4f}, 95th percentile {np.quantile(known, 0.95):.3f}")


def look(networks: list[tuple[Predictor, set[str]]], database: Path) -> Iterator[Seen]:
    """Yield what is found on each frontal film that there is a network for which never saw its patient."""
    connection = connect_existing(database)
    others = {
        name: {film.image_id: film for film in select_images(connection, query_text("segmentation_images"), kind)}
        for name, kind in OTHER_MASKS.items()
    }
    for film in select_images(connection, FRONTAL, {"source": SOURCE}):
        strangers = [predictor for predictor, trained_on in networks if film.patient_id not in trained_on]
        if not strangers:
            continue
        predictor = strangers[0]
        logits, box = predictor.logits(load_record(film))
        masks = with_lungs(predictor.film_masks(logits, box))
        own = dict(zip(OTHER_MASKS, (masks["lungs"] | masks["heart"], masks["lungs"]), strict=True))
        drawn = {
            name: with_lungs(load_masks(films[film.image_id]))
            for name, films in others.items()
            if film.image_id in films
        }
        outside = missed = None
        if BY_HAND in drawn:
            judged = ~load_unjudged(others[BY_HAND][film.image_id])
            own[BY_HAND] = own[BY_HAND] & judged
            outside = share_outside(masks["lungs"] & judged, drawn[BY_HAND]["lungs"])
            missed = share_missed(masks, drawn[BY_HAND])
        agreement = {name: dice(count(own[name], sides["lungs"])) for name, sides in drawn.items()}
        quality = predictor.quality(logits).get("lungs")
        yield Seen(
            predictor,
            film,
            doubts(masks, box.crop_height * box.crop_width),
            quality.predicted_dice if quality else None,
            agreement,
            outside,
            missed,
        )


def share_outside(lungs: np.ndarray, drawn: np.ndarray) -> float | None:
    """Return how much of the lungs, bool (H, W), lies outside of what was drawn; None without lungs."""
    return float(np.count_nonzero(lungs & ~drawn) / np.count_nonzero(lungs)) if lungs.any() else None


def share_missed(masks: Mapping[str, np.ndarray], drawn: Mapping[str, np.ndarray]) -> float | None:
    """Return how much of the drawn lungs' lateral halves is neither that lung nor, on the left, heart.

    masks, drawn: structure to bool (H, W); None where the drawn lungs are not apart, or empty.
    """
    if not {"right_lung", "left_lung"} <= drawn.keys():
        return None
    found = {"right_lung": masks["right_lung"], "left_lung": masks["left_lung"] | masks["heart"]}
    halves = {side: drawn[side] & ~medial_half(drawn[side], side) for side in found}
    whole = sum(np.count_nonzero(half) for half in halves.values())
    return float(sum(np.count_nonzero(half & ~found[side]) for side, half in halves.items()) / whole) if whole else None


def draw_overlays(rows: list[Seen], folder: Path) -> None:
    """Write the overlays of some films, and print their names."""
    folder.mkdir(parents=True, exist_ok=True)
    for rank, row in enumerate(rows, start=1):
        image = load_record(row.film)
        with atomic_file(folder / f"{rank:02d}.jpg") as file:
            file.write(encode_picture(overlay(image, row.predictor.masks(image)), "JPEG"))
        print(f"{rank:02d}.jpg  predicted {row.predicted_dice:.3f}  {row.film.file}  {'; '.join(row.doubts)}")


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    main(*map(Path, sys.argv[1:3]), Path(sys.argv[3]) if len(sys.argv) == 4 else None)
