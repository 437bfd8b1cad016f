"""predict.py called end to end on a network of a few steps."""

import csv

import numpy as np
import pytest
import torch
from PIL import Image

import predict
from unet.checkpoint import Checkpoint, save_checkpoint
from unet.model import UNet, UNetConfig

RNG = np.random.default_rng(0)
TIMED = ("--precision", "float32", "--device", "cpu")


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    torch.manual_seed(0)
    config = UNetConfig(base=4, depth=1)
    path = tmp_path_factory.mktemp("network") / "best.pt"
    structures = ["right_lung", "left_lung", "heart"]
    with open(path, "wb") as file:
        save_checkpoint(file, Checkpoint(config, UNet(config).state_dict(), {"size": 32}, {}, structures))
    return path


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


def test_what_cannot_be_read_is_listed_and_the_rest_done(network, films, tmp_path, capsys):
    (films / "broken.png").write_bytes(b"no picture")
    (films / "empty.jpg").write_bytes(b"")
    assert call(network, tmp_path / "out", films) == 1
    failed = rows(tmp_path / "out", "failures.csv")
    assert [row["file"].rsplit("/", 1)[1] for row in failed] == ["broken.png", "empty.jpg"]
    assert len(rows(tmp_path / "out")) == 3 and "2 failed" in capsys.readouterr().out


def test_a_second_call_does_only_what_is_new_changed_or_lost(network, films, tmp_path, monkeypatch):
    out = tmp_path / "out"
    call(network, out, films)
    done = []
    original = predict.describe
    monkeypatch.setattr(predict, "describe", lambda film, *rest: (done.append(film.name), original(film, *rest))[1])
    call(network, out, films)
    assert done == []
    Image.fromarray(np.zeros((20, 20), np.uint8)).save(films / "new.png")
    (out / "masks/heart/odd 'name';.png").unlink()
    call(network, out, films)
    assert sorted(done) == ["new.png", "odd 'name';.jpg"]
    assert len(rows(out)) == 4 and len({row["file"] for row in rows(out)}) == 4


def test_a_wrong_call_says_what_was_wanted(network, films, tmp_path):
    with pytest.raises(ValueError, match="python predict.py FILMS --out DIR"):
        predict.main([str(films)])
    with pytest.raises(FileNotFoundError, match="no such file or folder"):
        call(network, tmp_path / "out", tmp_path / "nowhere")


def lungs(right, left, shape=(40, 60)):
    masks = {name: np.zeros(shape, bool) for name in ("right_lung", "left_lung", "heart")}
    for name, columns in (("right_lung", right), ("left_lung", left)):
        masks[name][5:35, slice(*columns)] = True
    masks["heart"][20:34, 25:40] = True
    return masks


def test_doubts_name_what_no_chest_film_shows():
    assert predict.doubts(lungs((5, 20), (40, 55))) == []
    assert predict.doubts(lungs((0, 0), (40, 55))) == ["no right lung"]
    assert predict.doubts(lungs((40, 55), (5, 20))) == ["lungs on the wrong sides: the film may be mirrored"]
    assert predict.doubts(lungs((5, 6), (40, 41))) == ["lungs cover less than 6 % of the picture"]
    assert predict.doubts(lungs((5, 20), (40, 45))) == ["one lung is 3.0 times the other"]


def test_the_cardiothoracic_ratio_counts_pixel_widths():
    assert predict.cardiothoracic_ratio(lungs((5, 20), (40, 55))) == 15 / 50
    assert predict.cardiothoracic_ratio(lungs((0, 0), (0, 0))) is None


def test_dicom_files_are_recognised_and_without_pydicom_say_what_to_install(network, tmp_path):
    film = tmp_path / "film.dcm"
    film.write_bytes(b"\0" * 128 + b"DICM" + b"\0" * 50)
    assert call(network, tmp_path / "out", film) == 1
    why = rows(tmp_path / "out", "failures.csv")[0]["why"]
    assert "pip install pydicom" in why or "unreadable DICOM file" in why


def test_dicom_films_are_upright_in_grey_levels_and_others_refused(tmp_path):
    pydicom = pytest.importorskip("pydicom")
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian

    from data.dicom import read_dicom

    def write(path, values, **facts):
        film = pydicom.Dataset()
        film.file_meta = FileMetaDataset()
        film.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        film.file_meta.MediaStorageSOPClassUID = film.SOPClassUID = "1.2.840.10008.5.1.4.1.1.1.1"
        film.file_meta.MediaStorageSOPInstanceUID = film.SOPInstanceUID = "1.2.3"
        film.Rows, film.Columns = values.shape
        film.BitsAllocated = film.BitsStored = 16
        film.HighBit, film.PixelRepresentation, film.SamplesPerPixel = 15, 0, 1
        film.PhotometricInterpretation = facts.pop("photometric", "MONOCHROME2")
        film.Modality = "DX"
        for name, value in facts.items():
            setattr(film, name, value)
        film.PixelData = values.astype("<u2").tobytes()
        film.save_as(path, enforce_file_format=True)
        return path

    values = np.arange(12).reshape(3, 4) * 100
    plain = read_dicom(write(tmp_path / "a.dcm", values, PixelSpacing=[0.2, 0.1]))
    assert np.allclose(plain.image, values / 1100) and plain.spacing_mm == (0.2, 0.1)
    inverted = read_dicom(write(tmp_path / "b.dcm", values, photometric="MONOCHROME1"))
    assert np.allclose(inverted.image, 1 - values / 1100) and inverted.spacing_mm is None
    for facts, message in (({"Modality": "CT"}, "modality CT"), ({"ViewPosition": "LL"}, "view position LL"),
                           ({"BodyPartExamined": "HAND"}, "body part HAND")):  # fmt: skip
        with pytest.raises(ValueError, match=message):
            read_dicom(write(tmp_path / "c.dcm", values, **facts))


def test_no_pixel_is_in_both_lungs_and_the_more_probable_one_has_it(network):
    predictor = predict.Predictor(network, "cpu", "float32")
    right, left, heart = np.full((9, 12), 0.6), np.full((9, 12), 0.7), np.zeros((9, 12))
    right[:, :4] = 0.9
    masks = predictor.binarise(np.stack([right, left, heart]).astype(np.float32))
    assert not (masks["right_lung"] & masks["left_lung"]).any()
    assert masks["right_lung"][:, :4].all() and masks["left_lung"][:, 4:].all() and not masks["heart"].any()
