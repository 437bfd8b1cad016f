"""One film through a network that knows what a chest looks like: here one that simply reads the masks off the picture."""

import numpy as np
import pytest
import torch
from PIL import Image

from data.loading import LoadedFilm
from data.resize import letterbox_of, to_square
from db.records import STRUCTURES, ImageRecord
from pipeline.evaluation import Wanted, evaluate_film
from pipeline.film_job import FilmJob
from pipeline.film_view import PERHAPS_INVERTED, SEEN, UNLIKE, placement_in_words, view_film, with_header
from pipeline.predictor import Predictor
from report.known_errors import UNCHECKED, UNJUDGED, UNJUDGED_LUNGS
from unet.checkpoint import Checkpoint
from unet.model import UNetConfig
from unet.quality import Quality
from unet.traits import film_shape
from unet.typical import fit_typical

NOT_JUDGED = (UNJUDGED_LUNGS, UNJUDGED)
THRESHOLDS = {"right_lung": 0.5, "left_lung": 0.5, "heart": 0.5}
GREY = {"right_lung": 0.3, "left_lung": 0.4, "heart": 0.5}


@pytest.fixture(autouse=True)
def hearts_with_corners(monkeypatch):
    """Hearts are rectangles here, whose corners are tails."""
    monkeypatch.setattr("unet.postprocess.TAIL", 0.0)


def draw(rng, size=(96, 64)):
    """A chest of rectangles: right lung, left lung, and a heart that reaches to the left, each of its own grey."""
    picture = np.full(size, 0.9, np.float32)
    picture[0, :] = 0.95
    top, bottom = 16 + rng.integers(0, 6), 76 + rng.integers(0, 6)
    for name, left, right, low in (("right_lung", 8, 26, top), ("left_lung", 38, 56, top + 2), ("heart", 26, 44, 52)):
        picture[low + rng.integers(0, 3) : bottom, left + rng.integers(0, 3) : right - rng.integers(0, 3)] = GREY[name]
    return picture


class Reader(Predictor):
    """Says lung where a pixel has the lung's grey; of the rest of a Predictor only the parts are there that need no network."""

    def __init__(self):
        self.structures, self.thresholds, self.views = tuple(GREY), THRESHOLDS, ((0.0, 1.0),)
        self.learnt_from = frozenset()
        self.checkpoint = Checkpoint(UNetConfig(), {}, {}, {}, list(STRUCTURES))

    def logits(self, image):
        image = torch.from_numpy(np.ascontiguousarray(image))
        box = letterbox_of(image, 96, crop=False)
        small = to_square(image[None], box)[0]
        return torch.stack([20 * ((small - grey).abs() < 0.04).float() - 10 for grey in GREY.values()])[None], box


@pytest.fixture(scope="module")
def reader():
    rng, reader = np.random.default_rng(0), Reader()
    signs = [reader.signs(reader.logits(draw(rng))[0]) for _ in range(80)]
    assert not np.isnan(signs).any()
    reader.checkpoint.typical = fit_typical(signs[:60], signs[60:])
    return reader


@pytest.fixture
def film():
    return draw(np.random.default_rng(7))


def test_a_film_like_those_of_the_training_is_left_alone(reader, film):
    view = view_film(reader, film, (8.0, 4.0), fix_orientation=True)
    assert view.review == () and view.remarks == NOT_JUDGED and view.strangeness < 0.7
    assert np.array_equal(view.stored["heart"], np.abs(film - 0.5) < 0.04)
    assert film_shape(view.masks).shape == (13,)


def test_what_the_header_says_stands_beside_what_the_network_says(reader, film):
    view = view_film(reader, film, None, fix_orientation=False)
    mirrored = "stored mirrored: rows run towards R (PatientOrientation)"
    loaded = LoadedFilm(film, None, "abc", (mirrored, "writing is burnt in"))
    told = with_header(view, loaded, {"abc"})
    assert told.review == (mirrored,) and told.remarks == (mirrored, "writing is burnt in", *NOT_JUDGED, SEEN)
    plain = with_header(view, LoadedFilm(film, None, "abc"), {"other"})
    assert (plain.review, plain.remarks) == (view.review, view.remarks)


def test_inverted_grey_levels_are_corrected_and_said(reader, film):
    view = view_film(reader, 1 - film, None, fix_orientation=False)
    assert view.remarks == ("grey levels seem stored inverted: corrected", *NOT_JUDGED) and view.review == ()
    assert np.array_equal(view.stored["right_lung"], np.abs(film - 0.3) < 0.04)


