"""The budget against numbers worked by hand and against layers that are really built."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from proposal.budget import NF4_BYTES, BudgetConfig, estimate, flop_per_sample, main, memory_parts
from proposal.lora import add_lora
from proposal.shapes import ARCHITECTURES, Architecture, scaled_to
from unet.model import count_parameters

TOY = Architecture("toy", 6, 3, 8, 4, 10, 20, True, 5, 2, 7, 9, 30)
GEMMA = ARCHITECTURES["gemma3-4b"]


def toy_layer():
    h, q, k, f = TOY.hidden, TOY.query, TOY.key, TOY.feed_forward
    sizes = {"q": (h, q), "k": (h, k), "v": (h, k), "o": (q, h), "gate": (h, f), "up": (h, f), "down": (f, h)}
    return nn.ModuleDict({name: nn.Linear(a, b, bias=False) for name, (a, b) in sizes.items()})


def test_counts_equal_those_of_a_model_that_is_built():
    model = nn.ModuleList([toy_layer() for _ in range(TOY.layers)])
    assert sum(p.numel() for p in model.parameters()) == TOY.decoder_linear
    add_lora(model, ["q", "k", "v", "o"], rank=2, alpha=4)
    assert count_parameters(model) == TOY.decoder_lora(2, ["attention"])


def test_published_sizes():
    assert GEMMA.total == pytest.approx(4.3e9, rel=0.01)  # the size the model's card gives
    assert GEMMA.decoder_lora(16, ["attention", "mlp"]) == 29_802_496
    assert ARCHITECTURES["vicuna-7b"].decoder_lora(16, ["attention", "mlp"]) == 39_976_960
    assert ARCHITECTURES["vicuna-7b"].decoder_linear + ARCHITECTURES["vicuna-7b"].embeddings == pytest.approx(
        6.74e9, rel=0.01
    )


def test_nf4_bytes_by_hand():
    assert pytest.approx(0.5159, abs=1e-4) == NF4_BYTES  # (4 + 0.125 + 0.00195) / 8


def test_memory_of_the_toy_by_hand():
    config = BudgetConfig(sequence=10, target_length=5, batch=2, images=1, rank=1, targets=("attention",))
    parts = memory_parts(TOY, config)
    linear = 3 * (6 * 8 + 6 * 4 + 6 * 4 + 8 * 6 + 6 * 10 * 3)  # 972
    assert parts["weights"] == 2 * (linear + 120 + 2 * (4 * 25 + 70) + 30)
    adapters = 3 * (14 + 10 + 10 + 14)
    assert parts["gradients and optimiser"] == 16 * adapters + 14 * 30
    assert parts["checkpointed activations"] == 2 * 10 * 3 * 6 * 2
    assert parts["logits"] == 2 * 5 * 20 * 8
    assert parts["largest transient"] == 2 * (2 * 10) * (4 * 6 + 2 * 8 + 2 * 4 + 3 * 10) * 2  # a decoder layer
    encoder = memory_parts(TOY, replace(config, images=4))
    assert encoder["largest transient"] == 2 * 4 * 9 * (8 * 5 + 2 * 7) * 2 and encoder["vision encoder"] == 0


def test_operations_of_the_toy_by_hand():
    config = BudgetConfig(sequence=10, target_length=5, batch=2, images=1, rank=1, targets=("attention",))
    linear, attention, head = 2 * 972 * 10, 4 * 3 * 8 * 10**2, 2 * 6 * 20 * 5
    encoder = 2 * (2 * 170) * 9 + 4 * 2 * 5 * 9**2
    adapters = 8 * (30 + 3 * (14 + 10 + 10 + 14)) * 10
    assert flop_per_sample(TOY, config) == 3 * linear + 4 * attention + 2 * head + encoder + adapters
    full = replace(config, method="full")
    assert flop_per_sample(TOY, full) == 4 * linear + 4 * attention + 2 * head + encoder
    bare, tuned = (replace(config, method="projector", vision_rank=rank) for rank in (0, 1))
    more = flop_per_sample(TOY, tuned) - flop_per_sample(TOY, bare)
    assert more == 2 * (2 * (2 * 170) * 9) + 3 * (4 * 2 * 5 * 9**2)  # its attention needs the gradients of both inputs


def test_parts_add_up_and_methods_are_ordered():
    budgets = {method: estimate(BudgetConfig(method=method)) for method in ("projector", "qlora", "lora", "full")}
    for budget in budgets.values():
        assert sum(budget.memory_parts.values()) == pytest.approx(budget.memory)
    assert (
        budgets["projector"].trainable
        < budgets["lora"].trainable
        == budgets["qlora"].trainable
        < budgets["full"].trainable
    )
    assert budgets["qlora"].memory < budgets["lora"].memory < budgets["full"].memory


def test_sharding_divides_weights_and_optimiser_alone():
    one = estimate(BudgetConfig(method="full", card="80GB", batch=24))
    eight = estimate(BudgetConfig(method="full", card="80GB", batch=24, cards=8, shard=True))
    saved = 7 / 8 * (one.memory_parts["weights"] + one.memory_parts["gradients and optimiser"])
    assert one.memory - eight.memory == pytest.approx(saved)
    assert not one.fits and eight.fits
    assert eight.hours == pytest.approx(one.hours / (8 * 0.9))


def test_time_and_money_follow_the_assumptions():
    base = BudgetConfig()
    assert estimate(replace(base, utilisation=0.5)).hours == pytest.approx(estimate(base).hours / 2)
    assert estimate(replace(base, price=3.0)).money == pytest.approx(estimate(base).hours * 3)
    # 6 FLOP per weight and token is the bulk of it.
    bulk = 6 * GEMMA.decoder_linear * 1024
    assert bulk < estimate(base).flop_per_sample < 2 * bulk


def test_params_scale_the_depth():
    assert scaled_to(GEMMA, GEMMA.decoder_linear + GEMMA.embeddings) == GEMMA
    assert scaled_to(GEMMA, 8e9).layers > 2 * GEMMA.layers > 60
    with pytest.raises(ValueError, match="embeddings alone"):
        scaled_to(GEMMA, 1e8)


@pytest.mark.parametrize(
    "wrong",
    [{"targets": ("lm_head",)}, {"target_length": 2000}, {"batch": 0}, {"utilisation": 0.0}, {"vision_rank": -1}],
)
def test_wrong_settings(wrong):
    with pytest.raises(ValueError, match="wanted|must be"):
        estimate(BudgetConfig(**wrong))


def test_command_line(capsys):
    assert (
        main(
            [
                "--params",
                "4e9",
                "--rank",
                "16",
                "--targets",
                "attention",
                "--sequence",
                "1024",
                "--batch",
                "8",
                "--card",
                "24GB",
            ]
        )
        == 0
    )
    shown = capsys.readouterr().out
    assert "assumed: 25% of peak" in shown and "assumed: 0.5 USD" in shown and "fits into 90% of 1 x 24 GB" in shown


def test_checkpoint_formula_matches_autograd_of_a_stack():
    """The bytes that autograd keeps for a checkpointed stack are one input per layer, as the formula says."""
    from torch.utils.checkpoint import checkpoint

    layers, tokens, width, kept = 4, 6, 5, []
    stack = [
        nn.Sequential(nn.Linear(width, 9), nn.GELU(), nn.Linear(9, width)).requires_grad_(False) for _ in range(layers)
    ]
    x = torch.randn(tokens, width, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t.numel()) or t, lambda t: t):
        for layer in stack:
            x = checkpoint(layer, x, use_reentrant=False)
    assert sum(kept) == layers * tokens * width
