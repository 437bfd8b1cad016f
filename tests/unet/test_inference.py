import torch

from unet.inference import TEST_TIME_VIEWS, _turn, predict_logits, predict_views
from unet.model import UNet, UNetConfig


class Echo(torch.nn.Module):
    """Gives the image back as logits, so that what a view does can be seen."""

    def __init__(self):
        super().__init__()
        self.anchor = torch.nn.Parameter(torch.zeros(1))

    def forward(self, images):
        return images + self.anchor


def test_predicting_switches_to_evaluation_and_keeps_no_graph():
    model = UNet(UNetConfig(base=4, depth=1)).train()
    logits = predict_logits(model, torch.rand(1, 1, 16, 16))
    assert not model.training and not logits.requires_grad and logits.dtype == torch.float32


def test_every_view_comes_back_to_where_it_was():
    y, x = torch.meshgrid(torch.linspace(-1, 1, 64), torch.linspace(-1, 1, 48), indexing="ij")
    image = torch.exp(-((x - 0.3) ** 2 + (y + 0.2) ** 2) / 0.1)[None, None]  # off-centre, on an oblong film
    views = predict_views(Echo(), image)
    assert views.shape == (len(TEST_TIME_VIEWS), 1, 1, 64, 48)
    assert torch.equal(views[0], image)
    inner = (slice(None), slice(None), slice(None), slice(8, -8), slice(8, -8))
    assert (views - image)[inner].abs().max() < 0.03


def test_a_view_repeats_the_border_where_the_film_ends():
    ones = torch.ones(1, 1, 40, 30)
    assert (_turn(ones, 5.0, 0.9) - 1).abs().max() < 1e-6


def test_a_turn_is_counter_clockwise_and_a_zoom_enlarges():
    image = torch.zeros(1, 1, 65, 129)
    image[..., 32, 84] = 1.0  # 20 pixels right of the centre

    def brightest(planes):
        return divmod(int(planes.flatten().argmax()), 129)

    assert brightest(_turn(image, 90.0, 1.0)) == (12, 64) and brightest(_turn(image, 0.0, 2.0)) == (32, 104)


def test_turning_by_a_little_and_zooming_move_a_place_by_the_formula_on_an_oblong_film():
    y, x = torch.meshgrid(torch.arange(96.0), torch.arange(64.0), indexing="ij")
    down, across = 12.0, 17.0  # from the centre, in pixels
    image = torch.exp(-((y - 47.5 - down) ** 2 + (x - 31.5 - across) ** 2) / 18)[None, None]
    for degrees, zoom in ((10.0, 1.0), (-25.0, 0.8), (4.0, 1.3)):
        turned = _turn(image, degrees, zoom)[0, 0]
        found = torch.stack([(turned * y).sum(), (turned * x).sum()]) / turned.sum() - torch.tensor([47.5, 31.5])
        angle = torch.deg2rad(torch.tensor(degrees))
        expected = zoom * torch.stack([
            down * torch.cos(angle) - across * torch.sin(angle), across * torch.cos(angle) + down * torch.sin(angle)
        ])  # fmt: skip
        assert torch.allclose(found, expected, atol=0.2), (degrees, zoom)


def test_the_views_are_small_turns_and_zooms_both_ways():
    assert TEST_TIME_VIEWS == ((0, 1), (-4, 1), (4, 1), (0, 0.93), (0, 1.07))
