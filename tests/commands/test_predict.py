"""predict.py called end to end on a network of a few steps."""

import csv
import html
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional as F

import predict
from data import ingest
from data.found_films import find_films
from data.loading import hash_file, load_film
from data.resize import from_square, letterbox_of
from pipeline.film_job import FilmJob
from pipeline.predictor import Predictor
from unet.checkpoint import load_checkpoint, save_checkpoint
from unet.postprocess import binarise, clean

RNG = np.random.default_rng(0)
TIMED = ("--precision", "float32", "--device", "cpu")


@pytest.fixture
def films(tmp_path):
    folder = tmp_path / "my films"
    for name in ("a.png", "sub/a.png", "odd 'name';.jpg"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(RNG.integers(0, 255, (51, 37)).astype(np.uint8)).save(path)
    return folder


def call(network, out, *places):
    return predict.main([*map(str, places), "--checkpoint", str(network), "--out", str(out), *TIMED])


def rows(out, name="predictions.csv"):
    with open(out / name, newline="") as file:
        return list(csv.DictReader(file))


def test_every_film_gets_masks_of_its_own_size_an_overlay_and_a_row(network, films, tmp_path):
    assert call(network, tmp_path / "out", films) == 0
    names = {row["name"] for row in rows(tmp_path / "out")}
    assert names == {"a-1", "a-2", "odd 'name';"}
    for name in names:
        for structure in ("right_lung", "left_lung", "heart", "lungs"):
            mask = np.asarray(Image.open(tmp_path / f"out/masks/{structure}/{name}.png"))
            assert mask.shape == (51, 37) and set(np.unique(mask)) <= {0, 255}
        assert (tmp_path / f"out/overlays/{name}.jpg").is_file()
    assert "Nobody has checked these masks" in (tmp_path / "out/report.html").read_text()


def test_results_inside_the_searched_folder_are_no_films_of_the_next_call(network, films):
    for _ in range(2):
        assert call(network, films / "results", films) == 0
        assert len(rows(films / "results")) == 3
    assert not rows(films / "results", "failures.csv")


def test_results_of_another_call_inside_the_searched_folder_are_no_films_either(network, films):
    for results in ("r1", "r2", "r3"):
        assert call(network, films / results, films) == 0
        assert len(rows(films / results)) == 3
    assert predict.main(["--compare", *map(str, find_films([films]).films[:2]), "--checkpoint", str(network), "--out",
                         str(films / "change"), *TIMED]) == 0  # fmt: skip
    assert (films / "change/comparison.png").is_file() and len(find_films([films]).films) == 3


def test_of_several_folds_the_first_predicts_and_says_so(network, films, tmp_path, capsys):
    for fold in ("fold1", "fold2", "fold1-backup", "fold"):
        (tmp_path / "cross" / fold).mkdir(parents=True)
        shutil.copy(network, tmp_path / "cross" / fold / "best.pt")
    assert call(tmp_path / "cross", tmp_path / "out", films) == 0
    assert "fold1/best.pt is used, the first of 2 folds" in capsys.readouterr().out


def test_what_cannot_be_read_is_listed_and_the_rest_done(network, films, tmp_path, capsys):
    (films / "broken.png").write_bytes(b"no picture")
    (films / "empty.jpg").write_bytes(b"")
    assert call(network, tmp_path / "out", films) == 1
    failed = rows(tmp_path / "out", "failures.csv")
    assert [row["file"].rsplit("/", 1)[1] for row in failed] == ["broken.png", "empty.jpg"]
    assert len(rows(tmp_path / "out")) == 3 and "2 failed" in capsys.readouterr().out


def test_why_a_film_failed_names_it_once(network, tmp_path, capsys):
    (tmp_path / "films").mkdir()
    (tmp_path / "films/broken's.png").write_bytes(b"no picture")
    Image.fromarray(np.zeros((20, 20), np.uint8)).save(tmp_path / "films/black.png")
    expected = {
        "black.png": "every pixel has the same value; there is no picture in it",
        "broken's.png": "unreadable or truncated image, or of a format that is not read (PNG, JPEG, TIFF, BMP, GIF are); "
        "convert it, or copy it anew from its source",
    }
    assert call(network, tmp_path / "out", tmp_path / "films") == 1
    said = capsys.readouterr().out
    page = html.unescape((tmp_path / "out/report.html").read_text())
    assert {row["file"]: row["why"] for row in rows(tmp_path / "out", "failures.csv")} == {
        str(tmp_path / "films" / name): why for name, why in expected.items()
    }
    for name, why in expected.items():
        film = tmp_path / "films" / name
        assert f"\nfailed: {film}: {why}\n" in said and page.count(str(film)) == 1 and f">{why}<" in page
    words = ["--explain", "heart"]
    assert (
        predict.main([str(tmp_path / "films/black.png"), "--checkpoint", str(network), "--out", str(tmp_path), *words])
        == 1
    )
    assert capsys.readouterr().out == f"failed: {tmp_path / 'films/black.png'}: {expected['black.png']}\n"


def test_a_film_that_the_network_learnt_from_is_said_to_be_one(network, films, tmp_path):
    checkpoint = load_checkpoint(network)
    checkpoint.learnt_from = [hash_file(films / "sub/a.png")]
    with open(tmp_path / "best.pt", "wb") as file:
        save_checkpoint(file, checkpoint)
    assert call(tmp_path / "best.pt", tmp_path / "out", films) == 0
    said = {row["name"]: "has learnt from this film" in row["remarks"] for row in rows(tmp_path / "out")}
    assert said == {"a-1": False, "a-2": True, "odd 'name';": False}


def test_a_film_that_broke_since_leaves_no_masks_and_an_export_of_before_is_said_to_be_one(
    network, films, tmp_path, capsys
):
    assert (
        predict.main(
            [str(films), "--checkpoint", str(network), "--out", str(tmp_path / "out"), *TIMED, "--format", "rle"]
        )
        == 0
    )
    assert len(rows(tmp_path / "out", "rle.csv")) == 9
    (films / "a.png").write_bytes(b"broken")
    assert call(network, tmp_path / "out", films) == 1
    assert {row["name"] for row in rows(tmp_path / "out")} == {"a-2", "odd 'name';"}
    assert not list((tmp_path / "out").rglob("a-1.*"))
    assert f"{tmp_path / 'out/rle.csv'} lacks what this call has drawn anew; --format rle" in capsys.readouterr().out


def test_results_of_films_that_cannot_be_reached_today_are_kept(network, films, tmp_path):
    (films / "a.png").rename(films / "store.bin")
    (films / "a.png").symlink_to(films / "store.bin")
    assert call(network, tmp_path / "out", films) == 0
    (films / "store.bin").rename(tmp_path / "store.bin")
    assert call(network, tmp_path / "out", films) == 1
    assert {row["name"] for row in rows(tmp_path / "out")} == {"a-1", "a-2", "odd 'name';"}
    assert (tmp_path / "out/masks/heart/a-1.png").is_file()
    assert [row["file"] for row in rows(tmp_path / "out", "failures.csv")] == [str(films / "a.png")]


def test_films_of_another_call_keep_their_pictures_whatever_its_settings(network, tmp_path):
    """Two folders hold an a.png each; the second call has other settings, and so a run of its own."""
    for number, folder in enumerate(("one", "two")):
        (tmp_path / folder).mkdir()
        Image.fromarray(np.full((20 + number, 30), 90, np.uint8) + np.arange(30, dtype=np.uint8)).save(
            tmp_path / folder / "a.png"
        )
    call(network, tmp_path / "out", tmp_path / "one")
    before = (tmp_path / "out/masks/heart/a.png").read_bytes()
    call(network, tmp_path / "out", tmp_path / "two", "--fix-orientation")
    assert (tmp_path / "out/masks/heart/a.png").read_bytes() == before
    assert [row["name"] for row in rows(tmp_path / "out")] == ["a-1"]
    call(network, tmp_path / "out", tmp_path / "one", "--fix-orientation")  # the same film again: its own pictures
    assert sorted(row["name"] for row in rows(tmp_path / "out")) == ["a", "a-1"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--fix-orientation", "--compare"), "--fix-orientation changes nothing with --compare"),
        (("--fix-orientation", "--explain", "heart"), "--fix-orientation changes nothing with --compare and --explain"),
        (("--compare", "--explain", "heart"), "--explain changes nothing with --compare"),
        (("--explain", "heart", "--pixel-spacing-mm", "0.2"), "--pixel-spacing-mm changes nothing with --explain"),
        (("--compare", "--format", "rle"), "--format changes nothing with --compare and --explain"),
        (("--explain", "heart", "--db", "z.sqlite"), "--db changes nothing with --compare and --explain"),
        (("--region", "1,1,5,5"), "--region changes nothing without --explain"),
    ],
)
def test_settings_that_would_change_nothing_are_refused(network, films, tmp_path, words, message):
    with pytest.raises(ValueError, match=message):
        call(network, tmp_path / "out", films, *words)


