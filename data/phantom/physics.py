"""From thicknesses to grey levels: Beer-Lambert attenuation, scatter, quantum noise, detector blur, display."""

import numpy as np

from data.phantom.canvas import Frame

SOFT_PER_MM, BONE_PER_MM, METAL_PER_MM = 0.0195, 0.046, 0.35
"""Linear attenuation coefficients of soft tissue, bone and steel at about 60 keV, the mean energy of a chest film, per mm
(rounded from NIST's tables of X-ray mass attenuation coefficients, Hubbell & Seltzer 1995)."""


def expose(soft: np.ndarray, bone: np.ndarray, metal: np.ndarray, frame: Frame, rng: np.random.Generator) -> np.ndarray:
    """Return the displayed film in [0, 1], white where much was absorbed.

    soft, bone, metal: thicknesses in mm. I = exp(-sum mu t) (Beer 1852) + scatter, a wide blur of I; quanta are counted with
    Poisson noise; the detector blurs and takes the logarithm; the display windows it.
    """
    primary = np.exp(-(SOFT_PER_MM * soft + BONE_PER_MM * bone + METAL_PER_MM * metal))
    scatter_ratio = rng.uniform(0.1, 0.6)  # scattered to primary behind a grid
    intensity = primary + scatter_ratio * frame.blur(primary, rng.uniform(25, 60))
    quanta = 10 ** rng.uniform(3.4, 4.8)  # per pixel in open air
    counted = rng.poisson(np.minimum(intensity * quanta, 1e9)) / quanta
    detected = frame.blur(counted, rng.uniform(0.25, 0.8))
    return display(-np.log(np.maximum(detected, 1e-5)), rng)


def display(density: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Map log exposure (H, W) to grey levels in [0, 1] as different hospitals do: other windows, curves, gammas, shading."""
    low = np.percentile(density, rng.uniform(0.0, 12.0))
    washed_out = rng.random() < 0.35  # abdomen and mediastinum are one white, as on many a film
    high = np.percentile(density, rng.uniform(70.0, 94.0) if washed_out else rng.uniform(94.0, 99.9))
    grey = np.clip((density - low) / max(high - low, 1e-3), 0, 1)
    if rng.random() < 0.5:  # an S-shaped film curve
        slope = rng.uniform(3, 7)
        grey = 1 / (1 + np.exp(-slope * (grey - rng.uniform(0.4, 0.6))))
        grey = (grey - grey.min()) / max(grey.max() - grey.min(), 1e-3)
    grey = grey ** np.exp(rng.normal(0, 0.28))
    y, x = np.mgrid[-1 : 1 : grey.shape[0] * 1j, -1 : 1 : grey.shape[1] * 1j]
    grey = grey * (1 + rng.normal(0, 0.05) * x + rng.normal(0, 0.05) * y)
    return np.clip(grey * rng.uniform(0.85, 1.0) + rng.uniform(0.0, 0.06), 0, 1)
