"""Memory, time and money of one fine-tuning run: `python -m proposal.budget --params 4e9 --rank 16 --sequence 1024 --batch 8`.

Estimates from the shapes of the model alone; proposal.md, section 5, says what a 50-step dry run must confirm. Prices and the
share of peak speed that is reached are assumptions, and are printed as such. GB are 1e9 bytes.
"""

from dataclasses import dataclass

from cli.command import run
from cli.settings import parse_settings, setting
from proposal.shapes import ARCHITECTURES, Architecture, scaled_to

BF16, FP32 = 2, 4
ADAM_BYTES = 2 + 2 + 4 + 8  # of one trained number: bf16 copy, its gradient, fp32 master copy, Adam's two moments
NF4_BYTES = (4 + 8 / 64 + 32 / (64 * 256)) / 8  # 4 bits, an 8-bit constant per 64, an fp32 constant per 256 of those
OVERHEAD_BYTES = 1.5e9  # CUDA context and workspaces: an assumption
HEADROOM = 0.9  # share of a card that may be planned for: fragmentation takes the rest, an assumption
METHODS = ("projector", "lora", "qlora", "full")


@dataclass(frozen=True)
class Card:
    """A graphics card. peak: dense bf16 FLOP per second with fp32 accumulation."""

    name: str
    memory: float
    peak: float
    price_per_hour: float  # assumed, USD


CARDS = {
    "24GB": Card("24 GB (RTX 4090 class)", 24e9, 165e12, 0.5),
    "80GB": Card("80 GB (A100 class)", 80e9, 312e12, 2.0),
}


@dataclass(frozen=True)
class BudgetConfig:
    """One run, as the command line gives it."""

    model: str = setting("gemma3-4b", "shapes of the model", choices=tuple(ARCHITECTURES))
    params: float | None = setting(None, "parameters of the decoder; scales the model's depth (default: as published)")
    method: str = setting("lora", "what is trained", choices=METHODS)
    rank: int = setting(16, "rank of the adapters")
    targets: tuple[str, ...] = setting(("attention", "mlp"), "adapted decoder layers: attention, mlp")
    vision_rank: int = setting(0, "rank of adapters in the vision encoder; 0 leaves it frozen")
    sequence: int = setting(1024, "tokens of one sample: images, prompt and target together")
    target_length: int = setting(256, "tokens of one sample that carry loss; only their logits are kept")
    images: int = setting(2, "images of one sample")
    batch: int = setting(8, "samples on one card at a time")
    samples: float = setting(150e3, "samples of one epoch")
    epochs: float = setting(3.0, "epochs")
    card: str = setting("24GB", "card", choices=tuple(CARDS))
    cards: int = setting(1, "number of cards")
    shard: bool = setting(False, "spread weights, gradients and optimiser over the cards (ZeRO stage 3)")
    utilisation: float = setting(0.25, "share of the card's peak that is reached: an assumption, 0..1")
    scaling: float = setting(0.9, "efficiency of several cards against one: an assumption, 0..1")
    price: float | None = setting(None, "USD per card and hour: an assumption (default: 0.5 for 24GB, 2 for 80GB)")


@dataclass(frozen=True)
class Budget:
    """What one run takes. Bytes are per card; memory_parts add up to memory."""

    trainable: float
    memory_parts: dict[str, float]
    memory: float
    fits: bool
    flop_per_sample: float
    hours: float
    card_hours: float
    money: float


def estimate(config: BudgetConfig) -> Budget:
    """Return the budget of one run. ValueError when a setting makes no sense."""
    _check(config)
    shape = ARCHITECTURES[config.model]
    shape = shape if config.params is None else scaled_to(shape, config.params)
    card = CARDS[config.card]
    trained = trainable(shape, config)
    parts = memory_parts(shape, config)
    memory = sum(parts.values())
    flop = flop_per_sample(shape, config)
    speed = card.peak * config.utilisation * config.cards * (config.scaling if config.cards > 1 else 1.0)
    hours = flop * config.samples * config.epochs / speed / 3600
    price = card.price_per_hour if config.price is None else config.price
    fits = memory <= HEADROOM * card.memory
    return Budget(trained, parts, memory, fits, flop, hours, hours * config.cards, hours * config.cards * price)


def trainable(shape: Architecture, config: BudgetConfig) -> float:
    """Return how many numbers are trained. "full" trains the decoder's layers; encoder, embeddings and head stay frozen."""
    if config.method == "full":
        return shape.decoder_linear + shape.projector
    adapters = 0.0
    if config.method in ("lora", "qlora"):
        adapters = shape.decoder_lora(config.rank, config.targets) + shape.vision_lora(config.vision_rank)
    return shape.projector + adapters


