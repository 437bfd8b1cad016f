"""What else lies in a hospital's export: CT and MR slices, lateral films, other body parts. Selection must leave them out."""

import numpy as np

from data.phantom.canvas import Frame

KINDS = ("ct", "mr", "lateral", "hand")


def draw_distractor(kind: str, rng: np.random.Generator, size: int = 256) -> np.ndarray:
    """Draw a rough picture (size, size) uint8 of one of KINDS."""
    frame = Frame(size, 400 / size, -200.0, -200.0)
    grey = {"ct": _slice, "mr": _slice, "lateral": _lateral, "hand": _hand}[kind](frame, rng)
    if kind == "mr":
        grey = frame.blur(grey, 2.0) ** 1.5
    return np.uint8(np.clip(grey + rng.normal(0, 0.02, grey.shape), 0, 1) * 255)


def _slice(frame: Frame, rng: np.random.Generator) -> np.ndarray:
    """A slice across the chest: body, two lungs, heart, vertebra."""
    body = frame.coverage(_ellipse(0, 0, 165, 115))
    lungs = frame.coverage(_ellipse(-75, -5, 55, 80)) + frame.coverage(_ellipse(75, -5, 55, 80))
    heart = frame.coverage(_ellipse(rng.uniform(5, 25), -25, 45, 40))
    bone = frame.coverage(_ellipse(0, 70, 22, 20))
    return 0.55 * body - 0.5 * lungs * (1 - heart) + 0.35 * bone


def _lateral(frame: Frame, rng: np.random.Generator) -> np.ndarray:
    """A chest from the side: one bright trunk with a dark retrosternal and retrocardiac space."""
    body = frame.ramp(frame.coverage(_ellipse(0, 20, 120, 190)), 30)
    air = frame.ramp(frame.coverage(_ellipse(rng.uniform(-10, 10), -10, 80, 120)), 20)
    heart = frame.ramp(frame.coverage(_ellipse(-35, 55, 45, 50)), 12)
    spine = frame.coverage(_ellipse(85, 20, 18, 180))
    return 0.75 * body - 0.5 * air * (1 - heart) + 0.2 * spine


def _hand(frame: Frame, rng: np.random.Generator) -> np.ndarray:
    """Five fingers and a palm."""
    flesh = frame.coverage(_ellipse(0, 70, 75, 80))
    bones = np.zeros_like(flesh)
    for number, angle in enumerate(np.linspace(-0.5, 0.5, 5)):
        tip = 180 * np.array([np.sin(angle), -np.cos(angle)]) + (0, 40 if number in (0, 4) else 0)
        line = np.linspace([0.3 * tip[0], 60], tip, 6)
        flesh = np.maximum(flesh, np.minimum(frame.strokes([(line, 34)]) / 10, 1))
        bones = np.maximum(bones, np.minimum(frame.strokes([(line, 13)]) / 6, 1))
    return 0.35 * flesh + 0.5 * bones


def _ellipse(x: float, y: float, half_width: float, half_height: float) -> np.ndarray:
    angle = np.linspace(0, 2 * np.pi, 60)
    return np.stack([x + half_width * np.cos(angle), y + half_height * np.sin(angle)], axis=1)
