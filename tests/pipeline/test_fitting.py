"""What is fitted on the validation films, on films made for it."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from data.dataset import Batch
from db.records import MASK_STRUCTURES, STRUCTURES
from pipeline.fitting import (
    choose_thresholds,
    evenly,
    fit_on_training,
    fit_on_validation,
    fit_temperatures,
    inherit_fits,
    probabilities_of,
)
from unet.calibration import add, nll, reliability
from unet.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from unet.model import UNet, UNetConfig

SHAPE = (60, 70)


def invent_films(count, sureness, structures):
    """Films whose logits are `sureness` times the log odds the masks were drawn with."""
    generator = np.random.default_rng(0)
    for _ in range(count):
        odds = generator.normal(scale=2, size=(3, *SHAPE)).astype(np.float32)
        masks = generator.random((3, *SHAPE)) < 1 / (1 + np.exp(-odds))
        logits = dict(zip(("right_lung", "left_lung", "heart"), sureness * odds, strict=True))
        drawn = dict(zip(logits, masks, strict=True))
        logits["lungs"], drawn["lungs"] = sureness * odds[0], masks[0]
        yield logits, {name: drawn[name] for name in structures}


def test_a_network_that_is_twice_too_sure_is_cooled_by_two():
    films = list(invent_films(8, 2.0, ("right_lung", "left_lung", "heart")))
    temperature = fit_temperatures(films)
    assert temperature == pytest.approx({"right_lung": 2, "left_lung": 2, "heart": 2}, rel=0.05)
    for structure in temperature:
        before, after = (
            nll(add(reliability(logits[structure] / heat, drawn[structure]) for logits, drawn in films))
            for heat in (1.0, temperature[structure])
        )
        assert after < before - 0.02
    points = choose_thresholds(films, temperature)
    assert set(points) == set(temperature)
    assert all(
        point["lowest"] <= point["threshold"] <= point["highest"] and point["films"] == 8 for point in points.values()
    )


def test_where_only_the_union_is_drawn_both_lungs_take_its_temperature():
    temperature = fit_temperatures(invent_films(4, 2.0, ("lungs",)))
    assert set(temperature) == {"right_lung", "left_lung"}
    assert temperature["right_lung"] == temperature["left_lung"] == pytest.approx(2, rel=0.05)


def test_probabilities_are_calibrated_and_lack_no_structure():
    logits = {name: np.full((2, 2), 2.0, np.float32) for name in ("right_lung", "left_lung", "heart", "lungs")}
    planes = probabilities_of(logits, {"heart": 2.0})
    assert planes["heart"][0, 0] == pytest.approx(1 / (1 + np.exp(-1))) and set(planes) == {
        "right_lung",
        "left_lung",
        "heart",
    }
    assert planes["right_lung"][0, 0] == pytest.approx(1 / (1 + np.exp(-2)))


def test_what_no_film_shows_drawn_is_fitted_around(tmp_path):
    dataset = LungsAlone()
    path = tmp_path / "best.pt"
    config = UNetConfig(base=4, widest=8, depth=1)
    with open(path, "wb") as file:
        save_checkpoint(file, Checkpoint(config, UNet(config).state_dict(), {}, {}, list(STRUCTURES)))
    fit_on_validation(path, dataset, range(6), torch.device("cpu"), "float32", [{"epoch": 1}])
    fit_on_training(path, dataset, range(6), range(6), torch.device("cpu"), "float32")
    fitted = load_checkpoint(path)
    assert set(fitted.threshold) == set(fitted.temperature) == {"right_lung", "left_lung"}
    assert fitted.thresholds() == {**fitted.threshold, "heart": 0.5}
    assert fitted.typical and fitted.progress == {"history": [{"epoch": 1}]}


class LungsAlone:
    """Films of a source that draws no heart."""

    records = [SimpleNamespace(patient_id=f"p{row}") for row in range(6)]

    def batches_of(self, rows, batch_size):
        for row in rows:
            image = torch.rand(1, 1, 64, 64, generator=torch.Generator().manual_seed(row))
            masks = torch.zeros(1, len(MASK_STRUCTURES), 64, 64)
            masks[:, 0, 10:40, 5:25] = masks[:, 1, 10:40, 35:55] = 1
            masks[:, MASK_STRUCTURES.index("lungs")] = masks[:, :2].amax(dim=1)
            yield Batch(image, masks, torch.tensor([[name != "heart" for name in MASK_STRUCTURES]]))


def test_of_many_films_as_many_as_wanted_are_taken_evenly():
    rows = range(100, 303)
    taken = evenly(rows, 200)
    assert len(taken) == len(set(taken)) == 200 and taken[0] == 100 and set(taken) <= set(rows)
    assert max(b - a for a, b in zip(taken, taken[1:], strict=False)) == 2
    assert evenly(range(7), 200) == list(range(7))


def test_the_temperature_weighs_pixels_near_the_border_and_the_others_alike():
    side, mask = 128, np.zeros((128, 128), bool)
    mask[32:96, 40:90] = True
    ring = mask.copy()
    ring[33:95, 41:89] = False
    apart = np.argwhere(ring)[:, None, None] - np.stack(np.mgrid[:side, :side], axis=-1)
    near = np.square(apart).sum(axis=-1).min(axis=0) <= (side / 64) ** 2
    # near the border 7 of 10 pixels are right and all are far too sure; elsewhere 19 of 20, as sure as they may be
    right = np.random.default_rng(1).random(mask.shape) < np.where(near, 0.7, 0.95)
    sure = np.where(near, 4 * np.log(0.7 / 0.3), np.log(0.95 / 0.05))
    logits = np.where(mask == right, sure, -sure).astype(np.float32)
    found = fit_temperatures([({"right_lung": logits}, {"right_lung": mask})])["right_lung"]

    def loss(heat, where):
        return np.mean(np.logaddexp(0, np.where(mask, -logits, logits)[where] / heat))

    tried = np.linspace(1, 5, 801)
    both = [loss(heat, near) + loss(heat, ~near) for heat in tried]
    assert found == pytest.approx(tried[np.argmin(both)], rel=0.005)
    assert found > 1.3 * tried[np.argmin([loss(heat, mask | ~mask) for heat in tried])]  # of all pixels together


def test_the_threshold_is_one_of_calibrated_probabilities_and_the_unions_sees_both_lungs():
    generator = np.random.default_rng(2)
    films = []
    for _ in range(3):
        right, left = generator.uniform(-4, 4, (2, 64, 64)).astype(np.float32)
        logits = {"right_lung": right, "left_lung": left, "heart": right, "lungs": np.maximum(right, left)}
        films.append((logits, {"left_lung": left > 2.0, "lungs": (right > 2.0) | (left > 2.0)}))
    points = choose_thresholds(films, {"right_lung": 4.0, "left_lung": 4.0})
    assert points["left_lung"]["threshold"] == pytest.approx(1 / (1 + np.exp(-0.5)), abs=0.011)  # of raw ones 0.88
    assert points["lungs"]["threshold"] == pytest.approx(1 / (1 + np.exp(-0.5)), abs=0.011)
    assert points["lungs"]["dice"] > 0.98


def test_what_few_films_left_without_a_fit_is_that_of_the_network_before(tmp_path):
    def kept(name, **parts):
        config = UNetConfig(base=4, depth=1)
        usual = {"preprocessing": {"size": 64}, "training": {}, "structures": [*STRUCTURES], **parts}
        with open(tmp_path / name, "wb") as file:
            save_checkpoint(file, Checkpoint(config, UNet(config).state_dict(), **usual))
        return tmp_path / name

    fitted = {"typical": {"precision": [1.0]}, "quality": {"structures": {"lungs": {}}}}
    init = kept("init.pt", **fitted)
    bare = {"typical": {"films": 9}, "quality": {"structures": {}}}
    path = kept("bare.pt", **bare)
    assert len(inherit_fits(path, init)) == 2
    assert (load_checkpoint(path).typical, load_checkpoint(path).quality) == tuple(fitted.values())
    own = {"typical": {"precision": [2.0]}, "quality": {"structures": {"heart": {}}}}
    path = kept("own.pt", **own)
    assert inherit_fits(path, init) == [] and load_checkpoint(path).typical == own["typical"]
    assert inherit_fits(kept("other.pt", preprocessing={"size": 96}, **bare), init) == []
    assert inherit_fits(kept("alone.pt", **bare), tmp_path / "gone.pt") == []