def memory_parts(shape: Architecture, config: BudgetConfig) -> dict[str, float]:
    """Return the bytes on one card by what they are for. Activations are checkpointed layer by layer.

    Checkpoints hold one hidden state per layer and token; one layer is recomputed at a time, with flash attention, so that no
    (tokens x tokens) matrix is kept. A frozen encoder keeps nothing after its forward pass, whose largest moment and that of the
    recomputed layer never meet: the larger counts. An encoder with adapters is checkpointed as the decoder is.
    """
    spread = config.cards if config.shard else 1
    trained = trainable(shape, config)
    linear_bytes = NF4_BYTES if config.method == "qlora" else BF16
    weights = shape.decoder_linear * linear_bytes + (shape.embeddings + shape.vision + shape.projector) * BF16
    optimiser = trained * ADAM_BYTES
    if config.method == "full":
        optimiser -= trained * BF16  # their bf16 copy is already counted as weights
    else:
        optimiser -= shape.projector * BF16
    tokens = config.batch * config.sequence
    checkpoints = tokens * shape.layers * shape.hidden * BF16
    # Twice: the layer's recomputed values and their gradients.
    one_layer = 2 * tokens * shape.values_per_token * BF16
    patches = config.batch * config.images * shape.patches
    vision = patches * shape.vision_values_per_patch * BF16
    if config.vision_rank:
        vision = 2 * vision + patches * shape.vision_layers * shape.vision_hidden * BF16
    logits = config.batch * config.target_length * shape.vocabulary * (FP32 + FP32)
    return {
        "weights": weights / spread,
        "gradients and optimiser": optimiser / spread,
        "checkpointed activations": checkpoints,
        "largest transient": max(one_layer, 0.0 if config.vision_rank else vision),
        "vision encoder": vision if config.vision_rank else 0.0,
        "logits": logits,
        "context and workspace": OVERHEAD_BYTES,
    }


def flop_per_sample(shape: Architecture, config: BudgetConfig) -> float:
    """Return the floating-point operations of one training sample, forward, recomputed forward and backward.

    2 per weight and token forward, as many for the recomputation and for the gradient by the inputs, and again as many where
    the weights themselves are trained. Attention's own products have no weights, but two inputs that both need a gradient, so
    they count four times in any case. The frozen head is not recomputed; a frozen encoder runs forward only.
    """
    passes = 4 if config.method == "full" else 3
    linear = 2 * shape.decoder_linear * config.sequence
    attention = 4 * shape.layers * shape.query * config.sequence**2
    head = 2 * shape.hidden * shape.vocabulary * config.target_length
    vision_linear = 2 * shape.vision * shape.patches
    vision_attention = 4 * shape.vision_layers * shape.vision_hidden * shape.patches**2
    vision = 3 * vision_linear + 4 * vision_attention if config.vision_rank else vision_linear + vision_attention
    adapters = trainable(shape, config) if config.method in ("lora", "qlora") else 0.0
    return passes * linear + 4 * attention + 2 * head + vision * config.images + 8 * adapters * config.sequence


def _check(config: BudgetConfig) -> None:
    unknown = set(config.targets) - {"attention", "mlp"}
    if unknown or not config.targets:
        raise ValueError(f"targets {', '.join(config.targets) or 'none'}; wanted attention, mlp or both")
    if not 0 < config.target_length <= config.sequence:
        raise ValueError(f"target_length {config.target_length}; wanted 1 to the sequence's {config.sequence} tokens")
    if min(config.rank, config.batch, config.cards, config.images) < 1 or config.vision_rank < 0:
        raise ValueError("rank, batch, cards and images must be 1 or more, vision_rank 0 or more")
    if not 0 < config.utilisation <= 1 or not 0 < config.scaling <= 1 or config.samples <= 0 or config.epochs <= 0:
        raise ValueError("utilisation and scaling must be above 0 and at most 1, samples and epochs above 0")


def report_lines(config: BudgetConfig) -> list[str]:
    """Return the lines that the command prints."""
    budget, card = estimate(config), CARDS[config.card]
    rows = [f"  {name:<26}{value / 1e9:8.2f} GB" for name, value in budget.memory_parts.items()]
    verdict = "fits" if budget.fits else "does not fit"
    price = card.price_per_hour if config.price is None else config.price
    return [
        f"{config.model}, {config.method}, {budget.trainable / 1e6:.1f} M numbers trained, {config.batch} samples a card",
        *rows,
        f"  {'total':<26}{budget.memory / 1e9:8.2f} GB: {verdict} into {HEADROOM:.0%} of {config.cards} x {card.name}",
        f"{budget.flop_per_sample:.2e} FLOP a sample; {config.samples:.0f} samples x {config.epochs:g} epochs",
        f"{budget.hours:.1f} h on {config.cards} card(s) = {budget.card_hours:.1f} card-hours"
        f" (assumed: {config.utilisation:.0%} of peak)",
        f"{budget.money:.0f} USD (assumed: {price:g} USD per card and hour)",
    ]


def main(argv: list[str]) -> int:
    """Print the budget of one run."""
    print("\n".join(report_lines(parse_settings(BudgetConfig, argv, __doc__))))
    return 0


if __name__ == "__main__":
    run(main)
