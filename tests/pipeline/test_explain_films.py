import csv
import os

import numpy as np
import pytest
import torch
from PIL import Image

import predict
from data.found_films import find_films
from pipeline import explain_films
from pipeline.explain_films import explain_file, explain_film, parse_region
from pipeline.predictor import Predictor


def film():
    return np.random.default_rng(0).random((90, 70)).astype(np.float32)


def test_a_region_of_the_film_is_explained_in_three_panels(network):
    picture, sentence = explain_film(film(), Predictor(network, "cpu", "float32"), "heart", (20, 10, 30, 40))
    assert picture.ndim == 3 and picture.shape[1] > 3 * 300 and "lowers the mean probability" in sentence


def test_each_film_gets_its_picture_and_the_failed_their_reason(network, tmp_path, capsys):
    Image.fromarray(np.uint8(film() * 255)).save(tmp_path / "film.png")
    (tmp_path / "broken.png").write_bytes(b"no picture")
    arguments = [
        "--checkpoint",
        str(network),
        "--explain",
        "left_lung",
        "--region",
        "20,10,30,40",
        "--precision",
        "float32",
    ]
    assert predict.main([str(tmp_path), "--out", str(tmp_path / "out"), *arguments]) == 1
    assert [path.name for path in (tmp_path / "out/explain").iterdir()] == ["film-left_lung-20-10-30-40.png"]
    assert "broken.png" in capsys.readouterr().out
    # another film of that name, and the first once more for another region
    other, again = tmp_path / "other/film.png", [*arguments[:5], "30,10,30,40", *arguments[6:]]
    other.parent.mkdir()
    Image.fromarray(np.uint8(film().T * 255)).save(other)
    first = (tmp_path / "out/explain/film-left_lung-20-10-30-40.png").read_bytes()
    assert predict.main([str(other), "--out", str(tmp_path / "out"), *arguments]) == 0
    assert predict.main([str(tmp_path / "film.png"), "--out", str(tmp_path / "out"), *again]) == 0
    assert (tmp_path / "out/explain/film-left_lung-20-10-30-40.png").read_bytes() == first
    assert (tmp_path / "out/explain/film-left_lung-30-10-30-40.png").read_bytes() != first
    with open(tmp_path / "out/explain.csv", newline="") as file:
        listed = [(row["file"], row["picture"], row["region"]) for row in csv.DictReader(file)]
    assert listed == [
        (str(tmp_path / "film.png"), "film-left_lung-20-10-30-40.png", "20,10,30,40"),
        (str(other), "film-1-left_lung-20-10-30-40.png", "20,10,30,40"),
        (str(tmp_path / "film.png"), "film-left_lung-30-10-30-40.png", "30,10,30,40"),
    ]
    assert find_films([tmp_path]).films == [tmp_path / "broken.png", tmp_path / "film.png", other], (
        "pictures are no films"
    )


def test_a_name_too_long_for_its_picture_does_not_keep_the_others_from_being_done(network, tmp_path, capsys):
    for name in ("a" * 246, "z"):
        Image.fromarray(np.uint8(film() * 255)).save(tmp_path / f"{name}.png")
    words = ["--explain", "heart", "--region", "20,10,30,40", "--checkpoint", str(network), "--precision", "float32"]
    assert predict.main([str(tmp_path), "--out", str(tmp_path / "out"), *words]) == 1
    assert [path.name for path in (tmp_path / "out/explain").iterdir()] == ["z-heart-20-10-30-40.png"]
    assert "failed: " in capsys.readouterr().out


def test_an_inverted_film_is_explained_as_the_network_would_see_it(network, tmp_path, monkeypatch):
    Image.fromarray(np.uint8(film() * 255)).save(tmp_path / "film.png")
    predictor = Predictor(network, "cpu", "float32")
    monkeypatch.setattr(explain_films, "explain_film", lambda image, *_: (image, "seen"))
    as_stored, sentence = explain_file(tmp_path / "film.png", predictor, "heart", None, "MONOCHROME2")
    assert sentence.split("; ")[0] == "seen"
    original = explain_films.view_film

    def inverted(predictor, image, *rest, **more):
        view = original(predictor, 1 - image, *rest, **more)
        return view._replace(remarks=("grey levels seem stored inverted: corrected",), review=("no left lung",))

    monkeypatch.setattr(explain_films, "view_film", inverted)
    seen, sentence = explain_file(tmp_path / "film.png", predictor, "heart", None, "MONOCHROME2")
    assert np.allclose(seen, 1 - as_stored)
    assert sentence == "seen; grey levels seem stored inverted: corrected; masks doubtful: no left lung"


