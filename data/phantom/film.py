"""One phantom film: contours, tissue, rays, detector, and the truth that goes with it."""

from dataclasses import dataclass

import numpy as np

from data.phantom.anatomy import Chest, Patient, build_chest, draw_patient, draw_pose
from data.phantom.canvas import Frame
from data.phantom.devices import add_devices, burn_letters
from data.phantom.measurements import measure_chest
from data.phantom.physics import expose
from data.phantom.tissue import Findings, build_tissue
from db.records import SourceMeasurement


@dataclass(frozen=True)
class Phantom:
    """A film (H, W) uint8, lungs dark, its exact masks (bool), facts and measurements."""

    image: np.ndarray
    masks: dict[str, np.ndarray]
    facts: dict
    measurements: tuple[SourceMeasurement, ...]


def draw_phantom(seed: int, index: int, size: int = 512) -> Phantom:
    """Draw film number `index` of a seed's endless series, each film of another person."""
    rng = np.random.default_rng([seed, 1, index])
    patient = draw_patient(rng)
    return draw_film(patient, "AP" if rng.random() < 0.35 else "PA", rng, size)


def draw_film(patient: Patient, view: str, rng: np.random.Generator, size: int = 512) -> Phantom:
    """Draw one film of a person, size x size pixels."""
    pose = draw_pose(rng, view)
    chest = build_chest(patient, pose, rng)
    findings = draw_findings(rng)
    frame = draw_frame(chest, size, rng)
    tissue = build_tissue(chest, patient, pose, findings, frame, rng)
    metal = add_devices(chest, frame, pose, rng)
    grey = expose(tissue.soft, tissue.bone, metal, frame, rng)
    image = burn_letters(np.uint8(np.round(grey * 255)), pose, rng)
    masks = {"right_lung": tissue.right_lung, "left_lung": tissue.left_lung, "heart": tissue.heart}
    measurements = measure_chest(chest)
    ratio = next(value.value for value in measurements if value.name == "cardiothoracic_ratio")
    names = (["effusion"] if findings.effusion else []) + (["opacity"] if findings.opacities else [])
    names += ["cardiomegaly"] if ratio > 0.5 + (0.05 if view == "AP" else 0.0) else []
    facts = {
        "sex": patient.sex,
        "age_years": patient.age_years,
        "view": view,
        "patient_position": "SUPINE" if pose.supine else "ERECT",
        "findings": tuple(names or ["normal"]),
        "pixel_spacing_mm": frame.mm_per_px,
    }
    return Phantom(image, masks, facts, measurements)


def draw_findings(rng: np.random.Generator) -> Findings:
    """Draw what is wrong: fluid at one side in one film of six, clouds in one of four."""
    effusion = None
    if rng.random() < 0.16:
        effusion = (int(rng.choice([-1, 1])), float(rng.uniform(0.04, 0.38)))
    opacities = []
    if rng.random() < 0.27:
        for _ in range(rng.integers(1, 5)):
            side = rng.choice([-1, 1])
            opacities.append((
                float(side * rng.uniform(0.3, 0.85)), float(rng.uniform(0.15, 0.85)),
                float(rng.uniform(0.12, 0.45)), float(rng.uniform(0.15, 0.8)),
            ))  # fmt: skip
    return Findings(effusion, tuple(opacities))


def draw_frame(chest: Chest, size: int, rng: np.random.Generator) -> Frame:
    """Place the detector so that both lungs are on it, with more or less room around them."""
    right, left = chest.right_space[:, 0].min(), chest.left_space[:, 0].max()
    top, bottom = (
        min(chest.right_space[:, 1].min(), chest.left_space[:, 1].min()),
        max(chest.right_angle[1], chest.left_angle[1]),
    )
    needed = max(left - right, bottom - top)
    side = needed * rng.uniform(1.06, 1.5)
    free_x, free_y = side - (left - right), side - (bottom - top)
    x = right - free_x * np.clip(rng.normal(0.5, 0.12), 0.1, 0.9)
    y = top - free_y * np.clip(rng.normal(0.45, 0.15), 0.1, 0.9)
    return Frame(size, float(side / size), float(x), float(y))