def test_a_turned_film_is_said_to_be_and_turned_only_when_asked(reader, film):
    stored = np.ascontiguousarray(np.rot90(film, -1))
    said = view_film(reader, stored, (4.0, 8.0), fix_orientation=False)
    assert "seems turned by 90 degrees clockwise; --fix-orientation turns it back" in said.review
    assert said.strangeness > 1 and UNLIKE not in said.review  # the turn says why
    fixed = view_film(reader, stored, (4.0, 8.0), fix_orientation=True)
    assert fixed.review == () and "turned back" in fixed.remarks[0]
    assert np.array_equal(fixed.stored["left_lung"], np.abs(stored - 0.4) < 0.04)
    widths = {m.name: m.value for m in fixed.measurements}
    upright = {m.name: m.value for m in view_film(reader, film, (8.0, 4.0), True).measurements}
    assert widths["heart_width_mm"] == upright["heart_width_mm"]


def test_a_film_that_stands_on_its_head_keeps_its_spacing_between_rows(reader, film):
    fixed = view_film(reader, np.ascontiguousarray(np.rot90(film, 2)), (8.0, 4.0), fix_orientation=True)
    assert "180 degrees" in fixed.remarks[0]
    widths = {m.name: m.value for m in fixed.measurements}
    upright = {m.name: m.value for m in view_film(reader, film, (8.0, 4.0), True).measurements}
    assert widths["heart_width_mm"] == upright["heart_width_mm"]


def test_an_evaluation_remarks_films_that_are_stored_otherwise_than_stated(reader, film):
    """Inverted films once had a Dice of 0.0004 and no word of why, where predict.py corrects them."""
    assert placement_in_words(reader, film, reader.signs(reader.logits(film)[0])) == ()
    for stored, told in ((1 - film, PERHAPS_INVERTED), (np.rot90(film, -1), "seems turned by 90 degrees clockwise")):
        stored = np.ascontiguousarray(stored)
        assert placement_in_words(reader, stored, reader.signs(reader.logits(stored)[0])) == (told,)
        record = ImageRecord(
            image_id=1, source="s", file="a.png", path=None, patient_id="p", split="test", height=stored.shape[0],
            width=stored.shape[1], photometric_interpretation=None, spacing_mm=None, content_sha256="",
        )  # fmt: skip
        assert evaluate_film(reader, record, stored, {}, Wanted(None)).remarks == (told,)
    assert placement_in_words(Reader(), 1 - film, reader.signs(reader.logits(1 - film)[0])) == ()


class SideReader(Reader):
    """Says right lung for the lung that it finds on the left of the picture, as a network does with a mirrored film."""

    def logits(self, image):
        logits, box = super().logits(image)
        lungs = logits[0, :2].amax(dim=0)
        left_half = torch.arange(lungs.shape[1]) < lungs.shape[1] // 2
        return torch.stack([lungs.where(left_half, -10), lungs.where(~left_half, -10), logits[0, 2]])[None], box


def test_a_mirrored_film_is_said_to_be_and_left_as_it_is(reader, film):
    sides = SideReader()
    sides.checkpoint = reader.checkpoint
    said = "perhaps mirrored: the heart lies on the wrong side"
    assert view_film(sides, film, None, fix_orientation=True).review == ()
    stored = np.ascontiguousarray(film[:, ::-1])
    view = view_film(sides, stored, None, fix_orientation=True)
    assert said in view.review and view.remarks == NOT_JUDGED
    assert np.array_equal(view.stored["heart"], np.abs(stored - 0.5) < 0.04)


def test_what_is_no_chest_film_is_called_so_never_silently_done(reader):
    noise = np.random.default_rng(0).random((80, 70)).astype(np.float32)
    view = view_film(reader, noise, None, fix_orientation=True)
    assert view.strangeness > 1 and UNLIKE in view.review


def test_without_the_trainings_shapes_nothing_is_claimed(reader, film):
    plain = Reader()
    view = view_film(plain, np.ascontiguousarray(np.rot90(film)), None, fix_orientation=True)
    assert view.strangeness is None and view.remarks[1:] == (UNCHECKED, *NOT_JUDGED)
    assert view.remarks[0].startswith("the chest lies tilted by 88 degrees")


