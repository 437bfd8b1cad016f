"""A contrastive image-text model with the parts of a vision-language model: encoder, projector, one tower for images and words.

The tower reads either a film with its indication, or a sentence; a film and its sentence should end in the same place
(Radford et al. 2021, arXiv 2103.00020). Small enough for one core; trained from scratch on phantom films.
"""

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F

from proposal.wording import TEXT_LENGTH, VOCABULARY

IMAGE_TOKENS = 16


@dataclass(frozen=True)
class TinyConfig:
    """Sizes of all parts."""

    width: int = 64
    heads: int = 4
    encoder_layers: int = 2
    tower_layers: int = 2


class Block(nn.Module):
    """A transformer layer with the norm in front; its six linear layers are named so that LoRA can find them."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.norm_attention, self.norm_mlp = nn.LayerNorm(width), nn.LayerNorm(width)
        self.q, self.k, self.v, self.o = (nn.Linear(width, width) for _ in range(4))
        self.up, self.down = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)

    def forward(self, x: torch.Tensor, seen: torch.Tensor | None = None) -> torch.Tensor:
        """(B, T, width) -> the same; seen: (B, T) bool, places that may be looked at, all where None."""
        b, t, w = x.shape
        y = self.norm_attention(x)
        q, k, v = (layer(y).view(b, t, self.heads, -1).transpose(1, 2) for layer in (self.q, self.k, self.v))
        mask = None if seen is None else seen[:, None, None, :]
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask).transpose(1, 2).reshape(b, t, w)
        x = x + self.o(y)
        return x + self.down(F.gelu(self.up(self.norm_mlp(x))))


class Residual(nn.Module):
    """Half the size, then one convolution beside a straight path: (B, a, H, W) -> (B, b, H / 2, W / 2)."""

    def __init__(self, a: int, b: int):
        super().__init__()
        self.down = nn.Sequential(nn.Conv2d(a, b, 3, 2, 1), nn.GroupNorm(4, b), nn.GELU())
        self.more = nn.Sequential(nn.Conv2d(b, b, 3, 1, 1), nn.GroupNorm(4, b), nn.GELU())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.down(x)
        return x + self.more(x)


class Encoder(nn.Module):
    """Films (B, 1, 64, 64) in [0, 1] -> (B, 16, width): convolutions down to 4 x 4 places, then attention between them."""

    def __init__(self, config: TinyConfig):
        super().__init__()
        w = config.width
        self.stem = nn.Sequential(Residual(1, 16), Residual(16, 32), Residual(32, w), Residual(w, w))
        self.place = nn.Parameter(0.2 * torch.randn(IMAGE_TOKENS, w))
        self.blocks = nn.ModuleList(Block(w, config.heads) for _ in range(config.encoder_layers))
        self.norm = nn.LayerNorm(w)

    def forward(self, films: torch.Tensor) -> torch.Tensor:
        spread, mean = torch.std_mean(films, dim=(1, 2, 3), keepdim=True)  # displays differ from hospital to hospital
        x = self.stem((films - mean) / (spread + 1e-3)).flatten(2).transpose(1, 2) + self.place
        for block in self.blocks:
            x = block(x)
        return self.norm(x)


class Projector(nn.Module):
    """Encoder's tokens -> the tower's tokens, (B, T, width) both."""

    def __init__(self, width: int):
        super().__init__()
        self.inner, self.outer = nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.outer(F.gelu(self.inner(tokens)))


class Tower(nn.Module):
    """Reads tokens and words and ends in one unit vector (B, width)."""

    def __init__(self, config: TinyConfig):
        super().__init__()
        w = config.width
        self.words = nn.Embedding(len(VOCABULARY), w)
        nn.init.normal_(self.words.weight, std=0.2)  # as loud as a film's tokens, or the indication would drown them
        self.start = nn.Parameter(0.02 * torch.randn(2, w))  # one for a film, one for a sentence
        self.place = nn.Parameter(0.02 * torch.randn(IMAGE_TOKENS + TEXT_LENGTH, w))
        self.blocks = nn.ModuleList(Block(w, config.heads) for _ in range(config.tower_layers))
        self.norm = nn.LayerNorm(w)
        self.head = nn.Linear(w, w)
        # Films and sentences are centred, each kind by itself: uncentred, all places start so close together that training
        # stays at chance. The means are learnt in pre-training and stay as they are in evaluation mode.
        self.centre = nn.ModuleList(nn.BatchNorm1d(w, affine=False) for _ in range(2))

    def forward(self, words: torch.Tensor, image: torch.Tensor | None = None) -> torch.Tensor:
        """words: (B, TEXT_LENGTH) numbers; image: (B, 16, width), None for a sentence."""
        words = words[
            :, : int((words > 0).sum(dim=1).max())
        ]  # what is behind every sentence's end costs time for nothing
        x = self.words(words) + self.place[IMAGE_TOKENS : IMAGE_TOKENS + words.shape[1]]
        seen = words > 0
        kind = 1 if image is None else 0
        start = self.start[kind].expand(len(x), 1, -1)
        parts, looks = [start], [seen.new_ones(len(x), 1)]
        if image is not None:
            parts.append(image + self.place[:IMAGE_TOKENS])
            looks.append(seen.new_ones(image.shape[:2]))
        x, seen = torch.cat([*parts, x], dim=1), torch.cat([*looks, seen], dim=1)
        for block in self.blocks:
            x = block(x, seen)
        # The mean over what was read: the start's own place alone is nearly the same for all at first, and never comes apart.
        weight = seen.unsqueeze(-1).float()
        mean = (self.norm(x) * weight).sum(dim=1) / weight.sum(dim=1)
        return F.normalize(self.centre[kind](self.head(mean)), dim=-1)


class TinyVLM(nn.Module):
    """Encoder, projector, tower, and how sharply two places are told apart."""

    def __init__(self, config: TinyConfig | None = None):
        super().__init__()
        config = config or TinyConfig()
        self.encoder, self.projector, self.tower = Encoder(config), Projector(config.width), Tower(config)
        self.log_sharpness = nn.Parameter(torch.tensor(2.7))

    def film_places(self, tokens: torch.Tensor, indications: torch.Tensor) -> torch.Tensor:
        """tokens: the encoder's, (B, 16, width); a blind model gets zeros in their place. Returns (B, width), unit length."""
        return self.tower(indications, self.projector(tokens))

    def text_places(self, sentences: torch.Tensor) -> torch.Tensor:
        """Returns (B, width), unit length."""
        return self.tower(sentences)


def contrastive_loss(
    model: TinyVLM, tokens: torch.Tensor, indications: torch.Tensor, sentences: torch.Tensor
) -> torch.Tensor:
    """Cross-entropy of film to sentence and back over a batch; equal sentences in a batch count as right answers alike."""
    logits = model.film_places(tokens, indications) @ model.text_places(sentences).T * model.log_sharpness.exp()
    same = (sentences[:, None] == sentences[None]).all(dim=-1).float()
    wanted = same / same.sum(dim=1, keepdim=True)
    return (F.cross_entropy(logits, wanted) + F.cross_entropy(logits.T, wanted)) / 2
