"""The structures in the order of the network's channels, and what is known of each on a film."""

from collections.abc import Mapping

from numpy import ndarray

STRUCTURES = ("right_lung", "left_lung", "heart")
RIGHT_LUNG, LEFT_LUNG, HEART, LUNGS = range(4)
"""Their channels; the fourth is the two lungs' union, see `unet.model.with_union`."""

# values of a batch's `known`, (B, structures)
DRAWN = 1  # it is drawn; 0: it is not
WITH_HEART = 2  # a lung, drawn with the heart's shadow inside; see `unet.losses.asked_of` for what that says


def with_lungs(masks: Mapping[str, ndarray]) -> dict[str, ndarray]:
    """Return the masks, bool (H, W), with `lungs`, the union of the two lungs, where both are there."""
    if "right_lung" in masks and "left_lung" in masks:
        return {**masks, "lungs": masks["right_lung"] | masks["left_lung"]}
    return dict(masks)
