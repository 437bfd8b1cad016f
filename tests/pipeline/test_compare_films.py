"""Two drawn films whose change is known: the second is turned, scaled, and its heart is wider."""

import csv
import os
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

import predict
from data.dicom_header import HeaderFacts
from data.registration import Similarity, resample_to
from data.resize import letterbox_of
from pipeline import compare_films as compare_films_module
from pipeline.compare_films import Change, compare_films, differences
from pipeline.film_spacing import SpacingSource
from pipeline.predictor import Predictor
from pipeline.tell_changes import doubts_in_words, write_films_comparison
from report.known_errors import UNCHECKED, UNJUDGED, UNJUDGED_LUNGS
from report.run_folder import check_command

SIZE = (240, 280)


def drawing(heart_radius, spot=0.0):
    """Grey levels: body 0.7, lungs 0.25, heart 0.95; lungs and heart do not overlap. spot: brighter in the right lung."""
    y, x = np.mgrid[0 : SIZE[0], 0 : SIZE[1]]
    film = 0.7 + 0.05 * np.sin(x / 3.0) * np.sin(y / 4.0)
    for column in (85, 205):
        film = np.where(((y - 120) / 80) ** 2 + ((x - column) / 38) ** 2 < 1, film - 0.45, film)
    film = np.where(((y - 170) / 40) ** 2 + ((x - 145) / heart_radius) ** 2 < 1, 0.95, film)
    return np.where(((y - 120) / 12) ** 2 + ((x - 85) / 12) ** 2 < 1, film + spot, film).astype(np.float32)


class Reader:
    """In place of a network: what is dark on the left and right is lung, what is brightest is heart; two views."""

    checkpoint = SimpleNamespace(typical={}, quality={})
    learnt_from = frozenset()
    view_masks = Predictor.view_masks

    def traits(self, logits):
        return SimpleNamespace(signs=None)

    def logits(self, image):
        middle = np.median((image > 0.9).nonzero()[1])
        columns = np.arange(image.shape[1])[None]
        dark = (image > 0.05) & (image < 0.55)
        planes = (
            np.stack([dark & (columns < middle), dark & (columns >= middle), image > 0.85]).astype(np.float32) - 0.5
        )
        return torch.from_numpy(np.stack([planes, planes])), letterbox_of(torch.ones(image.shape), 64)

    def film_masks(self, logits, box):
        planes = (logits.mean(dim=0) > 0).numpy()
        return dict(zip(("right_lung", "left_lung", "heart"), planes, strict=True))


def write(path, image):
    Image.fromarray(np.uint8(np.clip(image, 0, 1) * 255)).save(path)
    return path


@pytest.fixture
def films(tmp_path):
    angle = np.radians(5)
    turned = Similarity(
        0.9, np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]), np.array([30.0, 0.0])
    )
    wider = drawing(heart_radius=36, spot=0.1)
    return write(tmp_path / "before.png", drawing(30)), write(
        tmp_path / "after.png", resample_to(wider[None] - 0.7, turned, SIZE)[0] + 0.7
    )


def test_the_second_film_is_laid_over_the_first(films):
    result = compare_films(*films, Reader(), "MONOCHROME2")
    assert result.similarity.degrees == pytest.approx(-5, abs=1.0) and result.similarity.scale == pytest.approx(
        1 / 0.9, rel=0.03
    )
    assert result.overlap > 0.95 and result.inside.any()
    lungs = result.before.small_masks["right_lung"] | result.before.small_masks["left_lung"]
    assert not (result.inside & ~lungs).any()
    assert 0.3 < result.ssim < 0.999 and 0.0 < result.difference < 0.1


def test_a_film_against_itself_differs_in_nothing(films):
    result = compare_films(films[0], films[0], Reader(), "MONOCHROME2")
    assert result.ssim == pytest.approx(1, abs=1e-3) and result.difference < 1e-3 and result.overlap > 0.999
    assert all(change.change == 0 and change.range == (0, 0) for change in result.changes)


def test_the_wider_heart_is_found_and_written(films, tmp_path, capsys):
    write_films_comparison(films, Reader(), "MONOCHROME2", tmp_path / "out")
    assert {path.name for path in (tmp_path / "out").iterdir()} >= {"comparison.csv", "comparison.png", "report.html"}
    with open(tmp_path / "out/comparison.csv") as file:
        rows = {row["quantity"]: row for row in csv.DictReader(file)}
    assert set(rows) >= {"cardiothoracic_ratio", "heart_area", "right_lung_area", "left_lung_area"}
    heart = rows["heart_area"]
    assert heart["unit"] == "of both lungs" and float(heart["after"]) / float(heart["before"]) == pytest.approx(
        36 / 30, rel=0.08
    )
    assert float(rows["cardiothoracic_ratio"]["change"]) > 0.02
    assert "structural similarity" in capsys.readouterr().out


