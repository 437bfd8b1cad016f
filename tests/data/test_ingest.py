import csv
import errno
import os
import re
import shutil
import time

import numpy as np
import pytest
from PIL import Image

from cli.command import DONE, SOME_FAILED
from data import ingest
from data.masks import load_masks, load_unjudged
from db.connection import connect
from db.selection import query_text, run_query, select_images
from db.splits import draw_fold, draw_leave_out, draw_split

DEFAULT = {"convention": "clear_field", "provenance": "manual,landmark,phantom", "source": "all"}
RNG = np.random.default_rng(0)


def film(path, height=17, width=13):
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = RNG.integers(0, 255, (height, width)).astype(np.uint8)
    noise[3:9, 2:5] = noise[3:9, 8:11] = RNG.integers(0, 60, (6, 3))  # dark where `mask` has lungs
    Image.fromarray(noise).save(path)


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


def test_a_table_does_not_mind_a_closed_folder_that_it_does_not_name(two_films, tmp_path, monkeypatch):
    (two_films / "lost+found").mkdir()

    def closed(path, scandir=os.scandir):  # root may read everything, so say it here
        if str(path).endswith("lost+found"):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", closed)
    assert call("manifest", two_films, "--db", tmp_path / "db") == DONE
    with pytest.raises(PermissionError, match="may not be read, so nobody can say"):
        call("dicom", two_films, "--db", tmp_path / "db")


def test_persons_joined_by_one_film_under_two_ids_are_named(tmp_path, capsys):
    film(tmp_path / "f/one.png")
    shutil.copy(tmp_path / "f/one.png", tmp_path / "f/two.png")
    rows = [{"file": "one.png", "patient_id": "A17"}, {"file": "two.png", "patient_id": "B02"}]
    assert call("manifest", manifest(tmp_path / "f", rows), "--db", tmp_path / "db") == DONE
    out = capsys.readouterr().out
    assert "1 of them the same film listed again" in out and "1 patients (2 ids, 1 merged)" in out
    assert (
        "note: patient ids of a person known under another id, " in out
        and "says so: 1; the first: f:B02 is f:A17\n" in out
    )


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


def written(folder, text, encoding="utf-8"):
    """A folder with films a.png and b.png and a manifest of this text."""
    film(folder / "a.png")
    film(folder / "b.png")
    (folder / "manifest.csv").write_bytes(text.encode(encoding))
    return folder


def images(db):
    return (
        connect(db)
        .execute("SELECT * FROM image JOIN study USING (study_id) JOIN patient USING (patient_id)")
        .fetchall()
    )


def test_one_fact_that_is_not_understood_loses_neither_the_film_nor_the_others(tmp_path, capsys):
    text = (
        "file,sex,age_years,view,pixel_spacing_mm,heart_width_mm,study_date\n"
        "a.png,W,-5,frontal,-1,wide,soon\nb.png,F,30,PA,0.2,120,2021-03\n"
    )
    assert call("manifest", written(tmp_path / "films", text), "--db", tmp_path / "db") == DONE
    a, b = images(tmp_path / "db")
    columns = ("patient_sex", "patient_age_years", "view_position", "row_spacing_mm", "spacing_origin", "study_date")
    assert [a[column] for column in columns] == [None] * 6
    assert [b[column] for column in columns] == ["F", 30, "PA", 0.2, "manifest", "2021-03"]
    warned = capsys.readouterr().err
    for column, first in (("sex", "'W'"), ("age_years", "'-5'"), ("view", "'frontal'"), ("pixel_spacing_mm", "'-1'"),
                          ("heart_width_mm", "'wide'"), ("study_date", "'soon'")):  # fmt: skip
        assert f"{column}: 1 x not understood and left out, the first {first} in line 2" in warned


def test_columns_as_a_spreadsheet_has_them_are_known_and_near_misses_are_asked_about(tmp_path, capsys):
    text = (
        "File;Patient ID;Pixel spacing (mm);Heart width (mm);Age;Sexe;mask-convention;Mask Convention\n"
        "a.png;A17;0,2;120;63;F;clear_field;clear_field\nb.png;A17;0,2;;;;;\n"
    )
    assert call("manifest", written(tmp_path / "films", text), "--db", tmp_path / "db") == DONE
    a, b = images(tmp_path / "db")
    assert a["patient_id"] == b["patient_id"] == "films:A17" and a["row_spacing_mm"] == 0.2
    width = connect(tmp_path / "db").execute("SELECT name, value, unit FROM measurement").fetchone()
    assert tuple(width) == ("heart_width_mm", 120, "mm")
    said = capsys.readouterr().err
    assert (
        "columns not used: age (age_years?), sexe (sex?), mask-convention (mask_convention?), mask convention (mask_"
        in said
    )


def test_a_table_that_names_no_mask_though_it_states_their_convention_is_told_so(tmp_path, capsys):
    text = "file,structure,mask,mask_convention,mask_provenance\na.png,heart,m.png,clear_field,manual\nb.png,,,,\n"
    call("manifest", written(tmp_path / "films", text), "--db", tmp_path / "db")
    said = capsys.readouterr().err
    assert "no row names a mask: wanted its file in one of the columns right_lung, left_lung, heart, lungs" in said


