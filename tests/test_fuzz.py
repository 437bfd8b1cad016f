"""Bytes of real files changed at random: whatever comes in, the answer is a film or one clear error, never anything else.

FUZZ_SECONDS sets the budget of every test here (default 2); `make fuzz` gives them ten minutes.
"""

import os
import sqlite3
import time

import numpy as np
import pytest
import torch
from PIL import Image

from data import reading
from data.loading import load_film
from db.connection import connect
from db.records import STRUCTURES
from unet.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from unet.model import UNet, UNetConfig

SECONDS = float(os.environ.get("FUZZ_SECONDS", "2"))
SEED = int(os.environ.get("FUZZ_SEED", "0"))
FORMATS = (
    "png",
    "16.png",
    "jpg",
    "tif",
    "lzw.tif",
    "16.tif",
    "bmp",
    "gif",
    "palette.png",
    "cmyk.jpg",
    "float.tif",
    "dcm",
)


def write_film(path):
    """A small film in the format that the name says."""
    grey = np.random.default_rng(1).integers(0, 255, (40, 30)).astype(np.uint8)
    image, options = Image.fromarray(grey), {}
    if "16." in path.name:
        image = Image.fromarray(grey.astype(np.uint16) * 257)
    elif "float." in path.name:
        image = Image.fromarray(grey.astype(np.float32) / 255)
    elif "cmyk." in path.name:
        image = image.convert("CMYK")
    elif "palette." in path.name:
        image = image.convert("P")
    elif "lzw." in path.name:
        options = {"compression": "tiff_lzw"}
    if path.suffix == ".dcm":
        write_dicom(path, grey)
    else:
        image.save(path, **options)


def write_dicom(path, grey):
    pydicom = pytest.importorskip("pydicom")
    meta = pydicom.dataset.FileMetaDataset()
    meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = (
        pydicom.uid.generate_uid(),
        pydicom.uid.generate_uid(),
    )
    film = pydicom.dataset.FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    film.Modality, film.ViewPosition, film.PhotometricInterpretation = "DX", "PA", "MONOCHROME2"
    film.Rows, film.Columns = grey.shape
    film.BitsAllocated = film.BitsStored = 8
    film.HighBit, film.PixelRepresentation, film.SamplesPerPixel = 7, 0, 1
    film.PixelSpacing = [0.2, 0.2]
    film.PixelData = grey.tobytes()
    film.save_as(path, enforce_file_format=True)


def changed(content, rng):
    """Flip, overwrite, cut, double or insert a few bytes; half of the time in the first 200, where headers are."""
    data = bytearray(content)
    for _ in range(int(rng.integers(1, 6))):
        at = int(rng.integers(min(len(data), 200) if rng.random() < 0.5 else len(data)))
        kind = rng.integers(5)
        if kind == 0:
            data[at] ^= 1 << int(rng.integers(8))
        elif kind == 1:
            data[at : at + 4] = rng.choice([b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\x01\0\0\x80"])
        elif kind == 2:
            del data[at:]
        elif kind == 3:
            data[at:at] = data[at : at + int(rng.integers(1, 64))]
        else:
            data[at:at] = bytes(rng.integers(0, 256, int(rng.integers(1, 16))).astype(np.uint8))
        if not data:
            return b""
    return bytes(data)


def mutations(content, seconds):
    rng, end = np.random.default_rng(SEED), time.monotonic() + seconds
    while time.monotonic() < end:
        yield changed(content, rng)


@pytest.mark.parametrize("ending", FORMATS)
@pytest.mark.filterwarnings("ignore")
def test_a_film_of_changed_bytes_is_read_or_refused(ending, tmp_path, monkeypatch):
    monkeypatch.setattr(
        reading, "MOST_PIXELS", 2_000_000
    )  # a header that claims more costs time and tests nothing else
    path = tmp_path / f"film.{ending}"
    write_film(path)
    for content in mutations(path.read_bytes(), SECONDS / len(FORMATS)):
        path.write_bytes(content)
        try:
            image = load_film(path, "MONOCHROME2").image
        except (ValueError, OSError) as error:
            assert str(error), content
            continue
        assert image.ndim == 2 and image.dtype == np.float32 and image.size, content
        assert np.isfinite(image).all() and image.min() >= 0 and image.max() <= 1, content


@pytest.mark.filterwarnings("ignore")
def test_a_checkpoint_of_changed_bytes_is_refused_or_sound(tmp_path):
    path, config = tmp_path / "best.pt", UNetConfig(base=2, depth=1)
    with open(path, "wb") as file:
        save_checkpoint(file, Checkpoint(config, UNet(config).state_dict(), {"size": 32}, {}, list(STRUCTURES)))
    load_checkpoint(path)  # unchanged it is sound, so that what follows can reach past the first check
    for content in mutations(path.read_bytes(), SECONDS):
        path.write_bytes(content)
        try:
            weights = load_checkpoint(path).weights
        except (ValueError, OSError) as error:
            assert str(path) in str(error)
            continue
        assert all(torch.isfinite(weight).all() for weight in weights.values() if weight.is_floating_point())


def test_a_database_of_changed_bytes_is_refused_or_answers(tmp_path):
    path = tmp_path / "films.sqlite"
    connection = connect(path)
    connection.execute("PRAGMA journal_mode = DELETE")
    connection.close()
    for number, content in enumerate(mutations(path.read_bytes(), SECONDS)):
        copy = tmp_path / f"changed{number}.sqlite"
        copy.write_bytes(content)
        try:
            connection = connect(copy)
            connection.execute("SELECT count(*) FROM image").fetchone()
            connection.close()
        except (ValueError, OSError, sqlite3.Error) as error:  # cli.command turns each of them into one line
            assert str(error)
        for rest in tmp_path.glob("changed*"):
            rest.unlink()
