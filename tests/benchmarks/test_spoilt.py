"""Ways of spoiling a film: masks move with it, and each does what its name says."""

from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from benchmarks import spoilt
from benchmarks.spoilt import SPOILINGS, look
from data.loading import hash_file
from data.phantom import draw_phantom
from db.records import ImageRecord, MaskRecord


@pytest.fixture
def film(tmp_path):
    """A drawn film of 160 x 160 pixels with masks of both lungs and the heart."""
    phantom = draw_phantom(0, 1, 160)
    masks = []
    for structure, mask in phantom.masks.items():
        Image.fromarray(np.uint8(mask) * 255).save(tmp_path / f"{structure}.png")
        facts = {"structure": structure, "convention": "clear_field", "provenance": "phantom"}
        masks.append(MaskRecord(path=tmp_path / f"{structure}.png", **facts))
    Image.fromarray(np.uint8(phantom.image)).save(tmp_path / "film.png")
    return ImageRecord(
        image_id=1, source="s", file="film.png", path=tmp_path / "film.png", patient_id="p", split="test",
        height=160, width=160, photometric_interpretation=None, spacing_mm=None, content_sha256=hash_file(tmp_path / "film.png"),
        masks=tuple(masks),
    )  # fmt: skip


@pytest.fixture
def seen(film, monkeypatch):
    """Return a function that spoils the film and returns what the network would be given, and the scores of the unmoved masks."""

    def see(name):
        given = []

        def view_film(predictor, image, spacing_mm, fix_orientation):
            given.append(image)
            masks = {
                structure: spoilt.load_masks(film)[structure] for structure in ("right_lung", "left_lung", "heart")
            }
            moved = {key: SPOILINGS[name].place(mask.astype(np.float32)) >= 0.5 for key, mask in masks.items()}
            return SimpleNamespace(stored=moved, review=("small",) if name == "as it is" else ())

        monkeypatch.setattr(spoilt, "view_film", view_film)
        found = look(None, film, SPOILINGS[name])
        return given[0], found

    return see


@pytest.mark.parametrize("name", SPOILINGS)
def test_masks_move_with_the_film_and_grey_levels_stay_in_range(seen, name):
    image, found = seen(name)
    assert image.dtype == np.float32 and image.min() >= 0 and image.max() <= 1
    assert (found.lungs, found.heart) == (1, 1) and found.review == (name == "as it is")
    plain, _ = seen("as it is")
    assert name == "as it is" or image.shape != plain.shape or np.abs(image - plain).mean() > 0.005


def test_each_way_does_what_its_name_says(seen, film):
    plain, _ = seen("as it is")
    assert np.array_equal(plain, np.asarray(Image.open(film.path), np.float32) / 255)
    assert seen("the lowest fifth cut off")[0].shape == (128, 160)
    assert seen("the left tenth cut off")[0].shape == (160, 144)
    assert np.array_equal(seen("the left tenth cut off")[0], plain[:, 16:])
    assert np.isclose((seen("overexposed: the brightest third white")[0] == 1).mean(), 1 / 3, atol=0.03)
    assert np.isclose((seen("underexposed: the darkest third black")[0] == 0).mean(), 1 / 3, atol=0.03)
    page = seen("half as large on a grey page")[0]
    assert (page[:40] == 0.5).all() and np.abs(
        page[40:120, 40:120] - plain.reshape(80, 2, 80, 2).mean(axis=(1, 3))
    ).max() < 0.01
    noise = seen("noise, deviation 0.1")[0] - plain
    assert np.isclose(noise[(plain > 0.3) & (plain < 0.7)].std(), 0.1, rtol=0.05)
    assert (seen("a white bar through the right lung")[0][:, 45:52] == 1).all()
    coarse = seen("a thumbnail of 32 pixels")[0]
    assert np.abs(np.diff(coarse, axis=1)).max() < np.abs(np.diff(plain, axis=1)).max()
