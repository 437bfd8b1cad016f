"""How far the recommended training's predictions were off on held-out films, for reports on films without a reference.

The five folds' 124 films with a heart, docs/results.md, "Real films, every one scored by a network that never saw its patient".
Of the two trainings of all folds that it names, the larger errors: 0.031 and 0.051 in the other.
"""

RATIO_95 = 0.039  # cardiothoracic ratio: 95th percentile of the absolute error
RATIO_CHANGE = 0.057  # 95th percentile of how far the errors of two films lie apart, over all pairs
UNJUDGED = "heart not judged: too few validation films of this network had one drawn"
"""Remark on each film of such a network, of whose hearts and ratios the errors below say nothing."""
UNJUDGED_LUNGS = "lungs not judged: too few validation patients of this network"
UNCHECKED = "not checked whether it is a chest film: too few films taught this network"
"""Remarks on each film of a network that cannot call for a review by the lungs' predicted Dice, or by strangeness."""
RATIO_ERROR = (
    f"Of the recommended training's ratios 95 in 100 lay within {RATIO_95} of those of the reference masks, on 124 held-out "
    "films of hospitals it knew (docs/results.md)"
)
