"""Films of a hospital's export: facts from DICOM headers, with and without a table beside them."""

import errno
import sys

import numpy as np
import pytest
from PIL import Image

from cli.command import DONE, SOME_FAILED
from data import ingest
from data.dataset import Preprocessing, prepare_record
from data.dicom import is_dicom
from data.dicom_header import HeaderFacts, header_facts
from data.loading import load_record
from db.connection import connect
from db.selection import query_text, run_query, select_images
from pipeline.likeness import find_likenesses

pydicom = pytest.importorskip("pydicom")
FACTS = {
    "PatientID": "0017", "PatientSex": "F", "PatientAge": "063Y", "StudyInstanceUID": "1.2.3", "StudyDate": "20210314",
    "Modality": "DX", "ViewPosition": "PA", "BodyPartExamined": "CHEST", "ImagerPixelSpacing": [0.143, 0.139],
}  # fmt: skip
QUERY = {"convention": "clear_field", "provenance": "manual", "source": "all"}
VALUES = np.random.default_rng(0).integers(0, 256, (17, 13))
VALUES[0, :2] = 0, 255  # the whole range, so that DICOM and PNG have the same grey levels


def call(*argv):
    return ingest.main([str(word) for word in argv])


def code(meaning):
    item = pydicom.Dataset()
    item.CodeMeaning = meaning
    return [item]


def images(db):
    return list(run_query(connect(db), query_text("every_image"), {"source": "all"}))


def rows_of(db, columns):
    return [tuple(row) for row in connect(db).execute(f"SELECT {columns} FROM image JOIN study USING (study_id)")]


def test_the_header_says_who_when_and_how(dicom_file, tmp_path):
    facts = header_facts(dicom_file(tmp_path / "a.dcm", VALUES, **FACTS, BurnedInAnnotation="YES"))
    assert facts.stated == {
        "patient_id": "0017",
        "study_id": "1.2.3",
        "patient_sex": "F",
        "patient_age_years": 63,
        "study_date": "2021-03-14",
        "modality": "DX",
        "view_position": "PA",
        "patient_position": None,
        "body_part_examined": "CHEST",
        "photometric_interpretation": "MONOCHROME2",
        "pixel_spacing_mm": (0.143, 0.139),
        "pixel_spacing_origin": "spacing at the detector (ImagerPixelSpacing)",
        "note": "writing is burnt into the picture (BurnedInAnnotation), perhaps the patient's name",
    }
    assert facts.not_understood == {}


