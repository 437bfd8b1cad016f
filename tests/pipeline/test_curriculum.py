"""Which films a training sees, how often, and at which size."""

from dataclasses import replace

import pytest
import torch

from data.augment import AugmentConfig
from data.dataset import FilmDataset, Preprocessing
from db.connection import connect
from db.selection import query_text, select_images
from pipeline import curriculum
from pipeline.curriculum import CALM, best_epoch, plan_stages, stage_at
from pipeline.train_settings import TrainConfig

CONFIG = TrainConfig(epochs=10, size=32, base=4, phantom_epochs=2, small_share=0.6, calm_share=0.1)


@pytest.fixture(scope="module")
def phantoms(phantom_db, tmp_path_factory):
    parameters = {"convention": "clear_field", "provenance": "phantom", "source": "all"}
    records = select_images(connect(phantom_db), query_text("segmentation_images"), parameters)[:9]
    return FilmDataset(records, Preprocessing(32), tmp_path_factory.mktemp("cache"))


@pytest.fixture
def real(phantoms, phantom_db, monkeypatch):
    """The same films, said to be drawn by hand; the embedded ones are those of the test's database."""
    monkeypatch.setattr(curriculum, "ensure_phantom", lambda: phantom_db)
    dataset = object.__new__(FilmDataset)
    dataset.__dict__.update(phantoms.__dict__)
    dataset.records = [
        replace(record, masks=tuple(replace(mask, provenance="manual") for mask in record.masks))
        for record in phantoms.records
    ]
    return dataset


def summary(stages):
    return [(stage.films, len(stage.rows), stage.epochs, stage.size, stage.strength) for stage in stages]


def drawn(real):
    """How many of the small embedded films there are."""
    return len(curriculum.phantom_films(CONFIG, real.preprocessing, ()))


def test_phantom_films_come_first_and_small_squares_before_full_ones(real):
    stages = plan_stages(CONFIG, real, range(7))
    assert summary(stages) == [
        ("phantom", drawn(real), 2, 20, 1.0),
        ("selected", 7, 6, 20, 1.0),
        ("selected", 7, 3, 32, 1.0),
        ("selected", 7, 1, 32, CALM),
    ]
    assert [stage.steps(4) for stage in stages] == [10, 2, 2, 2]


def test_phantom_films_teach_nothing_to_a_selection_of_phantoms_or_to_trained_weights(real, phantoms, tmp_path):
    assert summary(plan_stages(CONFIG, phantoms, range(7)))[0][0] == "selected"
    for change in ({"init": tmp_path / "best.pt"}, {"phantom_epochs": 0}, {"convention": "includes_heart"}):
        assert summary(plan_stages(replace(CONFIG, **change), real, range(7)))[0][0] == "selected", change


@pytest.mark.parametrize("split", ["test", "val"])
def test_phantom_films_that_are_kept_for_testing_and_their_patients_others_are_not_trained_on(real, split):
    tested = real.records[0].patient_id
    real.records = [replace(record, split=split if record.patient_id == tested else "train") for record in real.records]
    phantom = plan_stages(CONFIG, real, range(1, 9))[0]
    seen = {phantom.dataset.records[row].patient_id for row in phantom.rows}
    assert tested not in seen and {record.patient_id for record in real.records[1:]} - {tested} <= seen


def test_stages_without_epochs_are_left_out(phantoms):
    for share, expected in ((0.0, [(10, 32)]), (1.0, [(10, 20)])):
        stages = plan_stages(replace(CONFIG, small_share=share, calm_share=0.0), phantoms, range(7))
        assert [(stage.epochs, stage.size) for stage in stages] == expected


def test_shares_that_round_up_do_not_add_epochs(phantoms):
    half = replace(CONFIG, epochs=3, small_share=0.5, calm_share=0.5)
    assert sum(stage.epochs for stage in plan_stages(half, phantoms, range(7))) == 3


def test_every_epoch_has_its_stage(real):
    stages = plan_stages(CONFIG, real, range(7))
    found = [stages.index(stage_at(stages, epoch)) for epoch in range(14)]
    assert found == [0] * 2 + [1] * 6 + [2] * 3 + [3] + [3] * 2


def test_a_score_at_a_small_size_does_not_compete_with_one_at_the_full_size():
    history = [{"epoch": 1, "size": 18, "score": 0.9}, {"epoch": 2, "size": 18, "score": 0.95}]
    assert best_epoch([]) is None and best_epoch(history)["epoch"] == 2
    history += [{"epoch": n, "size": 32, "score": score} for n, score in ((3, 0.7), (4, 0.8), (5, 0.8))]
    assert best_epoch(history)["epoch"] == 4


def test_batches_of_a_stage_have_its_size_with_and_without_augmentation(phantoms):
    for augment in (None, AugmentConfig()):
        batches = phantoms.augmented_batches([0, 1, 2], 2, torch.Generator().manual_seed(0), augment, side=18)
        for images, masks, _ in batches:
            assert images.shape[-2:] == masks.shape[-2:] == (18, 18)


def test_resizing_a_batch_keeps_the_covered_share(phantoms):
    batch = phantoms.batch([0, 1])
    small = batch.resized(16)
    assert small.images.shape == (2, 1, 16, 16) and batch.resized(32) is batch
    torch.testing.assert_close(small.masks.mean(dim=(2, 3)), batch.masks.mean(dim=(2, 3)), atol=0.02, rtol=0)


def test_films_drawn_with_the_heart_join_an_epoch_in_their_share_and_others_the_next(real, monkeypatch):
    monkeypatch.setattr(real, "guest_rows", lambda: [5, 6, 7, 8], raising=False)
    phantom, *selected = plan_stages(replace(CONFIG, guest_share=0.4), real, range(5))
    assert [stage.count for stage in (phantom, *selected)] == [drawn(real), 7, 7, 7] and selected[0].steps(4) == 2
    generator = torch.Generator().manual_seed(0)
    epochs = [selected[0].sample(generator) for _ in range(20)]
    assert all(sorted(rows)[:5] == [0, 1, 2, 3, 4] and len(set(rows)) == 7 for rows in epochs)
    assert {row for rows in epochs for row in rows} == set(range(9))
    assert [stage.count for stage in plan_stages(replace(CONFIG, guest_share=9.0), real, range(5))][1] == 9
    assert phantom.sample(generator) == phantom.rows


def test_few_films_are_the_same_ones_for_a_seed_and_seen_more_often(phantoms):
    def rows(seed, count=2):
        return plan_stages(
            replace(CONFIG, train_films=count, seed=seed, small_share=0.0, calm_share=0.0), phantoms, range(9)
        )[0].rows

    assert rows(0) == rows(0) and len(rows(0)) == 8 and len(set(rows(0))) == 2
    assert any(set(rows(seed)) != set(rows(0)) for seed in range(1, 6))
    assert list(rows(0, count=0)) == list(rows(0, count=9)) == list(range(9))


@pytest.mark.parametrize(("epochs", "small"), [(1, 0), (2, 1), (10, 6)])
def test_however_short_a_training_ends_at_full_size(phantoms, epochs, small):
    config = replace(CONFIG, epochs=epochs, phantom_epochs=0, calm_share=0.0)
    stages = plan_stages(config, phantoms, range(7))
    assert sum(stage.epochs for stage in stages if stage.size < config.size) == small and stages[-1].size == config.size
