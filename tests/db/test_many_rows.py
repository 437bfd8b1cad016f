"""A database far larger than a memory: drawing a split and walking every film take the memory of one chunk.

ROWS sets how many films it holds (default 50,000); `make torture` takes ten million.
"""

import os
import resource
import subprocess
import sys
import time
from pathlib import Path

from db.connection import connect
from db.selection import Selection, query_text
from db.splits import draw_split

ROWS = int(os.environ.get("ROWS", "50000"))
COUNTED = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :rows) "
PARAMETERS = {"convention": "clear_field", "provenance": "manual", "source": "all"}
MOST_MB = 20  # a chunk's rows and SQLite's own page caches; 50,000 records in a list are 60


def fill(connection, rows):
    """One patient, study, film and mask a row."""
    connection.execute("INSERT INTO source VALUES (1, 's', '/films', 'manifest', 0, '2026-01-01')")
    for insert in (
        "INSERT INTO patient (patient_id, source_id) " + COUNTED + "SELECT 's:' || i, 1 FROM n",
        "INSERT INTO study (study_id, patient_id) " + COUNTED + "SELECT 's:' || i, 's:' || i FROM n",
        "INSERT INTO image (image_id, source_id, study_id, file, modality, view_position, rows, columns, bits_stored, "
        "content_sha256) " + COUNTED + "SELECT i, 1, 's:' || i, i || '.png', 'DX', 'PA', 17, 13, 8, i FROM n",
        "INSERT INTO mask (image_id, structure, convention, provenance, rle) " + COUNTED
        + "SELECT i, 'lungs', 'clear_field', 'manual', '1 5' FROM n",
    ):  # fmt: skip
        connection.execute(insert, {"rows": rows})


def peak_mb():
    """The most memory this process ever had, SQLite's share included, as Linux counts it (KiB)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def draw_and_walk(connection, rows):
    """Draw a split, walk every film with its mask, print the seconds and return how far the memory grew."""
    before, times = peak_mb(), [time.monotonic()]
    split_set = draw_split(connection, 0)
    times.append(time.monotonic())
    films = Selection(connection, query_text("segmentation_images"), PARAMETERS, split_set)
    times.append(time.monotonic())
    last, walked = "", 0
    for record in films:
        assert last < record.file and record.split in ("train", "val", "test") and len(record.masks) == 1
        last, walked = record.file, walked + 1
    times.append(time.monotonic())
    assert walked == len(films) == rows
    drawing, choosing, walking = (end - start for start, end in zip(times, times[1:], strict=False))
    grown = peak_mb() - before
    print(
        f"{rows} films: split {drawing:.1f} s, choosing {choosing:.1f} s, walking {walking:.1f} s; {grown:.1f} MB more"
    )
    return grown


def test_every_film_of_a_large_database_is_drawn_and_walked_in_the_memory_of_a_few(tmp_path):
    # in a process of its own: a peak cannot be forgotten, and other tests have had larger ones
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, __file__, str(tmp_path / "large.sqlite"), str(ROWS)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    print(done.stdout, done.stderr)
    assert done.returncode == 0


if __name__ == "__main__":
    path, count = sys.argv[1], int(sys.argv[2])
    database = connect(path)
    fill(database, count)
    assert draw_and_walk(database, count) < MOST_MB
