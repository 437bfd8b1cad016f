"""Learning rate as a function of the step: a linear warm-up, then half a cosine down to a hundredth."""

import math

FINAL_SHARE = 0.01


def learning_rate(step: int, total_steps: int, peak: float, warmup_steps: int) -> float:
    """Return the rate for step 0 .. total_steps - 1 (Loshchilov & Hutter 2017, without restarts)."""
    if step < warmup_steps:
        return peak * (step + 1) / warmup_steps
    position = (step - warmup_steps) / max(1, total_steps - 1 - warmup_steps)
    cosine = 0.5 * (1 + math.cos(math.pi * position))
    return peak * (FINAL_SHARE + (1 - FINAL_SHARE) * cosine)