def test_the_range_adds_both_spreads():
    change = Change("heart_area", "mm2", 100.0, 130.0, 3.0, 4.0)
    assert change.range == pytest.approx((30 - 1.959964 * 5, 30 + 1.959964 * 5))
    assert Change("heart_area", "mm2", 100.0, 130.0, 3.0, None).range is None


def test_what_cannot_be_compared_is_said(films, tmp_path):
    with pytest.raises(ValueError, match="--compare takes two films, BEFORE and AFTER; got "):
        write_films_comparison(films[:1], Reader(), "MONOCHROME2", tmp_path)
    empty = write(tmp_path / "empty.png", np.linspace(0.9, 1, SIZE[0] * SIZE[1]).reshape(SIZE))
    with pytest.raises(ValueError, match="empty.png: no right lung was found"):
        compare_films(films[0], empty, Reader(), "MONOCHROME2")
    with pytest.raises(ValueError, match="--compare averages over the test-time views in any case"):
        predict.main(["--compare", *map(str, films), "--test-time-views", "--out", str(tmp_path / "out")])
    with pytest.raises(FileNotFoundError, match="no such file"):
        predict.main(["--compare", *map(str, films), "--checkpoint", "none.pt", "--out", str(tmp_path / "out")])


def test_what_calls_for_a_review_of_either_film_is_said(films, tmp_path, monkeypatch, capsys):
    def upside_down(predictor, image, spacing_mm, fix_orientation, original=compare_films_module.view_film):
        view = original(predictor, image, spacing_mm, fix_orientation)
        return view._replace(
            review=("seems turned by 180 degrees",), remarks=("grey levels seem stored inverted: corrected",)
        )

    monkeypatch.setattr(compare_films_module, "view_film", upside_down)
    write_films_comparison(films, Reader(), "MONOCHROME2", tmp_path / "out")
    said = capsys.readouterr().out
    assert "Look first: after: seems turned by 180 degrees." in said
    assert "Note: before: grey levels seem stored inverted: corrected." in said
    assert "seems turned by 180 degrees" in (tmp_path / "out/report.html").read_text()


def test_headers_that_speak_of_two_patients_or_the_wrong_order_are_told_without_their_names():
    one = {"patient_id": "A17", "patient_sex": "F", "study_date": "2021-03-01", "view_position": "PA"}
    other = {"patient_id": "B4", "patient_sex": "M", "study_date": "2019-03-01", "view_position": "AP"}
    doubts, remarks = differences(one, other)
    assert doubts == [
        "the headers state two patient ids: perhaps they are two patients'",
        "the headers state two sexes: perhaps they are two patients'",
        "the film called before is the later one: study dates 2021-03-01 and 2019-03-01",
    ]
    assert remarks == ["views PA and AP: hearts look larger on AP films, and so do ratios"]
    assert differences(one, {**one, "study_date": "2022-01-01"}) == ([], []) == differences(one, {})


def test_two_patients_films_are_told_by_their_headers(films, monkeypatch, tmp_path, capsys):
    facts = {films[0]: {"patient_id": "A17"}, films[1]: {"patient_id": "B4"}}
    monkeypatch.setattr(compare_films_module, "header_facts", lambda path: HeaderFacts(facts[path]))
    write_films_comparison(films, Reader(), "MONOCHROME2", tmp_path / "out")
    said = capsys.readouterr().out
    assert (
        "Look first: the headers state two patient ids: perhaps they are two patients'." in said and "A17" not in said
    )
    monkeypatch.setattr(compare_films_module, "with_header", lambda view, *_: view._replace(review=(), remarks=()))
    rows = comparison(films, tmp_path / "out", (1.0, 1.0))
    assert {row["review"] for row in rows.values()} == {"headers"}
    assert rows["cardiothoracic_ratio"]["errors_of_two_films"] == ""


