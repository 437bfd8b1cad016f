"""What a row of a manifest states, followed to its place in the database and to the film as it is read."""

import csv

import numpy as np
import pytest
from PIL import Image

from cli.command import DONE, SOME_FAILED
from data import film_check, ingest, mask_check
from data.loading import load_record
from data.masks import load_masks
from data.sources.manifest import same_patient_ids
from db.connection import connect
from db.selection import query_text, select_images

ASKED = {"convention": "clear_field", "provenance": "manual", "source": "all"}
GREY = np.random.default_rng(0).integers(0, 255, (17, 13)).astype(np.uint8)
BOX = np.zeros((17, 13), np.uint8)
BOX[4:12, 2:5] = 255


@pytest.fixture
def source(tmp_path):
    """Return a function that writes a manifest and its films, ingests them and returns status and database."""

    def write(*rows, masks=()):
        folder = tmp_path / "films"
        for number, row in enumerate(rows):
            file = folder / row["file"]
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.roll(GREY, number)).save(file)
        for name in masks:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(BOX).save(folder / name)
        with open(folder / "manifest.csv", "w", newline="") as table:
            writer = csv.DictWriter(table, list(dict.fromkeys(column for row in rows for column in row)))
            writer.writeheader()
            writer.writerows(rows)
        status = ingest.main(["manifest", str(folder), "--db", str(tmp_path / "db")])
        return status, connect(tmp_path / "db")

    return write


def test_every_column_reaches_its_place(source):
    status, db = source(
        {"file": "a.png", "patient_id": "A17", "study_id": "S3", "sex": "F", "age_years": "63", "study_date": "2021-03",
         "offset_days": "12", "finding": "effusion|opacity", "modality": "DX", "view": "AP supine", "body_part": "Chest PA",
         "photometric": "MONOCHROME1", "pixel_spacing_mm": "0.2;0.1", "note": "seen twice", "license": "CC0",
         "cardiothoracic_ratio": "0.5", "heart_width_mm": "120", "right_lung_area_mm2": "9000", "tilt_deg": "-2"},
    )  # fmt: skip
    assert status == DONE
    row = dict(db.execute("SELECT * FROM image JOIN study USING (study_id) JOIN patient USING (patient_id)").fetchone())
    expected = {
        "patient_id": "films:A17", "study_id": "films:A17:S3", "patient_sex": "F", "patient_age_years": 63,
        "study_date": "2021-03", "offset_days": 12, "modality": "DX", "view_position": "AP", "patient_position": "SUPINE",
        "body_part_examined": "CHEST", "photometric_interpretation": "MONOCHROME1", "row_spacing_mm": 0.2,
        "column_spacing_mm": 0.1, "spacing_origin": "manifest", "note": "seen twice", "license": "CC0",
    }  # fmt: skip
    assert {key: row[key] for key in expected} == expected
    assert [one[0] for one in db.execute("SELECT finding FROM finding ORDER BY 1")] == ["effusion", "opacity"]
    measured = {one["name"]: (one["value"], one["unit"]) for one in db.execute("SELECT * FROM measurement")}
    assert measured == {
        "cardiothoracic_ratio": (0.5, "ratio"), "heart_width_mm": (120, "mm"), "right_lung_area_mm2": (9000, "mm2"),
        "tilt_deg": (-2, "deg"),
    }  # fmt: skip


MASKED = {"modality": "CR", "view": "PA", "mask_convention": "clear_field", "mask_provenance": "manual"}


def test_a_monochrome1_film_is_inverted_when_it_is_read(source):
    rows = [
        {"file": file, "lungs": "m\\a.png", "photometric": kind, **MASKED}
        for file, kind in (("a.png", "MONOCHROME1"), ("b.png", ""))
    ]
    status, db = source(*rows, masks=["m/a.png"])  # the path of the mask as Windows writes it
    inverted, plain = select_images(db, query_text("segmentation_images"), ASKED)
    assert status == DONE
    assert np.allclose(load_record(inverted), 1 - GREY / 255) and np.allclose(
        load_record(plain), np.roll(GREY, 1) / 255
    )
    assert np.array_equal(load_masks(inverted)["lungs"], BOX > 0)


def test_masks_of_a_model_are_used_only_where_they_are_asked_for(source):
    _, db = source(
        {"file": "a.png", "lungs": "m.png", **MASKED, "mask_provenance": "model of the ward"}, masks=["m.png"]
    )
    assert select_images(db, query_text("segmentation_images"), ASKED) == []
    assert len(select_images(db, query_text("segmentation_images"), ASKED | {"provenance": "manual,model"})) == 1
    assert len(select_images(db, query_text("undrawn_images"), ASKED)) == 1


