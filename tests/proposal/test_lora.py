"""LoRA against the dense layer, on odd sizes."""

import pytest
import torch
from torch import nn

from proposal.lora import LoRALinear, add_lora
from unet.model import count_parameters


@pytest.fixture
def layer():
    torch.manual_seed(0)
    return LoRALinear(nn.Linear(7, 5), rank=2, alpha=6.0)


def fill(layer):
    with torch.no_grad():
        layer.B.normal_()
    return layer


def test_equal_to_the_dense_layer_while_b_is_zero(layer):
    x = torch.randn(3, 7)
    assert torch.equal(layer(x), layer.base(x))


def test_formula_by_hand(layer):
    fill(layer)
    x = torch.randn(4, 3, 7)
    expected = x @ layer.base.weight.T + layer.base.bias + 3.0 * (x @ layer.A.T) @ layer.B.T  # alpha / rank = 3
    assert torch.allclose(layer(x), expected, atol=1e-6)


def test_gradient_goes_to_a_and_b_alone(layer):
    fill(layer)(torch.randn(3, 7)).sum().backward()
    assert layer.A.grad.abs().sum() > 0 and layer.B.grad.abs().sum() > 0
    assert layer.base.weight.grad is None and layer.base.bias.grad is None
    assert {name for name, p in layer.named_parameters() if p.requires_grad} == {"A", "B"}
    assert count_parameters(layer) == 2 * (7 + 5)


def test_merge_gives_the_same_output_and_unmerge_gives_back_every_bit(layer):
    fill(layer)
    x, weight = torch.randn(3, 7), layer.base.weight.clone()
    before = layer(x)
    layer.merge()
    assert layer.merged and not torch.equal(layer.base.weight, weight)
    assert torch.allclose(layer(x), before, atol=1e-6)
    merged = layer.base.weight.clone()
    layer.merge()  # a second time changes nothing
    assert torch.equal(layer.base.weight, merged)
    layer.unmerge()
    layer.unmerge()
    assert not layer.merged and torch.equal(layer.base.weight, weight)
    assert torch.equal(layer(x), before)


def test_unmerge_is_exact_in_bfloat16():
    layer = fill(LoRALinear(nn.Linear(33, 17).bfloat16(), rank=4, alpha=4.0))
    weight = layer.base.weight.clone()
    layer.merge()
    layer.unmerge()
    assert torch.equal(layer.base.weight, weight)


def test_delta_has_the_rank_it_was_given(layer):
    fill(layer)
    assert torch.linalg.matrix_rank(layer.delta()) == 2


def test_full_rank_lora_can_become_any_layer():
    torch.manual_seed(0)
    layer, wanted = LoRALinear(nn.Linear(4, 4, bias=False), rank=4, alpha=4.0), torch.randn(4, 4)
    with torch.no_grad():
        layer.A.copy_(torch.eye(4))
        layer.B.copy_(wanted - layer.base.weight)
    assert torch.allclose(layer(torch.eye(4)).T, wanted, atol=1e-6)


@pytest.mark.parametrize("rank", [0, 6])
def test_impossible_rank(rank):
    with pytest.raises(ValueError, match="wanted 1 <= rank"):
        LoRALinear(nn.Linear(7, 5), rank=rank, alpha=1.0)


def test_add_lora_freezes_the_rest_and_names_what_it_replaced():
    model = nn.ModuleDict(
        {"q": nn.Linear(6, 6), "block": nn.ModuleDict({"q": nn.Linear(6, 3)}), "head": nn.Linear(3, 2)}
    )
    assert add_lora(model, ["q"], rank=2, alpha=2.0) == ["q", "block.q"]
    assert count_parameters(model) == 2 * (6 + 6) + 2 * (6 + 3)
    assert isinstance(model["head"], nn.Linear) and not model["head"].weight.requires_grad
    with pytest.raises(ValueError, match="no linear layer is called k"):
        add_lora(model, ["k"], rank=2, alpha=2.0)