@pytest.mark.parametrize(
    "header, fact, value",
    [
        ({"PatientAge": "018M"}, "patient_age_years", 1.5),
        ({"PatientBirthDate": "19600314", "StudyDate": "20210314"}, "patient_age_years", 61.0006),
        ({"PatientBirthDate": "1960", "StudyDate": "20210314"}, "patient_age_years", None),
        ({"PatientBirthDate": "20300101", "StudyDate": "20210314"}, "patient_age_years", None),
        ({"PatientAge": "unknown", "PatientBirthDate": "19600314"}, "patient_age_years", None),
        ({"PatientAge": "Y045", "PatientBirthDate": "19600314", "StudyDate": "20210314"}, "patient_age_years", 61.0006),
        ({"ViewPosition": "W033 P.A.", "ViewCodeSequence": "postero-anterior"}, "view_position", "PA"),
        ({"ViewPosition": "w033"}, "view_position", "W033"),
        ({"PatientSex": ""}, "patient_sex", None),
        ({"PatientID": " "}, "patient_id", None),
        ({"Modality": "RG"}, "modality", "CR"),
        ({"Modality": "DR"}, "modality", "DX"),
        ({"ViewPosition": "ap"}, "view_position", "AP"),
        ({"ViewPosition": "AP SUPINE"}, "view_position", "AP"),
        ({"ViewPosition": "AP SUPINE"}, "patient_position", "SUPINE"),
        ({"PatientAge": "000D"}, "patient_age_years", 0.0),
        ({"PatientAge": "000Y", "PatientBirthDate": "19600314", "StudyDate": "20210314"}, "patient_age_years", 61.0006),
        ({"PatientBirthDate": "19000101", "StudyDate": "20200102"}, "patient_age_years", None),
        ({"ViewCodeSequence": "postero-anterior oblique"}, "view_position", "OBLIQUE"),
        ({"ViewPosition": "RAO"}, "view_position", "RAO"),
        ({"ViewPosition": "LLAT"}, "view_position", "LL"),
        ({"PhotometricInterpretation": "monochrome1"}, "photometric_interpretation", "MONOCHROME1"),
        ({"ViewPosition": "LLO"}, "view_position", "LLO"),
        ({"ViewCodeSequence": "postero-anterior"}, "view_position", "PA"),
        ({"ViewCodeSequence": "Antero-Posterior"}, "view_position", "AP"),
        ({"ViewCodeSequence": "left lateral"}, "view_position", "LL"),
        ({"ViewCodeSequence": "antero-posterior", "ViewPosition": "PA"}, "view_position", "PA"),
        ({"PatientOrientation": ["A", "F"]}, "view_position", "LL"),
        ({"PatientOrientation": ["L", "P"], "Modality": "CT"}, "view_position", None),
        ({"PatientOrientation": ["A", "FR"], "Modality": "MG", "ViewPosition": "MLO"}, "view_position", "MLO"),
        ({"PatientID": "Anonymized"}, "patient_id", None),
        ({"BodyPartExamined": "PORT CHEST"}, "body_part_examined", "CHEST"),
        ({}, "view_position", None),
        ({"PhotometricInterpretation": "MONOCHROME1"}, "photometric_interpretation", "MONOCHROME1"),
        ({"BodyPartExamined": "Thorax"}, "body_part_examined", "CHEST"),
    ],
)
@pytest.mark.filterwarnings("ignore")  # pydicom warns of such values while they are written
def test_what_headers_say_in_other_ways(dicom_file, tmp_path, header, fact, value):
    header = {name: code(value) if name == "ViewCodeSequence" else value for name, value in header.items()}
    assert header_facts(dicom_file(tmp_path / "a.dcm", VALUES, **header)).stated[fact] == value


@pytest.mark.filterwarnings("error")  # a warning for each odd value would hide those that matter
def test_a_header_that_cannot_be_read_states_nothing(dicom_file, tmp_path):
    broken = tmp_path / "broken.dcm"
    broken.write_text("export failed")
    Image.fromarray(VALUES.astype(np.uint8)).save(tmp_path / "a.png")
    for path in (broken, tmp_path / "a.png", tmp_path / "none.dcm"):
        assert header_facts(path) == HeaderFacts()
    with pytest.warns(UserWarning):
        odd = dicom_file(tmp_path / "odd.dcm", VALUES, StudyDate="last week", PatientAge="sixty", PatientID="A")
    facts = header_facts(odd)
    assert facts.stated["patient_id"] == "A" and facts.stated["study_date"] is None
    assert facts.not_understood == {
        "patient_age_years": ("PatientAge", "sixty"),
        "study_date": ("StudyDate", "last week"),
    }


def test_a_folder_of_dicom_needs_no_table(dicom_file, tmp_path, capsys):
    """Films, a lateral film and a slice are rows; a report and a broken file are refused; other files are left alone."""
    folder = tmp_path / "export"
    dicom_file(folder / "1/IM0001", VALUES, **FACTS)
    dicom_file(folder / "1/IM0002", VALUES + 1, **FACTS | {"ViewPosition": "LL"})
    dicom_file(folder / "2/IM0001", VALUES + 2, PatientID="B", Modality="CT")
    report = pydicom.dcmread(dicom_file(folder / "2/report.dcm", VALUES, PatientID="B", Modality="SR"))
    del report.PixelData
    report.save_as(folder / "2/report.dcm")
    whole = dicom_file(folder / "2/broken.dcm", VALUES, PatientID="B").read_bytes()
    (folder / "2/broken.dcm").write_bytes(whole[:-100])
    Image.fromarray(VALUES.astype(np.uint8)).save(folder / "picture.png")
    db = tmp_path / "films.sqlite"
    assert call("dicom", folder, "--db", db) == SOME_FAILED
    said = capsys.readouterr().out
    assert "export: 5 rows read, 3 written, 0 masks, 2 patients" in said
    assert "1 x unreadable or truncated" in said and "1 x no picture" in said and "modality SR without pixels" in said
    found = rows_of(db, "file, patient_id, modality, view_position, rows, columns, bits_stored, patient_age_years")
    assert sorted(found) == [
        ("1/IM0001", "export:0017", "DX", "PA", 17, 13, 16, 63),
        ("1/IM0002", "export:0017", "DX", "LL", 17, 13, 16, 63),
        ("2/IM0001", "export:B", "CT", None, 17, 13, 16, None),
    ]
    assert call("dicom", folder, "--db", db) == SOME_FAILED and len(images(db)) == 3  # again: the same rows


