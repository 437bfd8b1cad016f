from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from data import dataset
from data.augment import AugmentConfig
from data.dataset import FilmDataset, Preprocessing, prepare
from data.loading import hash_file
from db.records import ImageRecord, MaskRecord

SMALL = Preprocessing(size=24)


def lung_mask(height, width):
    mask = np.zeros((height, width), np.uint8)
    mask[4 : height - 4, 3 : width // 2 - 2] = 255
    mask[4 : height - 4, width // 2 + 2 : width - 3] = 255
    return mask


def write_record(folder, number, structures=("lungs",), height=40, width=30):
    rng = np.random.default_rng(number)
    path = folder / f"film{number}.png"
    Image.fromarray(rng.integers(30, 255, (height, width)).astype(np.uint8)).save(path)
    masks = []
    for structure in structures:
        file = folder / f"{structure}{number}.png"
        Image.fromarray(lung_mask(height, width)).save(file)
        facts = {"structure": structure, "convention": "clear_field", "provenance": "manual"}
        masks.append(MaskRecord(path=file, **facts))
    return ImageRecord(
        image_id=number, source="s", file=path.name, path=path, patient_id=f"p{number}", split="train",
        height=height, width=width, photometric_interpretation=None, spacing_mm=None,
        content_sha256=hash_file(path), masks=tuple(masks),
    )  # fmt: skip


@pytest.fixture
def films(tmp_path):
    return [write_record(tmp_path, n) for n in range(5)]


def test_a_union_mask_is_split_and_its_union_known_too(films, tmp_path):
    data = FilmDataset(films, SMALL, tmp_path / "cache")
    batch = data.batch([3, 0])
    assert batch.images.shape == (2, 1, 24, 24) and batch.masks.shape == (2, 4, 24, 24)
    assert batch.known.tolist() == [[1, 1, 0, 1]] * 2
    right, left, heart, lungs = batch.masks[0]
    assert torch.allclose(right + left, lungs, atol=0.01) and heart.sum() == 0
    assert right.sum(dim=0).argmax() < left.sum(dim=0).argmax()
    assert batch.images.min() >= 0 and batch.images.max() <= 1
    right, left, _, lungs = data.batch(range(5)).masks.mean(dim=(0, 2, 3)).tolist()
    assert data.positive_share() == pytest.approx({"right_lung": right, "left_lung": left, "lungs": lungs})
    assert 0.1 < right < 0.3


def test_lungs_drawn_with_the_heart_leave_their_medial_halves_open(films, tmp_path):
    Image.fromarray(np.uint8(lung_mask(40, 30).any(axis=1, keepdims=True) * [[255] * 30])).save(films[4].masks[0].path)
    films[0] = write_record(tmp_path, 0, ("lungs", "heart"))
    data = FilmDataset(films, SMALL, tmp_path / "cache", guests=2)  # the last one is in one piece
    assert data.guest_rows() == [3]
    plain, with_heart, in_one = data.batch([2, 3, 4])[1:][0]
    assert data.batch([2, 3, 4]).known.tolist() == [[1, 1, 0, 1], [2, 2, 0, 0], [0, 0, 0, 0]]
    assert torch.allclose(with_heart[:2], plain[:2]) and with_heart[3].sum() == in_one.sum() == 0
    right, left, medial, _ = with_heart
    assert medial.sum() == pytest.approx(float(right.sum() + left.sum()) / 2, rel=0.1)
    assert (medial <= right + left + 0.01).all() and medial[:, 0:4].sum() == medial[:, -4:].sum() == 0
    assert data.positive_share().keys() == {"right_lung", "left_lung", "heart", "lungs"}
    assert torch.equal(FilmDataset(films, SMALL, tmp_path / "cache").batch([3]).known, torch.tensor([[1.0, 1, 0, 1]]))


def test_nothing_is_asked_about_what_the_source_of_such_a_film_does_not_judge(films, tmp_path):
    mask = films[4].masks[0]
    values = np.asarray(Image.open(mask.path)) // 255 * 255
    device = np.zeros(values.shape, bool)
    device[10:20, 13:16] = True  # between the lungs, so that they and their halves stay
    Image.fromarray(np.where(device, np.uint8(127), values)).save(mask.path)
    stated = replace(mask, lung_value=255)
    films = [write_record(tmp_path, 0, ("lungs", "heart")), *films[1:4], replace(films[4], masks=(stated,))]
    free, marked = FilmDataset(films, SMALL, tmp_path / "cache", guests=2).batch([3, 4]).masks
    added = marked - free
    assert (added[:3] > 0.5).sum(dim=(1, 2)).min() > 0
    open_to_all = marked[2] - free[2] > 0.5
    assert (marked[:3, open_to_all] > 0.5).all() and (marked[:3] >= free[:3] - 0.01).all()


def test_left_lungs_drawn_with_the_heart_say_nothing_where_no_film_has_a_heart(films, tmp_path):
    assert FilmDataset(films, SMALL, tmp_path / "cache", guests=2).batch([2, 3]).known.tolist() == [
        [1, 1, 0, 1],
        [2, 0, 0, 0],
    ]


def test_guests_of_other_splits_lie_in_the_same_cache_and_are_not_trained_on(films, tmp_path):
    tested = [*films[:3], replace(films[3], split="test"), films[4]]
    first, other = (FilmDataset(own, SMALL, tmp_path / "cache", guests=2) for own in (films, tested))
    assert first.guest_rows() == [3, 4] and other.guest_rows() == [4]
    assert len(list((tmp_path / "cache").glob("*.u8"))) == 1


def test_the_cache_is_used_again_until_a_film_or_mask_changes(films, tmp_path, monkeypatch):
    cache = tmp_path / "cache"
    first = FilmDataset(films, SMALL, cache)
    decoded = []
    original = dataset.prepare_record
    monkeypatch.setattr(dataset, "prepare_record", lambda *args: (decoded.append(1), original(*args))[1])
    again = FilmDataset(films, SMALL, cache)
    assert decoded == [] and torch.equal(first.batch([2]).images, again.batch([2]).images)
    FilmDataset(films, replace(SMALL, size=16), cache)
    assert len(decoded) == 5
    Image.fromarray(np.uint8(lung_mask(40, 30)[::-1])).save(films[0].masks[0].path)
    FilmDataset(films, SMALL, cache)
    assert len(decoded) == 10
    Image.fromarray(np.asarray(Image.open(films[1].path))[::-1]).save(films[1].path)
    with pytest.raises(
        ValueError, match="film1.png: another file than when it was ingested; bring that one back, or ing"
    ):
        FilmDataset(films, SMALL, cache)
    films[1] = replace(films[1], content_sha256=hash_file(films[1].path))
    decoded.clear()
    assert not torch.equal(FilmDataset(films, SMALL, cache).batch([1]).images, first.batch([1]).images)
    assert len(decoded) == 5
    assert not list(cache.glob(".*"))


def test_every_film_comes_once_an_epoch_in_a_drawn_order(films, tmp_path):
    data = FilmDataset(films, SMALL, tmp_path / "cache")

    def order(seed):
        generator = torch.Generator().manual_seed(seed)
        batches = list(data.augmented_batches(range(5), 2, generator, None))
        assert [len(batch.images) for batch in batches] == [2, 2, 1]
        images = torch.cat([batch.images for batch in batches])
        return [int((data.batch(range(5)).images == image).all(dim=(1, 2, 3)).nonzero()[0, 0]) for image in images]

    assert sorted(order(0)) == [0, 1, 2, 3, 4] and order(0) == order(0) and order(0) != order(1)
    changed = next(iter(data.augmented_batches(range(5), 5, torch.Generator().manual_seed(0), AugmentConfig())))
    assert changed.images.shape == (5, 1, 24, 24) and not torch.equal(changed.images, data.batch(order(0)).images)


def test_the_shards_of_two_processes_are_together_the_batch_of_one(films, tmp_path):
    data = FilmDataset(films, SMALL, tmp_path / "cache")

    def batches(shard):
        return data.augmented_batches(range(5), 3, torch.Generator().manual_seed(4), AugmentConfig(), shard)

    for whole, even, odd in zip(
        batches(slice(None)), batches(slice(0, None, 2)), batches(slice(1, None, 2)), strict=True
    ):
        for planes, first, second in zip(whole, even, odd, strict=True):
            assert torch.equal(planes[0::2], first) and torch.equal(planes[1::2], second)


def test_faults_name_what_is_not_drawn_and_what_is_empty(films, tmp_path):
    chosen_by = replace(write_record(tmp_path, 8), split="val")
    faults = FilmDataset([*films, chosen_by], SMALL, tmp_path / "cache").faults()
    assert faults == ["heart: no training film has it drawn; that channel stays untrained"]
    drawn = write_record(tmp_path, 9, structures=("heart",))
    Image.fromarray(np.zeros((40, 30), np.uint8)).save(drawn.masks[0].path)
    faults = FilmDataset([drawn, chosen_by], SMALL, tmp_path / "cache").faults()
    assert faults == [
        "heart: the masks have no positive pixel on any film; check that they are white where the organ is",
        "right_lung: no training film has it drawn; that channel stays untrained",
        "left_lung: no training film has it drawn; that channel stays untrained",
        "heart: no film to choose by has it drawn; the kept epoch, thresholds and predicted quality do not regard it",
    ]


def test_faults_tell_lungs_that_are_not_apart_from_one_that_is_not_drawn(tmp_path):
    films = [write_record(tmp_path, n) for n in (0, 1)]
    for film in films:  # one piece: nothing says where one lung ends
        Image.fromarray(np.pad(np.full((30, 24), 255, np.uint8), ((5, 5), (3, 3)))).save(film.masks[0].path)
    heart = "heart: no training film has it drawn; "
    both = [films[0], replace(films[1], split="val")]
    faults = FilmDataset(both, SMALL, tmp_path / "cache").faults()
    assert faults == [
        "no training film has right and left lung apart; only their union is trained",
        heart + "that channel stays untrained",
    ]
    sides = [write_record(tmp_path, n, structures=("right_lung",)) for n in (2, 3)]
    faults = FilmDataset([sides[0], replace(sides[1], split="val")], SMALL, tmp_path / "cache").faults(True)
    kept = "what other films taught of it stays"
    assert faults == [f"left_lung: no training film has it drawn; {kept}", heart + kept]


def test_a_mask_of_another_size_names_both(films, tmp_path):
    Image.fromarray(lung_mask(20, 20)).save(films[1].masks[0].path)
    with pytest.raises(ValueError, match="lungs1.png: mask of 20 x 20 pixels on a film of 30 x 40"):
        FilmDataset(films, SMALL, tmp_path / "cache")
    assert not list((tmp_path / "cache").iterdir())


def test_black_borders_change_nothing_of_what_the_network_sees():
    film = torch.rand(60, 50, generator=torch.Generator().manual_seed(0)) * 0.8 + 0.1
    bordered = torch.nn.functional.pad(film, (20, 7, 0, 30))
    plain, _ = prepare(film, SMALL)
    cut, box = prepare(bordered, SMALL)
    assert torch.allclose(plain, cut, atol=1e-6) and (box.crop_left, box.crop_height) == (20, 60)
    kept, _ = prepare(bordered, replace(SMALL, crop=False))
    assert not torch.allclose(plain, kept, atol=0.1)
