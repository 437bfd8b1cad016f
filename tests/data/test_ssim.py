import numpy as np
import pytest

from data.ssim import ssim_map


def images(height=23, width=31):
    rng = np.random.default_rng(4)
    one = rng.random((height, width))
    return one, np.clip(0.6 * one + 0.3 * rng.random((height, width)) + 0.1, 0, 1)


def slow_ssim(one, other, row, column):
    """The definition at one pixel, sum by sum."""
    one, other = np.pad(one, 5, mode="symmetric"), np.pad(other, 5, mode="symmetric")
    total = x = y = 0.0
    weights = {}
    for i in range(11):
        for j in range(11):
            weights[i, j] = np.exp(-((i - 5) ** 2 + (j - 5) ** 2) / (2 * 1.5**2))
            total += weights[i, j]
    for (i, j), weight in weights.items():
        x += weight / total * one[row + i, column + j]
        y += weight / total * other[row + i, column + j]
    xx = yy = xy = 0.0
    for (i, j), weight in weights.items():
        dx, dy = one[row + i, column + j] - x, other[row + i, column + j] - y
        xx, yy, xy = xx + weight / total * dx * dx, yy + weight / total * dy * dy, xy + weight / total * dx * dy
    return (2 * x * y + 0.01**2) * (2 * xy + 0.03**2) / ((x * x + y * y + 0.01**2) * (xx + yy + 0.03**2))


def test_the_map_is_the_definition_pixel_by_pixel():
    one, other = images()
    found = ssim_map(one, other)
    for row, column in [(0, 0), (0, 30), (22, 7), (11, 15), (5, 5), (13, 29)]:
        assert found[row, column] == pytest.approx(slow_ssim(one, other, row, column), abs=1e-10)


def test_the_map_is_that_of_scikit_image():
    metrics = pytest.importorskip("skimage.metrics")
    one, other = images()
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 1.0, "full": True}
    _, reference = metrics.structural_similarity(one, other, **options)
    assert np.allclose(ssim_map(one, other), reference, atol=1e-10)


def test_equal_images_give_one_and_the_order_does_not_matter():
    one, other = images()
    assert np.allclose(ssim_map(one, one), 1.0)
    assert np.allclose(ssim_map(one, other), ssim_map(other, one))
    assert np.allclose(ssim_map(255 * one, 255 * other, 255), ssim_map(one, other))
    assert ssim_map(one, 1 - one).mean() < 0 < ssim_map(one, other).mean() < 1
    with pytest.raises(ValueError, match="wanted one size"):
        ssim_map(one, other[1:])
