"""Pre-training of the tiny model, and its adaptation by projector only, LoRA or full fine-tuning, with a blind twin of each."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional as F

from proposal.films import Film
from proposal.lora import add_lora
from proposal.tiny_vlm import TinyConfig, TinyVLM, contrastive_loss
from proposal.wording import STYLES, encode
from unet.model import count_parameters

LINEAR_LAYERS = ("q", "k", "v", "o", "up", "down")
PRETRAINING_RATE = 1e-3


@dataclass(frozen=True)
class Method:
    """What an adaptation trains besides the projector. rank: of LoRA in the tower; vision_rank: in the encoder; full: all."""

    name: str
    rate: float
    rank: int = 0
    vision_rank: int = 0
    full: bool = False


# The best of five by the mean AUROC over concepts and two seeds on validation films: python -m proposal.sweep. On another
# processor 3e-3 is ahead of 1e-2 for both LoRAs, by 0.001 and 0.005: within what the base differs by, so left.
METHODS = (
    Method("projector only", 1e-2),
    Method("LoRA, tower", 1e-2, rank=8),
    Method("LoRA, tower and encoder", 1e-2, rank=8, vision_rank=8),
    Method("full", 1e-3, full=True),
)


@dataclass(frozen=True)
class Batch:
    """Films as tensors: images (n, 1, 64, 64) in [0, 1], indications and sentences (n, TEXT_LENGTH)."""

    images: torch.Tensor
    indications: torch.Tensor
    sentences: torch.Tensor

    def __len__(self) -> int:
        return len(self.images)


def to_batch(films: Sequence[Film], style: str) -> Batch:
    """Turn films into tensors, with the sentences of one style."""
    images = torch.from_numpy(np.stack([film.image for film in films])).float().div(255).unsqueeze(1)
    return Batch(
        images, encode([film.indication for film in films]), encode([STYLES[style](film.truth) for film in films])
    )


def pretrain(data: Batch, steps: int, seed: int, config: TinyConfig | None = None, batch_size: int = 64) -> TinyVLM:
    """Train a model from scratch on films and sentences, shifting films by up to 4 pixels."""
    torch.manual_seed(seed)
    model = TinyVLM(config)
    generator = torch.Generator().manual_seed(seed)

    def loss(rows: torch.Tensor) -> torch.Tensor:
        tokens = model.encoder(_shifted(data.images[rows], generator))
        return contrastive_loss(model, tokens, data.indications[rows], data.sentences[rows])

    _optimise(model, loss, len(data), steps, PRETRAINING_RATE, batch_size, generator)
    return model.eval()


def adapt(
    base: TinyVLM, method: Method, data: Batch, steps: int, seed: int, blind: bool = False, batch_size: int = 64
) -> TinyVLM:
    """Return a copy of the base, adapted to data. blind: the encoder's tokens are zeros throughout, as in `tokens_of`."""
    torch.manual_seed(seed)
    model = prepare(base, method)
    generator = torch.Generator().manual_seed(seed)
    frozen = not (method.full or method.vision_rank)
    kept = tokens_of(model, data.images, blind) if frozen or blind else None

    def loss(rows: torch.Tensor) -> torch.Tensor:
        tokens = model.encoder(data.images[rows]) if kept is None else kept[rows]
        return contrastive_loss(model, tokens, data.indications[rows], data.sentences[rows])

    _optimise(model, loss, len(data), steps, method.rate, batch_size, generator)
    return model.eval()


def prepare(base: TinyVLM, method: Method) -> TinyVLM:
    """Return a copy of the base in which exactly what the method trains is trainable; it computes what the base computes."""
    model = copy.deepcopy(base)
    model.requires_grad_(method.full)
    if method.rank:
        add_lora(model.tower.blocks, LINEAR_LAYERS, method.rank, alpha=2 * method.rank)
    if method.vision_rank:
        add_lora(model.encoder.blocks, LINEAR_LAYERS, method.vision_rank, alpha=2 * method.vision_rank)
    model.projector.requires_grad_(True)
    return model


def trained_share(base: TinyVLM, method: Method) -> float:
    """Return how many numbers a method trains, as a share of the base's."""
    return count_parameters(prepare(base, method)) / sum(parameter.numel() for parameter in base.parameters())


@torch.no_grad()
def tokens_of(model: TinyVLM, images: torch.Tensor, blind: bool = False) -> torch.Tensor:
    """Return the encoder's tokens (n, 16, width) in evaluation mode; zeros of that shape for a blind model."""
    tokens = torch.cat([model.encoder(part) for part in images.split(128)])
    return torch.zeros_like(tokens) if blind else tokens


def _optimise(model, loss, rows: int, steps: int, rate: float, batch_size: int, generator: torch.Generator) -> None:
    """AdamW with a linear warm-up over a tenth of the steps and a cosine to zero; batches are drawn from shuffled rows."""
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimiser = torch.optim.AdamW(trained, lr=rate, weight_decay=0.01)
    warm = max(1, steps // 10)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: min((step + 1) / warm, 0.5 * (1 + np.cos(np.pi * step / steps)))
    )
    order = torch.empty(0, dtype=torch.int64)
    for _ in range(steps):
        if len(order) < min(batch_size, rows):
            order = torch.randperm(rows, generator=generator)
        chosen, order = order[:batch_size], order[batch_size:]
        optimiser.zero_grad()
        loss(chosen).backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimiser.step()
        schedule.step()


def _shifted(images: torch.Tensor, generator: torch.Generator, reach: int = 4) -> torch.Tensor:
    """Move every film by up to `reach` pixels, its edge continued."""
    padded = F.pad(images, (reach,) * 4, mode="replicate")
    moves = torch.randint(0, 2 * reach + 1, (len(images), 2), generator=generator)
    size = images.shape[-1]
    return torch.stack(
        [film[:, y : y + size, x : x + size] for film, (y, x) in zip(padded, moves.tolist(), strict=True)]
    )
