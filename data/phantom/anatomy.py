"""The chest as smooth contours in millimetres: x to the image's right (the patient's left), y down, origin at the midline of the
lungs' upper end. Every proportion is drawn from the patient's sex, age and build.
"""

from dataclasses import dataclass

import numpy as np

Contour = np.ndarray  # (n, 2) x, y in mm, closed


@dataclass(frozen=True)
class Patient:
    """One invented person; what stays the same from film to film."""

    sex: str  # M or F
    age_years: float
    build: float  # -1 slender .. 1 heavy
    half_width_mm: float  # midline to the outermost lung
    lung_height_mm: float  # right apex to right costophrenic angle, at deep inspiration
    heart_ratio: float  # heart width to thorax width on a PA film
    asymmetry: float  # left lung's width and height against the right's
    scoliosis_mm: float  # sideways bow of the spine


@dataclass(frozen=True)
class Pose:
    """How the person stood or lay for one film."""

    view: str  # PA or AP
    supine: bool
    inspiration: float  # 0 shallow .. 1 deep
    rotation: float  # -1 .. 1, turned to one side: moves heart and mediastinum, widens one lung
    tilt_degrees: float
    arms_up: bool


@dataclass(frozen=True)
class Chest:
    """Contours of one film.

    right_space, left_space: the two halves of the thorax down to the diaphragm, before heart and mediastinum are taken out of
    them. right_angle, left_angle: the costophrenic corners. right_dome, left_dome: highest points of the diaphragm.
    """

    right_space: Contour
    left_space: Contour
    heart: Contour
    mediastinum: Contour
    body: Contour
    right_angle: np.ndarray
    left_angle: np.ndarray
    right_dome: np.ndarray
    left_dome: np.ndarray
    half_width_mm: float
    height_mm: float


def draw_patient(rng: np.random.Generator) -> Patient:
    """Draw a person; men have larger chests, hearts grow with age and build."""
    sex = "F" if rng.random() < 0.5 else "M"
    age = float(np.clip(rng.normal(54, 19), 16, 95))
    build = float(np.clip(rng.normal(0, 0.5), -1, 1))
    half_width = rng.normal(139 if sex == "M" else 124, 7) + 7 * build
    height = rng.normal(252 if sex == "M" else 226, 17) - 9 * build
    ratio = 0.435 + 0.0007 * (age - 50) + 0.025 * build + (0.012 if sex == "F" else 0) + rng.normal(0, 0.032)
    if rng.random() < 0.14:
        ratio += rng.uniform(0.06, 0.16)
    return Patient(
        sex, round(age, 1), build, float(half_width), float(height), float(np.clip(ratio, 0.34, 0.68)),
        float(rng.normal(0, 0.05)), float(rng.normal(0, 6)),
    )  # fmt: skip


def draw_pose(rng: np.random.Generator, view: str) -> Pose:
    """Draw how one film was taken; AP films are mostly supine and shallow."""
    supine = view == "AP" and rng.random() < 0.7
    inspiration = rng.beta(5, 2) if not supine else rng.beta(2.5, 3)
    return Pose(
        view, supine, float(inspiration), float(np.clip(rng.normal(0, 0.3 if view == "PA" else 0.45), -1, 1)),
        float(rng.normal(0, 2.0 if view == "PA" else 3.5)), bool(rng.random() < 0.35),
    )  # fmt: skip


