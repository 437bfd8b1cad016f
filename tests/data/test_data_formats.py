"""The example in docs/data-formats.md does what the page says."""

import csv
import re
from pathlib import Path

import numpy as np
from PIL import Image

from data import ingest
from data.sources import READERS
from data.sources.manifest_columns import FACT_COLUMNS
from db.connection import connect
from db.records import MASK_STRUCTURES
from db.selection import query_text, select_images

PAGE = Path(__file__).parent.parent.parent / "docs" / "data-formats.md"
BOXES = {"right_lung": [(2, 5)], "left_lung": [(8, 11)], "heart": [(5, 9)], "lungs": [(2, 5), (8, 11)]}


def example():
    return re.search(r"```csv\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)[1]


def test_the_example_is_taken_whole_and_selected_as_told(tmp_path, capsys):
    (tmp_path / "manifest.csv").write_text(example())
    rows = list(csv.DictReader(example().splitlines()))
    rng = np.random.default_rng(0)
    for row in rows:
        for structure in MASK_STRUCTURES:
            if row[structure]:
                mask = np.zeros((17, 13), np.uint8)
                for start, end in BOXES[structure]:
                    mask[4:12, start:end] = 255
                (tmp_path / row[structure]).parent.mkdir(exist_ok=True)
                Image.fromarray(mask).save(tmp_path / row[structure])
        (tmp_path / row["file"]).parent.mkdir(exist_ok=True)
        Image.fromarray(rng.integers(0, 255, (17, 13)).astype(np.uint8)).save(tmp_path / row["file"])
    assert ingest.main(["manifest", str(tmp_path), "--name", "own", "--db", str(tmp_path / "db")]) == 0
    said = capsys.readouterr()
    assert "own: 9 rows read, 9 written, 10 masks, 6 patients" in said.out and "not understood" not in said.err
    masks = {"convention": "clear_field", "provenance": "manual,landmark,model", "source": "own"}
    records = select_images(connect(tmp_path / "db"), query_text("segmentation_images"), masks)
    drawn = {record.file[6:9]: {mask.structure for mask in record.masks} for record in records}
    three = {"right_lung", "left_lung", "heart"}
    assert drawn == {"001": three, "002": three, "004": three - {"heart"}, "005": {"lungs"}, "006": {"lungs"}}


def test_every_column_and_every_reader_is_on_the_page():
    page = PAGE.read_text(encoding="utf-8")
    for name in (*FACT_COLUMNS, *MASK_STRUCTURES, *READERS, "phantom"):
        assert f"`{name}`" in page, name
