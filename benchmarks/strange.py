"""Films that are no chest films or lie wrong: how many are noticed, and how many good films are called so.

    python -m benchmarks.strange runs/own/best.pt films.sqlite

Takes the database's films by what it says of them: the network's own test films, as they are and turned, inverted and mirrored;
frontal films of sources it was not trained on; CT slices; lateral films. Beside them pictures drawn here and matplotlib's
photographs.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import matplotlib
import numpy as np
from PIL import Image, ImageDraw

from data.loading import load_record
from db.connection import connect_existing
from db.records import ImageRecord
from db.selection import select_images
from pipeline.film_view import look_again
from pipeline.orientation import AS_STORED, MIRROR, Placement, place
from pipeline.predictor import Predictor
from unet.device import keep_freed_memory
from unet.typical import MARGIN, strangeness

CHANGES = {
    "as stored": AS_STORED, "turned by 90 degrees": Placement(quarter_turns=1), "by 180 degrees": Placement(quarter_turns=2),
    "by 270 degrees": Placement(quarter_turns=3), "inverted": Placement(inverted=True), "mirrored": MIRROR,
}  # fmt: skip
FILMS = "SELECT image_id, NULL AS mask_id FROM image WHERE duplicate_of IS NULL ORDER BY image_id"
KINDS = "SELECT image_id, modality, view_position FROM image"


class Film(NamedTuple):
    """A film of the database, and of what kind the database says that it is."""

    record: ImageRecord
    modality: str | None
    view: str | None


class Tally(NamedTuple):
    """Of one group: films, how many are called strange as they lie, how many are found to lie as they do."""

    films: int
    strange: float
    placed: float


def main(checkpoint: Path, database: Path) -> None:
    """Print one table."""
    keep_freed_memory()
    predictor = Predictor(checkpoint, "cpu", "float32")
    typical = predictor.checkpoint.typical
    usual = typical["limit"] / MARGIN
    print(f"{checkpoint}: signs of {typical['films']} training films, usual distance up to {usual:.2f}")
    print(f"{'':44s} {'films':>6s} {'strange':>9s} {'placement found':>16s}")
    own, foreign = films_of(database, predictor, True), films_of(database, predictor, False)
    for name, change in CHANGES.items():
        show(f"test films, {name}", predictor, [film for film in own if film.record.split == "test"], change)
    frontal = [film for film in foreign if film.view in ("PA", "AP") and film.modality != "CT"]
    for name, change in CHANGES.items():
        show(f"frontal films of other sources, {name}", predictor, frontal[:: 1 if change == AS_STORED else 4], change)
    show("CT slices", predictor, [film for film in foreign if film.modality == "CT"])
    show("lateral films", predictor, [film for film in foreign if film.view in ("LL", "RL")])
    show("drawn pictures and noise", predictor, list(drawn()))
    show("photographs", predictor, list(photographs()))


def show(name: str, predictor: Predictor, films: Sequence[Film | np.ndarray], change: Placement = AS_STORED) -> None:
    """Measure one group and print its line."""
    if films:
        tally = measure(predictor, films, change)
        print(f"{name:44s} {tally.films:6d} {100 * tally.strange:7.1f} % {100 * tally.placed:14.1f} %", flush=True)


def measure(predictor: Predictor, films: Sequence[Film | np.ndarray], change: Placement) -> Tally:
    """Change each film and see what is said of it; to undo a change is right, and nothing else is."""
    undone = change._replace(quarter_turns=-change.quarter_turns % 4)
    strange, placed = [], []
    for film in films:
        image = place(film if isinstance(film, np.ndarray) else load_record(film.record), change)
        signs = predictor.signs(predictor.logits(image)[0])
        strange.append(strangeness(predictor.checkpoint.typical, signs) > 1)
        placed.append(look_again(predictor, image, signs) == undone)
    return Tally(len(films), float(np.mean(strange)), float(np.mean(placed)))


def films_of(database: Path, predictor: Predictor, own: bool) -> list[Film]:
    """Return the films of the sources that the network was trained on, or of the others."""
    with closing(connect_existing(database)) as connection:
        trained = trained_sources(predictor, connection)
        kinds = {row["image_id"]: row for row in connection.execute(KINDS)}
        records = select_images(connection, FILMS, {}, predictor.checkpoint.training["split_set"])
    return [
        Film(record, kinds[record.image_id]["modality"], kinds[record.image_id]["view_position"])
        for record in records
        if (record.source in trained) == own
    ]


def trained_sources(predictor: Predictor, connection) -> list[str]:
    """Return the sources whose films have the masks the training asked for; films that joined it as guests do not count.

    What is usual is fitted without guests, so their source is as strange to the distance as any other.
    """
    training = predictor.checkpoint.training
    rows = connection.execute(
        "SELECT DISTINCT source.name FROM mask JOIN image USING (image_id) JOIN source USING (source_id) "
        "WHERE convention = ? AND instr(?, provenance) > 0",
        (training["convention"], ",".join(training["provenance"])),
    )
    return [row["name"] for row in rows]


def drawn() -> Iterator[np.ndarray]:
    """Draw 40 pictures that are no films: white and cloudy noise, discs, writing, waves."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:400, :300]
    for number in range(8):
        yield rng.random((300 + 20 * number, 400), np.float32)
        yield cloudy(rng, 0.5 + 0.25 * number)
        yield picture(
            lambda pen, n=number: [pen.ellipse(disc(rng), fill=int(rng.integers(60, 255))) for _ in range(3 + 2 * n)]
        )
        yield 1 - picture(lambda pen: [pen.text((10, y), words(rng), fill=255) for y in range(10, 490, 12)])
        yield ((np.sin(columns / (5 + 4 * number)) + np.sin(rows / (9 + 3 * number))) / 4 + 0.5).astype(np.float32)