def build_chest(patient: Patient, pose: Pose, rng: np.random.Generator) -> Chest:
    """Draw the contours of one film. An AP film enlarges what lies in front, the heart, and shows the diaphragm higher."""
    width = patient.half_width_mm * (1.03 if pose.view == "AP" else 1.0)
    height = patient.lung_height_mm * (0.74 + 0.26 * pose.inspiration) * (0.93 if pose.supine else 1.0)
    shift = 6 * pose.rotation
    right, right_angle, right_dome = _space(-1, width * (1 + 0.05 * pose.rotation), height, rng)
    left_width = width * (1 + patient.asymmetry) * (1 - 0.05 * pose.rotation)
    left_height = height * (1 + 0.5 * patient.asymmetry) + rng.normal(6, 5)  # the left dome is the lower one
    left, left_angle, left_dome = _space(1, left_width, left_height, rng)
    ratio = patient.heart_ratio + (0.035 if pose.view == "AP" else 0) + 0.05 * (0.7 - pose.inspiration)
    thorax_width = left[:, 0].max() - right[:, 0].min()
    floor = max(half[np.abs(half[:, 0]) < 0.15 * width, 1].max() for half in (right, left))
    heart = _heart(ratio * thorax_width, height, shift, floor, rng)
    mediastinum = _mediastinum(width, height, shift, patient, pose, rng)
    body = _body(width, height, patient, pose, rng)
    parts = [
        right,
        left,
        heart,
        mediastinum,
        body,
        *(point[None] for point in (right_angle, left_angle, right_dome, left_dome)),
    ]
    bow = patient.scoliosis_mm
    parts = [_turn(_bow(part, bow, height), pose.tilt_degrees, height) for part in parts]
    right, left, heart, mediastinum, body = parts[:5]
    right_angle, left_angle, right_dome, left_dome = (part[0] for part in parts[5:])
    return Chest(right, left, heart, mediastinum, body, right_angle, left_angle, right_dome, left_dome, width, height)


def spline(points: list[tuple[float, float]], closed: bool = False, steps: int = 14) -> Contour:
    """Return a smooth curve through the points (Catmull & Rom 1974): (n, 2)."""
    p = np.array(points, np.float64)
    p = np.concatenate([p[-1:], p, p[:2]]) if closed else np.concatenate([2 * p[:1] - p[1:2], p, 2 * p[-1:] - p[-2:-1]])
    t = np.linspace(0, 1, steps, endpoint=False)[:, None]
    pieces = []
    for a, b, c, d in zip(p[:-3], p[1:-2], p[2:-1], p[3:], strict=True):
        pieces.append(0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3))
    return np.concatenate(pieces + ([] if closed else [p[-2:-1]]))


def _space(side: int, width: float, height: float, rng: np.random.Generator) -> tuple[Contour, np.ndarray, np.ndarray]:
    """One half of the thorax: apex, wall, sharp costophrenic corner, dome, and a medial edge hidden in the mediastinum.

    side: -1 for the image's left (patient's right), 1 for its right. Returns the contour, the corner and the dome's top.
    """
    apex_x, apex_blunt = rng.normal(0.42, 0.04), rng.uniform(0.8, 1.25)
    belly = rng.normal(0, 0.025)  # pear-shaped or barrel-shaped
    rise = height * np.clip(rng.normal(0.15, 0.035), 0.05, 0.26)  # of the dome above the corner
    dome_x = rng.normal(0.50, 0.05)
    wall = spline([
        (0.10, 0.13), (0.22, 0.035 / apex_blunt), (apex_x, 0.0), (apex_x + 0.21 * apex_blunt, 0.045), (0.80 - belly, 0.17),
        (0.915 - 1.2 * belly, 0.36), (0.972 - 0.6 * belly, 0.58), (1.0, 0.80), (0.985 + belly, 1.0),
    ])  # fmt: skip
    corner = wall[-1]
    r = rise / height
    base = spline([
        tuple(corner), ((corner[0] + dome_x) / 2 + 0.03, 1 - 0.68 * r), (dome_x, 1 - r), (dome_x - 0.2, 1 - 0.95 * r),
        (0.12, 1 - 0.92 * r), (0.02, 1 - 0.9 * r),
    ])  # fmt: skip
    medial = spline([(0.02, 1 - 0.9 * r), (0.0, 0.6), (0.02, 0.3), (0.10, 0.13)])
    outline = np.concatenate([wall, base[1:], medial[1:-1]]) * (side * width, height)
    top = base[np.argmin(base[:, 1])] * (side * width, height)
    return outline, corner * (side * width, height), top


