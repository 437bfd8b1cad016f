"""The recommended training is the one that README and results describe."""

import pytest

from pipeline.train_settings import TrainConfig, complete


@pytest.mark.parametrize(
    "preset, expected",
    [("accurate", (24, 6, 1 / 3, 0.55, 1 / 3, 256, 32)), ("fast", (12, 0, 0.0, 0.6, 0.2, 256, 32))],
)
def test_a_preset_is_the_recipe_that_was_measured(tmp_path, preset, expected):
    config = complete(TrainConfig(db=tmp_path / "db", out=tmp_path / "run", preset=preset))
    found = (config.epochs, config.phantom_epochs, config.guest_share, config.small_share, config.calm_share)
    assert (*found, config.size, config.base) == expected
    assert (config.optimizer, config.learning_rate, config.batch_size, config.average_decay) == ("muon", 2e-3, 4, 0.995)
    assert (config.dice_weight, config.intensity, config.augment, config.blend) == (1.0, "percentile", True, 0.3)
    assert (config.convention, config.source) == ("clear_field", ("all",))


def test_masks_of_a_model_are_trained_on_only_where_asked_for():
    assert TrainConfig().provenance == ("manual", "landmark", "phantom")
