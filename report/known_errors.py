"""How far the recommended training's predictions were off on held-out films, for reports on films without a reference.

From docs/results.md, "Predicted measurements against reference masks": five folds, 124 films with a heart drawn.
"""

from math import sqrt

from unet.agreement import Z

RATIO_SD = 0.017  # standard deviation of predicted minus reference cardiothoracic ratio
RATIO_95 = 0.039  # 95th percentile of the absolute error
RATIO_CHANGE = Z * sqrt(2) * RATIO_SD
"""Least change between two films that is larger than 95 in 100 differences by error alone."""
RATIO_ERROR = (
    f"Of the recommended training's ratios 95 in 100 lay within {RATIO_95} of those of the reference masks, at hospitals it knew "
    "(docs/results.md)"
)
