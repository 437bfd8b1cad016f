import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from unet.losses import asked_of, bce_loss, dice_bce_loss, soft_dice_loss
from unet.structures import DRAWN, WITH_HEART

BIG = 100.0  # a logit whose sigmoid is 1 in float32


def planes(*rows):
    return torch.tensor(rows, dtype=torch.float)[None, None]


def test_dice_of_a_hard_prediction_is_the_usual_one():
    # true has 3 pixels, predicted has 2, they share 1: Dice = 2 * 1 / 5; three of the six pixels differ
    true = planes([1, 1, 1], [0, 0, 0])
    logits = planes([BIG, -BIG, -BIG], [BIG, -BIG, -BIG])
    assert soft_dice_loss(logits, true).item() == pytest.approx(3 / (5 + 1))


def test_two_empty_masks_cost_nothing_and_a_false_alarm_costs():
    empty = torch.zeros(1, 1, 4, 5)
    assert soft_dice_loss(torch.full_like(empty, -BIG), empty).item() == 0
    assert soft_dice_loss(torch.full_like(empty, BIG), empty).item() == pytest.approx(20 / 21)


def test_a_half_covered_pixel_is_best_predicted_as_one_half():
    target = torch.full((1, 1, 4, 4), 0.5)
    loss = {logit: soft_dice_loss(torch.full_like(target, logit), target).item() for logit in (-2.0, 0.0, 2.0)}
    assert loss[0.0] == 0 and loss[-2.0] > 0.1 and loss[2.0] > 0.1


def test_bce_by_hand():
    logits, target = planes([0.0, 2.0]), planes([1.0, 0.0])
    expected = (math.log(2) + math.log(1 + math.exp(2))) / 2
    assert bce_loss(logits, target).item() == pytest.approx(expected, rel=1e-6)


def test_a_structure_nobody_drew_gives_no_loss_and_no_gradient():
    logits = torch.randn(2, 3, 5, 7, requires_grad=True)
    target = torch.randint(0, 2, (2, 3, 5, 7)).float()
    known = torch.tensor([[1.0, 1.0, 0.0], [0.0, 0.0, 0.0]])
    loss = dice_bce_loss(logits, target, known)
    other = dice_bce_loss(logits, torch.where(known[..., None, None] > 0, target, 1 - target), known)
    assert loss.item() == other.item()
    loss.backward()
    assert logits.grad[0, :2].abs().sum() > 0
    assert logits.grad[0, 2].abs().sum() == 0 and logits.grad[1].abs().sum() == 0


def test_films_weigh_the_same_however_many_structures_they_have():
    logits, target = torch.zeros(2, 2, 3, 3), torch.ones(2, 2, 3, 3)
    one = dice_bce_loss(logits, target, torch.tensor([[1.0, 0.0], [1.0, 1.0]]))
    both = dice_bce_loss(logits, target, torch.ones(2, 2))
    assert one.item() == pytest.approx(both.item())


def test_a_film_counts_with_one_structure_and_not_with_none():
    logits = torch.randn(3, 2, 3, 3, generator=torch.Generator().manual_seed(0))
    target = torch.ones(3, 2, 3, 3)
    per_film = bce_loss(logits, target) + soft_dice_loss(logits, target)  # as the recipe weighs them: one to one
    loss = dice_bce_loss(logits, target, torch.tensor([[1.0, 0.0], [0.0, 0.0], [1.0, 1.0]]))
    assert loss.item() == pytest.approx((per_film[0, 0] + per_film[2].mean()).item() / 2)
    threefold = dice_bce_loss(logits, target, torch.tensor([[1.0, 0.0], [0.0, 0.0], [0.0, 0.0]]), dice_weight=3.0)
    assert threefold.item() == pytest.approx(
        (bce_loss(logits, target) + 3 * soft_dice_loss(logits, target))[0, 0].item()
    )


def test_the_heart_may_count_more_than_the_other_structures_of_its_film():
    logits = torch.randn(2, 4, 3, 3, generator=torch.Generator().manual_seed(0))
    target, known = torch.ones(2, 4, 3, 3), torch.tensor([[1.0, 1, 1, 1], [1.0, 1, 0, 1]])
    part = bce_loss(logits, target) + soft_dice_loss(logits, target)
    with_heart = (part[0, 0] + part[0, 1] + 2 * part[0, 2] + part[0, 3]) / 5
    loss = dice_bce_loss(logits, target, known, heart_weight=2.0)
    assert loss.item() == pytest.approx((with_heart + part[1, [0, 1, 3]].mean()).item() / 2)
    alone = torch.tensor([[0.0, 0, 1, 0], [0.0, 0, 1, 0]])
    for weight in (0.25, 2.0):
        loss = dice_bce_loss(logits, target, alone, heart_weight=weight)
        assert loss.item() == pytest.approx(part[:, 2].mean().item())
    assert dice_bce_loss(logits, target, alone, heart_weight=0.0).item() == 0


