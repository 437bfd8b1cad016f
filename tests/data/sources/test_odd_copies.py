"""Copies of the public data sets as people have them: files beside the films, other versions, sides named by the picture."""

import numpy as np
import pytest
from PIL import Image

from data import ingest
from data.sources import chexmask, covid_radiography, montgomery, shenzhen
from db.connection import connect

RCA_HEADER = "Path,Dice RCA (Mean),Dice RCA (Max),Landmarks,Left Lung,Right Lung,Heart,Height,Width\n"


def picture(path, size=(16, 12), seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 255, size[::-1])
    Image.fromarray(pixels.astype(np.uint8)).save(path)


def lung(path, start):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.zeros((12, 16), np.uint8)
    pixels[2:10, start : start + 4] = 255
    Image.fromarray(pixels).save(path)


@pytest.mark.parametrize("left_of_the_picture", ["leftMask", "rightMask"])
def test_montgomerys_sides_are_where_the_masks_lie_whatever_the_folder_is_called(tmp_path, left_of_the_picture):
    folders = {"leftMask", "rightMask"}
    picture(tmp_path / "CXR_png/MCUCXR_0001_0.png")
    lung(tmp_path / f"ManualMask/{left_of_the_picture}/MCUCXR_0001_0.png", 2)
    lung(tmp_path / f"ManualMask/{(folders - {left_of_the_picture}).pop()}/MCUCXR_0001_0.png", 10)
    assert ingest.main(["montgomery", str(tmp_path), "--db", str(tmp_path / "db")]) == 0
    files = dict(connect(tmp_path / "db").execute("SELECT structure, file FROM mask"))
    assert files["right_lung"] == f"ManualMask/{left_of_the_picture}/MCUCXR_0001_0.png"
    assert files["left_lung"] != files["right_lung"]


def test_montgomerys_copies_and_folders_are_no_films_and_endings_may_be_capitals(tmp_path):
    picture(tmp_path / "CXR_png/MCUCXR_0108_1.PNG")
    picture(tmp_path / "CXR_png/MCUCXR_0108_1 (1).png")
    (tmp_path / "CXR_png/MCUCXR_0109_1.png").mkdir()
    (tmp_path / "ClinicalReadings").mkdir()
    (tmp_path / "ClinicalReadings/MCUCXR_0108_1.txt").write_text("Patient's Sex:\nPatient's Age: 030Y\nnormal\n")
    (film,) = montgomery.read(tmp_path)
    assert film.file == "CXR_png/MCUCXR_0108_1.PNG" and film.findings == ("tuberculosis",)
    assert film.patient_sex is None and film.patient_age_years == 30


def test_shenzhens_lesion_masks_and_copies_are_no_films_and_folders_no_masks(tmp_path):
    picture(tmp_path / "CXR_png/CHNCXR_0327_1.png")
    picture(tmp_path / "CXR_png/CHNCXR_0327_1 copy.png")
    picture(tmp_path / "Annotations/masks/CHNCXR_0327_1_Calcified_Nodule_2.png")
    lung(tmp_path / "mask/CHNCXR_0327_1_mask.png", 2)
    (tmp_path / "z/@eaDir/CHNCXR_0327_1_mask.png").mkdir(parents=True)
    (tmp_path / "ClinicalReadings").mkdir()
    (tmp_path / "ClinicalReadings/CHNCXR_0327_1.txt").write_text("\ufefffemale，45yrs\nPTB\n", encoding="utf-8")
    (film,) = shenzhen.read(tmp_path)
    assert [mask.file for mask in film.masks] == ["mask/CHNCXR_0327_1_mask.png"]
    assert (film.patient_sex, film.patient_age_years, film.findings) == ("F", 45, ("tuberculosis",))


def test_covid_radiographys_first_release_and_endings_and_mask_folders_by_any_name(tmp_path):
    picture(tmp_path / "COVID-19 Radiography Database/COVID-19/COVID-19 (1).png")
    picture(tmp_path / "COVID-19 Radiography Database/NORMAL/NORMAL (1).JPG")
    picture(tmp_path / "Normal/lung masks/normal_1.png")
    films = list(covid_radiography.read(tmp_path))
    assert [(film.patient_id, film.findings) for film in films] == [
        ("COVID-19 (1)", ("COVID-19",)),
        ("NORMAL (1)", ("normal",)),
    ]


