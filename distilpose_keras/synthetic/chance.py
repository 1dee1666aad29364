"""Weighted draws; ``Generator.choice`` takes longer than drawing a whole pose."""


def choose(rng, options, odds):
    """Draw one of the options.

    Args:
        rng: numpy random generator.
        options: sequence to draw from.
        odds: their probabilities, which sum to one.

    Returns:
        One element of ``options``.
    """
    left = rng.random()
    for option, chance in zip(options, odds, strict=True):
        left -= chance
        if left < 0:
            return option
    return options[-1]