def test_lungs_that_do_not_fit_are_said_before_the_numbers(films):
    result = compare_films(*films, Reader(), "MONOCHROME2")
    assert result.overlap > 0.9 and {*doubts_in_words(result)} == {
        f"Note: {name}: {said}." for name in ("before", "after") for said in (UNCHECKED, UNJUDGED_LUNGS, UNJUDGED)
    }
    assert "Look first: laid over each other the lungs overlap with Dice 0.850 only" in next(
        doubts_in_words(result._replace(overlap=0.85))
    )


def test_only_what_lies_inside_the_lungs_is_compared(films, tmp_path):
    stored = np.asarray(Image.open(films[0])).copy()
    stored[:6] = 145  # a banner above the lungs, darker than the body and no lung
    banner = tmp_path / "banner.png"
    Image.fromarray(stored).save(banner)
    result = compare_films(films[0], banner, Reader(), "MONOCHROME2")
    assert not result.inside[:4].any() and result.ssim > 0.99 and result.difference < 0.01
    assert np.abs(result.before.small - result.moved)[:3].max() > 0.1  # it is there


def test_areas_count_the_size_of_a_pixel():
    masks = {"right_lung": np.eye(6, dtype=bool), "left_lung": ~np.eye(6, dtype=bool), "heart": np.ones((6, 6), bool)}
    found = compare_films_module._areas(masks, (0.5, 3.0))
    assert (found["heart_area"], found["right_lung_area"], found["lungs_area"]) == (54.0, 9.0, 54.0)


@pytest.mark.parametrize("spacings, unit", [(((0.2, 0.1), (0.4, 0.1)), "mm2"), (((0.2, 0.1), None), "of both lungs")])
def test_areas_are_in_square_millimetres_where_both_films_state_their_spacing(films, monkeypatch, spacings, unit):
    states = dict(zip(films, spacings, strict=True))
    load = compare_films_module.load_film
    monkeypatch.setattr(
        compare_films_module, "load_film", lambda path, grey: load(path, grey)._replace(spacing_mm=states[path])
    )
    heart = next(c for c in compare_films(*films, Reader(), "MONOCHROME2").changes if c.name == "heart_area")
    pixels = [np.count_nonzero(np.asarray(Image.open(film)) / 255 > 0.85) for film in films]
    assert heart.unit == unit
    if unit == "mm2":
        assert (heart.before, heart.after) == pytest.approx((0.02 * pixels[0], 0.04 * pixels[1]))


def test_a_name_that_is_not_utf8_or_has_a_line_break_does_not_break_the_report(films, tmp_path, monkeypatch, capsys):
    odd = tmp_path / os.fsdecode(b"b\xff\n.png")
    shutil.copy(films[0], odd)
    doubted = lambda *args, original=compare_films_module.view_film: original(*args[:3], None)._replace(review=("odd",))  # noqa: E731
    monkeypatch.setattr(compare_films_module, "view_film", lambda *args, **more: doubted(*args))
    write_films_comparison([odd, films[1]], Reader(), "MONOCHROME2", tmp_path / "out")
    assert "Look first: before: odd." in capsys.readouterr().out
    assert "udcff .png; middle: " in (tmp_path / "out/report.html").read_text(encoding="utf-8")


def test_lungs_of_one_grey_level_do_not_hide_a_change():
    inside = np.zeros((20, 20), bool)
    inside[4:16, 2:8] = inside[4:16, 12:18] = True
    even, changed = np.full((20, 20), 0.7), np.full((20, 20), 0.7)
    even[inside], changed[inside] = 0.2, 0.2
    changed[4:16, 2:5] = 0.6  # a quarter of the lungs
    for first, second, sign in ((even, changed, 1), (changed, even, -1)):
        one, other = compare_films_module.alike(first, second, inside)
        assert (sign * (other - one)[4:16, 2:5]).min() > 0.5 and abs((other - one)[4:16, 12:18]).max() < 0.01


@pytest.mark.parametrize("spoil", ["plate", "plate on the first", "brighter"])
def test_what_lies_outside_of_the_lungs_and_the_exposure_move_no_grey_level_inside(films, tmp_path, spoil):
    stored = np.asarray(Image.open(films[0])).copy()
    if spoil.startswith("plate"):
        stored[:20, :60] = 0  # black, a fiftieth of the film: the 1st percentile of the whole is its level
    else:
        stored = np.uint8(stored * 0.96)
    other = tmp_path / "other.png"
    Image.fromarray(stored).save(other)
    pair = (other, films[0]) if spoil.endswith("first") else (films[0], other)
    result = compare_films(*pair, Reader(), "MONOCHROME2")
    assert result.difference < 0.005 and result.ssim > 0.98
    assert not result.change[~result.inside].any()


