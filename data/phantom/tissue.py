"""What the rays pass through: soft tissue, air and bone, each as a thickness in millimetres over the detector."""

from dataclasses import dataclass

import numpy as np

from data.phantom.anatomy import Chest, Patient, Pose, spline
from data.phantom.canvas import Frame


@dataclass(frozen=True)
class Findings:
    """What is wrong with the lungs of one film. effusion: (side, height of the fluid, 0..1 of the lung). opacities: (x, y,
    radius, strength) with x, y in lung units. cardiomegaly is in the patient's heart ratio."""

    effusion: tuple[int, float] | None
    opacities: tuple[tuple[float, float, float, float], ...]


@dataclass(frozen=True)
class Tissue:
    """Thicknesses in mm, (size, size) each, and the bool masks that go with them."""

    soft: np.ndarray
    bone: np.ndarray
    right_lung: np.ndarray
    left_lung: np.ndarray
    heart: np.ndarray


def build_tissue(
    chest: Chest, patient: Patient, pose: Pose, findings: Findings, frame: Frame, rng: np.random.Generator
) -> Tissue:
    """Add up what lies in the rays' way, and make the masks of the clear lung fields; lung hidden by fluid belongs to them."""
    right, left = frame.coverage(chest.right_space), frame.coverage(chest.left_space)
    heart, mediastinum = frame.coverage(chest.heart), frame.coverage(chest.mediastinum)
    body = frame.coverage(chest.body)
    depth = (195 + 35 * patient.build) * rng.uniform(0.9, 1.1)
    soft = depth * frame.ramp(body, 30, 0.5) + 12 * body
    air = _air(right, left, heart, mediastinum, depth, frame, rng)
    fluid = _fluid(chest, right + left, findings, frame)
    opacity = _opacities(chest, findings, right + left, frame, rng)
    vessels = frame.strokes(_vessels(chest, rng)) * (right + left)
    soft = soft - air * (1 - fluid) * (1 - opacity) + rng.uniform(1.2, 2.6) * vessels
    soft += _abdomen(chest, right + left, body, frame, rng) + _breasts(chest, patient, frame, rng)
    soft += frame.blur(mediastinum, 5) * rng.uniform(6, 28) + frame.ramp(heart, 12) * rng.uniform(8, 32)
    soft = np.maximum(soft - _trachea(chest, frame, rng), 0)
    bone = skeleton(chest, pose, body, frame, rng)
    clear = 1 - np.maximum(mediastinum, heart)
    return Tissue(soft, bone, right * clear >= 0.5, left * clear >= 0.5, heart >= 0.5)


def _air(right, left, heart, mediastinum, depth, frame: Frame, rng: np.random.Generator) -> np.ndarray:
    """Air in the rays' way, mm: full in the clear fields, less behind heart and mediastinum, a little below the domes."""
    both = np.maximum(right, left)
    density = rng.uniform(0.68, 0.85)  # share of a lung that is air
    inside = frame.ramp(both, rng.uniform(9, 16), rng.uniform(0.4, 0.65))
    hidden = np.clip(1 - rng.uniform(0.35, 0.75) * frame.blur(heart, 2.0) - 0.8 * frame.blur(mediastinum, 3.0), 0, 1)
    rows = round(rng.uniform(8, 30) / frame.mm_per_px)
    below = np.zeros_like(both)
    below[rows:] = both[:-rows]
    recess = np.clip(frame.blur(below, 8) - both, 0, 1) * rng.uniform(0.02, 0.15)
    return depth * density * 0.78 * (inside * hidden + recess)


def _fluid(chest: Chest, both: np.ndarray, findings: Findings, frame: Frame) -> np.ndarray:
    """Share of the lung's depth that is fluid: level with a meniscus rising to the wall."""
    if findings.effusion is None:
        return np.zeros_like(both)
    side, level = findings.effusion
    corner = chest.right_angle if side < 0 else chest.left_angle
    y, x = np.mgrid[: frame.size, : frame.size] * frame.mm_per_px
    x, y = x + frame.left_mm, y + frame.top_mm
    surface = corner[1] - level * chest.height_mm - 22 * np.exp(-np.abs(x - corner[0]) / 18)
    rising = 1 / (1 + np.exp(-np.clip((y - surface) / 4, -30, 30)))
    return rising * ((x < 0) if side < 0 else (x > 0)) * (both > 0)


