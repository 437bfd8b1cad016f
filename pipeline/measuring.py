"""Clinical measurements of predicted and of reference masks, kept as rows with the run that took them."""

import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from data.loading import load_record
from data.masks import load_masks
from data.measurement_overlay import draw_measurements
from data.measurements import Measurement, measure_masks
from data.overlay import encode_picture
from data.writing import atomic_file
from db.records import ImageRecord
from db.runs import finish_run, start_run
from db.scores import write_measurements
from report.film_result import FilmResult

DRAWN = 3
REFERENCE = "measure"
"""Command of the run that measures an evaluation's reference masks; its parent is the evaluation."""


def keep_measurements(connection: sqlite3.Connection, run_id: int, folder: Path, results: Sequence[FilmResult]) -> None:
    """Write the measurements of an evaluation: the predicted under its own run, the reference's under a child of it."""
    write_measurements(connection, run_id, _rows((result.record, result.measured) for result in results))
    reference = start_run(connection, REFERENCE, folder, {"masks": "reference"}, run_id)
    write_measurements(connection, reference, _rows((result.record, result.measured_true) for result in results))
    finish_run(connection, reference)


def measure_references(records: Iterable[ImageRecord], folder: Path) -> Iterator[tuple]:
    """Yield (image_id, name, value, unit, spread) of every value that the films' stored masks allow.

    The first DRAWN films of each source are drawn with every measured line as folder/IMAGE_ID.png, for a radiologist to check.
    Raises ValueError or OSError where a mask cannot be read: a cohort that is silently smaller would mislead.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for earlier in folder.glob("*.png"):  # of another selection
        earlier.unlink()
    films: Counter[str] = Counter()
    for record in records:
        masks = load_masks(record)
        films[record.source] += 1
        if films[record.source] <= DRAWN:
            with atomic_file(folder / f"{record.image_id}.png") as file:
                file.write(encode_picture(draw_measurements(load_record(record), masks, record.spacing_mm)))
        yield from _rows([(record, measure_masks(masks, record.spacing_mm))])


def _rows(films: Iterable[tuple[ImageRecord, Sequence[Measurement]]]) -> list[tuple]:
    return [(record.image_id, *measurement) for record, measured in films for measurement in measured]