def test_a_path_with_a_drive_letter_is_refused_as_such(tmp_path, capsys):
    text = "file\nC:\\Users\\me\\a.png\nb.png\n"
    assert call("manifest", written(tmp_path / "films", text), "--db", tmp_path / "db") == SOME_FAILED
    assert "1 x path is not relative to the table; the first: C:/Users/me/a.png" in capsys.readouterr().out


def test_spacing_with_a_decimal_comma_and_rows_that_are_cut_off(tmp_path, capsys):
    text = "file;pixel_spacing_mm;sex\na.png;0,143;F\nb.png;0,2\n"
    assert call("manifest", written(tmp_path / "films", text), "--db", tmp_path / "db") == DONE
    a, b = images(tmp_path / "db")
    assert (a["row_spacing_mm"], b["row_spacing_mm"], b["patient_sex"]) == (0.143, 0.2, None)
    warned = capsys.readouterr().err
    assert (
        "rows with fewer cells than columns: 1, the first in line 3; what is missing counts as not stated" in warned
        and "understood" not in warned
    )


@pytest.mark.parametrize(
    ("marks", "reason"),
    [
        ({"mask_convention": "mine", "mask_provenance": "manual"}, "mask_convention not understood"),
        ({"mask_convention": "clear_field", "mask_provenance": "drawn"}, "mask_provenance not understood"),
        ({"mask_provenance": "manual"}, "mask_convention not stated"),
        ({"mask_convention": "clear_field"}, "mask_provenance not stated"),
    ],
)
def test_a_mask_without_convention_or_provenance_is_refused_its_film_kept(tmp_path, capsys, marks, reason):
    film(tmp_path / "f/a.png")
    mask(tmp_path / "f/m.png")
    folder = manifest(tmp_path / "f", [{"file": "a.png", "heart": "m.png", **marks}])
    assert call("manifest", folder, "--db", tmp_path / "db") == SOME_FAILED
    out = capsys.readouterr().out
    assert f"1 written, 0 masks, 1 patients -> {tmp_path / 'db'}\n" in out and f"\n  refused mask: 1 x {reason};" in out
    assert (
        "note: films that state no modality or no view, so that training and evaluation leave them out: 1 of the 1;"
        in out
    )


@pytest.mark.parametrize(
    "text",
    [
        "\ufeff File ; SEX\na.png;F\n;\n;\n",
        "file\tsex\r\na.png\tF\r\n",
        "sex,file,\nF,a.png,\n\n",
        "sex,file,note\nF,a.png\n",
        "SEP=;\nsex;file\nF;a.png\n",
        '\ufeff\n;;\n"sep=\t"\r\nsex\tfile\r\nF\ta.png\r\n',
    ],
    ids=[
        "spreadsheet with semicolons and blank rows",
        "tabs",
        "column without a name",
        "short row",
        "separator",
        "blank lines",
    ],
)
def test_tables_are_read_as_spreadsheets_write_them(tmp_path, text):
    assert call("manifest", written(tmp_path / "films", text), "--db", tmp_path / "db") == DONE
    assert [(row["file"], row["patient_sex"]) for row in images(tmp_path / "db")] == [("a.png", "F")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image\na.png\n", "manifest.csv: no column 'file'; got image, see docs"),
        ("", "no column 'file'; got an empty file"),
        ("\n\n", "no column 'file'; got an empty file"),
        ("\nsep=,\nfile,note\na.png,tube, left\n", "manifest.csv, line 4: 3 cells under 2 columns"),
        ("file,note\na.png,tube, left\n", "manifest.csv, line 2: 3 cells under 2 columns; put quotes around"),
        ('file,note\na.png,"open\nb.png,x\n', "broken table .*look for a quote that is not closed"),
        ("file,sex,sex\na.png,F,M\n", "column 'sex' stands there more than once"),
        ("file,note\na.png,M\u00fcller\n", "not UTF-8 text .*save it as 'CSV UTF-8'"),
        ("file,sex\n", "the manifest reader found no film"),
    ],
)
def test_a_table_that_cannot_be_understood_is_named_and_nothing_is_written(tmp_path, text, message):
    folder = written(tmp_path / "films", text, "latin-1")
    with pytest.raises(ValueError, match=message):
        call("manifest", folder, "--db", tmp_path / "db")
    assert not (tmp_path / "db").exists()


def test_a_row_without_a_film_is_refused_alone(tmp_path, capsys):
    text = "file,patient_id\n,A17\na.png,A18\n,\n"
    assert call("manifest", written(tmp_path / "films", text), "--db", tmp_path / "db") == SOME_FAILED
    out = capsys.readouterr().out
    assert "2 rows read, 1 written" in out and "1 x row without a film; the first: the row of A17 names no film" in out


def test_without_ids_films_of_one_name_in_two_folders_are_two_persons(tmp_path):
    film(tmp_path / "f/x/001.png")
    film(tmp_path / "f/y/001.png")
    folder = manifest(tmp_path / "f", [{"file": "x\\001.png"}, {"file": "y/001.png"}])
    assert call("manifest", folder, "--db", tmp_path / "db") == DONE
    assert {row["patient_id"] for row in images(tmp_path / "db")} == {"f:x/001", "f:y/001"}