def test_an_opacity_of_a_small_part_of_the_lungs_changes_that_part_alone(films, tmp_path):
    y, x = np.mgrid[0 : SIZE[0], 0 : SIZE[1]]
    spot = ((y - 120) / 12) ** 2 + ((x - 85) / 12) ** 2 < 1
    other = write(tmp_path / "other.png", drawing(30, spot=0.2))
    change = compare_films(films[0], other, Reader(), "MONOCHROME2").change
    across = np.linspace(0, 1, change.shape[0], endpoint=False), np.linspace(0, 1, change.shape[1], endpoint=False)
    seen = spot[np.ix_((across[0] * SIZE[0]).astype(int), (across[1] * SIZE[1]).astype(int))]
    assert change[seen].mean() > 0.2 and abs(change[~seen]).mean() < 0.01


def test_areas_at_the_patient_and_at_the_detector_are_not_subtracted(films, monkeypatch):
    planes = dict(zip(films, ("at the patient", "at the detector"), strict=True))
    load = compare_films_module.load_film
    monkeypatch.setattr(
        compare_films_module,
        "load_film",
        lambda path, grey: load(path, grey)._replace(spacing_mm=(0.2, 0.1), plane=planes[path]),
    )
    assert {c.unit for c in compare_films(*films, Reader(), "MONOCHROME2").changes} == {"ratio", "of both lungs"}


def test_a_comparison_does_not_replace_the_page_of_predictions_nor_they_its(films, tmp_path):
    (tmp_path / "predictions.csv").touch()
    with pytest.raises(ValueError, match="holds results of predict, which those of predict --compare would replace"):
        write_films_comparison(films, Reader(), "MONOCHROME2", tmp_path)
    (tmp_path / "predictions.csv").rename(tmp_path / "comparison.csv")
    with pytest.raises(ValueError, match="holds results of predict --compare, which those of predict would replace"):
        predict.check_folder(tmp_path, tmp_path / "predictions.sqlite")
    (tmp_path / "evaluation").mkdir()
    (tmp_path / "evaluation/settings.json").write_text('{"command": "evaluate", "settings": {}}')
    for command in ("evaluate", "analyze"):
        with pytest.raises(ValueError, match=f"holds results of predict --compare, which those of {command} would"):
            check_command(tmp_path, command)
    with pytest.raises(ValueError, match="holds results of evaluate, which those of predict --compare would replace"):
        write_films_comparison(films, Reader(), "MONOCHROME2", tmp_path / "evaluation")


def comparison(films, out, spacing=(0.2, 0.1)):
    write_films_comparison(films, Reader(), "MONOCHROME2", out, SpacingSource(spacing))
    with open(out / "comparison.csv", encoding="utf-8", newline="") as file:
        return {row["quantity"]: row for row in csv.DictReader(file)}


def test_how_far_errors_lie_apart_is_told_of_judged_hearts_and_good_masks_alone(films, tmp_path, monkeypatch, capsys):
    rows = comparison(films, tmp_path / "out")
    assert {row["review"] for row in rows.values()} == {"before and after"}  # its thorax is 20 mm wide
    assert rows["cardiothoracic_ratio"]["errors_of_two_films"] == ""
    out = capsys.readouterr().out
    assert "may not have changed" not in out and out.count(" ?\n") == len(rows)
    monkeypatch.setattr(
        compare_films_module, "with_header", lambda view, *_: view._replace(review=())
    )  # hearts not judged is a remark
    rows = comparison(films, tmp_path / "out")
    assert {row["review"] for row in rows.values()} == {""}
    assert rows["cardiothoracic_ratio"]["errors_of_two_films"] == ""
    monkeypatch.setattr(compare_films_module, "with_header", lambda view, *_: view._replace(review=(), remarks=()))
    rows = comparison(films, tmp_path / "out")
    assert rows["cardiothoracic_ratio"]["errors_of_two_films"] == "0.057"
    assert rows["heart_area"]["errors_of_two_films"] == ""
    assert "may not have changed" in (tmp_path / "out/report.md").read_text()


def test_the_spacing_of_the_call_gives_areas(films, tmp_path):
    found = {c.name: c for c in compare_films(*films, Reader(), "MONOCHROME2", SpacingSource((0.2, 0.1))).changes}
    assert found["heart_area"].unit == "mm2"
    assert comparison(films, tmp_path / "out")["heart_area"]["unit"] == "mm2"
