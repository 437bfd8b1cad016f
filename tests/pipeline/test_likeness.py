"""Films that show the same picture: which pairs are noted, and as whose."""

import numpy as np
from PIL import Image

from data.loading import hash_file
from data.phantom import draw_phantom
from db.records import ImageRecord
from pipeline.likeness import find_likenesses


def record(folder, number, patient, image):
    path = folder / f"{number}.png"
    if image is not None:
        Image.fromarray(image).save(path)
    return ImageRecord(
        image_id=number, source="s", file=path.name, path=path, patient_id=patient, split="test", height=160,
        width=160, photometric_interpretation=None, spacing_mm=None, content_sha256="" if image is None else hash_file(path),
    )  # fmt: skip


def test_pairs_are_counted_as_of_one_person_or_two_and_unreadable_films_are_named(tmp_path):
    first, second, third = (np.uint8(draw_phantom(0, index, 160).image) for index in range(3))
    brighter = np.uint8(0.8 * first + 20)
    films = [
        record(tmp_path, 1, "p1", first), record(tmp_path, 2, "p1", brighter), record(tmp_path, 3, "p2", second),
        record(tmp_path, 4, "p3", np.uint8(0.9 * second)), record(tmp_path, 5, "p4", third),
        record(tmp_path, 6, "p5", third), record(tmp_path, 7, "p6", None),
    ]  # fmt: skip
    table, notes = find_likenesses(films)
    assert dict(table.rows) == {"same person": 1, "two persons": 1, "films compared": 6, "films not readable": 1}
    missing, *pairs = notes
    assert missing[:6] == (7, "s", "p6", "7.png", "unreadable", None) and "no such file" in missing[6]
    (one, *_, likeness, correlation, why), other = pairs
    assert (one, likeness, why) == (2, "likeness", "looks like image 1 of the same person") and 0.98 < correlation <= 1
    assert other[:4] == (4, "s", "p3", "4.png") and other[6] == "looks like image 3 of ANOTHER person"
