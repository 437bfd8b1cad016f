import pytest
import torch

from unet.model import UNet, UNetConfig
from unet.muon import Muon, build_optimizers, matrices_and_others, orthogonal


def gradient(*shape, least=0.1, seed=0):
    """A gradient (out, in, height, width) whose singular values fall from 1 to `least`."""
    noise = torch.randn(shape[0], shape[1] * shape[2] * shape[3], generator=torch.Generator().manual_seed(seed))
    left, values, right = torch.linalg.svd(noise, full_matrices=False)
    values = torch.logspace(0, torch.tensor(least).log10().item(), len(values))
    return (left * values @ right).reshape(shape)


@pytest.mark.parametrize("shape", [(16, 8, 3, 3), (8, 16, 3, 3), (16, 4, 2, 2), (64, 4, 3, 3), (5, 1, 1, 1)])
@pytest.mark.parametrize("size", [1e-6, 1.0, 1e6])
def test_the_step_has_the_gradients_directions_and_one_length_in_all_of_them(shape, size):
    given = size * gradient(*shape)
    step = orthogonal(given)
    assert step.shape == given.shape
    left, _, right = torch.linalg.svd(given.flatten(1), full_matrices=False)
    along = left.T @ step.flatten(1) @ right.T
    longer = max(1, shape[0] / (shape[1] * shape[2] * shape[3])) ** 0.5
    values = along.diagonal() / longer
    assert values.min() > 0.65 and values.max() < 1.25
    assert (along - along.diagonal().diag()).abs().max() < 0.01 * longer


def test_small_directions_grow_and_none_is_invented():
    step = orthogonal(gradient(32, 8, 3, 3, least=1e-5))
    values = torch.linalg.svdvals(step.flatten(1))
    assert (
        values[0] < 1.25 and values.isfinite().all() and torch.count_nonzero(orthogonal(torch.zeros(4, 3, 3, 3))) == 0
    )


def test_the_order_in_memory_changes_nothing():
    given = gradient(16, 8, 3, 3)
    assert torch.allclose(orthogonal(given), orthogonal(given.contiguous(memory_format=torch.channels_last)), atol=1e-5)


def test_the_first_steps_are_the_formula():
    weight = torch.nn.Parameter(torch.ones(4, 2, 3, 3))
    muon = Muon(
        [weight, torch.nn.Parameter(torch.ones(4, 2, 3, 3))], lr=0.01, weight_decay=0.5
    )  # the second has no gradient
    expected, average = weight.detach().clone(), torch.zeros(4, 2, 3, 3)
    for seed in (1, 2, 3):
        weight.grad = gradient(4, 2, 3, 3, seed=seed)
        muon.step()
        average = 0.95 * average + 0.05 * weight.grad
        expected = expected * (1 - 0.2 * 0.5) - 0.2 * orthogonal(0.05 * weight.grad + 0.95 * average)
        assert torch.allclose(weight, expected, atol=1e-5)
    assert torch.equal(muon.param_groups[0]["params"][1], torch.ones(4, 2, 3, 3))


def test_where_gradients_have_a_few_large_directions_the_others_are_learnt_too():
    """Least squares with inputs of which one direction is a thousand times as strong as the weakest: gradient descent crawls."""
    wanted = gradient(8, 8, 1, 1, least=0.5).flatten(1)
    inputs = gradient(8, 8, 1, 1, least=1e-3, seed=1).flatten(1)

    def after_training(optimizer_of):
        weight = torch.nn.Parameter(torch.zeros(8, 8, 1, 1))
        optimizer = optimizer_of(weight)
        for step in range(200):
            for group in optimizer.param_groups:
                group["lr"] = group.setdefault("start", group["lr"]) * (1 - step / 200)
            weight.grad = None
            ((weight.flatten(1) - wanted) @ inputs).square().sum().backward()
            optimizer.step()
        return (weight.flatten(1) - wanted).norm().item() / wanted.norm().item()

    muon = after_training(lambda weight: Muon([weight], lr=0.0025, weight_decay=0.0))
    plain = min(after_training(lambda weight, rate=rate: torch.optim.SGD([weight], rate)) for rate in (0.01, 0.1, 0.4))
    assert muon < 0.2 < 0.4 < plain


def test_every_parameter_has_one_optimiser_and_the_head_is_no_matrix():
    model = UNet(UNetConfig(base=4, depth=2))
    matrices, others = matrices_and_others(model)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    assert sorted(id(parameter) for parameter in (*matrices, *others)) == sorted(names)
    assert "head.weight" in {names[id(parameter)] for parameter in others}
    assert {parameter.ndim for parameter in matrices} == {4} and len(matrices) == 12


def test_the_named_optimiser_gets_the_weights_that_are_its_own():
    model = UNet(UNetConfig(base=4, depth=2))
    matrices, others = matrices_and_others(model)

    def given(model, name):
        built = build_optimizers(model, name, learning_rate=0.01, weight_decay=0.1, fused=False)
        return [(type(one), [id(weight) for group in one.param_groups for weight in group["params"]]) for one in built]

    assert given(model, "muon") == [(torch.optim.AdamW, list(map(id, others))), (Muon, list(map(id, matrices)))]
    assert given(model, "adamw") == [(torch.optim.AdamW, list(map(id, model.parameters())))]
    line = torch.nn.Linear(2, 1)
    assert given(line, "muon") == [(torch.optim.AdamW, list(map(id, line.parameters())))]
