"""Masks for films of one's own: one film, or a folder searched to the bottom.

    python predict.py film.png --out results
    python predict.py films/ --checkpoint runs/own/best.pt --out results

Writes to --out: masks/<structure>/<film>.png (0/255, the film's own size), overlays/<film>.jpg, predictions.csv,
failures.csv and report.html. Called again it goes on: a film whose bytes and network are the same as before is not done twice.
Reads PNG, JPEG, TIFF, BMP, and DICOM where pydicom is installed.
"""

import csv
import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from cli.command import DONE, SOME_FAILED, run
from cli.progress import track
from cli.settings import parse_settings, setting
from data.dicom import is_dicom, read_dicom
from data.found_films import find_films, names_for
from data.overlay import encode_picture, overlay
from data.reading import read_image
from data.writing import atomic_file
from pipeline.evaluation import write_masks
from pipeline.predictor import Predictor, find_checkpoints
from pipeline.scoring import with_lungs
from report.page import Gallery, Heading, Page, Picture, Table, Text, write_page
from report.run_folder import write_csv
from unet.device import PRECISIONS, keep_freed_memory
from unet.postprocess import component_count

RUNS = Path("runs")
READ_AHEAD = 2
GALLERY = 60
COLUMNS = ("file", "name", "height", "width", "row_spacing_mm", "column_spacing_mm", "right_lung_share", "left_lung_share",
           "heart_share", "cardiothoracic_ratio", "review", "network", "input_sha256")  # fmt: skip


@dataclass(frozen=True)
class PredictConfig:
    """Settings of `predict.py`."""

    films: tuple[Path, ...] = setting((), "films, or folders of films", positional=True)
    checkpoint: Path | None = setting(None, "best.pt of a training; without it the newest in runs/")
    out: Path | None = setting(None, "folder for the results")
    photometric: str = setting(
        "MONOCHROME2", "how grey levels of non-DICOM files are stored", choices=("MONOCHROME1", "MONOCHROME2")
    )
    test_time_views: bool = setting(False, "average over five slightly changed copies of each film")
    device: str = setting("auto", "auto, cpu, cuda or mps")
    precision: str = setting("auto", "number format of the convolutions", choices=PRECISIONS)


class Loaded(NamedTuple):
    """A film ready to be predicted: its pixels, spacing and the hash of its bytes."""

    image: np.ndarray
    spacing_mm: tuple[float, float] | None
    sha256: str


def main(argv: list[str]) -> int:
    """Predict as the arguments say; status 1 when some films failed."""
    config = parse_settings(PredictConfig, argv, __doc__)
    if not config.films or config.out is None:
        raise ValueError(
            "name films or a folder of them, and a folder for the results: python predict.py FILMS --out DIR"
        )
    keep_freed_memory()
    path = find_checkpoints(config.checkpoint, RUNS)[0]
    predictor = Predictor(path, config.device, config.precision, config.test_time_views)
    network = hashlib.sha256(path.read_bytes()).hexdigest()[:16] + ("+views" if config.test_time_views else "")
    films = find_films(config.films)
    config.out.mkdir(parents=True, exist_ok=True)
    done = read_done(config.out / "predictions.csv", network)
    rows, failures = [], []
    for film, outcome in track(predict_all(films, config, predictor, network, done), len(films), "film"):
        if isinstance(outcome, str):
            failures.append((str(film), outcome))
        else:
            rows.append(outcome)
            # after every film, so that a killed call has lost nothing; rows of earlier calls on other films stay
            done[str(film)] = outcome
            write_rows(config.out, done)
    write_csv(config.out / "failures.csv", ("file", "why"), failures)
    report = write_page(build_page(rows, failures, config.out), config.out)
    review = sum(bool(row["review"]) for row in rows)
    print(f"{len(rows)} films done ({review} to review), {len(failures)} failed. Report: {report}")
    for film, why in failures:
        print(f"failed: {film}: {why}")
    return SOME_FAILED if failures else DONE


def predict_all(
    films: Sequence[Path], config: PredictConfig, predictor: Predictor, network: str, done: dict[str, dict]
) -> Iterator[tuple[Path, dict | str]]:
    """Yield each film with its row, or with the reason why there is none."""
    names = names_for(films)
    with ThreadPoolExecutor(READ_AHEAD) as pool:
        for film, loaded in zip(films, pool.map(lambda path: load(path, config.photometric), films), strict=True):
            if isinstance(loaded, str):
                yield film, loaded
                continue
            before = done.get(str(film))
            if before and before["input_sha256"] == loaded.sha256 and results_exist(config.out, before["name"]):
                yield film, before
                continue
            masks = predictor.masks(loaded.image)
            write_masks(config.out / "masks", names[film], with_lungs(masks))
            (config.out / "overlays").mkdir(exist_ok=True)
            with atomic_file(config.out / "overlays" / f"{names[film]}.jpg") as file:
                file.write(encode_picture(overlay(loaded.image, masks), "JPEG"))
            yield film, describe(film, names[film], loaded, masks, network)


