"""A network in use: calibration, views, and which checkpoint is meant."""

import os
import shutil

import numpy as np
import pytest
import torch

from data.resize import letterbox_of
from pipeline.found_checkpoints import find_checkpoints
from pipeline.predictor import Predictor
from unet.traits import TRAITS


def test_masks_and_traits_come_from_the_calibrated_mean_of_the_views(network):
    predictor = Predictor(network, "cpu", "float32")
    predictor.checkpoint.temperature = {"heart": 4.0}
    logits = torch.full((2, 3, 32, 32), -9.0)
    logits[0, 2, 8:24, 8:24], logits[1, 2, 8:24, 8:24] = (
        1.0,
        3.0,
    )  # 0.88 raw, 0.62 calibrated, the first view alone 0.56
    box = letterbox_of(torch.ones(32, 32), 32)
    for threshold, found in ((0.7, False), (0.6, True)):
        predictor.thresholds["heart"] = threshold
        assert predictor.film_masks(logits, box)["heart"].any() == found
        assert predictor.traits(logits).own["heart"][TRAITS.index("missing")] == (not found)


def test_five_views_differ_and_say_by_how_much(network):
    film = np.random.default_rng(0).random((60, 50)).astype(np.float32)
    predictor = Predictor(network, "cpu", "float32", test_time_views=True)
    logits, box = predictor.logits(film)
    assert len(logits) == 5 and predictor.spread(logits, box).max() > 0
    far_apart = torch.full((5, 3, 32, 32), -1.0)
    far_apart[:4, 0, :, :16] = 1.0  # four views see a right lung, the fifth none
    assert predictor.disagreement(far_apart) == 0.2
    assert predictor.disagreement(far_apart[:1]) is None


def test_the_spread_is_the_largest_of_any_structure(network):
    predictor = Predictor(network, "cpu", "float32")
    logits = torch.zeros(2, 3, 32, 32)
    logits[0, 0], logits[1, 0] = 2.0, -2.0
    logits[0, 1], logits[1, 1] = 1.0, -1.0
    spread = predictor.spread(logits, letterbox_of(torch.ones(32, 32), 32))
    assert spread == pytest.approx(torch.tensor([2.0, -2.0]).sigmoid().std(correction=0).item(), abs=1e-6)


def test_the_newest_network_is_meant_and_folds_come_in_their_order(network, tmp_path):
    for number, name in enumerate(("newer", "older")):
        (tmp_path / name).mkdir()
        shutil.copy(network, tmp_path / name / "best.pt")
        os.utime(tmp_path / name / "best.pt", (1 - number, 1 - number))
    assert find_checkpoints(None, tmp_path) == (tmp_path / "newer", [tmp_path / "newer/best.pt"], False)
    (tmp_path / "empty/fold-old").mkdir(parents=True)
    shutil.copy(network, tmp_path / "empty/fold-old/best.pt")  # no fold's name
    assert find_checkpoints(None, tmp_path) == (tmp_path / "newer", [tmp_path / "newer/best.pt"], False)
    for fold in (10, 2, 1):
        (tmp_path / f"cross/fold{fold}").mkdir(parents=True)
        shutil.copy(network, tmp_path / f"cross/fold{fold}/best.pt")
    found = find_checkpoints(tmp_path / "cross", tmp_path)
    assert [path.parent.name for path in found.paths] == ["fold1", "fold2", "fold10"]
    assert found.are_folds and found.folder == tmp_path / "cross"
    fold = tmp_path / "cross/fold2"
    assert (
        find_checkpoints(fold, tmp_path)
        == find_checkpoints(fold / "best.pt", tmp_path)
        == (fold, [fold / "best.pt"], False)
    )
    assert find_checkpoints(None, tmp_path) == find_checkpoints(
        tmp_path / "cross", tmp_path
    )  # the newest are its folds
    for wrong in (tmp_path / "empty", tmp_path / "empty/fold-old/.."):
        with pytest.raises(FileNotFoundError, match="no best.pt in it"):
            find_checkpoints(wrong, tmp_path)
    with pytest.raises(FileNotFoundError, match="no trained network below"):
        find_checkpoints(None, tmp_path / "empty/fold-old")


@pytest.mark.parametrize(
    ("film", "told"),
    [
        (
            np.zeros((40, 30), np.uint8),
            r"a film was given as uint8 of shape \(40, 30\); wanted an array \(H, W\) of floats",
        ),
        (np.zeros((40, 30, 3), np.float32), r"float32 of shape \(40, 30, 3\)"),
        (np.zeros((0, 30), np.float32), r"float32 of shape \(0, 30\)"),
        ([[0.0]], "given as list"),
        (np.full((40, 30), 255.0), "values from 255 to 255"),
        (np.full((40, 30), -0.1), "values from -0.1 to -0.1"),
        (np.where(np.eye(40) > 0, np.nan, 0.5), "values from nan to nan"),
    ],
)
def test_what_is_no_film_is_refused_and_not_guessed_at(network, film, told):
    """Grey levels from 0 to 255 once gave other masks without a word, and one NaN gave none."""
    with pytest.raises(ValueError, match=told):
        Predictor(network, "cpu", "float32").masks(film)


def test_a_film_may_be_a_view_and_of_any_float(network):
    predictor = Predictor(network, "cpu", "float32")
    film = np.random.default_rng(0).random((40, 30)).astype(np.float32)
    masks = predictor.masks(film)
    for same in (film[::-1][::-1], film.astype(np.float64), np.asfortranarray(film)):
        assert all((predictor.masks(same)[name] == mask).all() for name, mask in masks.items())


def test_a_pixel_that_both_lungs_claim_goes_to_the_more_probable_one(network):
    predictor = Predictor(network, "cpu", "float32")
    logits = torch.full((1, 3, 32, 32), -5.0)
    logits[0, 0, 8:24, 4:19] = 2.0
    logits[0, 1, 8:24, 14:28] = 3.0
    masks = predictor.film_masks(logits, letterbox_of(torch.ones(32, 32), 32))
    assert masks["right_lung"].any(axis=0).nonzero()[0].tolist() == [*range(4, 14)]
    assert masks["left_lung"].any(axis=0).nonzero()[0].tolist() == [*range(14, 28)]
