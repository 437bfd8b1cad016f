"""Widths and depths of the models the budget is about, read from their published config files (proposal.md, references)."""

from collections.abc import Iterable
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Architecture:
    """Sizes of a vision-language model: decoder, vision encoder, projector. All counts are of numbers, not bytes."""

    name: str
    hidden: int
    layers: int
    query: int  # width of all query heads together
    key: int  # width of all key heads together, and of all value heads
    feed_forward: int  # gated: three matrices
    vocabulary: int
    tied: bool  # whether input and output embeddings are one matrix
    vision_hidden: int
    vision_layers: int
    vision_feed_forward: int  # two matrices
    patches: int  # that the encoder sees of one image
    projector: int

    def matrices(self, targets: Iterable[str]) -> list[tuple[int, int]]:
        """Return (in, out) of the linear layers of one decoder layer that belong to the targets attention and mlp."""
        groups = {
            "attention": [(self.hidden, self.query)] + 2 * [(self.hidden, self.key)] + [(self.query, self.hidden)],
            "mlp": 2 * [(self.hidden, self.feed_forward)] + [(self.feed_forward, self.hidden)],
        }
        return [matrix for target in targets for matrix in groups[target]]

    @property
    def vision_matrices(self) -> list[tuple[int, int]]:
        """(in, out) of the linear layers of one encoder layer."""
        h, f = self.vision_hidden, self.vision_feed_forward
        return 4 * [(h, h)] + [(h, f), (f, h)]

    @property
    def decoder_linear(self) -> float:
        """Numbers in all linear layers of the decoder, without embeddings."""
        return float(self.layers * sum(a * b for a, b in self.matrices(("attention", "mlp"))))

    @property
    def embeddings(self) -> float:
        """Numbers in the embeddings, input and output."""
        return float(self.hidden * self.vocabulary * (1 if self.tied else 2))

    @property
    def vision(self) -> float:
        """Numbers in the linear layers of the encoder."""
        return float(self.vision_layers * sum(a * b for a, b in self.vision_matrices))

    @property
    def total(self) -> float:
        """All of it; norms and biases, below 0.1 %, are left out."""
        return self.decoder_linear + self.embeddings + self.vision + self.projector

    @property
    def values_per_token(self) -> int:
        """Values of one decoder layer for a token while it is recomputed: four hidden states, q, k, v, o, three of the mlp."""
        return 4 * self.hidden + 2 * self.query + 2 * self.key + 3 * self.feed_forward

    @property
    def vision_values_per_patch(self) -> int:
        """The same for the encoder: four hidden states, q, k, v, o, two of mlp."""
        return 8 * self.vision_hidden + 2 * self.vision_feed_forward

    def decoder_lora(self, rank: int, targets: Iterable[str]) -> float:
        """Numbers in adapters of that rank: r (in + out) for every matrix."""
        return float(self.layers * rank * sum(a + b for a, b in self.matrices(targets)))

    def vision_lora(self, rank: int) -> float:
        """Numbers in adapters on all linear layers of the encoder."""
        return float(self.vision_layers * rank * sum(a + b for a, b in self.vision_matrices))


ARCHITECTURES = {
    # Gemma 3 4B and MedGemma 4B: 896 x 896 pixels in patches of 14, pooled to 256 tokens; the projector is one matrix.
    "gemma3-4b": Architecture(
        "gemma3-4b", 2560, 34, 2048, 1024, 10240, 262_208, True, 1152, 27, 4304, 64 * 64, 1152 * 2560
    ),
    # LLaVA-Rad: Vicuna 7B v1.5, a ViT-B/14 at 518 pixels, all 37 x 37 + 0 patches as tokens, a two-layer projector.
    "vicuna-7b": Architecture(
        "vicuna-7b",
        4096,
        32,
        4096,
        4096,
        11008,
        32_000,
        False,
        768,
        12,
        3072,
        37 * 37,
        768 * 4096 + 4096 * 4096,
    ),
}


def scaled_to(shape: Architecture, parameters: float) -> Architecture:
    """Return the same model with as many decoder layers as bring its decoder closest to `parameters`, embeddings included.

    Widths stay. ValueError when not even one layer fits.
    """
    per_layer = shape.decoder_linear / shape.layers
    layers = round((parameters - shape.embeddings) / per_layer)
    if layers < 1:
        raise ValueError(
            f"params {parameters:.3g}: {shape.name}'s embeddings alone have {shape.embeddings:.3g}; wanted more, or another model"
        )
    return replace(shape, layers=layers)