@pytest.mark.parametrize(
    "word, used", [("", 1), ("CHEST", 1), ("Thorax", 1), ("chest ap", 1), ("Lungs", 1), ("HAND", 0)]
)
def test_a_film_is_used_where_its_body_part_is_the_chest_or_not_stated(source, word, used):
    _, db = source({"file": "a.png", "lungs": "m.png", "body_part": word, **MASKED}, masks=["m.png"])
    assert len(select_images(db, query_text("segmentation_images"), ASKED)) == used


@pytest.mark.parametrize(
    "column, words",
    [("note", "Same pt as A17"), ("finding", "stable, same patient as A17|mass"), ("note", "(same pt as C_0012_1, A17)"),
     ("same_patient_as", "A17"), ("same_patient_as", "same pt as A17"), ("note", "same pt as B-2 and A17 again")],
)  # fmt: skip
def test_a_person_named_in_a_note_is_one_person(source, capsys, column, words):
    _, db = source({"file": "a.png", "patient_id": "A17"}, {"file": "b.png", "patient_id": "B18", column: words})
    assert [row[0] for row in db.execute("SELECT DISTINCT patient_id FROM study")] == ["films:A17"]
    assert capsys.readouterr().err == ""


def test_a_finding_is_no_id_that_the_note_before_it_names(source):
    """Note and finding were once read as one text, so that a finding after 'same pt as A17' became one more id."""
    _, db = source(
        {"file": "a.png", "patient_id": "A17"}, {"file": "c.png", "patient_id": "COVID-19"},
        {"file": "b.png", "patient_id": "B18", "note": "same pt as A17,", "finding": "COVID-19"},
    )  # fmt: skip
    persons = dict(map(tuple, db.execute("SELECT file, patient_id FROM image JOIN study USING (study_id)")))
    assert persons["a.png"] == persons["b.png"] != persons["c.png"]


def test_ids_of_films_in_notes_are_found_as_they_are_and_without_their_number(source):
    _, db = source(
        {"file": "a.png", "patient_id": "C_0012_1"}, {"file": "b.png", "patient_id": "C_0013"},
        {"file": "c.png", "patient_id": "x1", "note": "same pt as C_0012_1"},
        {"file": "d.png", "patient_id": "x2", "same_patient_as": "same pt as C_0013_1|x3"},
        {"file": "e.png", "patient_id": "C_0012"}, {"file": "f.png", "patient_id": "x3"},
    )  # fmt: skip
    persons = dict(map(tuple, db.execute("SELECT file, patient_id FROM image JOIN study USING (study_id)")))
    assert persons["a.png"] == persons["c.png"] != persons["e.png"]  # C_0012 is another person here
    assert persons["b.png"] == persons["d.png"] == persons["f.png"] and len(set(persons.values())) == 3


@pytest.mark.parametrize(
    "note, ids",
    [("same pt as 2 years ago", ()), ("not the same pt as A17", ()), ("Not same patient as A_0012", ()), ("the same", ()),
     ("same pt as 12_34", ("12_34",)), ("same patient as in CXR_0012", ("CXR_0012",)), ("same pt as study A_0012", ("A_0012",)),
     ("same pt as A_0012 or B_0013", ("A_0012", "B_0013")), ("same pt as A17, B-2 and C3 before", ("A17", "B-2", "C3"))],
)  # fmt: skip
def test_what_counts_as_an_id_in_a_note(note, ids):
    assert same_patient_ids(note) == ids


def test_a_person_that_no_row_has_is_said(source, capsys):
    source(
        {"file": "a.png", "patient_id": "A17"}, {"file": "b.png", "patient_id": "B18", "same_patient_as": "A18|A17|A19"}
    )
    assert "same_patient_as: 2 ids that no row has, the first 'A18' in line 3" in capsys.readouterr().err


def test_what_is_not_understood_is_counted_and_the_first_is_named_with_its_line(source, capsys):
    source(*({"file": f"{n}.png", "sex": sex} for n, sex in enumerate(("F", "W", "", "Z", "M"))))
    assert "sex: 2 x not understood and left out, the first 'W' in line 3" in capsys.readouterr().err


@pytest.mark.parametrize("colour", [(1, 0, 0), (0, 0, 2), (0, 0, 255), (255, 255, 255)])
def test_a_mask_of_any_colour_is_inside_where_it_is_not_black(source, tmp_path, colour):
    picture = np.uint8(BOX[..., None] > 0) * np.uint8(colour)
    (tmp_path / "films").mkdir()
    Image.fromarray(picture).save(tmp_path / "films/m.png")
    Image.fromarray(picture).quantize(4).save(tmp_path / "films/p.png")
    rows = [{"file": f"{name}.png", "lungs": f"{mask}.png", **MASKED} for name, mask in (("a", "m"), ("b", "p"))]
    status, db = source(*rows)
    records = select_images(db, query_text("segmentation_images"), ASKED)
    assert status == DONE and [np.array_equal(load_masks(one)["lungs"], BOX > 0) for one in records] == [True, True]


