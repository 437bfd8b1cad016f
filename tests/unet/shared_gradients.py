"""Run by torchrun in two processes: the gradients and norm statistics of a batch, whole in one process and shared by both.

shared_gradients.py DEVICE
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent.parent))

import torch  # noqa: E402
import torch.distributed as dist  # noqa: E402

from unet.distributed import interleave, is_first, join, loss_share, shard, share_norms, sum_gradients  # noqa: E402
from unet.losses import dice_bce_loss  # noqa: E402
from unet.model import UNet, UNetConfig, with_union  # noqa: E402


def step(films):
    torch.manual_seed(0)
    model = share_norms(UNet(UNetConfig(base=4))).double().to(device)
    batch = [part[films].to(device) for part in (images, masks, known)]
    loss = dice_bce_loss(with_union(model(batch[0])), *batch[1:]) * loss_share(batch[2])
    loss.backward()
    sum_gradients(model)
    gradients = {name: parameter.grad for name, parameter in model.named_parameters()}
    return {**gradients, **dict(model.named_buffers())}


device = sys.argv[1]
generator = torch.Generator().manual_seed(0)
images = torch.rand(5, 1, 32, 40, generator=generator).double()
masks = (torch.rand(5, 4, 32, 40, generator=generator) > 0.7).double()
known = torch.ones(5, 4).double()
# a film with nothing drawn, one without a heart and one with both lungs in one mask: the processes count differently
known[0], known[1, 2], known[4, :3] = 0, 0, 0

alone = step(slice(None))  # on a GPU the first one, for all processes
join()
together = step(shard())
everything = interleave([images[shard()].flatten(1)], 32 * 40)
if is_first():
    print("carried by:", dist.get_backend_config())
    print("statistics of the norms and gradients:", len(alone))
    print("largest difference:", max(float((alone[name] - together[name]).abs().max()) for name in alone))
    print("films in order:", bool(torch.equal(everything, images.flatten(1))))