def test_exchanged_lungs_are_refused_empty_masks_are_said(tmp_path, capsys):
    folder = tmp_path / "f"
    for side, column in (("image left", 2), ("image right", 9)):
        picture = np.zeros((17, 13), np.uint8)
        picture[4:12, column : column + 3] = 1
        film(folder / f"{side}.png")
        Image.fromarray(picture).save(folder / f"{side}.png")
    Image.fromarray(np.zeros((17, 13), np.uint8)).save(folder / "empty.png")
    marks = {"mask_convention": "clear_field", "mask_provenance": "manual"}
    rows = []
    for name, right, left in (
        ("a", "image left", "image right"),
        ("b", "image right", "image left"),
        ("c", "image right", "empty"),
    ):
        film(folder / f"{name}.png")
        rows.append({"file": f"{name}.png", "right_lung": f"{right}.png", "left_lung": f"{left}.png", **marks})
    assert call("manifest", manifest(folder, rows), "--db", tmp_path / "db") == SOME_FAILED
    out = capsys.readouterr().out
    assert "3 written, 4 masks" in out
    assert (
        "refused mask: 2 x right and left lung exchanged; the first: b.png: right_lung lies right of left_lung" in out
    )
    assert "note: empty masks, which say that the structure is not there: 1; the first: c.png" in out


def test_ctrl_c_stops_reading_soon_and_writes_nothing(two_films, tmp_path, monkeypatch):
    calls = []

    def slow(film, root):
        calls.append(film)
        time.sleep(0.02)
        return None, []

    def interrupted(outcomes, total, label):
        yield next(outcomes)
        raise KeyboardInterrupt

    monkeypatch.setattr(ingest, "check_film", slow)
    monkeypatch.setattr(ingest, "track", interrupted)
    folder = manifest(two_films, [{"file": "a.png"}] * 400)
    with pytest.raises(KeyboardInterrupt):
        call("manifest", folder, "--db", tmp_path / "db")
    assert len(calls) < 40
    assert connect(tmp_path / "db").execute("SELECT count(*) FROM source").fetchone()[0] == 0


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("manifest", "x"), "--db is missing"),
        (("nothing", "x", "--db", "d"), "wanted SOURCE FOLDER with SOURCE one of manifest, dicom, montgomery"),
        (("manifest", "--db", "d"), "wanted SOURCE FOLDER"),
        (("manifest", "no such folder", "--db", "d"), "no such file or folder; name what manifest"),
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


def test_another_folder_under_the_same_name_is_refused_and_a_moved_one_goes_on(two_films, tmp_path, capsys):
    db, other = tmp_path / "films.sqlite", tmp_path / "elsewhere" / "films"
    call("manifest", two_films, "--db", db)
    before = images(db)
    for name in "xyz":
        film(other / f"{name}.png")
    manifest(other, [{"file": f"{name}.png"} for name in "xyz"])
    with pytest.raises(
        ValueError, match="has a source films already, read from .*films, whose films .* give this one a --name"
    ):
        call("manifest", other, "--db", db)
    assert [row["file"] for row in images(db)] == [row["file"] for row in before]
    assert call("manifest", other, "--db", db, "--name", "others") == DONE
    assert len(images(db)) == 5
    two_films.rename(tmp_path / "moved")
    assert call("manifest", tmp_path / "moved", "--db", db, "--name", "films") == DONE
    assert {row["image_id"] for row in before} <= {row["image_id"] for row in images(db)}


@pytest.mark.parametrize("name", ["a:b", "a,b", "a+b", "all"])
def test_a_new_source_has_a_name_that_can_be_asked_for(two_films, tmp_path, name):
    with pytest.raises(ValueError, match=f"may not be called {re.escape(name)}, as .* give it another --name"):
        call("manifest", two_films, "--db", tmp_path / "db", "--name", name)


def test_a_patient_of_both_sexes_has_none(two_films, tmp_path, capsys):
    film(two_films / "c.png")
    rows = [("a.png", "p", "F"), ("b.png", "p", "M"), ("c.png", "q", "F")]
    manifest(two_films, [{"file": file, "patient_id": patient, "sex": sex} for file, patient, sex in rows])
    call("manifest", two_films, "--db", tmp_path / "db")
    assert "note: 1 patients have rows of both sexes, and none is kept; the first: p" in capsys.readouterr().out
    assert [row["patient_sex"] for row in images(tmp_path / "db")] == [None, None, "F"]


def test_what_two_rows_contradict_each_other_in_does_not_come_back_with_a_film_that_cannot_be_read(tmp_path, capsys):
    for name in "abc":
        film(tmp_path / f"f/{name}.png")
    rows = [{"file": "a.png", "patient_id": "p", "sex": "F", "age_years": "60"}, {"file": "c.png", "patient_id": "r"}]
    call("manifest", manifest(tmp_path / "f", rows), "--db", tmp_path / "db")
    (tmp_path / "f/a.png").unlink()
    rows = [*rows, {"file": "b.png", "patient_id": "p", "sex": "M", "age_years": ""}]
    capsys.readouterr()
    assert call("manifest", manifest(tmp_path / "f", rows), "--db", tmp_path / "db") == SOME_FAILED
    assert "1 patients have rows of both sexes, and none is kept; the first: p" in capsys.readouterr().out
    stored = {row["file"]: (row["patient_sex"], row["patient_age_years"]) for row in images(tmp_path / "db")}
    assert (stored["a.png"], stored["b.png"]) == ((None, 60), (None, None))
    rows[0] = {"file": "a.png", "patient_id": "q", "sex": "", "age_years": ""}  # now another person's, who said nothing
    call("manifest", manifest(tmp_path / "f", rows), "--db", tmp_path / "db")
    stored = {
        row["file"]: (row["patient_id"], row["patient_sex"], row["patient_age_years"])
        for row in images(tmp_path / "db")
    }
    assert stored["a.png"] == ("f:q", None, None)