def test_a_second_call_does_only_what_is_new_changed_or_lost(network, films, tmp_path, monkeypatch, capsys):
    out = tmp_path / "out"
    call(network, out, films)
    done = []
    original = FilmJob.predict
    monkeypatch.setattr(
        FilmJob, "predict", lambda self, film, file, name: (done.append(file), original(self, film, file, name))[1]
    )
    call(network, out, films)
    assert done == []
    Image.fromarray(np.eye(20, dtype=np.uint8)).save(films / "new.png")
    (out / "masks/heart/odd 'name';.png").unlink()
    (out / "overlays/a-1.jpg").write_bytes(b"")  # as a power cut may leave it
    call(network, out, films)
    assert sorted(file.rsplit("/", 1)[1] for file in done) == ["a.png", "new.png", "odd 'name';.jpg"]
    assert len(rows(out)) == 4 and len({row["file"] for row in rows(out)}) == 4
    assert "), 3 now, 0 failed" in (told := capsys.readouterr().out) and "of them by earlier calls" not in told
    call(network, out, films / "new.png")
    assert (
        "4 films done (" in (told := capsys.readouterr().out)
        and "), 0 now, 3 of them by earlier calls on other films" in told
    )


def test_a_film_that_has_changed_and_fails_now_keeps_no_result_of_what_it_was(network, films, tmp_path):
    out = tmp_path / "out"
    call(network, out, films)
    (films / "a.png").write_bytes(b"cut short")
    assert call(network, out, films) == 1
    assert {row["file"] for row in rows(out)} == {str(films / "sub/a.png"), str(films / "odd 'name';.jpg")}
    assert [row["file"] for row in rows(out, "failures.csv")] == [str(films / "a.png")]


