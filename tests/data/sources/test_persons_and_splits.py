"""Over every source at once: ingest tiny folders in each layout, draw splits, and look for a person in two of them."""

import csv
from importlib.util import find_spec

import numpy as np
import pytest
from PIL import Image

from data import ingest
from data.masks import encode_rle
from data.sources import READERS
from db.connection import connect
from db.splits import draw_fold, draw_leave_out, draw_split

TRIED = [reader for reader in READERS if reader != "dicom" or find_spec("pydicom")]

RNG = np.random.default_rng(0)
LUNG = np.zeros((17, 13), bool)
LUNG[3:12, 2:5] = True
SAME = [  # source and films of one person; what says so stands beside the layout below
    ("manifest", "b/x.png", "b/y.png"),
    ("montgomery", "CXR_png/MCUCXR_0101_1.png", "CXR_png/MCUCXR_0102_1.png", "CXR_png/MCUCXR_0103_1.png"),
    ("covid_chestxray", "images/one.jpg", "images/twice.jpg", "images/two.jpg"),
    ("covid_radiography", "COVID/images/COVID-1.png", "Normal/images/Normal-1.png"),
    ("chexmask", "p/patient1/study1/view1_frontal.png", "p/patient1/study2/view1_frontal.png"),
]


def film(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(RNG.integers(0, 255, LUNG.shape).astype(np.uint8)).save(path)


def text(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)


def table(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def manifest(folder):
    rows = [{"file": f"a/{n}.png", "patient_id": f"{n}", "same_patient_as": ""} for n in range(20)]
    rows += [{"file": f"b/{n}.png", "patient_id": f"q{n}", "same_patient_as": s} for n, s in (("x", ""), ("y", "7|qx"))]
    for row in rows:
        film(folder / row["file"])
    table(folder / "manifest.csv", rows)


def montgomery(folder):
    for number in range(100, 120):
        film(folder / f"CXR_png/MCUCXR_0{number}_1.png")
        text(folder / f"ClinicalReadings/MCUCXR_0{number}_1.txt", "Patient's Sex: F\nPatient's Age: 027Y\nnormal\n")
    # 103 names 102, which names 101: the same person through a third id
    for number, others in ((102, "MCUCXR_0101_1"), (103, "MCUCXR_0102_1, MCUCXR_0999_1")):
        text(folder / f"ClinicalReadings/MCUCXR_0{number}_1.txt", f"NO REPORT (same pt as {others})\n")


def shenzhen(folder):
    for number in range(20):
        film(folder / f"CXR_png/CHNCXR_{number:04d}_0.png")


def jsrt(folder):
    for number in range(1, 4):
        path = folder / f"All247images/JPCNN00{number}.IMG"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(RNG.integers(0, 4096, 4).astype(">u2").tobytes())


def covid_chestxray(folder):
    rows = [{"patientid": str(n), "filename": f"{n}.jpg"} for n in range(20)]
    # the same film under two ids: all that either of them has is one person's
    rows += [
        {"patientid": p, "filename": f"{f}.jpg"}
        for p, f in (("71", "one"), ("71", "twice"), ("72", "twice"), ("72", "two"))
    ]
    for row in rows:
        film(folder / "images" / row["filename"])
    table(folder / "metadata.csv", rows)


def covid_radiography(folder):
    for number in range(20):
        film(folder / f"COVID/images/COVID-{number}.png")
    twin = folder / "Normal/images/Normal-1.png"  # the same bytes in two classes
    twin.parent.mkdir(parents=True)
    twin.write_bytes((folder / "COVID/images/COVID-1.png").read_bytes())


def chexmask(folder):
    rows = []
    for patient, study in [(n, 1) for n in range(20)] + [(1, 2)]:
        name = f"p/patient{patient}/study{study}/view1_frontal.png"
        film(folder / name)
        rows.append({"Path": name, "Dice RCA (Mean)": 0.8, "Dice RCA (Max)": 0.9, "Landmarks": "", "Left Lung": encode_rle(LUNG),
                     "Right Lung": "", "Heart": "", "Height": 17, "Width": 13})  # fmt: skip
    table(folder / "CheXpert.csv", rows)


def dicom(folder, write):
    for number in range(21):  # the last one is of the first one's patient
        write(folder / f"{number}.dcm", np.full((4, 4), number) + np.eye(4), PatientID=f"P{number % 20}")


@pytest.fixture(scope="module")
def database(tmp_path_factory, dicom_file):
    root = tmp_path_factory.mktemp("sources")
    patch = pytest.MonkeyPatch()
    patch.setattr("data.reading.JSRT_SIDE", 2)
    for reader in TRIED:
        globals()[reader](root / reader, *([dicom_file] if reader == "dicom" else []))
        assert ingest.main([reader, str(root / reader), "--db", str(root / "films.sqlite")]) == 0
    patch.undo()
    return root / "films.sqlite"


@pytest.mark.parametrize("draw", ["split", "fold", "leave out"])
def test_no_person_is_in_two_splits_in_any_source(database, draw):
    connection = connect(database)
    names = [row["name"] for row in connection.execute("SELECT name FROM source")]
    assert sorted(names) == sorted(TRIED)
    kinds = set()
    for seed in range(8):  # so that no pair of films is together by luck
        split_set = {
            "split": lambda seed=seed: draw_split(connection, seed),
            "fold": lambda seed=seed: draw_fold(connection, seed, 1, 3),
            "leave out": lambda seed=seed: draw_leave_out(connection, seed, ["montgomery"]),
        }[draw]()
        rows = connection.execute(
            "SELECT source.name, file, split, study.patient_id FROM image JOIN source USING (source_id) "
            "JOIN study USING (study_id) JOIN split USING (patient_id) WHERE split_set = ?",
            (split_set,),
        ).fetchall()
        assert len(rows) == connection.execute("SELECT count(*) FROM image").fetchone()[0]
        split_of, person_of = {}, {}
        for row in rows:
            split_of.setdefault(row["patient_id"], set()).add(row["split"])
            person_of.setdefault((row["name"], row["file"]), set()).add(row["patient_id"])
        assert all(len(splits) == 1 for splits in split_of.values())
        for source, *films in SAME:
            assert len(set().union(*(person_of[source, name] for name in films))) == 1, (source, films)
        kinds |= {row["split"] for row in rows}
    assert kinds == {"train", "val", "test"}


def test_a_film_listed_under_two_patients_is_counted_once_and_joins_them(database):
    rows = connect(database).execute(
        "SELECT file, duplicate_of, study.patient_id FROM image JOIN study USING (study_id) WHERE file LIKE 'images/t%'"
    )
    listed = [(row["file"], row["duplicate_of"] is not None, row["patient_id"]) for row in rows]
    person = "covid_chestxray:71"
    assert sorted(listed) == [
        ("images/twice.jpg", False, person), ("images/twice.jpg", True, person), ("images/two.jpg", False, person),
    ]  # fmt: skip