def test_ages_within_a_year_agree_and_the_exacter_one_is_kept(two_films, tmp_path, capsys):
    film(two_films / "c.png")
    rows = [("a.png", "p", "63"), ("b.png", "p", "63.4"), ("c.png", "q", "63"), ("c.png", "q", "64")]
    facts = [{"file": file, "patient_id": patient, "study_id": "s", "age_years": age} for file, patient, age in rows]
    call("manifest", manifest(two_films, facts), "--db", tmp_path / "db")
    assert "1 visits have rows of several ages, and none is kept; the first: q, visit s" in capsys.readouterr().out
    assert [row["patient_age_years"] for row in images(tmp_path / "db")] == [63.4, 63.4, None, None]


@pytest.mark.parametrize("word, told", [("ANONYMOUS", False), ("-", False), ("0", True)])
def test_one_word_in_the_place_of_all_ids_is_no_person_or_is_told(tmp_path, capsys, word, told):
    for number in range(10):
        film(tmp_path / f"f/{number}.png")
    rows = [{"file": f"{number}.png", "patient_id": word} for number in range(10)]
    call("manifest", manifest(tmp_path / "f", rows), "--db", tmp_path / "db")
    said = capsys.readouterr()
    assert f"10 written, 0 masks, {1 if told else 10} patients" in said.out
    assert (f"patient_id: 10 of 10 films name '{word}' and count as one person's" in said.err) == told
    nobody = " ('ANONYMOUS' names nobody)" if word == "ANONYMOUS" else ""
    assert (f"patient_id: not stated in 10 of 10 rows{nobody}; there" in said.err) != told


def test_settings_of_the_phantoms_drawing_are_refused_elsewhere(two_films, tmp_path):
    for flag, value in (("--count", 3), ("--seed", 4), ("--out", tmp_path)):
        with pytest.raises(ValueError, match=f"{flag} draws phantom films and changes nothing for manifest"):
            call("manifest", two_films, flag, value, "--db", tmp_path / "db")


def test_a_mask_that_covers_most_of_its_film_is_remarked_and_listed(two_films, tmp_path, capsys):
    nearly_all = np.full_like(np.asarray(Image.open(two_films / "m/a.png")), 255)
    nearly_all[0] = 0
    Image.fromarray(nearly_all).save(two_films / "m/a.png")
    call("manifest", two_films, "--db", tmp_path / "db")
    assert (
        "note: masks that cover more than 70% of their film: 1; are inside and outside exchanged? The first: a.png"
        in (capsys.readouterr().out)
    )
    odd = run_query(connect(tmp_path / "db"), query_text("odd_values"), {"source": "all"})
    assert [(row["file"], row["fact"]) for row in odd if row["fact"] != "pixels"] == [("a.png", "mask of lungs")]


@pytest.mark.parametrize("folder", ["photometric interpretation test", "a: leads outside", "names no film"])
def test_words_in_the_path_of_a_film_are_not_taken_for_what_is_wrong_with_it(folder, tmp_path, capsys):
    """A film cut off after its first ingest was taken for one with an odd photometric interpretation, and its scores went."""
    db, place = tmp_path / "db", tmp_path / folder / "films"
    for name in "ab":
        film(place / f"{folder}/{name}.png")
    manifest(place, [{"file": f"{folder}/{name}.png", "patient_id": name} for name in "ab"])
    call("manifest", place, "--db", db)
    (place / folder / "a.png").write_bytes((place / folder / "a.png").read_bytes()[:60])
    capsys.readouterr()
    call("manifest", place, "--db", db)
    assert "unreadable or truncated" in capsys.readouterr().out
    assert len(images(db)) == 2


def test_a_mask_whose_inside_and_outside_are_exchanged_is_refused_as_that(two_films, tmp_path, capsys):
    """Two inverted lungs were once said to be exchanged sides, and taken once they were; an inverted heart was only remarked."""
    inverted = 255 - np.asarray(Image.open(two_films / "m/a.png"))
    Image.fromarray(inverted).save(two_films / "m/a.png")
    assert call("manifest", two_films, "--db", tmp_path / "db") == SOME_FAILED
    printed = capsys.readouterr().out
    assert (
        "refused mask: 1 x inside and outside exchanged; the first: m/a.png: all four corners of the film are inside"
        in printed
    )
    assert connect(tmp_path / "db").execute("SELECT count(*) FROM mask").fetchone()[0] == 1


def test_a_spacing_that_cannot_be_is_listed_in_either_direction_and_is_no_measurement_of_a_patient(tmp_path, capsys):
    text = "file,pixel_spacing_mm,spacing_mm\na.png,0.05;5.0,0.2\nb.png,0.2,0.2\n"
    assert call("manifest", written(tmp_path / "films", text), "--db", tmp_path / "db") == DONE
    assert "columns not used: spacing_mm" in capsys.readouterr().err
    db = connect(tmp_path / "db")
    odd = run_query(db, query_text("odd_values"), {"source": "all"})
    found = [(row["file"], row["fact"], row["value"]) for row in odd if row["fact"] != "pixels"]
    assert found == [("a.png", "column_spacing_mm", 5.0), ("a.png", "spacing_ratio", 100.0)]
    assert db.execute("SELECT count(*) FROM measurement").fetchone()[0] == 0


