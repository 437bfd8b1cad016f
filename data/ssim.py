"""Structural similarity (Wang, Bovik, Sheikh, Simoncelli 2004, IEEE Trans. Image Processing 13:600-612), written out."""

import numpy as np

RADIUS, SIGMA = 5, 1.5  # the 11 x 11 Gaussian window of the paper
K1, K2 = 0.01, 0.03


def ssim_map(one: np.ndarray, other: np.ndarray, data_range: float = 1.0) -> np.ndarray:
    """Return the structural similarity of two grey images around every pixel: (H, W) float64, at most 1, which is equality.

    one, other: (H, W), of one size. data_range: white minus black. Means, variances and covariance are those under a Gaussian
    window; beyond the frame the image is mirrored. Raises ValueError where the sizes differ.
    SSIM = (2 m1 m2 + C1)(2 s12 + C2) / ((m1^2 + m2^2 + C1)(s1^2 + s2^2 + C2)), C1 = (K1 range)^2, C2 = (K2 range)^2.
    """
    if one.shape != other.shape:
        raise ValueError(f"images are {one.shape} and {other.shape}; wanted one size")
    one, other = one.astype(np.float64), other.astype(np.float64)
    mean_one, mean_other = _blur(one), _blur(other)
    variances = _blur(one * one) - mean_one**2 + _blur(other * other) - mean_other**2
    covariance = _blur(one * other) - mean_one * mean_other
    c1, c2 = (K1 * data_range) ** 2, (K2 * data_range) ** 2
    light = (2 * mean_one * mean_other + c1) / (mean_one**2 + mean_other**2 + c1)
    return light * (2 * covariance + c2) / (variances + c2)


def _blur(image: np.ndarray) -> np.ndarray:
    """Weight with the Gaussian window, first down the columns, then along the rows."""
    window = np.exp(-0.5 * (np.arange(-RADIUS, RADIUS + 1) / SIGMA) ** 2)
    window /= window.sum()
    height, width = image.shape
    tall = np.pad(image, ((RADIUS, RADIUS), (0, 0)), mode="symmetric")
    down = sum(weight * tall[start : start + height] for start, weight in enumerate(window))
    wide = np.pad(down, ((0, 0), (RADIUS, RADIUS)), mode="symmetric")
    return sum(weight * wide[:, start : start + width] for start, weight in enumerate(window))