def test_the_report_does_without_overlays_of_an_earlier_call_that_are_gone(network, films, tmp_path):
    out = tmp_path / "out"
    call(network, out, films / "a.png")
    shutil.rmtree(out / "overlays")
    assert call(network, out, films / "sub") == 0
    page = (out / "report.html").read_text()
    assert len(rows(out)) == 2 and page.count("data:image/jpeg") == 1


def test_a_wrong_call_says_what_was_wanted(network, films, tmp_path):
    with pytest.raises(ValueError, match="python predict.py FILMS --out DIR"):
        predict.main([str(films)])
    with pytest.raises(FileNotFoundError, match="no such file or folder"):
        call(network, tmp_path / "out", tmp_path / "nowhere")


def test_dicom_files_are_recognised_and_without_pydicom_say_what_to_install(network, tmp_path):
    film = tmp_path / "film.dcm"
    film.write_bytes(b"\0" * 128 + b"DICM" + b"\0" * 50)
    assert call(network, tmp_path / "out", film) == 1
    why = rows(tmp_path / "out", "failures.csv")[0]["why"]
    assert "pip install pydicom" in why or "unreadable DICOM file" in why


def test_no_pixel_is_in_both_lungs_and_the_more_probable_one_has_it(network):
    predictor = Predictor(network, "cpu", "float32")
    size = predictor.preprocessing.size
    logits = torch.tensor([0.6, 0.7, 0.1]).logit()[:, None, None].repeat(1, size, size)
    logits[0, :, : size // 2] = torch.tensor(0.9).logit()
    masks = predictor.film_masks(logits[None], letterbox_of(torch.ones(2 * size, 2 * size), size))
    assert (masks["right_lung"] ^ masks["left_lung"]).all() and not masks["heart"].any()
    assert masks["right_lung"][:, : size - 1].all() and masks["left_lung"][:, size + 1 :].all()


def test_the_heart_loses_its_tail_at_the_films_own_size(network):
    predictor = Predictor(network, "cpu", "float32")
    size = predictor.preprocessing.size
    rows, columns = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    disc = (rows - size / 2) ** 2 + (columns - size / 2) ** 2 < (size / 4) ** 2
    tail = rows == size // 2
    logits = torch.full((1, 3, size, size), -9.0)
    logits[0, predictor.structures.index("heart")][disc | tail] = 9.0
    box = letterbox_of(torch.ones(3 * size, 3 * size), size)
    heart = predictor.film_masks(logits, box)["heart"]
    found = heart.any(axis=0).nonzero()[0]
    assert found[0] > 0.7 * size and found[-1] < 2.4 * size  # the disc lies between 0.75 and 2.25


@pytest.mark.parametrize("shape", [(300, 200), (200, 333), (40, 30)])
def test_masks_are_those_of_the_probabilities(network, shape, monkeypatch):
    monkeypatch.setattr("unet.postprocess.TAIL", 0.0)  # what the heart loses by it is tested elsewhere
    predictor = Predictor(network, "cpu", "float32")
    size = predictor.preprocessing.size
    predictor.thresholds = {"right_lung": 0.6, "left_lung": 0.45, "heart": 0.5}
    rng = torch.Generator().manual_seed(shape[0])
    logits = F.avg_pool2d(torch.randn(1, 3, size, size, generator=rng), 5, 1, 2) * 9
    box = letterbox_of(torch.ones(shape), size)
    probabilities = from_square(predictor.calibrated(logits[0]), box).sigmoid().numpy()
    named = dict(zip(predictor.structures, probabilities, strict=True))
    expected = clean(binarise(named, predictor.thresholds))
    masks = predictor.film_masks(logits, box)
    for name, mask in expected.items():
        assert np.array_equal(masks[name], mask), name


def test_whatever_changes_masks_changes_what_the_results_are_called_by(network):
    settings = ({}, {"test_time_views": True}, {"fix_orientation": True}, {"photometric": "MONOCHROME1"})
    ids = {predict.network_id(network, replace(predict.PredictConfig(), **change)) for change in settings}
    assert len(ids) == len(settings)


def test_grey_levels_of_a_picture_are_read_as_told(tmp_path):
    Image.fromarray(np.arange(40, dtype=np.uint8).reshape(5, 8)).save(tmp_path / "a.png")
    dark, bright = (load_film(tmp_path / "a.png", told).image for told in ("MONOCHROME2", "MONOCHROME1"))
    assert np.allclose(bright, 1 - dark) and dark.max() < 0.2


def test_a_call_that_is_cut_short_leaves_no_list_of_what_failed_before(network, films, tmp_path, monkeypatch):
    (films / "z.png").write_bytes(b"cut off")
    assert call(network, tmp_path / "out", films) == 1
    assert [row["file"] for row in rows(tmp_path / "out", "failures.csv")] == [str(films / "z.png")]
    Image.fromarray(RNG.integers(0, 255, (51, 37)).astype(np.uint8)).save(films / "z.png")

    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(FilmJob, "predict", stop)
    with pytest.raises(KeyboardInterrupt):
        call(network, tmp_path / "out", films)
    assert not (tmp_path / "out/failures.csv").exists() and len(rows(tmp_path / "out")) == 3
    monkeypatch.undo()
    assert call(network, tmp_path / "out", films) == 0 and rows(tmp_path / "out", "failures.csv") == []


def test_spacing_and_warnings_of_a_dicom_file_reach_its_row(network, tmp_path):
    pydicom = pytest.importorskip("pydicom")
    film = pydicom.Dataset()
    film.file_meta = pydicom.dataset.FileMetaDataset()
    film.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    film.file_meta.MediaStorageSOPClassUID = film.SOPClassUID = "1.2.840.10008.5.1.4.1.1.1.1"
    film.file_meta.MediaStorageSOPInstanceUID = film.SOPInstanceUID = "1.2.3"
    film.Rows, film.Columns, film.SamplesPerPixel, film.PixelRepresentation = 51, 37, 1, 0
    film.BitsAllocated = film.BitsStored = 8
    film.HighBit, film.PhotometricInterpretation, film.Modality = 7, "MONOCHROME2", "DX"
    film.ImagerPixelSpacing, film.BurnedInAnnotation, film.PatientOrientation = [0.2, 0.1], "YES", ["R", "F"]
    film.PixelData = RNG.integers(0, 255, 51 * 37).astype(np.uint8).tobytes() + b"\0"
    film.save_as(tmp_path / "film.dcm", enforce_file_format=True)
    assert call(network, tmp_path / "out", tmp_path / "film.dcm") == 0
    (row,) = rows(tmp_path / "out")
    assert (row["row_spacing_mm"], row["column_spacing_mm"]) == ("0.2", "0.1")
    assert "spacing at the detector" in row["remarks"] and "burnt" in row["remarks"]
    assert row["review"].startswith("stored mirrored: rows run towards R"), "left and right may be exchanged"


def test_a_segmentation_that_cannot_be_written_is_a_failure_and_that_of_the_film_before_goes(
    network, tmp_path, monkeypatch, capsys
):
    """The film of that name may be another patient's now: beside its masks lay the segmentation of the one before."""
    pytest.importorskip("pydicom")
    monkeypatch.setattr("pipeline.formats.write_segmentation", lambda source, file, *_: file.write(source.read_bytes()))
    monkeypatch.setattr("pipeline.formats.is_dicom", lambda path: True)
    film = tmp_path / "film.png"
    more, told = ("--format", "dicom-seg"), f"{film},no DICOM segmentation: no SOPInstanceUID"
    Image.fromarray(RNG.integers(0, 255, (51, 37)).astype(np.uint8)).save(film)
    assert call(network, tmp_path / "out", film, *more) == 0
    segmentation = tmp_path / "out/dicom-seg/film.dcm"
    first = segmentation.read_bytes()

    def refuse(*_):
        raise ValueError("no SOPInstanceUID")

    monkeypatch.setattr("pipeline.formats.write_segmentation", refuse)
    Image.fromarray(RNG.integers(0, 255, (51, 37)).astype(np.uint8)).save(film)
    assert call(network, tmp_path / "out", film, *more) == 1 and first and not segmentation.exists()
    assert told in (tmp_path / "out/failures.csv").read_text()
    assert "1 failed" in (said := capsys.readouterr().out) and "no SOPInstanceUID" in said
    segmentation.write_bytes(first)
    Image.fromarray(RNG.integers(0, 255, (51, 37)).astype(np.uint8)).save(film)
    assert call(network, tmp_path / "out", film) == 0 and not segmentation.exists()


def test_the_spacing_of_a_picture_is_the_calls_else_the_databases(network, films, tmp_path):
    folder = tmp_path / "listed"
    folder.mkdir()
    shutil.copy(films / "a.png", folder / "a.png")
    (folder / "manifest.csv").write_text("file,patient_id,pixel_spacing_mm\na.png,p,0.72;0.36\n")
    assert ingest.main(["manifest", str(folder), "--db", str(tmp_path / "films.sqlite")]) == 0
    db = ("--db", str(tmp_path / "films.sqlite"))
    call(network, tmp_path / "stored", films, *db)
    stored = {row["file"]: row for row in rows(tmp_path / "stored")}
    known, unknown = stored[str(films / "a.png")], stored[str(films / "sub/a.png")]
    assert (known["row_spacing_mm"], known["column_spacing_mm"]) == ("0.72", "0.36")
    assert "spacing of the database's row" in known["remarks"] and not unknown["row_spacing_mm"]
    given = tmp_path / "given"
    call(network, given, films / "a.png", *db, "--pixel-spacing-mm", "0.2")
    call(network, given, films / "sub", *db, "--pixel-spacing-mm", "0.3,0.4")
    by_file = {row["file"]: (row["row_spacing_mm"], row["column_spacing_mm"]) for row in rows(given)}
    assert by_file == {str(films / "a.png"): ("0.2", "0.2"), str(films / "sub/a.png"): ("0.3", "0.4")}
    assert all("spacing as the call says" in row["remarks"] for row in rows(given))
    for wrong in ("0", "1,2,3", "-1", "17.92", "0.1,20", "nan"):
        with pytest.raises(ValueError, match="--pixel-spacing-mm .*wanted one number or two"):
            call(network, tmp_path / "wrong", films, "--pixel-spacing-mm", wrong)


def test_a_film_is_measured_anew_where_its_spacing_has_changed_since(network, films, tmp_path, monkeypatch, capsys):
    done = []
    original = FilmJob.predict
    monkeypatch.setattr(
        FilmJob,
        "predict",
        lambda self, film, file, name: (done.append(film.spacing_mm), original(self, film, file, name))[1],
    )
    told = []
    for words in (
        (),
        (),
        ("--pixel-spacing-mm", "0.2"),
        ("--pixel-spacing-mm", "0.20"),
        (),
        ("--pixel-spacing-mm", "0.3"),
    ):
        call(network, tmp_path / "out", films / "a.png", *words)
        told.append(
            "1 film was done anew, masks too: the pixel spacing is another than before" in capsys.readouterr().out
        )
    assert done == [None, (0.2, 0.2), (0.3, 0.3)]  # a call that leaves the spacing out takes none away
    assert told == [False] * 5 + [True] and rows(tmp_path / "out")[0]["row_spacing_mm"] == "0.3"


def test_a_dicom_film_that_states_no_spacing_is_measured_anew_too(network, tmp_path, dicom_file, monkeypatch):
    pytest.importorskip("pydicom")
    values = RNG.integers(0, 4096, (51, 37))
    silent = dicom_file(tmp_path / "dicom/silent.dcm", values, ViewPosition="PA")
    stating = dicom_file(tmp_path / "dicom/stating.dcm", values, ViewPosition="PA", ImagerPixelSpacing=[0.3, 0.3])
    done = []
    original = FilmJob.predict

    def predict_one(self, film, file, name):
        done.append((name, film.spacing_mm))
        return original(self, film, file, name)

    monkeypatch.setattr(FilmJob, "predict", predict_one)
    for words in (("--pixel-spacing-mm", "0.1"), ("--pixel-spacing-mm", "0.4"), ("--pixel-spacing-mm", "0.4"), ()):
        assert call(network, tmp_path / "out", silent, stating, *words) == 0
    stated = ("stating", (0.3, 0.3))
    assert sorted(done, key=str) == sorted([("silent", (0.1, 0.1)), stated, ("silent", (0.4, 0.4))], key=str)


def test_results_of_another_command_are_not_replaced(network, films, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/settings.json").write_text('{"command": "evaluate", "settings": {}}')
    with pytest.raises(ValueError, match="--out .*out holds results of evaluate, .*; name another --out"):
        call(network, tmp_path / "out", films)


def test_the_settings_are_there_before_the_first_film(network, films, tmp_path, monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(FilmJob, "predict", stop)
    with pytest.raises(KeyboardInterrupt):
        call(network, tmp_path / "out", films, "--photometric", "MONOCHROME1")
    assert json.loads((tmp_path / "out/settings.json").read_text())["settings"]["photometric"] == "MONOCHROME1"


def test_the_rows_of_films_that_were_moved_follow_them(network, films, tmp_path):
    """A folder with another name once doubled every row, and gave the films new names."""
    out = tmp_path / "out"
    assert call(network, out, films, "--pixel-spacing-mm", "0.2") == 0
    before = {row["name"]: row for row in rows(out)}
    masks = {path: path.stat().st_mtime_ns for path in (out / "masks/heart").iterdir()}
    films.rename(tmp_path / "elsewhere")
    assert call(network, out, tmp_path / "elsewhere", "--pixel-spacing-mm", "0.2") == 0
    after = {row["name"]: row for row in rows(out)}
    assert after.keys() == before.keys()
    for name, row in after.items():
        assert row["file"] == before[name]["file"].replace(str(films), str(tmp_path / "elsewhere"))
        assert {**row, "file": ""} == {**before[name], "file": ""}
    assert masks == {path: path.stat().st_mtime_ns for path in (out / "masks/heart").iterdir()}, (
        "nothing was done again"
    )


def test_masks_of_another_network_in_the_folder_are_told(network, films, tmp_path, capsys):
    out = tmp_path / "out"
    assert call(network, out, films) == 0
    assert "masks of another network" not in capsys.readouterr().out
    done = len(rows(out))
    assert call(network, out, sorted(films.rglob("*.png"))[0], "--test-time-views") == 0
    assert len(rows(out)) == 1
    told = capsys.readouterr().out
    assert f"Of {done - 1} more film" in told and "holds masks of another network or of other settings" in told
    films.rename(tmp_path / "elsewhere")  # the masks of a film that was moved are its own all the same
    assert call(network, out, sorted((tmp_path / "elsewhere").rglob("*.png"))[0], "--test-time-views") == 0
    assert f"Of {done - 1} more film" in capsys.readouterr().out


def test_films_of_the_same_bytes_that_moved_together_keep_a_row_each(network, films, tmp_path):
    shutil.copy(sorted(films.rglob("*.png"))[0], films / "copy.png")
    assert call(network, tmp_path / "out", films) == 0
    before = {row["name"] for row in rows(tmp_path / "out")}
    films.rename(tmp_path / "elsewhere")
    assert call(network, tmp_path / "out", tmp_path / "elsewhere") == 0
    after = rows(tmp_path / "out")
    assert {row["name"] for row in after} == before and len(after) == len(before)
    assert all(row["file"].startswith(str(tmp_path / "elsewhere")) for row in after)