def load(path: Path, photometric: str) -> Loaded | str:
    """Read a film, or say in one line why it cannot be read."""
    try:
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        if is_dicom(path):
            film = read_dicom(path)
            return Loaded(film.image, film.spacing_mm, sha256)
        return Loaded(read_image(path, photometric), None, sha256)
    except (ValueError, OSError, ModuleNotFoundError, MemoryError) as error:
        return " ".join(str(error).split()) or type(error).__name__


def describe(film: Path, name: str, loaded: Loaded, masks: dict[str, np.ndarray], network: str) -> dict:
    """Return the row of predictions.csv; `review` says in words what is not plausible, or is empty."""
    spacing = loaded.spacing_mm or (None, None)
    shares = {f"{structure}_share": round(float(mask.mean()), 5) for structure, mask in masks.items()}
    return {
        "file": str(film), "name": name, "height": loaded.image.shape[0], "width": loaded.image.shape[1],
        "row_spacing_mm": spacing[0], "column_spacing_mm": spacing[1], **shares,
        "cardiothoracic_ratio": cardiothoracic_ratio(masks), "review": "; ".join(doubts(masks)),
        "network": network, "input_sha256": loaded.sha256,
    }  # fmt: skip


def cardiothoracic_ratio(masks: dict[str, np.ndarray]) -> float | None:
    """Return the heart's width over the width of both lungs together; None where one of them is missing."""
    lungs = (masks["right_lung"] | masks["left_lung"]).any(axis=0).nonzero()[0]
    heart = masks["heart"].any(axis=0).nonzero()[0]
    return round(float(np.ptp(heart) + 1) / float(np.ptp(lungs) + 1), 4) if len(lungs) and len(heart) else None


def doubts(masks: dict[str, np.ndarray]) -> list[str]:
    """Say what no chest film shows: a missing lung, lungs on the wrong sides, far too small, or of very different size."""
    right, left = masks["right_lung"], masks["left_lung"]
    found = [f"no {name}" for name, mask in (("right lung", right), ("left lung", left)) if not component_count(mask)]
    if found:
        return found
    if right.nonzero()[1].mean() > left.nonzero()[1].mean():
        found.append("lungs on the wrong sides: the film may be mirrored")
    if (right | left).mean() < 0.06:
        found.append("lungs cover less than 6 % of the picture")
    ratio = right.sum() / left.sum()
    if not 1 / 2.5 < ratio < 2.5:
        found.append(f"one lung is {max(ratio, 1 / ratio):.1f} times the other")
    return found


def results_exist(out: Path, name: str) -> bool:
    """Tell whether every file of a film is there."""
    masks = [out / "masks" / structure / f"{name}.png" for structure in ("right_lung", "left_lung", "heart", "lungs")]
    return all(path.is_file() for path in (*masks, out / "overlays" / f"{name}.jpg"))


def read_done(path: Path, network: str) -> dict[str, dict]:
    """Return the rows an earlier call of the same network left, by file."""
    if not path.is_file():
        return {}
    with open(path, encoding="utf-8", newline="") as file:
        return {row["file"]: row for row in csv.DictReader(file) if row.get("network") == network}


def write_rows(out: Path, done: dict[str, dict]) -> None:
    """Write predictions.csv whole."""
    write_csv(out / "predictions.csv", COLUMNS, [[row.get(column) for column in COLUMNS] for row in done.values()])


def build_page(rows: Sequence[dict], failures: Sequence[tuple[str, str]], out: Path) -> Page:
    """Compose the report: what was done, what to look at first, every film."""
    page = Page("Lungs and heart on films without reference")
    page.add(Text(f"{len(rows)} films done, {len(failures)} failed. Nobody has checked these masks."))
    page.add(Text("For research use; not a medical device."))
    ordered = sorted(rows, key=lambda row: not row["review"])
    shown = ordered[:GALLERY]
    table = [(row["name"], row["cardiothoracic_ratio"] or None, row["review"] or "plausible") for row in ordered]
    links = [f"film-{row['name']}" if row in shown else None for row in ordered]
    page.add(
        Heading("Every film"), Table(("film", "cardiothoracic ratio", "review"), table, "Doubtful films first.", links)
    )
    if failures:
        page.add(Heading("Failed"), Table(("file", "why"), failures))
    pictures = [
        Picture(
            f"film-{row['name']}",
            (out / "overlays" / f"{row['name']}.jpg").read_bytes(),
            f"{row['name']} {row['review']}",
            "jpg",
        )
        for row in shown
    ]
    page.add(Heading("Overlays"), Text("Blue: right lung, yellow: left lung, orange: heart."), Gallery(pictures))
    return page


if __name__ == "__main__":
    run(main)