def test_a_region_that_is_none_is_refused(network):
    assert parse_region(()) is None and parse_region(("1", "2", "30", "4")) == (1, 2, 30, 4)
    for wrong in (("1", "2", "3"), ("1", "2", "-3", "4"), ("1", "2", "0", "4"), ("a", "2", "3", "4")):
        with pytest.raises(ValueError, match="wanted TOP,LEFT,HEIGHT,WIDTH"):
            parse_region(wrong)
    with pytest.raises(ValueError, match="lies outside the film of 90 x 70 pixels"):
        explain_film(film(), Predictor(network, "cpu", "float32"), "heart", (200, 0, 10, 10))
    with pytest.raises(
        ValueError, match="1,1,1,1 is too small for the network's square of .* pixels, or lies in the border"
    ):
        explain_film(film(), Predictor(network, "cpu", "float32"), "heart", (1, 1, 1, 1))


def test_maps_that_are_the_same_everywhere_have_no_correlation(network, monkeypatch):
    monkeypatch.setattr(explain_films, "seg_grad_cam", lambda *_: torch.ones(32, 32))
    _, sentence = explain_film(film(), Predictor(network, "cpu", "float32"), "heart", (20, 10, 30, 40))
    assert "no correlation" in sentence and "nan" not in sentence


def test_the_structure_and_the_region_asked_for_are_explained(network, monkeypatch):
    asked = []

    def watched(model, image, channel, region, **_):
        asked.append((channel, *region.nonzero().min(dim=0).values.tolist(), int(region.sum())))
        return torch.zeros(32, 32)

    monkeypatch.setattr(explain_films, "occlusion", watched)
    square = np.random.default_rng(0).random((64, 64)).astype(np.float32)
    explain_film(square, Predictor(network, "cpu", "float32"), "heart", (20, 40, 10, 20))
    assert asked == [(2, 10, 20, 5 * 10)]  # the heart's plane; half of top, left, height and width


def test_the_padding_of_the_square_counts_neither_in_the_words_nor_in_the_picture(network, monkeypatch):
    cam, falls = torch.zeros(32, 32), torch.zeros(32, 32)
    cam[:, :4], falls[:, :4] = 1.0, 5.0  # where a film of 64 x 32 has no pixel
    cam[10:20, 10:20], falls[12:18, 12:18] = 0.5, 0.25
    monkeypatch.setattr(explain_films, "seg_grad_cam", lambda *_: cam)
    monkeypatch.setattr(explain_films, "occlusion", lambda *_, **__: falls)
    tall = np.random.default_rng(0).random((64, 32)).astype(np.float32)
    _, sentence = explain_film(tall, Predictor(network, "cpu", "float32"), "heart", (20, 4, 30, 20))
    expected = np.corrcoef(cam[:, 8:24].flatten(), falls[:, 8:24].flatten())[0, 1]
    assert "by 0.250 (mean" in sentence and f"correlate with {expected:.2f}" in sentence


def test_the_probabilities_are_the_calibrated_ones(network, monkeypatch):
    seen = []
    monkeypatch.setattr(
        explain_films, "occlusion", lambda *_, **more: seen.append(more["temperature"]) or torch.zeros(32, 32)
    )
    predictor = Predictor(network, "cpu", "float32")
    predictor.checkpoint.temperature["heart"] = 1.9
    _, sentence = explain_film(film(), predictor, "heart", (20, 10, 30, 40))
    assert seen == [1.9] and "lowers the mean probability nowhere" in sentence


def test_a_table_that_is_not_this_commands_is_named_and_a_name_that_is_not_utf8_is_known_again(network, tmp_path):
    odd = tmp_path / os.fsdecode(b"caf\xe9.png")
    Image.fromarray(np.uint8(film() * 255)).save(tmp_path / "plain.png")
    (tmp_path / "plain.png").rename(odd)
    predictor, out = Predictor(network, "cpu", "float32"), tmp_path / "out"
    for _ in range(2):
        assert (
            explain_films.explain_films([odd], predictor, "heart", ("20", "10", "30", "40"), "MONOCHROME2", out) == []
        )
    assert len(list((out / "explain").iterdir())) == len(explain_films.read_listed(out)) == 1
    (out / "explain.csv").write_text("file;name;picture\n")
    with pytest.raises(ValueError, match="explain.csv: not a table of this command's"):
        explain_films.read_listed(out)
