"""What a person finder learns: where middles are, and how far the sides from there."""

import keras
from keras import ops

from distilpose_keras.codecs.middles import sides_in_pixels

# CenterNet's, equation 1: of what is hard, and of how much less cells beside a middle
# are at fault.
ALPHA, BETA = 2, 4
SIDES_WEIGHT = 5.0  # TTFNet's


def middle_loss(logits, middles, counted):
    """Focal loss over all cells, softer beside a middle, for one person.

    Args:
        logits: (B, h, w, 1).
        middles: (B, h, w, 1) in [0, 1]; 1 at a person's middle.
        counted: (B, h, w, 1), 0 where a cell is not to learn that nobody is there.

    Returns:
        Scalar: the sum, divided by the number of people, at least 1.
    """
    probabilities = ops.sigmoid(logits)
    here = ops.cast(middles >= 1, logits.dtype)
    found = here * (1 - probabilities) ** ALPHA * ops.softplus(-logits)
    beside = (1 - here) * counted * (1 - middles) ** BETA
    wrong = beside * probabilities**ALPHA * ops.softplus(logits)
    return ops.sum(found + wrong) / ops.maximum(ops.sum(here), 1)


def side_loss(sides, true_sides, shares):
    """1 - generalised IoU (Rezatofighi et al., 2019), averaged over people.

    Both boxes are given by the distances of their sides from the same point inside.

    Args:
        sides: (..., 4) positive left, top, right, bottom.
        true_sides: (..., 4), like these.
        shares: (..., 1) what each box counts.

    Returns:
        Scalar: the mean, weighted by the shares.
    """
    overlap, hull = ops.minimum(sides, true_sides), ops.maximum(sides, true_sides)
    shared, enclosing = _area(overlap), _area(hull)
    union = _area(sides) + _area(true_sides) - shared
    loss = 1 - shared / union + (enclosing - union) / enclosing
    return ops.sum(loss * shares) / ops.maximum(ops.sum(shares), 1e-6)


def _area(sides):
    left, top, right, bottom = (sides[..., i : i + 1] for i in range(4))
    return (left + right) * (top + bottom)


@keras.saving.register_keras_serializable("distilpose_keras")
class MiddleLoss:
    """The loss of `models.finder` on the targets of `codecs.middles`."""

    terms = ("middle", "side")

    def __call__(self, outputs, targets, sample_weight=None):
        """Return the terms of one batch."""
        del sample_weight
        middle = middle_loss(outputs["middles"], targets["middles"], targets["counted"])
        sides = sides_in_pixels(outputs["sides"])
        side = side_loss(sides, targets["sides"], targets["shares"])
        return {"middle": middle, "side": SIDES_WEIGHT * side}

    def get_config(self):
        """Return the constructor's arguments: none."""
        return {}