def _opacities(
    chest: Chest, findings: Findings, both: np.ndarray, frame: Frame, rng: np.random.Generator
) -> np.ndarray:
    """Share of the air that is filled up: cloudy patches with ragged edges."""
    total = np.zeros_like(both)
    if not findings.opacities:
        return total
    y, x = np.mgrid[: frame.size, : frame.size] * frame.mm_per_px
    x, y = x + frame.left_mm, y + frame.top_mm
    ragged = frame.blur(rng.normal(0, 1, both.shape), 6)
    ragged = ragged / (ragged.std() + 1e-6)
    for cx, cy, radius, strength in findings.opacities:
        distance = np.hypot(x - cx * chest.half_width_mm, (y - cy * chest.height_mm) * 0.8) / (
            radius * chest.half_width_mm
        )
        total = np.maximum(total, strength / (1 + np.exp(6 * (distance - 1 + 0.25 * ragged))))
    return total.astype(np.float32)


def _vessels(chest: Chest, rng: np.random.Generator) -> list[tuple[np.ndarray, float]]:
    """Branching lines from both hila outwards, thinner at every fork."""
    lines = []
    for side in (-1, 1):
        hilum = np.array([side * 0.22 * chest.half_width_mm, rng.uniform(0.40, 0.48) * chest.height_mm])
        for angle in np.linspace(-1.25, 1.35, 9) + rng.normal(0, 0.12, 9):
            direction = np.array([side * np.cos(angle), np.sin(angle)])
            _branch(
                lines, hilum, direction, rng.uniform(3.0, 6.0), rng.uniform(0.22, 0.36) * chest.half_width_mm, 4, rng
            )
    return lines


def _branch(
    lines: list, start: np.ndarray, direction: np.ndarray, width: float, length: float, forks: int, rng
) -> None:
    bend = rng.normal(0, 0.15)
    middle = start + direction * length / 2 + bend * length * np.array([-direction[1], direction[0]]) / 2
    end = start + direction * length
    lines.append((spline([tuple(start), tuple(middle), tuple(end)], steps=4), width))
    if forks:
        for turn in (rng.normal(-0.38, 0.15), rng.normal(0.38, 0.15)):
            turned = np.array([direction[0] * np.cos(turn) - direction[1] * np.sin(turn),
                               direction[0] * np.sin(turn) + direction[1] * np.cos(turn)])  # fmt: skip
            _branch(lines, end, turned, width * 0.68, length * rng.uniform(0.6, 0.85), forks - 1, rng)


def _abdomen(chest: Chest, both: np.ndarray, body: np.ndarray, frame: Frame, rng: np.random.Generator) -> np.ndarray:
    """Liver and belly below the domes, with the stomach's gas bubble under the left one."""
    y = np.arange(frame.size)[:, None] * frame.mm_per_px + frame.top_mm
    dome = 0.5 * (chest.right_dome[1] + chest.left_dome[1])
    below = 1 / (1 + np.exp(-np.clip((y - dome) / 10, -30, 30))) * body * (1 - both)
    belly = rng.uniform(15, 60) * below
    if rng.random() < 0.6:
        centre = chest.left_dome + (rng.uniform(-25, 15), rng.uniform(22, 38))
        angle = np.linspace(0, 2 * np.pi, 40)
        size = rng.uniform(14, 30), rng.uniform(8, 16)
        bubble = frame.coverage(centre + np.stack([size[0] * np.cos(angle), size[1] * np.sin(angle)], axis=1))
        belly -= frame.ramp(bubble, 4) * rng.uniform(30, 70) * (1 - both)
    return belly


def _breasts(chest: Chest, patient: Patient, frame: Frame, rng: np.random.Generator) -> np.ndarray:
    """Soft shadows over the lower lungs, women mostly."""
    if patient.sex == "M" and rng.random() < 0.8:
        return np.zeros((frame.size, frame.size), np.float32)
    thickness = rng.uniform(8, 45)
    size = chest.half_width_mm * rng.uniform(0.34, 0.5)
    drop = rng.uniform(0.62, 0.95)
    angle = np.linspace(0, 2 * np.pi, 50)
    total = 0
    for side in (-1, 1):
        centre = np.array([side * chest.half_width_mm * rng.uniform(0.55, 0.68), drop * chest.height_mm])
        outline = centre + size * np.stack([np.cos(angle), 0.85 * np.sin(angle)], axis=1)
        total = total + thickness * frame.ramp(frame.coverage(outline), 14, 0.8)
    return total


