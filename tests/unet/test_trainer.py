import math

import pytest
import torch

from unet.ema import WeightAverage, between
from unet.model import UNet, UNetConfig
from unet.schedule import learning_rate
from unet.trainer import Hyperparameters, Trainer, Validation

CPU = torch.device("cpu")


def settings(**changes):
    values = {
        "seed": 1, "optimizer": "muon", "epochs": 4, "total_steps": 12, "learning_rate": 3e-3, "weight_decay": 0.01,
        "warmup_steps": 2, "average_decay": 0.9, "dice_weight": 1.0,
    }  # fmt: skip
    return Hyperparameters(**{**values, **changes})


def batches(steps=3, seed=0):
    """Bright discs left and right on a dark ground: right lung, left lung, heart between them, and the union."""
    generator = torch.Generator().manual_seed(seed)
    y, x = torch.meshgrid(torch.linspace(-1, 1, 32), torch.linspace(-1, 1, 32), indexing="ij")
    masks = torch.stack([(x + 0.5) ** 2 + y**2 < 0.15, (x - 0.5) ** 2 + y**2 < 0.15, x**2 + (y - 0.6) ** 2 < 0.05])
    masks = torch.cat([masks, masks[:1] | masks[1:2]]).float()
    for _ in range(steps):
        images = 0.6 * masks[None, 3:] + 0.3 * masks[None, 2:3] + 0.1 * torch.rand(4, 1, 32, 32, generator=generator)
        yield images, masks.expand(4, 4, 32, 32), torch.ones(4, 4)


def make(config=None, **changes):
    return Trainer(config or UNetConfig(base=4, depth=2), settings(**changes), CPU, "float32")


def run_epochs(trainer, epochs):
    return [loss for epoch in range(epochs) for _, loss in trainer.train_epoch(batches(seed=trainer.epoch))]


@pytest.mark.parametrize("optimizer, epochs", [("muon", 60), ("adamw", 30)])
def test_a_small_network_learns_discs_by_heart(optimizer, epochs):
    trainer = make(
        UNetConfig(base=8, depth=2), optimizer=optimizer, epochs=epochs, total_steps=3 * epochs, learning_rate=0.1
    )
    losses = run_epochs(trainer, epochs)
    result = trainer.validate(batches(1))
    assert losses[-1] < 0.3 * losses[0]
    assert result.dice_lungs > 0.95 and result.dice_heart > 0.9 and result.constant == ()


def test_a_loss_that_is_no_number_stops_the_training_before_a_weight_moves():
    trainer = make()
    run_epochs(trainer, 1)
    before = {name: tensor.clone() for name, tensor in trainer.model.state_dict().items() if "running" not in name}
    images, masks, known = next(batches(1))
    with pytest.raises(ValueError, match="the loss of step 4 is nan; .* try a smaller --learning-rate"):
        trainer.train_step(images * float("nan"), masks, known)
    for name, tensor in before.items():
        if "tracked" not in name:
            assert torch.equal(trainer.model.state_dict()[name], tensor), name


@pytest.mark.parametrize("optimizer, older", [("muon", False), ("adamw", False), ("adamw", True)])
def test_a_restored_training_goes_on_bit_for_bit(optimizer, older):
    config = UNetConfig(base=4, depth=2, dropout=0.3)
    straight = make(config, optimizer=optimizer)
    run_epochs(straight, 4)
    first = make(config, optimizer=optimizer)
    run_epochs(first, 2)
    second = make(config, seed=1, optimizer=optimizer)
    state = first.state()
    if older:  # a release that knew AdamW alone
        (state["optimizer"],) = state.pop("optimizers")
    second.restore(first.average.model.state_dict(), state)
    run_epochs(second, 2)
    assert second.step == straight.step == 12
    for name, tensor in straight.average.model.state_dict().items():
        assert torch.equal(tensor, second.average.model.state_dict()[name]), name


def test_validation_counts_every_film_once_and_only_what_is_drawn():
    trainer = make()
    ((images, masks, known),) = batches(1)
    known = known.clone()
    known[:, 2] = 0
    result = trainer.validate([(images, masks, known), (images[:1], masks[:1], known[:1])])
    assert result.dice_heart is None and result.score == result.dice_lungs
    whole = trainer.validate(
        [(torch.cat([images, images[:1]]), torch.cat([masks, masks[:1]]), torch.cat([known, known[:1]]))]
    )
    assert result.dice_lungs == pytest.approx(whole.dice_lungs) and result.loss == pytest.approx(whole.loss, rel=1e-5)


def test_validation_weighs_the_dice_term_as_training_does():
    with_dice, without, twice = (make(dice_weight=weight).validate(batches(1)).loss for weight in (1.0, 0.0, 2.0))
    assert without < with_dice and twice - with_dice == pytest.approx(with_dice - without)


def test_a_constant_prediction_is_noticed():
    trainer = make()
    for parameter in trainer.average.model.head.parameters():
        parameter.zero_()
    trainer.average.model.head.bias.fill_(-1.0)
    assert trainer.validate(batches(1)).constant == (0, 1, 2, 3)
    ((images, masks, known),) = batches(1)
    known[:, 2] = 0  # a heart that is drawn nowhere can not be learnt, whatever is predicted
    assert trainer.validate([(images, masks, known)]).constant == (0, 1, 3)