@pytest.mark.parametrize("one, other", [((1, 0, 0), (0, 0, 1)), ((1, 0, 0), (0, 1, 0)), ((0, 0, 1), (255, 255, 255))])
def test_two_colours_are_labels_and_refused_also_where_their_luminance_is_one(source, tmp_path, capsys, one, other):
    picture = np.zeros((17, 13, 3), np.uint8)
    picture[4:12, 2:5], picture[4:12, 8:11] = one, other
    (tmp_path / "films").mkdir()
    Image.fromarray(picture).save(tmp_path / "films/m.png")
    assert source({"file": "a.png", "lungs": "m.png", **MASKED})[0] == SOME_FAILED
    assert "mask values not understood" in capsys.readouterr().out


def test_absolute_paths_below_the_table_are_kept_as_relative_ones(source, tmp_path):
    film = tmp_path / "films/a.png"
    status, db = source({"file": film, "lungs": tmp_path / "films/m.png", **MASKED}, masks=["m.png"])
    assert status == DONE
    assert [tuple(row) for row in db.execute("SELECT image.file, mask.file FROM image JOIN mask USING (image_id)")] == [
        ("a.png", "m.png")
    ]


def test_a_mask_too_large_for_the_memory_costs_the_mask_alone(source, monkeypatch, capsys):
    def read_values(path, lung_value):
        raise MemoryError("Unable to allocate 9 GiB")

    monkeypatch.setattr(mask_check, "read_values", read_values)
    status, db = source({"file": "a.png", "lungs": "m.png", **MASKED}, masks=["m.png"])
    assert status == SOME_FAILED and db.execute("SELECT count(*) FROM image").fetchone()[0] == 1
    assert "refused mask: 1 x too large for the memory; the first: a.png: " in capsys.readouterr().out


def test_a_film_too_large_for_the_memory_is_refused_and_the_others_are_read(source, monkeypatch, capsys):
    def read_pixels(path):
        if path.name == "large.png":
            raise MemoryError("Unable to allocate 9 GiB")
        return original(path)

    original = film_check.read_pixels
    monkeypatch.setattr(film_check, "read_pixels", read_pixels)
    status, db = source({"file": "large.png"}, {"file": "a.png"})
    assert status == SOME_FAILED and [row[0] for row in db.execute("SELECT file FROM image")] == ["a.png"]
    assert "refused image: 1 x too large for the memory; the first: large.png: " in capsys.readouterr().out


def test_every_film_that_cannot_be_read_today_is_named(source, tmp_path, capsys):
    rows = [{"file": f"{name}.png"} for name in "abcd"]
    source(*rows)
    (tmp_path / "films/b.png").write_bytes(b"cut off")
    (tmp_path / "films/c.png").unlink()
    capsys.readouterr()
    assert ingest.main(["manifest", str(tmp_path / "films"), "--db", str(tmp_path / "db")]) == SOME_FAILED
    lines = capsys.readouterr().out.splitlines()
    named = [line for line in lines if line.startswith("    ")]
    assert len(named) == 2 and "b.png" in named[0] and "c.png" in named[1]
    assert connect(tmp_path / "db").execute("SELECT count(*) FROM image").fetchone()[0] == 4


def test_a_table_whose_rows_have_all_become_useless_wipes_nothing(source, tmp_path):
    source({"file": "a.png"}, {"file": "b.png"})
    (tmp_path / "films/manifest.csv").write_text("file\nx.png\ny.png\n")
    with pytest.raises(ValueError, match="none of the 2 films of films can be used now"):
        ingest.main(["manifest", str(tmp_path / "films"), "--db", str(tmp_path / "db")])
    assert connect(tmp_path / "db").execute("SELECT count(*) FROM image").fetchone()[0] == 2


def test_two_tables_in_one_folder_are_one_source_named_after_it(source, tmp_path):
    _, db = source({"file": "a.png"}, {"file": "b.png"})
    (tmp_path / "films/other.csv").write_text("file\nb.png\n")
    assert ingest.main(["manifest", str(tmp_path / "films/other.csv"), "--db", str(tmp_path / "db")]) == DONE
    assert [tuple(row) for row in db.execute("SELECT name FROM source")] == [("films",)]
    assert [row[0] for row in db.execute("SELECT file FROM image")] == ["b.png"]