def _trachea(chest: Chest, frame: Frame, rng: np.random.Generator) -> np.ndarray:
    """The windpipe and main bronchi: air in the upper mediastinum."""
    h, w = chest.height_mm, chest.half_width_mm
    sway = rng.normal(0, 4)
    fork = np.array([sway + 0.01 * w, rng.uniform(0.34, 0.40) * h])
    pipe = spline([(sway / 3, -0.35 * h), (sway / 2, 0.0), (sway, 0.2 * h), tuple(fork)], steps=6)
    arms = [
        spline([tuple(fork), tuple(fork + (s * 0.11 * w, 0.06 * h)), tuple(fork + (s * 0.2 * w, 0.10 * h))], steps=5)
        for s in (-1, 1)
    ]
    return frame.blur(frame.strokes([(pipe, rng.uniform(14, 20)), (arms[0], 11), (arms[1], 10)]), 1.0) * rng.uniform(
        0.7, 1.6
    )


def skeleton(chest: Chest, pose: Pose, body: np.ndarray, frame: Frame, rng: np.random.Generator) -> np.ndarray:
    """Spine, ribs behind and in front, clavicles, shoulder blades, arms: thickness of bone in mm."""
    h, w = chest.height_mm, chest.half_width_mm
    ribs, edges = [], []
    spread = rng.uniform(0.088, 0.108)
    slope = rng.uniform(0.10, 0.24) + (0.05 if pose.supine else 0)
    for number in range(11):
        root = -0.02 + spread * number * 1.02
        reach = np.interp(number, [0, 1, 3, 6, 10], [0.52, 0.78, 0.97, 1.05, 1.07])
        for side in (-1, 1):
            curve = [(side * 0.13 * w, root * h), (side * 0.32 * w, (root - 0.025) * h),
                     (side * 0.68 * reach * w, (root + 0.35 * slope) * h), (side * reach * w, (root + slope) * h)]  # fmt: skip
            ribs.append((spline(curve, steps=7), rng.uniform(6.5, 9.5)))
            if number < 7:  # in front: from the side down to the breastbone's cartilage, which does not show
                front = [(side * reach * w, (root + slope) * h), (side * 0.8 * reach * w, (root + slope + 0.115) * h),
                         (side * rng.uniform(0.36, 0.5) * w, (root + slope + 0.17) * h)]  # fmt: skip
                edges.append((spline(front, steps=6), rng.uniform(7, 11)))
    thickness = 0.55 * frame.strokes(ribs) + 0.35 * frame.strokes(edges)
    thickness += _spine(chest, frame) + _shoulders(chest, pose, frame, rng)
    return frame.blur(thickness, 0.7) * (body > 0.5) * rng.uniform(1.0, 2.4)


def _spine(chest: Chest, frame: Frame) -> np.ndarray:
    """Vertebrae with discs between them, and their pedicles."""
    h, w = chest.height_mm, chest.half_width_mm
    pitch = 0.083 * h
    bodies, dots = [], []
    for number in range(-3, 16):
        y = number * pitch
        half = w * 0.085 * (0.9 + 0.02 * number)
        bodies.append((np.array([[-half, y], [half, y]]), 0.8 * pitch))
        dots += [(np.array([[s * half * 0.75, y], [s * half * 0.75, y + 5.0]]), 6.0) for s in (-1, 1)]
    return 0.7 * np.minimum(frame.strokes(bodies), 18) + 0.6 * frame.strokes(dots)


def _shoulders(chest: Chest, pose: Pose, frame: Frame, rng: np.random.Generator) -> np.ndarray:
    """Clavicles, shoulder blades (over the lungs when the arms hang) and upper arms."""
    h, w = chest.height_mm, chest.half_width_mm
    lift = rng.normal(0.02, 0.03) - (0.10 if pose.arms_up else 0)
    lines, total = [], 0
    for side in (-1, 1):
        curve = [(side * 0.15 * w, (0.13 + lift) * h), (side * 0.45 * w, (0.09 + lift) * h), (side * 0.8 * w, (0.02 + lift) * h),
                 (side * 1.18 * w, (-0.03 + lift) * h)]  # fmt: skip
        lines.append((spline(curve, steps=7), rng.uniform(9, 12.5)))
        inner = rng.uniform(0.72, 1.05)
        blade = spline([(side * (inner + 0.02) * w, 0.02 * h), (side * 1.28 * w, -0.03 * h), (side * 1.3 * w, 0.14 * h),
                        (side * (inner + 0.12) * w, 0.42 * h), (side * inner * w, 0.34 * h)], closed=True)  # fmt: skip
        total = total + frame.ramp(frame.coverage(blade), 2.5, 0.5) * rng.uniform(1.5, 4.5)
        arm = [
            (side * 1.36 * w, 0.04 * h),
            (side * (1.5 if pose.arms_up else 1.48) * w, (-0.4 if pose.arms_up else 0.75) * h),
        ]
        lines.append((np.array(arm), rng.uniform(20, 25)))
    return total + 0.75 * frame.strokes(lines)