def picture(draw: Callable[[ImageDraw.ImageDraw], object]) -> np.ndarray:
    """Return what a function draws on black, 500 x 400."""
    canvas = Image.new("L", (400, 500))
    draw(ImageDraw.Draw(canvas))
    return np.asarray(canvas, np.float32) / 255


def cloudy(rng: np.random.Generator, exponent: float) -> np.ndarray:
    """Return noise whose amplitude falls with the frequency to a power, scaled to [0, 1]."""
    frequency = np.hypot(np.fft.fftfreq(400)[:, None], np.fft.fftfreq(400)[None])
    frequency[0, 0] = 1
    values = np.fft.ifft2(np.fft.fft2(rng.normal(size=(400, 400))) / frequency**exponent).real
    return ((values - values.min()) / np.ptp(values)).astype(np.float32)


def disc(rng: np.random.Generator) -> list[int]:
    """Return a box somewhere in the picture."""
    x, y, width, height = (int(value) for value in (*rng.integers(0, 360, 2), *rng.integers(20, 150, 2)))
    return [x, y, x + width, y + height]


def words(rng: np.random.Generator) -> str:
    """Return a line of letters and spaces."""
    return "".join(rng.choice(list("abcdefghij klmnop qrstuv"), 60))


def photographs() -> Iterator[np.ndarray]:
    """Yield matplotlib's sample photographs, whole and cut."""
    rng = np.random.default_rng(1)
    folder = Path(matplotlib.__file__).parent / "mpl-data" / "sample_data"
    for path in sorted([*folder.glob("*.jpg"), *folder.glob("*.png")]):
        image = np.asarray(Image.open(path).convert("L"), np.float32) / 255
        yield image
        for _ in range(6):
            height, width = (int(side * rng.uniform(0.4, 0.8)) for side in image.shape)
            top, left = rng.integers(0, image.shape[0] - height), rng.integers(0, image.shape[1] - width)
            yield np.ascontiguousarray(image[top : top + height, left : left + width])


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]))