def test_shapes_that_do_not_fit_are_refused_and_not_broadcast():
    logits, target, known = torch.zeros(2, 3, 4, 4), torch.zeros(2, 3, 4, 4), torch.ones(2, 3)
    for wrong in ((target[:1], known), (target, known[:1]), (target, known[..., None, None])):
        with pytest.raises(ValueError, match=r"logits have shape \(2, 3, 4, 4\), target .* known"):
            dice_bce_loss(logits, *wrong)


def test_nothing_known_is_zero_not_nan():
    assert dice_bce_loss(torch.zeros(1, 1, 2, 2), torch.ones(1, 1, 2, 2), torch.zeros(1, 1)).item() == 0


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**31), st.floats(-20, 20))
def test_losses_are_finite_and_in_range(seed, scale):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(2, 3, 5, 7, generator=generator) * scale
    target = torch.rand(2, 3, 5, 7, generator=generator)
    dice = soft_dice_loss(logits, target)
    assert ((dice >= 0) & (dice < 1)).all()
    assert bce_loss(logits, target).isfinite().all() and (bce_loss(logits, target) >= 0).all()
    flipped = soft_dice_loss(logits.flip(-1), target.flip(-1))
    assert torch.allclose(dice, flipped, atol=1e-6)


def drawn_with_heart():
    """One film of 1 x 8 pixels: right lung in columns 0 to 2, left lung in 5 to 7; their medial parts are columns 2 and 5."""
    target = torch.zeros(1, 4, 1, 8)
    target[0, 0, 0, :3] = target[0, 1, 0, 5:] = 1
    target[0, 2, 0, [2, 5]] = 1
    return target, torch.tensor([[WITH_HEART, WITH_HEART, 0, 0]])


def test_lungs_drawn_with_the_heart_ask_for_no_lung_outside_and_leave_the_medial_parts_open():
    logits = torch.randn(1, 4, 1, 8, generator=torch.Generator().manual_seed(0), requires_grad=True)
    target, known = drawn_with_heart()
    loss = dice_bce_loss(logits, target, known)
    loss.backward()
    right, left, heart, union = logits.grad[0, :, 0]
    assert (right[:2] < 0).all() and right[2] == 0 and (right[3:] > 0).all()
    assert (left[:5] > 0).all() and left[5] == 0
    assert (heart[:6] == 0).all() and (union == 0).all()


def test_the_heart_explains_a_left_lung_drawn_with_it_and_no_right_one():
    target, known = drawn_with_heart()
    nothing = torch.full((1, 4, 1, 8), -BIG)
    lungs = torch.where(target > 0, BIG, nothing)
    lungs[:, 2:] = -BIG
    heart_at_left, heart_at_right = lungs.clone(), lungs.clone()
    heart_at_left[0, 1, 0, 6], heart_at_left[0, 2, 0, 6] = -BIG, BIG
    heart_at_right[0, 0, 0, 1], heart_at_right[0, 2, 0, 1] = -BIG, BIG
    loss = [dice_bce_loss(logits, target, known).item() for logits in (lungs, heart_at_left, heart_at_right, nothing)]
    assert loss[0] == loss[1] < 1e-4 and 5 < loss[2] < loss[3]


def test_a_film_drawn_with_the_heart_changes_nothing_for_the_others():
    logits = torch.randn(2, 4, 1, 8, generator=torch.Generator().manual_seed(1))
    target, known = drawn_with_heart()
    plain = torch.rand(1, 4, 1, 8, generator=torch.Generator().manual_seed(2))
    drawn = torch.full((1, 4), DRAWN)
    both = dice_bce_loss(logits, torch.cat([plain, target]), torch.cat([drawn, known]))
    alone = dice_bce_loss(logits[:1], plain, drawn), dice_bce_loss(logits[1:], target, known)
    assert both.item() == pytest.approx(sum(loss.item() for loss in alone) / 2, rel=1e-6)
    asked, answer = asked_of(logits, torch.cat([target, target]))
    assert torch.equal(asked[:, 2:], logits[:, 2:]) and torch.equal(answer[:, 2:], torch.cat([target, target])[:, 2:])


@pytest.mark.parametrize("share", [0.5, 0.6])
def test_half_covered_pixels_of_the_medial_parts_cost_nothing(share):
    target, known = drawn_with_heart()
    target[0, 0, 0, 2] = target[0, 2, 0, 2] = share
    logits = torch.where(target >= 1, BIG, torch.full((1, 4, 1, 8), -BIG))
    assert dice_bce_loss(logits, target, known).item() < 1e-4