def test_chexmask_leaves_other_tables_alone_and_takes_one_by_name(tmp_path):
    (tmp_path / "train.csv").write_text("Path,Sex\na_1.png,F\n")
    (tmp_path / "CheXpert.csv").write_text(RCA_HEADER + "a_1.png,.8,.9,1,5 2,1 2,3 1,12,16\n")
    picture(tmp_path / "a_1.png")
    with pytest.warns(UserWarning, match="CheXpert.csv: 1 films do not say"):
        (film,) = chexmask.read(tmp_path)
    with pytest.warns(UserWarning, match="CheXpert.csv: 1 films do not say"):
        (by_name,) = chexmask.read(tmp_path / "CheXpert.csv")
    assert film == by_name and film.file == "a_1.png" and film.masks
    (tmp_path / "CheXpert.csv").unlink()
    with pytest.raises(ValueError, match="train.csv: no column 'dice rca"):
        list(chexmask.read(tmp_path))


def test_run_lengths_of_unknown_size_are_refused_where_they_go_over_the_ends_of_rows(tmp_path, capsys):
    runs = " ".join(f"{row * 12 + 5} 6" for row in range(4))  # of a mask 12 pixels wide
    (tmp_path / "CANDID.csv").write_text(RCA_HEADER + f"a.png,.8,.9,1,,{runs},,,\nb.png,.8,.9,1,,{runs},,,\n")
    picture(tmp_path / "a.png", (12, 12), 1)
    picture(tmp_path / "b.png", (16, 12), 2)
    assert ingest.main(["chexmask", str(tmp_path), "--db", str(tmp_path / "db")]) == 1
    assert (
        "refused mask: 1 x mask of another size; the first: b.png: run-length mask of unknown"
        in capsys.readouterr().out
    )
    assert [row[0] for row in connect(tmp_path / "db").execute("SELECT area_share FROM mask")] == [24 / 144]


def test_masks_that_are_no_longer_there_are_said(tmp_path, capsys):
    for number in (1, 2):
        picture(tmp_path / f"CXR_png/MCUCXR_000{number}_0.png", seed=number)
        lung(tmp_path / f"ManualMask/leftMask/MCUCXR_000{number}_0.png", 10)
    call = ["montgomery", str(tmp_path), "--db", str(tmp_path / "db")]
    ingest.main(call)
    assert "have a mask" not in capsys.readouterr().out
    (tmp_path / "ManualMask/leftMask/MCUCXR_0001_0.png").unlink()
    ingest.main(call)
    said = capsys.readouterr().out
    assert "1 of the 2 films have a mask" in said
    assert "note: 2 masks before and 1 now; are the folders of the masks in their place?" in said


@pytest.mark.parametrize(("folder", "start", "structure"), [
    ("leftMask", 2, "right_lung"), ("leftMask", 10, "left_lung"), ("rightMask", 10, "left_lung"),
])  # fmt: skip
def test_a_single_mask_is_held_against_the_films_middle(tmp_path, folder, start, structure):
    picture(tmp_path / "CXR_png/MCUCXR_0001_0.png")
    lung(tmp_path / f"ManualMask/{folder}/MCUCXR_0001_0.png", start)
    ingest.main(["montgomery", str(tmp_path), "--db", str(tmp_path / "db")])
    assert [row[0] for row in connect(tmp_path / "db").execute("SELECT structure FROM mask")] == [structure]


def test_sides_that_changed_are_kept_with_a_film_that_cannot_be_read_today(tmp_path):
    for number in (1, 2):
        picture(tmp_path / f"CXR_png/MCUCXR_000{number}_0.png", seed=number)
        lung(tmp_path / f"ManualMask/leftMask/MCUCXR_000{number}_0.png", 2)
        lung(tmp_path / f"ManualMask/rightMask/MCUCXR_000{number}_0.png", 10)
    call = ["montgomery", str(tmp_path), "--db", str(tmp_path / "db")]
    ingest.main(call)
    masks = "SELECT structure, file FROM mask ORDER BY file"
    before = [tuple(row) for row in connect(tmp_path / "db").execute(masks)]
    (tmp_path / "CXR_png/MCUCXR_0001_0.png").write_bytes(b"")
    assert ingest.main(call) == 1
    assert [tuple(row) for row in connect(tmp_path / "db").execute(masks)] == before and len(before) == 4


def test_a_broken_run_length_code_is_named_for_what_it_is(tmp_path, capsys):
    (tmp_path / "CANDID.csv").write_text(RCA_HEADER + "a.png,.8,.9,1,,5 x,,,\n")
    (tmp_path / "other.csv").write_bytes("Größe,Path\n1,a.png\n".encode("latin-1"))
    picture(tmp_path / "a.png")
    assert ingest.main(["chexmask", str(tmp_path), "--db", str(tmp_path / "db")]) == 1
    assert "1 x run-length code does not fit; the first: a.png: run-length code is no list" in capsys.readouterr().out