def test_a_pixel_that_a_mask_half_covers_counts_as_inside():
    trainer = make()
    for parameter in trainer.average.model.head.parameters():
        parameter.zero_()
    trainer.average.model.head.bias.fill_(1.0)  # inside everywhere
    for covered, dice in ((0.5, 1.0), (0.49, 0.0)):
        found = trainer.validate([(torch.rand(1, 1, 32, 32), torch.full((1, 4, 32, 32), covered), torch.ones(1, 4))])
        assert found.dice_lungs == found.dice_heart == dice


def test_the_average_follows_the_weights_and_copies_counters():
    model = UNet(UNetConfig(base=4, depth=1))
    average = WeightAverage(model, decay=0.5)
    name = "head.bias"
    with torch.no_grad():
        model.get_parameter(name).fill_(1.0)
        model.first[1].num_batches_tracked.fill_(7)
    average.update(model)  # decay is 2/11 at the first step
    assert average.model.get_parameter(name)[0].item() == pytest.approx(1 - 2 / 11)
    assert average.model.first[1].num_batches_tracked.item() == 7
    for _ in range(40):
        average.update(model)
    assert average.model.get_parameter(name)[0].item() == pytest.approx(1.0)


def test_learning_rate_warms_up_peaks_and_falls_to_a_hundredth():
    rates = [learning_rate(step, 100, 0.5, 10) for step in range(100)]
    assert rates[0] == pytest.approx(0.05) and rates[9] == rates[10] == max(rates) == 0.5
    assert all(a >= b for a, b in zip(rates[10:], rates[11:], strict=False))
    assert rates[-2] > rates[-1] == pytest.approx(0.005)
    assert learning_rate(60, 111, 0.5, 10) == pytest.approx(0.5 * 0.505)  # half way
    assert [learning_rate(step, 3, 0.5, 2) for step in range(3)] == [0.25, 0.5, 0.5]


def test_a_network_between_two_has_weights_and_norm_statistics_between_theirs():
    start, model = UNet(UNetConfig(base=4, depth=1)), UNet(UNetConfig(base=4, depth=1))
    with torch.no_grad():
        for network, value in ((start, 2.0), (model, 4.0)):
            network.head.weight.fill_(value)
            network.first[1].running_mean.fill_(value)
            network.first[1].num_batches_tracked.fill_(int(value))
    mixed = between(start.state_dict(), model, 0.25)
    assert (mixed.head.weight == 2.5).all() and (mixed.first[1].running_mean == 2.5).all()
    assert mixed.first[1].num_batches_tracked == 4 and (model.head.weight == 4).all()  # a copy


def test_the_score_is_the_mean_of_both_and_each_reads_its_own_plane():
    assert Validation(0.5, 0.9, 0.7, ()).score == pytest.approx(0.8)
    trainer = make()
    for parameter in trainer.average.model.head.parameters():
        parameter.zero_()
    trainer.average.model.head.bias.fill_(0.5)
    masks = torch.ones(1, 4, 32, 32)
    masks[:, 2] = 0
    found = trainer.validate([(torch.rand(1, 1, 32, 32), masks, torch.ones(1, 4))])
    assert (found.dice_lungs, found.dice_heart) == (1, 0)


def test_a_gradient_is_clipped():
    trainer = make(dice_weight=1e6)
    trainer.train_step(*next(batches(1)))
    assert sum(parameter.grad.square().sum() for parameter in trainer.model.parameters()).sqrt() < 5.001


def test_the_network_that_is_kept_is_the_one_that_is_scored():
    trainer = make()
    start = {name: tensor.clone() for name, tensor in trainer.model.state_dict().items()}
    for name in ("head.weight", "head.bias"):
        start[name].fill_(0.0)
    trainer.start, trainer.share = start, 0.25
    for parameter in trainer.average.model.head.parameters():
        parameter.zero_()
    trainer.average.model.head.bias.fill_(4.0)
    masks = torch.ones(1, 4, 32, 32)
    film = (torch.rand(1, 1, 32, 32), masks, torch.ones(1, 4))
    assert (trainer.result().head.bias == 1).all()  # a quarter of the way
    p = 1 / (1 + math.exp(-1.0))
    expected = -math.log(p) + (1 - p) / (1 + p)  # of logits of 1 on full masks
    assert trainer.validate([film]).loss == pytest.approx(expected, abs=1e-3)


def test_where_no_film_has_both_lungs_the_drawn_one_is_scored():
    trainer = make()
    for parameter in trainer.average.model.head.parameters():
        parameter.zero_()
    trainer.average.model.head.bias.fill_(5.0)  # everything is inside
    known = torch.tensor([[1.0, 0, 0, 0]])
    masks = torch.ones(1, 4, 32, 32)
    masks[:, 1] = 0
    found = trainer.validate([(torch.rand(1, 1, 32, 32), masks, known)])
    assert (found.dice_lungs, found.dice_heart, found.score) == (1, None, 1)


def test_a_validation_loss_that_is_no_number_ends_the_training():
    trainer = make()
    trainer.average.model.head.bias.data.fill_(math.nan)
    with pytest.raises(
        ValueError, match="the loss of the validation films is nan after step 0; nothing is saved of it"
    ):
        trainer.validate(list(batches(1)))