def test_written_masks_lie_on_the_film_as_stored(reader, film, tmp_path):
    stored = np.ascontiguousarray(np.rot90(film, -1))
    job = FilmJob(reader, tmp_path, "network", "MONOCHROME2", fix_orientation=True)
    job.predict(LoadedFilm(stored, None, "hash"), "a.png", "a")
    left = np.asarray(Image.open(tmp_path / "masks/left_lung/a.png")) > 0
    assert left.any() and np.array_equal(left, np.abs(stored - GREY["left_lung"]) < 0.04)


@pytest.mark.parametrize("structure", ["lungs", "heart"])
def test_a_low_predicted_dice_calls_for_a_review_and_each_stands_in_its_column(film, tmp_path, monkeypatch, structure):
    quality = {"lungs": Quality(0.95, False, 0.9), "heart": Quality(0.94, False, 0.9)} | {
        structure: Quality(0.62, True, 0.9)
    }
    monkeypatch.setattr("pipeline.film_view.predict_quality", lambda fit, traits: quality)
    view = view_film(Reader(), film, None, False)
    assert view.review == (f"predicted Dice of the {structure} 0.620, below 0.900",)
    bare = view_film(Reader(), np.where(np.abs(film - GREY["heart"]) < 0.04, 0.9, film), None, False)
    assert "no heart" in bare.review and UNJUDGED not in bare.remarks
    done = FilmJob(Reader(), tmp_path, "network", "MONOCHROME2").predict(LoadedFilm(film, None, "hash"), "a.png", "a")
    assert done.values["predicted_dice"] == quality["lungs"].predicted_dice
    assert done.values["predicted_dice_heart"] == quality["heart"].predicted_dice
    assert done.values["predicted_dice_left_lung"] is None


def test_implausible_masks_call_for_a_review(film):
    film[:, 34:] = np.where(film[:, 34:] == np.float32(GREY["left_lung"]), np.float32(0.9), film[:, 34:])
    assert view_film(Reader(), film, None, False).review == ("no left lung",)


def test_a_row_says_what_the_masks_of_the_film_measure_and_in_which_spacing(reader, film, tmp_path):
    job = FilmJob(reader, tmp_path, "network", "MONOCHROME2")
    done = job.predict(LoadedFilm(film, (0.2, 0.1), "hash"), "a.png", "a")
    assert (done.values["height"], done.values["width"]) == film.shape and done.values["network"] == "network"
    assert (done.values["row_spacing_mm"], done.values["column_spacing_mm"]) == (0.2, 0.1)
    assert done.values["strangeness"] == pytest.approx(view_film(reader, film, (0.2, 0.1), False).strangeness)
    heart = np.abs(film - GREY["heart"]) < 0.04
    columns = np.flatnonzero(heart.any(axis=0))
    measured = {m.name: (m.value, m.unit) for m in done.measurements}
    assert measured["heart_width_mm"] == (pytest.approx(0.1 * (columns[-1] + 1 - columns[0])), "mm")
    assert measured["heart_share"] == (pytest.approx(heart.mean()), "share")
    without = job.predict(LoadedFilm(film, None, "hash"), "a.png", "a")
    assert without.values["row_spacing_mm"] is None and "heart_width_px" in {m.name for m in without.measurements}


def test_the_reference_is_scored_as_it_was_drawn(film, tmp_path):
    truth = {name: np.abs(film - grey) < 0.04 for name, grey in GREY.items()}
    truth["right_lung"][40, 15] = False  # a hole, and below a stray pixel: tidying would remove both
    truth["left_lung"][2, 50] = True
    record = ImageRecord(
        image_id=1, source="s", file="a.png", path=None, patient_id="p", split="test",
        height=film.shape[0], width=film.shape[1], photometric_interpretation=None, spacing_mm=None, content_sha256="",
    )  # fmt: skip
    result = evaluate_film(Reader(), record, film, truth, Wanted(tmp_path))
    rows = {row["structure"]: row for row in result.scores}
    right, left = (int(truth[name].sum()) for name in ("right_lung", "left_lung"))
    assert (
        rows["right_lung"]["dice"] == pytest.approx(2 * right / (2 * right + 1)) and rows["right_lung"]["recall"] == 1
    )
    assert rows["left_lung"]["recall"] == pytest.approx((left - 1) / left) and rows["heart"]["dice"] == 1
