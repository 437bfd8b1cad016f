"""predict.py on broken and hostile films, folders and disks: one line each, the rest done, nothing outside --out."""

import csv
import errno
import os
import struct
import zlib
from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

import predict
from db.connection import connect_existing
from db.runs import find_run
from pipeline import film_job
from unet.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from unet.model import UNet, UNetConfig
from unet.quality import COLUMNS
from unet.traits import SHAPES, SIGNS

GREY = np.random.default_rng(0).integers(0, 255, (40, 30)).astype(np.uint8)


@pytest.fixture
def films(tmp_path):
    (tmp_path / "films").mkdir()
    Image.fromarray(GREY).save(tmp_path / "films" / "good.png")
    return tmp_path / "films"


def call(network, out, *places):
    words = [*map(str, places), "--checkpoint", str(network), "--out", str(out)]
    return predict.main([*words, "--precision", "float32", "--device", "cpu"])


def rows(out, name="predictions.csv"):
    with open(out / name, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def png_of_size(width, height):
    """A PNG file whose header promises a size and whose pixels are a few bytes of nothing."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 99)) + chunk(b"IEND", b"")
    )


def test_broken_films_fail_with_a_reason_each_and_the_good_ones_are_done(network, films, tmp_path):
    whole = (films / "good.png").read_bytes()
    (films / "zero.png").write_bytes(b"")
    (films / "half.png").write_bytes(whole[: len(whole) // 2])
    (films / "bomb.png").write_bytes(png_of_size(100_000, 100_000))
    (films / "script.jpg").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n")
    floats = np.full((9, 9), np.nan, np.float32)
    floats[0, 0] = np.inf
    Image.fromarray(floats).save(films / "nan.tif")
    Image.fromarray(np.full((9, 9), 7, np.uint8)).save(films / "flat.png")
    Image.fromarray(np.full((1, 1), 7, np.uint8)).save(films / "pixel.png")
    (films / "text.dcm").write_text("no film")
    assert call(network, tmp_path / "out", films) == 1
    why = {row["file"].rsplit("/", 1)[1]: row["why"] for row in rows(tmp_path / "out", "failures.csv")}
    expected = {
        "zero.png": "unreadable", "half.png": "truncated", "bomb.png": "pixels", "script.jpg": "unreadable",
        "nan.tif": "pixel format F", "flat.png": "same value", "pixel.png": "same value", "text.dcm": "",
    }  # fmt: skip
    assert why.keys() == expected.keys()
    for file, words in expected.items():
        assert words in why[file] and "\n" not in why[file]
    assert [row["name"] for row in rows(tmp_path / "out")] == ["good"]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ValueError("At least one stride in the given numpy array is negative"), "At least one stride"),
        (MemoryError("Unable to allocate 9 GiB"), "too large for this machine's memory"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), "too large for this machine's memory"),
        (torch.OutOfMemoryError("CUDA out of memory."), "too large for this machine's memory"),
        (IndexError("list index out of range"), "list index out of range"),
    ],
)
def test_whatever_is_wrong_with_one_film_the_others_are_done(network, films, tmp_path, monkeypatch, error, words):
    Image.fromarray(GREY.T).save(films / "odd.png")

    def view(predictor, image, *more, original=film_job.view_film):
        if image.shape == GREY.T.shape:
            raise error
        return original(predictor, image, *more)

    monkeypatch.setattr(film_job, "view_film", view)
    assert call(network, tmp_path / "out", films) == 1
    failed = rows(tmp_path / "out", "failures.csv")
    assert [row["file"] for row in failed] == [str(films / "odd.png")] and words in failed[0]["why"]
    assert [row["name"] for row in rows(tmp_path / "out")] == ["good"]


def test_unusual_films_get_masks_of_their_own_size(network, films, tmp_path):
    Image.fromarray(np.stack([GREY] * 4, axis=2), "CMYK").save(films / "cmyk.jpg")
    Image.fromarray(GREY).save(films / "preview.tif", save_all=True, append_images=[Image.fromarray(GREY[::4, ::4])])
    rotated = Image.Exif()
    rotated[0x0112] = 6
    Image.fromarray(GREY).save(films / "turned.jpg", exif=rotated)
    Image.fromarray(np.tile(GREY, (1, 1000))).save(films / "wide.png")
    Image.fromarray(GREY.astype(np.uint16) * 257).save(films / "deep.png")
    assert call(network, tmp_path / "out", films) == 0
    sizes = {row["name"]: (int(row["height"]), int(row["width"])) for row in rows(tmp_path / "out")}
    assert sizes == {"good": (40, 30), "cmyk": (40, 30), "preview": (40, 30), "turned": (30, 40), "wide": (40, 30_000),
                     "deep": (40, 30)}  # fmt: skip
    for name, (height, width) in sizes.items():
        assert Image.open(tmp_path / f"out/masks/heart/{name}.png").size == (width, height)


@pytest.mark.parametrize("ending", ["gif", "tif"])
def test_a_file_of_several_films_is_listed_as_failed(network, films, tmp_path, ending):
    Image.fromarray(GREY).save(
        films / f"moving.{ending}", save_all=True, append_images=[Image.fromarray(255 - GREY)] * 2
    )
    assert call(network, tmp_path / "out", films) == 1
    assert [row["name"] for row in rows(tmp_path / "out")] == ["good"]
    assert "several pages, of which only the first could be read" in (tmp_path / "out/failures.csv").read_text()


@pytest.mark.skipif(os.name != "posix", reason="names that only POSIX file systems allow")
def test_odd_names_are_kept_apart_and_stay_inside_the_folder(network, films, tmp_path, capsys):
    names = [b"two words.png", b"quote'\";--.png", b"new\nline.png", b"...png", b"caf\xe9.png", b"caf\xc3\xa9.png",
             b"<b>&amp;.png", b"=1+1.png", b"\x1b[31mred.png"]  # fmt: skip
    for name in names:
        Image.fromarray(GREY).save(os.path.join(os.fsencode(films), name), "PNG")
    (films / "new\nbroken.png").write_bytes(b"")
    assert call(network, tmp_path / "out", films) == 1
    assert len(rows(tmp_path / "out")) == len(names) + 1
    assert len(list((tmp_path / "out/masks/heart").iterdir())) == len(names) + 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["films", "out"]
    page = (tmp_path / "out/report.html").read_text(encoding="utf-8")
    assert "<b>" not in page and "\x1b" not in capsys.readouterr().out
    assert call(network, tmp_path / "out", films) == 1, "a second call finds every one of them again"
    assert len(rows(tmp_path / "out")) == len(names) + 1


def test_links_out_of_the_folder_and_folders_named_like_films_are_no_films(network, films, tmp_path):
    Image.fromarray(GREY).save(tmp_path / "secret.png")
    (films / "link.png").symlink_to(tmp_path / "secret.png")
    (films / "up").symlink_to(tmp_path)
    (films / "circle.png").symlink_to(films / "circle.png")
    (films / "folder.jpg").mkdir()
    Image.fromarray(GREY).save(films / "folder.jpg" / "inside.png")
    assert call(network, tmp_path / "out", films) == 1
    assert [row["name"] for row in rows(tmp_path / "out")] == ["inside", "good"]
    with open(tmp_path / "out/failures.csv", encoding="utf-8", newline="") as file:
        failed = list(csv.DictReader(file))
    assert [row["file"] for row in failed] == [str(films / "link.png"), str(films / "up")]
    assert all(row["why"].startswith("a link that leads out of the folder, which is not followed") for row in failed)
    with pytest.raises(FileNotFoundError):
        call(network, tmp_path / "out2", films / "circle.png")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes")
def test_a_pipe_is_refused_instead_of_waited_for(network, films, tmp_path):
    os.mkfifo(films / "pipe.png")
    assert call(network, tmp_path / "out", films) == 0
    with pytest.raises(ValueError, match="neither a file nor a folder"):
        call(network, tmp_path / "out", films / "pipe.png")


def test_a_film_that_may_not_be_read_is_listed(network, films, tmp_path, monkeypatch):
    Image.fromarray(GREY).save(films / "locked.png")

    def locked(path, mode="r", *rest, original=open):
        if str(path).endswith("locked.png") and "r" in mode:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return original(path, mode, *rest)

    monkeypatch.setattr("data.loading.open", locked, raising=False)  # root may read everything, so say it here
    assert call(network, tmp_path / "out", films) == 1
    failed = [(row["file"], row["why"]) for row in rows(tmp_path / "out", "failures.csv")]
    assert failed == [(str(films / "locked.png"), "Permission denied; allow reading it")]


def status_of(out):
    with closing(connect_existing(out / "predictions.sqlite")) as connection:
        return find_run(connection, "predict", out)["status"]


def test_a_full_disk_ends_the_call_and_the_next_one_goes_on(network, films, tmp_path, monkeypatch):
    for number in range(3):
        Image.fromarray(GREY).save(films / f"{number}.png")
    original = film_job.write_masks

    def full(folder, stem, masks):
        if stem in ("2", "good"):
            raise OSError(errno.ENOSPC, "No space left on device")
        original(folder, stem, masks)

    monkeypatch.setattr(film_job, "write_masks", full)
    with pytest.raises(OSError, match="No space left"):
        call(network, tmp_path / "out", films)
    assert [row["name"] for row in rows(tmp_path / "out")] == ["0", "1"]
    assert not list((tmp_path / "out").rglob("*.tmp"))
    assert status_of(tmp_path / "out") == "failed"
    monkeypatch.setattr(film_job, "write_masks", original)
    assert call(network, tmp_path / "out", films) == 0
    assert [row["name"] for row in rows(tmp_path / "out")] == ["0", "1", "2", "good"]
    assert status_of(tmp_path / "out") == "finished"


def test_a_folder_that_takes_no_files_is_one_clear_error(network, films, tmp_path):
    (tmp_path / "out").write_text("a file stands where the folder should be")
    with pytest.raises(OSError, match="out"):
        call(network, tmp_path / "out", films)
    with pytest.raises(ValueError, match="predictions.sqlite"):
        (tmp_path / "taken/predictions.sqlite").mkdir(parents=True)
        call(network, tmp_path / "taken", films)


def test_results_of_films_called_one_after_another_do_not_overwrite_each_other(network, films, tmp_path):
    (films / "other").mkdir()
    Image.fromarray(GREY.T).save(films / "other" / "good.png")
    out = tmp_path / "out"
    call(network, out, films / "good.png")
    call(network, out, films / "other" / "good.png")
    call(network, out, films)
    assert [(row["name"], int(row["height"])) for row in rows(out)] == [("good", 40), ("good-1", 30)]
    assert Image.open(out / "masks/heart/good.png").size == (30, 40)
    assert Image.open(out / "masks/heart/good-1.png").size == (40, 30)


def test_a_folder_whose_results_another_database_knows_is_refused(network, films, tmp_path):
    """The other database once gave its film the same name: the first one's mask was lost, and its film called done."""
    (films / "other").mkdir()
    Image.fromarray(GREY.T).save(films / "other" / "good.png")
    out, others = tmp_path / "out", ("--db", str(tmp_path / "other.sqlite"))
    call(network, out, films / "good.png")
    before = (out / "masks/heart/good.png").read_bytes()
    with pytest.raises(ValueError, match="holds predictions.csv, of which the database .*other.sqlite knows nothing"):
        call(network, out, films / "other" / "good.png", *others)
    assert not (tmp_path / "other.sqlite").exists()
    assert call(network, tmp_path / "out2", films / "other" / "good.png", *others) == 0
    with pytest.raises(ValueError, match="name the --db that knows it, or another --out"):
        call(network, out, films / "other" / "good.png", *others)
    with pytest.raises(ValueError, match="holds predictions.csv"):
        call(network, tmp_path / "out2", films / "good.png")
    assert (out / "masks/heart/good.png").read_bytes() == before
    assert call(network, out, films) == 0 and len(rows(out)) == 2
    own = tmp_path / "drawn/masks/heart/good.png"  # what somebody has drawn is not written over either
    own.parent.mkdir(parents=True)
    Image.fromarray(GREY).save(own)
    with pytest.raises(ValueError, match="holds masks"):
        call(network, tmp_path / "drawn", films)


@pytest.mark.parametrize(
    "preprocessing",
    [
        {"size": 10**6},
        {"size": 32, "evil": 1},
        {"size": "32"},
        {"size": 32.5},
        {"size": True},
        {"size": 32, "intensity": 1},
    ],
)
def test_a_checkpoint_that_asks_for_the_impossible_is_refused(films, tmp_path, preprocessing):
    config = UNetConfig(base=4, depth=1)
    names = ["right_lung", "left_lung", "heart"]
    with open(tmp_path / "odd.pt", "wb") as file:
        save_checkpoint(file, Checkpoint(config, UNet(config).state_dict(), preprocessing, {}, names))
    with pytest.raises(ValueError, match="odd.pt: its preprocessing is not understood"):
        call(tmp_path / "odd.pt", tmp_path / "out", films)


def fitted(structures):
    return {
        "columns": list(COLUMNS),
        "shapes": list(SHAPES),
        "shape_middle": [0.0],
        "shape_spread": [1.0],
        **structures,
    }


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"structures": ["a", "b", "c"]}, "its channels are a, b, c, wanted right_lung, left_lung, heart"),
        ({"structures": ["heart", "right_lung", "left_lung"]}, "its channels are heart, right_lung, left_lung, wanted"),
        ({"structures": ["heart", "heart", "heart"]}, "its channels are heart, heart, heart, wanted right_lung"),
        ({"quality": fitted({"structures": {"heart": {}}})}, "its predicted quality, .* is not understood .*middle"),
        ({"quality": fitted({"structures": {"liver": {}}})}, "its predicted quality, .* is not understood .*liver"),
        ({"quality": fitted({"structures": [1]})}, "its predicted quality, .* is not understood"),
        ({"typical": {"signs": list(SIGNS), "precision": []}}, "its training's films look like, is not understood"),
        ({"quality": fitted({"structures": {"heart": {"intercept": float("nan")}}})}, "numbers that are not finite"),
        ({"typical": {"signs": list(SIGNS), "precision": torch.tensor([[1.0, float("inf")]])}}, "are not finite"),
    ],
)
def test_a_checkpoint_that_was_not_written_by_a_training_is_one_clear_error(network, films, tmp_path, change, message):
    odd = replace(load_checkpoint(network), **change)
    with open(tmp_path / "odd.pt", "wb") as file:
        save_checkpoint(file, odd)
    with pytest.raises(ValueError, match=f"odd.pt: .*{message}"):
        call(tmp_path / "odd.pt", tmp_path / "out", films)
    assert not (tmp_path / "out").exists()


def test_an_unknown_format_is_refused_before_any_film_is_done(network, films, tmp_path):
    with pytest.raises(ValueError, match="--format 'rlle': wanted some of rle, coco, dicom-seg"):
        call(network, tmp_path / "out", films, "--format", "rle,rlle")
    assert not (tmp_path / "out").exists()


def test_a_gif_in_a_folder_is_found_as_one_that_is_named(network, films, tmp_path):
    Image.fromarray(GREY).save(films / "old.gif")
    assert call(network, tmp_path / "out", films) == 0
    assert sorted(row["name"] for row in rows(tmp_path / "out")) == ["good", "old"]
