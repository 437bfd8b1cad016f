"""Reference masks that are measured and drawn."""

from dataclasses import replace

from db.connection import connect
from db.selection import query_text, select_images
from pipeline.measuring import DRAWN, measure_references


def test_pictures_of_an_earlier_selection_do_not_stay(tmp_path):
    (tmp_path / "7.png").write_bytes(b"")
    (tmp_path / "notes.txt").write_text("mine")
    assert list(measure_references([], tmp_path)) == []
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_some_films_of_every_source_are_drawn(phantom_db, tmp_path):
    parameters = {"convention": "clear_field", "provenance": "phantom", "source": "all"}
    records = select_images(connect(phantom_db), query_text("segmentation_images"), parameters)[: 2 * DRAWN + 2]
    records = [replace(record, source="a" if i <= DRAWN else "b") for i, record in enumerate(records)]
    values = list(measure_references(records, tmp_path))
    assert {row[0] for row in values} == {record.image_id for record in records}
    drawn = {int(path.stem) for path in tmp_path.glob("*.png")}
    assert drawn == {record.image_id for record in (*records[:DRAWN], *records[DRAWN + 1 :][:DRAWN])}
