"""Where on a film the network looks for a structure: by its own gradients, and by covering one place after another."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

PATCH, STRIDE = 32, 16  # pixels of the network's square
OCCLUSION_BATCH = 16


def seg_grad_cam(model: nn.Module, image: Tensor, channel: int, region: Tensor, layer: nn.Module) -> Tensor:
    """Return how much each place of a layer supports a structure in a region: (N, N) in [0, 1], the largest value 1.

    image: (1, 1, N, N) prepared. channel: which logit. region: (N, N) bool, where its logits are summed. layer: a part of the
    model with output (1, K, h, w). All 0 where nothing supports the structure or the region is empty.
    Source: Seg-Grad-CAM, Vinogradova et al. 2020 (AAAI student abstract): L = ReLU(sum_k a_k A_k), a_k the mean over places
    of the gradient of the summed logits in the k-th plane A_k.
    """
    kept: list[Tensor] = []
    handle = layer.register_forward_hook(lambda _module, _inputs, output: kept.append(output))
    model.eval()
    try:
        with torch.enable_grad():
            # the image requires a gradient, so that the layer gets one even where all weights are frozen
            logits = model(image.clone().requires_grad_())
            gradient = torch.autograd.grad((logits[0, channel] * region).sum(), kept[0])[0]
    finally:
        handle.remove()
    weights = gradient.mean(dim=(2, 3), keepdim=True)
    places = (weights * kept[0].detach()).sum(dim=1, keepdim=True).relu()
    fine = F.interpolate(places, size=image.shape[-2:], mode="bilinear", align_corners=False)[0, 0]
    largest = fine.max()
    return fine / largest if largest > 0 else torch.zeros_like(fine)


@torch.inference_mode()
def occlusion(
    model: nn.Module,
    image: Tensor,
    channel: int,
    region: Tensor,
    patch: int = PATCH,
    stride: int = STRIDE,
    film: Tensor | None = None,
    temperature: float = 1.0,
) -> Tensor:
    """Return by how much the mean probability in a region falls when a square around each place is covered: (N, N).

    Arguments as in `seg_grad_cam`. film: bool (N, N), where the film lies in the square, None for everywhere; squares are filled
    with the film's mean grey, and the padding around it is not covered. temperature: divides the logits. A place's value is the
    mean over the squares that cover it; negative where covering raises the probability; 0 everywhere for an empty region.
    Source: Zeiler & Fergus 2014.
    """
    size = image.shape[-1]
    starts = sorted({*range(0, max(size - patch, 0) + 1, stride), max(size - patch, 0)})
    places = [(top, left) for top in starts for left in starts]
    fall, covered = torch.zeros(size, size), torch.zeros(size, size)
    if not region.any():
        return fall
    model.eval()
    cover = torch.where(film, image[..., film].mean(), image) if film is not None else image.mean().expand_as(image)
    before = _mean_probability(model, image, channel, region, temperature)[0]
    for start in range(0, len(places), OCCLUSION_BATCH):
        chunk = places[start : start + OCCLUSION_BATCH]
        images = image.repeat(len(chunk), 1, 1, 1)
        for row, (top, left) in enumerate(chunk):
            square = (slice(None), slice(top, top + patch), slice(left, left + patch))
            images[row][square] = cover[0][square]
        after = _mean_probability(model, images, channel, region, temperature)
        for (top, left), value in zip(chunk, after, strict=True):
            fall[top : top + patch, left : left + patch] += float(before - value)
            covered[top : top + patch, left : left + patch] += 1
    return fall / covered.clamp(min=1)


def _mean_probability(model: nn.Module, images: Tensor, channel: int, region: Tensor, temperature: float) -> Tensor:
    """The mean probability in the region, for each of the images."""
    return (model(images)[:, channel, region] / temperature).sigmoid().mean(dim=1)