@pytest.mark.filterwarnings("ignore")
def test_what_headers_say_and_is_not_understood_is_counted_unless_the_table_says_it(dicom_file, tmp_path, capsys):
    odd = FACTS | {"PatientSex": "W", "ImagerPixelSpacing": [0, 0], "ViewPosition": "W033"}
    dicom_file(tmp_path / "f/a.dcm", VALUES, **odd)
    dicom_file(tmp_path / "f/b.dcm", VALUES + 1, **odd)
    assert call("dicom", tmp_path / "f", "--db", tmp_path / "db") == DONE
    said = capsys.readouterr().err
    assert "PatientSex: 2 x not understood and left out, the first 'W' in a.dcm" in said
    assert "ViewPosition: 2 x not understood and kept as stated, the first 'W033' in a.dcm" in said
    assert "spacing: 2 x not understood and left out" in said and "ImagerPixelSpacing" in said
    (tmp_path / "f/manifest.csv").write_text("file,sex\na.dcm,F\nb.dcm,\n")
    assert call("manifest", tmp_path / "f", "--db", tmp_path / "db2") == DONE
    assert "PatientSex: 1 x not understood and left out, the first 'W' in b.dcm" in capsys.readouterr().err


@pytest.mark.parametrize("place", ["relative", "link", "below a link"])
def test_headers_are_read_however_the_folder_is_named(dicom_file, tmp_path, monkeypatch, place):
    dicom_file(tmp_path / "disc/f/a.dcm", VALUES, **FACTS)
    (tmp_path / "disc/f/manifest.csv").write_text("file\na.dcm\n")
    (tmp_path / "disc link").symlink_to("disc")
    (tmp_path / "f link").symlink_to("disc/f")
    monkeypatch.chdir(tmp_path / "disc")
    folder = {"relative": "f", "link": tmp_path / "f link", "below a link": tmp_path / "disc link/f"}[place]
    for source in ("manifest", "dicom"):
        assert call(source, folder, "--db", tmp_path / source) == DONE
        columns = "patient_id, modality, view_position, row_spacing_mm, patient_age_years"
        (row,) = rows_of(tmp_path / source, columns)
        assert row[0].endswith(":0017") and row[1:] == ("DX", "PA", 0.143, 63)


@pytest.mark.parametrize("harm", ["gone", "broken"])
def test_a_film_that_cannot_be_read_today_keeps_what_its_header_said(dicom_file, tmp_path, harm, capsys):
    for name, values in (("a", VALUES), ("b", VALUES + 1)):
        dicom_file(tmp_path / f"f/{name}.dcm", values, **FACTS)
    (tmp_path / "f/manifest.csv").write_text("file\na.dcm\nb.dcm\n")
    call("manifest", tmp_path / "f", "--db", tmp_path / "db")
    columns = "file, study_id, patient_id, patient_age_years, study_date, modality, view_position, row_spacing_mm, spacing_origin"
    before = rows_of(tmp_path / "db", columns)
    assert before[0][2] == "f:0017" and None not in before[0]
    (tmp_path / "f/b.dcm").unlink() if harm == "gone" else (tmp_path / "f/b.dcm").write_bytes(b"cut off")
    assert call("manifest", tmp_path / "f", "--db", tmp_path / "db") == SOME_FAILED
    assert rows_of(tmp_path / "db", columns) == before
    assert "1 films cannot be read now and stay as they were read before" in capsys.readouterr().out


