"""A database far larger than what is selected from it: memory follows the selection, not the database.

ROWS sets how many films it holds (default 100,000); `make torture` takes ten million.
"""

import os
import tracemalloc

from db.connection import connect
from db.selection import query_text, select_images
from db.splits import draw_split

ROWS = int(os.environ.get("ROWS", "100000"))
COUNTED = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :rows) "


def fill(connection, rows):
    """One patient, study, film and mask a row; one in a thousand of the masks is drawn by hand, the others by a model."""
    connection.execute("INSERT INTO source VALUES (1, 's', '/films', 'manifest', 0, '2026-01-01')")
    for insert in (
        "INSERT INTO patient (patient_id, source_id) " + COUNTED + "SELECT 's:' || i, 1 FROM n",
        "INSERT INTO study (study_id, patient_id) " + COUNTED + "SELECT 's:' || i, 's:' || i FROM n",
        "INSERT INTO image (image_id, source_id, study_id, file, modality, view_position, rows, columns, bits_stored, "
        "content_sha256) " + COUNTED + "SELECT i, 1, 's:' || i, i || '.png', 'DX', 'PA', 17, 13, 8, i FROM n",
        "INSERT INTO mask (image_id, structure, convention, provenance, rle) " + COUNTED
        + "SELECT i, 'lungs', 'clear_field', iif(i % 1000 = 0, 'manual', 'model'), '1 5' FROM n",
    ):  # fmt: skip
        connection.execute(insert, {"rows": rows})


def test_drawing_a_split_and_selecting_few_films_loads_no_more_than_those(tmp_path):
    connection = connect(tmp_path / "large.sqlite")
    fill(connection, ROWS)
    tracemalloc.start()
    split_set = draw_split(connection, 0)
    drawn = tracemalloc.get_traced_memory()[1]
    parameters = {"convention": "clear_field", "provenance": "manual", "source": "all"}
    records = select_images(connection, query_text("segmentation_images"), parameters, split_set)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(records) == ROWS // 1000 and {record.split for record in records} <= {"train", "val", "test"}
    assert connection.execute("SELECT count(*) FROM split").fetchone()[0] == ROWS
    print(f"{ROWS} rows: drawing a split takes {drawn / 1e3:.0f} kB, with the selection {peak / 1e3:.0f} kB")
    assert drawn < 1e5 and peak < 1e6 + 5e3 * len(records)