def _heart(width: float, height: float, shift: float, floor: float, rng: np.random.Generator) -> Contour:
    """The heart's shadow, exactly `width` wide: a third right of the midline, its tip low on the left.

    It lies on the diaphragm, which is at y = `floor` near the midline: below it there is no lung. Its upper end is where the
    great vessels leave it. The mean shape is that of hearts drawn by readers on films.
    """
    right_share = np.clip(rng.normal(0.33, 0.045), 0.2, 0.45)
    top, bottom = rng.normal(0.485, 0.04), max(rng.normal(0.9, 0.03), floor / height + 0.02)
    r, left, span = -right_share, 1 - right_share, bottom - top
    tip = rng.uniform(0.78, 0.92)
    outline = spline([
        (r, top + 0.56 * span), (0.88 * r, top + 0.75 * span), (0.52 * r, top + 0.87 * span), (0.15 * left, top + 0.965 * span),
        (0.58 * left, bottom), (0.90 * left, top + (tip + 0.09) * span), (left, top + (tip - 0.08) * span),
        (0.93 * left, top + (tip - 0.27) * span), (0.75 * left, top + 0.34 * span), (0.52 * left, top + 0.12 * span),
        (0.18 * left, top), (0.24 * r, top + 0.02 * span), (0.76 * r, top + 0.18 * span), (0.94 * r, top + 0.38 * span),
    ], closed=True)  # fmt: skip
    outline = outline * (1, height)
    extent = np.ptp(outline[:, 0])
    return outline * (width / extent, 1) + (shift, 0)


def _mediastinum(
    width: float, height: float, shift: float, patient: Patient, pose: Pose, rng: np.random.Generator
) -> Contour:
    """Great vessels and spine: the band between the lungs, with the aortic knob on the left and the hila on both sides."""
    wide = (1.15 if pose.supine else 1.0) * (1 + 0.12 * patient.build) * rng.uniform(0.85, 1.15)
    knob = (0.215 + 0.0008 * (patient.age_years - 50)) * rng.uniform(0.9, 1.15)
    left = [(0.16, -0.15), (0.145, 0.02), (0.15, 0.13), (knob, 0.225), (0.165 * wide, 0.32), (0.205, 0.40), (0.20, 0.52),
            (0.17, 0.75), (0.15, 1.1)]  # fmt: skip
    right = [(-0.14, 1.1), (-0.16, 0.75), (-0.19 * wide, 0.55), (-0.215, 0.43), (-0.17 * wide, 0.30), (-0.16 * wide, 0.15),
             (-0.15, 0.03), (-0.16, -0.15)]  # fmt: skip
    return spline(left + right, closed=True) * (width, height) + (shift, 0)


def _body(width: float, height: float, patient: Patient, pose: Pose, rng: np.random.Generator) -> Contour:
    """The skin: neck, shoulders (or arms raised), armpits, flanks, beyond the frame below."""
    wall = 14 + 10 * (patient.build + 1) + rng.uniform(0, 8)
    flank = width + wall
    neck = rng.uniform(52, 68)
    shoulder_y = -rng.uniform(5, 40) - (35 if pose.arms_up else 0)
    reach = width + rng.uniform(55, 95)
    half = [(neck, -260), (neck, -75), (neck + 25, -48), (width * 0.9, shoulder_y - 12), (reach, shoulder_y + 12),
            (reach + 55, height * (0.10 if pose.arms_up else 0.30)), (reach + 30, height * (0.22 if pose.arms_up else 0.62)),
            (flank + 12, height * 0.36), (flank, height * 0.48), (flank - 2, height * 0.8), (flank - 4, height * 1.1),
            (flank, height * 2.2)]  # fmt: skip
    if not pose.arms_up:  # the arm hangs beside the flank
        gap = rng.uniform(6, 40)
        half[5:8] = [(reach + 30, height * 0.35), (reach + 25 + gap, height * 0.9), (flank + gap + 4, height * 0.55)]
    right_half = [(-x, y) for x, y in reversed(half)]
    return spline(half + right_half, closed=True)


def _bow(points: np.ndarray, bow_mm: float, height: float) -> np.ndarray:
    """Bend everything sideways along the spine's curve."""
    y = np.clip(points[:, 1] / height, -0.5, 1.5)
    return points + np.stack([bow_mm * np.sin(np.pi * y), np.zeros(len(points))], axis=1)


def _turn(points: np.ndarray, degrees: float, height: float) -> np.ndarray:
    """Rotate about the middle of the chest."""
    angle = np.deg2rad(degrees)
    centre = np.array([0, height / 2])
    matrix = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return (points - centre) @ matrix + centre