def test_films_that_are_gone_are_told_and_another_disc_of_the_name_is_refused(dicom_file, tmp_path, capsys):
    for disc, numbers in (("one", (0, 1, 2)), ("two", (3, 4))):
        for number in numbers:
            dicom_file(tmp_path / disc / f"export/{number}.dcm", VALUES + number, **FACTS)
    call("dicom", tmp_path / "one/export", "--db", tmp_path / "db")
    (tmp_path / "one").rename(tmp_path / "unplugged")
    with pytest.raises(
        ValueError, match="none of its 3 films is here; they and their scores would go; give this one a --name"
    ):
        call("dicom", tmp_path / "two/export", "--db", tmp_path / "db")
    assert len(images(tmp_path / "db")) == 3
    (tmp_path / "unplugged/export/1.dcm").unlink()
    capsys.readouterr()
    assert call("dicom", tmp_path / "unplugged/export", "--db", tmp_path / "db") == DONE
    assert "note: 1 films that were read before are gone; the first: 1.dcm" in capsys.readouterr().out


def test_what_the_header_says_otherwise_is_not_called_left_out(dicom_file, tmp_path):
    dates = {"PatientBirthDate": "19600314", "StudyDate": "20210314"}
    with pytest.warns(UserWarning):
        path = dicom_file(tmp_path / "a.dcm", VALUES, PatientAge="Y045", **dates, ViewCodeSequence=code("pa oblique"))
    facts = header_facts(path)
    assert facts.stated["patient_age_years"] == 61.0006 and facts.stated["view_position"] == "OBLIQUE"
    assert facts.not_understood == {}


def test_a_dicom_film_is_one_whatever_its_name_ends_in(dicom_file, tmp_path):
    films = tmp_path / "f"
    dicom_file(films / "1.img", VALUES, **FACTS)
    dicom_file(films / "2.png", VALUES + 1, **FACTS)
    call("dicom", films, "--db", tmp_path / "db")
    assert rows_of(tmp_path / "db", "file, patient_id, modality") == [
        ("1.img", "f:0017", "DX"),
        ("2.png", "f:0017", "DX"),
    ]


def test_a_link_to_nowhere_or_a_closed_file_costs_no_other_film(dicom_file, tmp_path, monkeypatch, capsys):
    dicom_file(tmp_path / "f/a.dcm", VALUES, **FACTS)
    (tmp_path / "f/x.png").symlink_to(tmp_path / "f/gone.png")
    (tmp_path / "f/closed.png").write_bytes(b"")
    (tmp_path / "f/IM0001").write_bytes(b"")

    def shut(path):  # root may read everything, so say it here
        if path.name in ("closed.png", "IM0001"):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return is_dicom(path)

    for module in ("data.sources.dicom", "data.found_films", "data.dicom_header", "data.film_check"):
        monkeypatch.setattr(f"{module}.is_dicom", shut)
    assert call("dicom", tmp_path / "f", "--db", tmp_path / "db") == SOME_FAILED
    assert rows_of(tmp_path / "db", "file") == [("a.dcm",)]
    refused = connect(tmp_path / "db").execute("SELECT file, reason FROM refusal ORDER BY file")
    assert [tuple(row) for row in refused] == [("IM0001", "cannot be read"), ("closed.png", "cannot be read")]


def test_a_single_file_can_be_named(dicom_file, tmp_path):
    film = dicom_file(tmp_path / "day/a.dcm", VALUES, **FACTS)
    assert call("dicom", film, "--db", tmp_path / "db") == DONE
    assert rows_of(tmp_path / "db", "file") == [("a.dcm",)]