@pytest.mark.parametrize("slip", ["0.000001", "143", "0.143;1430"])
def test_a_slip_in_a_spacing_is_told_and_not_measured_with(tmp_path, capsys, slip):
    text = f"file,pixel_spacing_mm\na.png,{slip}\nb.png,0.2\n"
    assert call("manifest", written(tmp_path / "films", text), "--db", tmp_path / "db") == DONE
    assert f"pixel_spacing_mm: 1 x not understood and left out, the first '{slip}' in line 2" in capsys.readouterr().err
    assert [row["row_spacing_mm"] for row in images(tmp_path / "db")] == [None, 0.2]


def test_one_picture_is_no_mask_of_two_structures_unless_it_is_empty(tmp_path, capsys):
    """As a cell that is copied down leaves it: a network would learn that the left lung is the right one."""
    film(tmp_path / "f/a.png")
    mask(tmp_path / "f/m.png")
    Image.fromarray(np.zeros((17, 13), np.uint8)).save(tmp_path / "f/none.png")
    facts = {"file": "a.png", "mask_convention": "clear_field", "mask_provenance": "manual"}
    manifest(
        tmp_path / "f",
        [facts | {"right_lung": "m.png", "left_lung": "m.png", "heart": "none.png", "lungs": "none.png"}],
    )
    assert call("manifest", tmp_path / "f", "--db", tmp_path / "db") == SOME_FAILED
    assert (
        "2 x one mask for several structures; the first: a.png: m.png: one picture for several structures"
        in capsys.readouterr().out
    )
    kept = connect(tmp_path / "db").execute("SELECT structure FROM mask ORDER BY structure")
    assert [row[0] for row in kept] == ["heart", "lungs"]
    rows = [facts | {"right_lung": "m.png"}, facts | {"left_lung": "m.png"}, facts | {"heart": "none.png"}]
    assert call("manifest", manifest(tmp_path / "f", rows), "--db", tmp_path / "db") == SOME_FAILED
    assert "2 x one mask for several structures" in capsys.readouterr().out  # one row for each mask
    assert {row[0] for row in connect(tmp_path / "db").execute("SELECT structure FROM mask")} == {"heart"}


def lungs_apart(folder):
    """Two masks, of the lung that lies left in the image and of the other."""
    for side, column in (("image left", 2), ("image right", 9)):
        picture = np.zeros((17, 13), np.uint8)
        picture[4:12, column : column + 3] = 1
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(folder / f"{side}.png")


@pytest.mark.parametrize("exchanged", [False, True])
def test_a_table_with_one_row_for_each_mask_gives_films_all_their_masks(tmp_path, capsys, exchanged):
    folder = tmp_path / "f"
    film(folder / "a.png")
    lungs_apart(folder)
    facts = {"modality": "CR", "view": "PA", "mask_convention": "clear_field", "mask_provenance": "manual"}
    right, left = ("image right", "image left") if exchanged else ("image left", "image right")
    rows = [
        {"file": "a.png", "right_lung": f"{right}.png", "left_lung": "", **facts},
        {"file": "a.png", "right_lung": "", "left_lung": f"{left}.png", **facts},
    ]
    assert call("manifest", manifest(folder, rows), "--db", tmp_path / "db") == (SOME_FAILED if exchanged else DONE)
    out = capsys.readouterr().out
    assert "listed again that are not used" not in out
    if exchanged:
        assert "refused mask: 2 x right and left lung exchanged; the first: a.png" in out
    else:
        (record,) = select_images(connect(tmp_path / "db"), query_text("segmentation_images"), DEFAULT)
        assert {mask.structure for mask in record.masks} == {"right_lung", "left_lung"}


def test_masks_that_a_film_listed_again_has_otherwise_are_counted(two_films, tmp_path, capsys):
    call("manifest", two_films, "--db", tmp_path / "db")
    call("manifest", two_films, "--db", tmp_path / "db", "--name", "again")
    out = capsys.readouterr().out.splitlines()
    assert "2 of them the same film listed again, 2 masks" in out[1]
    assert (
        any(
            line.startswith("  note: masks of films listed again that are not used, ") and "provenance: 2;" in line
            for line in out
        )
        and "a.png" in out[2]
    )


def test_black_films_of_a_failed_export_are_refused_and_merge_nobody(tmp_path, capsys):
    folder, rows = tmp_path / "f", []
    for number in range(6):
        film(folder / f"{number}.png")
        Image.fromarray(np.zeros((17, 13), np.uint8)).save(folder / f"black{number}.png")
        rows += [{"file": f"{kind}{number}.png", "patient_id": f"p{number}"} for kind in ("", "black")]
    assert call("manifest", manifest(folder, rows), "--db", tmp_path / "db") == SOME_FAILED
    out = capsys.readouterr().out
    assert "12 rows read, 6 written, 0 masks, 6 patients ->" in out
    assert "refused image: 6 x no picture; the first: " in out and "every pixel has the same value" in out


