import csv

import numpy as np
import pytest
from PIL import Image

from cli.command import DONE, SOME_FAILED
from data import ingest
from db.connection import connect
from db.selection import query_text, run_query, select_images
from db.splits import draw_fold, draw_leave_out, draw_split

DEFAULT = {"convention": "clear_field", "provenance": "manual,landmark,phantom", "source": "all"}
RNG = np.random.default_rng(0)


def film(path, height=17, width=13):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(RNG.integers(0, 255, (height, width)).astype(np.uint8)).save(path)


def mask(path, height=17, width=13):
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = np.zeros((height, width), np.uint8)
    picture[3:9, 2:5] = picture[3:9, 8:11] = 255
    Image.fromarray(picture).save(path)


def manifest(folder, rows, name="manifest.csv"):
    folder.mkdir(parents=True, exist_ok=True)
    columns = list(dict.fromkeys(column for row in rows for column in row))
    with open(folder / name, "w", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)
    return folder


@pytest.fixture
def two_films(tmp_path):
    folder = tmp_path / "films"
    for name in "ab":
        film(folder / f"{name}.png")
        mask(folder / f"m/{name}.png")
    facts = {"modality": "CR", "view": "PA", "mask_convention": "clear_field", "mask_provenance": "manual"}
    return manifest(folder, [{"file": f"{n}.png", "lungs": f"m/{n}.png", "patient_id": n, **facts} for n in "ab"])


def call(*argv):
    return ingest.main([str(word) for word in argv])


def test_a_manifest_becomes_selectable_films(two_films, tmp_path, capsys):
    db = tmp_path / "films.sqlite"
    assert call("manifest", two_films, "--db", db) == DONE
    assert "films: 2 rows read, 2 written, 2 masks, 2 patients" in capsys.readouterr().out
    records = select_images(connect(db), query_text("segmentation_images"), DEFAULT)
    assert [record.file for record in records] == ["a.png", "b.png"]
    assert (records[0].height, records[0].width, records[0].source) == (17, 13, "films")
    assert call("manifest", two_films / "manifest.csv", "--db", db) == DONE
    assert len(select_images(connect(db), query_text("segmentation_images"), DEFAULT)) == 2


def test_only_the_file_is_required(tmp_path):
    film(tmp_path / "f/one.png")
    assert call("manifest", manifest(tmp_path / "f", [{"file": "one.png"}]), "--db", tmp_path / "db") == DONE
    row = connect(tmp_path / "db").execute("SELECT * FROM image JOIN study USING (study_id)").fetchone()
    assert row["modality"] is None and row["patient_id"] == "f:one"


def broken_manifest(folder):
    film(folder / "good.png")
    film(folder / "other size.png")
    mask(folder / "small.png", 9, 9)
    (folder / "broken.png").write_bytes(b"no picture")
    strange = np.arange(17 * 13, dtype=np.uint8).reshape(17, 13)
    Image.fromarray(strange).save(folder / "strange.png")
    film(folder.parent / "outside.png")
    (folder / "link.png").symlink_to(folder.parent / "outside.png")
    marks = {"mask_convention": "clear_field", "mask_provenance": "manual"}
    rows = [
        {"file": "good.png", "heart": "strange.png", **marks},
        {"file": "other size.png", "heart": "small.png", **marks},
        {"file": "broken.png"},
        {"file": "missing.png"},
        {"file": "../outside.png"},
        {"file": "link.png"},
        {"file": "good.png", "patient_id": "again", "photometric": "PALETTE COLOR"},
    ]
    return manifest(folder, rows)


def test_every_fault_is_refused_with_its_reason_and_the_rest_is_kept(tmp_path, capsys):
    folder = broken_manifest(tmp_path / "films")
    assert call("manifest", folder, "--db", tmp_path / "db") == SOME_FAILED
    out = capsys.readouterr().out
    assert "7 rows read, 2 written, 0 masks" in out
    for line in (
        "refused image: 2 x path leads outside the folder; the first: ../outside.png",
        "refused image: 1 x unreadable or truncated",
        "refused image: 1 x missing file",
        "refused image: 1 x photometric interpretation not understood",
        "refused mask: 1 x mask of another size; the first: ",
        "refused mask: 1 x mask values not understood; the first: ",
    ):
        assert line in out, line
    assert "mask of 9 x 9 pixels on a film of 13 x 17; export it at the film's size" in out
    assert "0 1 2 3 4 5 6 7 ... 220 (221 values)" in out
    flow = run_query(connect(tmp_path / "db"), query_text("cohort_flow"), DEFAULT)
    assert (flow[0]["removed"], flow[0]["remaining"]) == (5, 2)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"image": "a.png"}], "no column 'file'; got image"),
        (
            [{"file": "a.png", "heart": "h.png", "mask_convention": "mine", "mask_provenance": "manual"}],
            "line 2: mask_convention",
        ),
        ([{"file": "a.png", "heart": "h.png", "mask_convention": "clear_field"}], "line 2: mask_provenance"),
        ([{"file": "a.png", "pixel_spacing_mm": "-1"}], "line 2: pixel_spacing_mm is '-1'"),
        ([{"file": " "}], "line 2: the column 'file' is empty"),
    ],
)
def test_a_manifest_that_cannot_be_understood_names_the_line(tmp_path, rows, message):
    folder = manifest(tmp_path / "films", rows)
    with pytest.raises(ValueError, match=message):
        call("manifest", folder, "--db", tmp_path / "db")
    assert not (tmp_path / "db").exists()


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("manifest", "x"), "--db is missing"),
        (("nothing", "x", "--db", "d"), "wanted SOURCE FOLDER with SOURCE one of manifest, montgomery"),
        (("manifest", "--db", "d"), "wanted SOURCE FOLDER"),
        (("manifest", "no such folder", "--db", "d"), "no such folder"),
    ],
)
def test_a_wrong_call_says_what_was_wanted(argv, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        call(*argv)


def test_unused_columns_are_said(two_films, tmp_path, capsys):
    film(tmp_path / "g/one.png")
    call("manifest", manifest(tmp_path / "g", [{"file": "one.png", "shoe": "42"}]), "--db", tmp_path / "db")
    assert "columns not used: shoe" in capsys.readouterr().err


def test_same_patient_notes_keep_a_person_in_one_split(tmp_path):
    folder = tmp_path / "films"
    rows = []
    for number in range(40):
        film(folder / f"C_{number:04d}_1.png")
        note = f"NO REPORT (same pt as C_{number - 1:04d}_1, C_{number - 2:04d}_1)" if number % 4 == 3 else "normal"
        rows.append({"file": f"C_{number:04d}_1.png", "patient_id": f"C_{number:04d}", "finding": note})
    call("manifest", manifest(folder, rows), "--db", tmp_path / "db")
    connection = connect(tmp_path / "db")
    for split_set in (
        draw_split(connection, 0),
        draw_fold(connection, 0, 1, 3),
        draw_leave_out(connection, 0, ["films"]),
    ):
        splits = {
            row["file"]: row["split"]
            for row in connection.execute(
                "SELECT file, split FROM image JOIN study USING (study_id) JOIN split USING (patient_id) WHERE split_set = ?",
                (split_set,),
            )
        }
        assert len(splits) == 40
        for number in range(3, 40, 4):
            assert len({splits[f"C_{n:04d}_1.png"] for n in (number, number - 1, number - 2)}) == 1