def test_a_manifest_adds_masks_and_its_cells_come_before_the_header(dicom_file, tmp_path, capsys):
    folder = tmp_path / "films"
    dicom_file(folder / "a.dcm", VALUES, **FACTS)
    dicom_file(folder / "b.dcm", VALUES[::-1], **FACTS | {"PatientID": ""})
    mask = np.zeros(VALUES.shape, np.uint8)
    mask[3:9, 2:5] = mask[3:9, 8:11] = 255
    Image.fromarray(mask).save(folder / "m.png")
    table = "file,patient_id,age_years,pixel_spacing_mm,mask_convention,mask_provenance,lungs\n"
    lines = ["a.dcm,,,,clear_field,manual,m.png", "b.dcm,Q,71,0.2,clear_field,manual,m.png", "../outside.dcm,,,,,,"]
    (folder / "manifest.csv").write_text(table + "\n".join(lines))
    dicom_file(tmp_path / "outside.dcm", VALUES, **FACTS | {"PatientID": "secret"})
    assert call("manifest", folder, "--db", tmp_path / "db") == SOME_FAILED
    out = capsys.readouterr()
    assert "path leads outside the folder" in out.out and "secret" not in out.out + out.err
    found = rows_of(tmp_path / "db", "patient_id, patient_age_years, row_spacing_mm, spacing_origin, view_position")
    assert sorted(found) == [
        ("films:0017", 63, 0.143, "spacing at the detector (ImagerPixelSpacing)", "PA"),
        ("films:Q", 71, 0.2, "manifest", "PA"),
    ]
    first, _ = select_images(connect(tmp_path / "db"), query_text("segmentation_images"), QUERY)
    assert first.spacing_mm == (0.143, 0.139) and [each.structure for each in first.masks] == ["lungs"]


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_a_network_sees_the_same_in_dicom_as_in_a_picture(dicom_file, tmp_path, photometric):
    """Inverted once and not twice, and the masks lie where they lie on the picture."""
    folder = tmp_path / "films"
    dicom_file(folder / "a.dcm", VALUES, PhotometricInterpretation=photometric)
    Image.fromarray(VALUES.astype(np.uint8)).save(folder / "b.png")
    mask = np.zeros(VALUES.shape, np.uint8)
    mask[3:9, 2:5] = 255
    Image.fromarray(mask).save(folder / "m.png")
    table = "file,modality,view,photometric,mask_convention,mask_provenance,right_lung\n"
    wrong = {"MONOCHROME1": "MONOCHROME2", "MONOCHROME2": "MONOCHROME1"}[
        photometric
    ]  # a table cannot overrule a header
    stated = (("a.dcm", wrong), ("b.png", photometric))
    lines = [f"{file},DX,PA,{grey},clear_field,manual,m.png" for file, grey in stated]
    (folder / "manifest.csv").write_text(table + "\n".join(lines))
    assert call("manifest", folder, "--db", tmp_path / "db") == DONE
    one, other = select_images(connect(tmp_path / "db"), query_text("segmentation_images"), QUERY)
    assert one.photometric_interpretation == other.photometric_interpretation == photometric
    assert load_record(one) == pytest.approx(load_record(other), abs=1e-6)
    for found, wanted in zip(*(prepare_record(film, Preprocessing(size=32)) for film in (one, other)), strict=True):
        assert found.numpy() == pytest.approx(wanted.numpy(), abs=1e-5)
    table, _ = find_likenesses([one, other])
    assert dict(table.rows)["films compared"] == 2 and dict(table.rows)["two persons"] == 1


def test_a_film_that_has_changed_since_is_told_by_its_bytes(dicom_file, tmp_path):
    film = dicom_file(tmp_path / "films/a.dcm", VALUES, **FACTS)
    assert call("dicom", film.parent, "--db", tmp_path / "db") == DONE
    (record,) = select_images(connect(tmp_path / "db"), query_text("undrawn_images"), QUERY)
    dicom_file(film, VALUES[::-1], **FACTS)
    with pytest.raises(ValueError, match="a.dcm: another file than when it was ingested; bring that one back"):
        load_record(record)


def test_without_pydicom_one_line_says_what_to_install(dicom_file, tmp_path, monkeypatch):
    film = dicom_file(tmp_path / "films/a.dcm", VALUES, **FACTS)
    monkeypatch.setitem(sys.modules, "pydicom", None)
    with pytest.raises(
        ModuleNotFoundError, match="a.dcm: reading DICOM needs pydicom; install it with `pip install pydicom`"
    ):
        call("dicom", film.parent, "--db", tmp_path / "db")