def scored(db):
    """Give every film of a database a run's score, quality and measurement, a prediction and a split."""
    connection = connect(db)
    connection.execute(
        "INSERT INTO run (command, folder, config, status, started_at) VALUES ('evaluate', 'f', '{}', 'finished', 't')"
    )
    for row in connection.execute("SELECT image_id, content_sha256 FROM image").fetchall():
        number = row["image_id"]
        for table, columns, values in (
            ("score", "structure, dice, iou", "'lungs', 0.9, 0.8"),
            ("predicted_quality", "structure, predicted_dice, doubtful", "'lungs', 0.9, 0"),
            ("measurement", "name, value, unit", "'cardiothoracic_ratio', 0.5, 'ratio'"),
            ("prediction", "file, name, input_sha256, network, height, width, review, remarks, predicted_at",
             f"'{number}', '{number}', 'x', 'x', 17, 13, '', '', 't'"),
        ):  # fmt: skip
            connection.execute(f"INSERT INTO {table} (run_id, image_id, {columns}) VALUES (1, {number}, {values})")
    draw_split(connection, 0)
    connection.close()


def results(db):
    connection = connect(db)
    tables = ("score", "predicted_quality", "measurement", "prediction", "split", "mask", "image")
    columns = {"prediction": "image_id", "image": "duplicate_of IS NULL OR NULL"}
    return [connection.execute(f"SELECT count({columns.get(name, '*')}) FROM {name}").fetchone()[0] for name in tables]


def test_a_folder_whose_films_are_not_there_today_loses_nothing(two_films, tmp_path, capsys):
    db = tmp_path / "films.sqlite"
    call("manifest", two_films, "--db", db)
    scored(db)
    before = results(db)
    assert before == [2] * 7
    hidden = [(two_films / name, tmp_path / f"hidden {name[0]}") for name in ("a.png", "b.png")]
    for path, away in hidden:
        path.rename(away)
    with pytest.raises(
        ValueError, match="none of the 2 films of films can be used now, .*is the folder in its place.*a.png: no"
    ):
        call("manifest", two_films, "--db", db)
    assert results(db) == before
    hidden[0][1].rename(hidden[0][0])
    capsys.readouterr()
    for _ in range(2):
        assert call("manifest", two_films, "--db", db) == SOME_FAILED
        out = capsys.readouterr().out
        assert "2 rows read, 2 written, 2 masks" in out and "note: 1 films cannot be read now and stay" in out
        assert results(db) == before
    manifest(two_films, [{"file": "a.png"}])
    assert call("manifest", two_films, "--db", db) == DONE
    assert results(db) == [1, 1, 1, 1, 1, 0, 1]


def test_results_of_other_bytes_under_the_same_name_go(two_films, tmp_path):
    db = tmp_path / "films.sqlite"
    call("manifest", two_films, "--db", db)
    scored(db)
    film(two_films / "a.png")
    call("manifest", two_films, "--db", db)
    assert results(db) == [1, 1, 1, 1, 2, 2, 2]


def test_a_new_source_without_a_readable_film_says_so_and_refuses_its_rows(tmp_path, capsys):
    folder = manifest(tmp_path / "f", [{"file": "missing.png"}])
    assert call("manifest", folder, "--db", tmp_path / "db") == SOME_FAILED
    assert "1 rows read, 0 written" in capsys.readouterr().out


def test_files_that_cannot_be_used_in_any_way_cost_no_other_film(two_films, tmp_path, capsys):
    (two_films / "loop.png").symlink_to(two_films / "loop.png")
    (two_films / "broken.png").write_bytes(b"no picture")
    facts = {"mask_convention": "clear_field", "mask_provenance": "manual"}
    manifest(two_films, [{"file": "a.png", "heart": "loop.png", **facts}, {"file": "loop.png"}, {"file": "broken.png"}])
    assert call("manifest", two_films, "--db", tmp_path / "db") == SOME_FAILED
    out = capsys.readouterr().out
    assert "3 rows read, 1 written" in out and "refused image: 1 x missing file; the first: " in out
    assert "refused mask: 1 x missing file" in out
    (line,) = (line for line in out.splitlines() if "broken.png" in line)
    assert line.count("broken.png") == 1 and "of a format that is not read" in line


def test_a_file_name_that_is_not_utf8_is_refused_by_name_and_the_others_are_read(tmp_path, capsys):
    folder = tmp_path / "COVID-19_Radiography_Dataset"
    film(folder / "COVID/images/COVID-1.png")
    strange = os.fsdecode(os.fsencode(folder / "COVID/images") + b"/caf\xe9.png")
    try:
        os.link(folder / "COVID/images/COVID-1.png", strange)
    except OSError:
        pytest.skip("this file system holds no such name")
    mask(folder / "COVID/masks/COVID-1.png")
    assert call("covid_radiography", folder, "--db", tmp_path / "db") == SOME_FAILED
    out = capsys.readouterr().out
    assert "2 rows read, 1 written, 1 masks" in out
    assert "refused image: 1 x file name that is not UTF-8; the first: COVID/images/caf" in out and "rename it" in out
    assert connect(tmp_path / "db").execute("SELECT file FROM refusal").fetchone()[0] == "COVID/images/caf\\udce9.png"
    with pytest.raises(ValueError, match="a name that is not UTF-8"):
        call("covid_radiography", folder, "--db", tmp_path / "db", "--name", "caf\udce9")


