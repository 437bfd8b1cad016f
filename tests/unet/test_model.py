import pytest
import torch

from unet.model import UNet, UNetConfig, count_parameters, with_union

TINY = UNetConfig(base=4, depth=2)


@pytest.mark.parametrize("size", [(16, 16), (37, 50), (13, 17), (8, 64)])
def test_logits_have_the_images_size_whatever_it_is(size):
    logits = UNet(TINY).eval()(torch.rand(2, 1, *size))
    assert logits.shape == (2, 3, *size) and logits.isfinite().all()


def test_an_odd_film_is_padded_with_black_and_cropped_back():
    model = UNet(TINY).eval()
    film = torch.rand(1, 1, 61, 45)
    padded = torch.zeros(1, 1, 64, 48)
    padded[..., :61, :45] = film
    assert torch.equal(model(film), model(padded)[..., :61, :45])


def test_every_weight_takes_part():
    model = UNet(TINY)
    model(torch.rand(2, 1, 32, 32)).square().mean().backward()
    assert all(parameter.grad is not None and parameter.grad.abs().sum() > 0 for parameter in model.parameters())


def test_grey_levels_enter_from_minus_two_to_two_four_neighbours_side_by_side():
    model, seen = UNet(UNetConfig(base=4, depth=1, stem=2)).eval(), []
    model.first.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    model(torch.tensor([[0.0, 0.25], [0.5, 1.0]]).repeat(2, 2)[None, None])
    assert seen[0][0].flatten(1).tolist() == [[-2.0] * 4, [-1.0] * 4, [0.0] * 4, [2.0] * 4]


def test_fresh_weights_keep_the_variance_through_a_relu_layer():
    model = UNet(UNetConfig(base=32, depth=2))
    for layer in (model.first[3], model.downs[1][1][0]):
        fan_in = layer.in_channels * 9
        assert layer.weight.std().item() == pytest.approx((2 / fan_in) ** 0.5, rel=0.05)
    assert model.head.bias.count_nonzero() == 0


def test_the_size_of_the_network_follows_from_its_config():
    assert count_parameters(UNet(UNetConfig())) == 5_141_228
    assert UNetConfig(depth=3, stem=2).multiple == 16 and UNetConfig(depth=4, stem=1).multiple == 16


@pytest.mark.parametrize("shape", [(1, 32, 32), (2, 3, 32, 32)])
def test_a_wrong_shape_is_named(shape):
    with pytest.raises(ValueError, match=r"wanted \(B, 1, H, W\)"):
        UNet(TINY)(torch.rand(shape))


def test_the_union_is_the_larger_of_the_two_lungs():
    logits = torch.tensor([1.0, -2.0, 5.0, -3.0, 4.0, 0.0]).view(1, 3, 1, 2)
    assert with_union(logits)[0, 3].tolist() == [[5.0, -2.0]]
    assert torch.equal(with_union(logits)[:, :3], logits)
