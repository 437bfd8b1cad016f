import numpy as np
import pytest

from data.registration import Similarity, edge_points, fit_similarity, register_lungs, resample_to


def turn(degrees):
    angle = np.radians(degrees)
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def lungs(height=120, width=140, row=60, radius=40):
    y, x = np.mgrid[0:height, 0:width]
    return [((y - row) / radius) ** 2 + ((x - column) / 22) ** 2 < 1 for column in (40, 100)]


@pytest.mark.parametrize(("scale", "degrees", "shift"), [(1.0, 0, (0, 0)), (1.3, 12, (5, -9)), (0.7, -30, (40, 2))])
def test_the_similarity_that_moved_the_points_is_found(scale, degrees, shift):
    points = np.random.default_rng(0).random((9, 2)) * 100
    true = Similarity(scale, turn(degrees), np.array(shift, float))
    found = fit_similarity(points, true.apply(points))
    assert found.scale == pytest.approx(scale) and np.allclose(found.rotation, true.rotation)
    both = found.then(true)
    assert np.allclose(both.apply(points), true.apply(found.apply(points)))
    assert np.allclose(found.inverse().apply(found.apply(points)), points)
    assert found.degrees == pytest.approx(degrees)


def test_a_mirror_image_is_not_explained_by_mirroring():
    points = np.random.default_rng(0).random((9, 2))
    assert np.linalg.det(fit_similarity(points, points * [1, -1]).rotation) == pytest.approx(1)


def test_turned_and_scaled_lungs_are_laid_over_each_other():
    right, left = lungs()
    moved = Similarity(1.15, turn(6), np.array([-12.0, 4.0]))
    film = np.stack([right, left]).astype(np.float32)
    after = resample_to(film, moved, (150, 160))
    found = register_lungs(after >= 0.5, np.stack([right, left]))
    back = resample_to(after, found, right.shape) >= 0.5
    for name, (one, other) in enumerate(zip(back, (right, left), strict=True)):
        assert 2 * (one & other).sum() / (one.sum() + other.sum()) > 0.985, name
    assert found.scale == pytest.approx(1 / 1.15, rel=0.005)
    assert found.degrees == pytest.approx(-6, abs=0.3)


def test_a_whole_shift_moves_pixels_exactly():
    film = np.random.default_rng(1).random((1, 9, 12)).astype(np.float32)
    moved = resample_to(film, Similarity(1.0, np.eye(2), np.array([2.0, -3.0])), (9, 12))
    assert np.allclose(moved[0, 2:, :9], film[0, :7, 3:], atol=1e-5) and not moved[0, :2].any()


def test_what_cannot_be_laid_over_is_said():
    right, left = lungs()
    with pytest.raises(ValueError, match="no left lung was found"):
        edge_points(right, left & False)
    with pytest.raises(ValueError, match="all points are one"):
        fit_similarity(np.ones((4, 2)), np.random.default_rng(0).random((4, 2)))