def test_films_that_have_moved_within_their_folder_keep_their_scores(two_films, tmp_path):
    db = tmp_path / "films.sqlite"
    call("manifest", two_films, "--db", db)
    before = dict(connect(db).execute("SELECT content_sha256, image_id FROM image"))
    scored(db)
    kept = results(db)
    (two_films / "a.png").rename(two_films / "moved.png")
    text = (two_films / "manifest.csv").read_text()
    (two_films / "manifest.csv").write_text(text.replace("a.png,m/a.png", "moved.png,m/a.png"))
    assert call("manifest", two_films, "--db", db) == DONE
    assert dict(connect(db).execute("SELECT content_sha256, image_id FROM image")) == before
    assert results(db) == kept
    assert [row[0] for row in connect(db).execute("SELECT file FROM image ORDER BY file")] == ["b.png", "moved.png"]


def test_without_a_patient_the_visit_is_the_person_and_the_rows_are_counted(tmp_path, capsys):
    for name in "abc":
        film(tmp_path / "f" / f"{name}.png")
    rows = [{"file": "a.png", "study_id": "S1"}, {"file": "b.png", "study_id": "S1"}, {"file": "c.png", "study_id": ""}]
    assert call("manifest", manifest(tmp_path / "f", rows), "--db", tmp_path / "db") == DONE
    assert "patient_id: not stated in 3 of 3 rows; there each visit" in capsys.readouterr().err
    persons = "SELECT file, patient_id FROM image JOIN study USING (study_id) ORDER BY file"
    assert [tuple(row) for row in connect(tmp_path / "db").execute(persons)] == [
        ("a.png", "f:study S1"), ("b.png", "f:study S1"), ("c.png", "f:c"),
    ]  # fmt: skip


def test_a_visit_of_several_ages_or_dates_has_none_and_a_date_stated_less_exactly_agrees(tmp_path, capsys):
    for name in "abcd":
        film(tmp_path / "f" / f"{name}.png")
    columns = ("file", "patient_id", "study_id", "age_years", "study_date")
    cells = (
        ("a.png", "A17", "1", "63", "2015-01-02"), ("b.png", "A17", "1", "68", "2020-03-04"),
        ("c.png", "A17", "2", "68", "2020-03"), ("d.png", "A17", "2", "68", "2020-03-04"),
    )  # fmt: skip
    folder = manifest(tmp_path / "f", [dict(zip(columns, row, strict=True)) for row in cells])
    assert call("manifest", folder, "--db", tmp_path / "db") == DONE
    said = capsys.readouterr().out
    assert "note: 1 visits have rows of several ages, and none is kept; the first: A17, visit 1" in said
    assert "note: 1 visits have rows of several dates, and none is kept; the first: A17, visit 1" in said
    rows = [dict(zip(columns, row, strict=True)) for row in (cells[3], cells[2])]  # the fuller date first
    assert call("manifest", manifest(tmp_path / "f", rows), "--db", tmp_path / "other") == DONE
    assert connect(tmp_path / "other").execute("SELECT study_date FROM study").fetchone()[0] == "2020-03-04"
    visits = "SELECT patient_age_years, study_date FROM study ORDER BY study_id"
    assert [tuple(row) for row in connect(tmp_path / "db").execute(visits)] == [(None, None), (68, "2020-03-04")]


def test_a_modality_in_words_is_a_code_and_one_not_understood_is_said(tmp_path, capsys):
    for name in "abc":
        film(tmp_path / "f" / f"{name}.png")
    words = {"a.png": "Digital Radiography", "b.png": "RG", "c.png": "CR/DX"}
    rows = [{"file": file, "modality": word, "patient_id": file} for file, word in words.items()]
    call("manifest", manifest(tmp_path / "f", rows), "--db", tmp_path / "db")
    assert "modality: 1 x not understood and left out, the first 'CR/DX' in line 4" in capsys.readouterr().err
    stored = connect(tmp_path / "db").execute("SELECT modality FROM image ORDER BY file")
    assert [row[0] for row in stored] == ["DX", "CR", None]


def test_films_stored_inverted_are_noticed_by_their_lungs(two_films, tmp_path, capsys):
    picture = np.full((17, 13), 180, np.uint8)
    picture[3:9, 2:5] = picture[3:9, 8:11] = 60
    Image.fromarray(picture).save(two_films / "a.png")
    Image.fromarray(255 - picture).save(two_films / "b.png")
    with open(two_films / "manifest.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    for stated, said in (
        ({"a.png": "", "b.png": ""}, "note: films whose lungs are lighter than what surrounds them: 1;"),
        ({"a.png": "MONOCHROME1", "b.png": "MONOCHROME1"}, "is true; the first: a.png"),
        ({"a.png": "MONOCHROME2", "b.png": "MONOCHROME1"}, None),
    ):
        manifest(two_films, [row | {"photometric": stated[row["file"]]} for row in rows])
        assert call("manifest", two_films, "--db", tmp_path / "db") == DONE
        printed = capsys.readouterr().out
        assert "lighter" not in printed if said is None else said in printed


def test_a_mask_that_fills_its_box_or_of_nothing_says_nothing_of_grey_levels(two_films, tmp_path, capsys):
    full = np.zeros((17, 13), np.uint8)
    full[3:9, 2:11] = 255
    Image.fromarray(full).save(two_films / "m/a.png")
    Image.fromarray(full * 0).save(two_films / "m/b.png")
    assert call("manifest", two_films, "--db", tmp_path / "db") == DONE
    assert "lighter" not in capsys.readouterr().out


def test_a_label_is_named_behind_the_mask(tmp_path):
    film(tmp_path / "f/a.png")
    picture = np.zeros((17, 13), np.uint8)
    picture[3:9, 2:5], picture[3:9, 8:11], picture[10:14, 4:9] = 1, 2, 3
    Image.fromarray(picture).save(tmp_path / "f/labels.png")
    kinds = {"mask_convention": "clear_field", "mask_provenance": "manual"}
    labels = {"right_lung": "labels.png=1", "left_lung": "labels.png=2", "heart": "labels.png=3"}
    facts = {"modality": "CR", "view": "PA", "patient_id": "a"}
    folder = manifest(tmp_path / "f", [{"file": "a.png", **facts, **kinds, **labels}])
    assert call("manifest", folder, "--db", tmp_path / "db") == DONE
    (record,) = select_images(connect(tmp_path / "db"), query_text("segmentation_images"), DEFAULT)
    masks = load_masks(record)
    assert all((masks[name] == (picture == value)).all() for name, value in (("right_lung", 1), ("heart", 3)))
    assert not load_unjudged(record).any()  # every label is somebody's


def test_labels_in_colours_and_a_label_of_nothing_are_refused(tmp_path, capsys):
    film(tmp_path / "f/a.png")
    picture = Image.fromarray(np.arange(17 * 13, dtype=np.uint8).reshape(17, 13) % 4, "P")
    picture.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0, 255])
    picture.convert("RGB").save(tmp_path / "f/colours.png")
    kinds = {"mask_convention": "clear_field", "mask_provenance": "manual", "patient_id": "a"}
    rows = [{"file": "a.png", "right_lung": "colours.png=1", "left_lung": "colours.png=0", **kinds}]
    assert call("manifest", manifest(tmp_path / "f", rows), "--db", tmp_path / "db") == SOME_FAILED
    said = capsys.readouterr().out
    assert "labels in colours, which have no numbers" in said and "1 x missing file" in said and "0 masks" in said


def test_masks_of_both_lungs_in_one_piece_are_counted(two_films, tmp_path, capsys):
    call("manifest", two_films, "--db", tmp_path / "db")
    assert "clean pieces" not in capsys.readouterr().out
    Image.fromarray(np.asarray(Image.open(two_films / "m/b.png")).T.copy()).resize(
        (13, 17), Image.Resampling.NEAREST
    ).save(two_films / "m/b.png")
    call("manifest", two_films, "--db", tmp_path / "db")
    said = capsys.readouterr().out
    assert (
        "note: masks of both lungs that are not two clean pieces side by side" in said
        and "whose: 1; the first: b.png" in said
    )


def test_a_folder_that_was_renamed_is_read_as_the_source_that_it_is(two_films, tmp_path, capsys):
    assert call("manifest", two_films, "--db", tmp_path / "db") == DONE
    name = two_films.name
    moved = two_films.rename(tmp_path / "renamed")
    with pytest.raises(
        ValueError, match=f"2 of its 2 films are those of the source {name}, whose folder .* has gone.*--name {name}"
    ):
        call("manifest", moved, "--db", tmp_path / "db")
    table = moved / "manifest.csv"
    whole = table.read_text()
    table.write_text("\n".join(whole.splitlines()[:-1]) + "\n")  # one film less is the same folder all the same
    with pytest.raises(ValueError, match=f"1 of its 1 films are those of the source {name}, whose folder .* has gone"):
        call("manifest", moved, "--db", tmp_path / "db")
    table.write_text(whole)
    assert call("manifest", moved, "--db", tmp_path / "db", "--name", name) == DONE
    sources = connect(tmp_path / "db").execute("SELECT name, root FROM source").fetchall()
    assert [tuple(row) for row in sources] == [(name, str(moved))]
    shutil.move(
        moved, tmp_path / "away"
    )  # a disc that is not mounted: a folder that has one of its films beside others is a source of its own
    one = manifest(tmp_path / "one", [{"file": f"{letter}.png", "patient_id": letter} for letter in "ace"])
    shutil.copy(tmp_path / "away/a.png", one)
    film(one / "c.png")
    film(one / "e.png")
    assert call("manifest", one, "--db", tmp_path / "db") == DONE
    said = capsys.readouterr().out
    assert f"note: 1 of its 3 films are those of the source {name}, whose folder" in said and "until it is back" in said
    shutil.move(tmp_path / "away", moved)
    copy = shutil.copytree(moved, tmp_path / "copy")  # the first folder is still there: two sources
    assert call("manifest", copy, "--db", tmp_path / "db") == DONE


@pytest.mark.parametrize("first", [True, False])
def test_without_hard_links_a_complete_database_is_renamed_unless_another_was_first(tmp_path, monkeypatch, first):
    def refused(*_):
        raise PermissionError("no hard links here")

    monkeypatch.setattr(os, "link", refused)
    (tmp_path / "unfinished").write_text("own")
    if not first:
        (tmp_path / "db").write_text("other")
    ingest.publish(tmp_path / "unfinished", tmp_path / "db")
    assert (tmp_path / "db").read_text() == ("own" if first else "other")
