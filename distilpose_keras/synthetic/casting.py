"""Who is in the pictures, what they do, and how the camera sees them."""

from dataclasses import dataclass, field


def _everything():
    return {
        "stand": 0.27,
        "walk": 0.15,
        "run": 0.08,
        "reach": 0.15,
        "sit": 0.13,
        "sit_on_floor": 0.04,
        "crouch": 0.05,
        "kneel": 0.02,
        "bend": 0.04,
        "lunge": 0.04,
        "lie": 0.03,
    }


@dataclass(frozen=True)
class Casting:
    """The odds of a data set. The defaults are as varied as photographs.

    Attributes:
        actions: odds of the actions, by their names in `actions.ACTIONS`.
        people: odds of one, two, three and four people in a picture.
        facing: share of the people who face the camera, more or less; the others look
            anywhere.
        facing_spread: standard deviation of "more or less", in degrees.
        heights: pairs of least and greatest height of a standing person as a share of
            the picture's; above 1 the border cuts them.
        height_odds: odds of the pairs.
    """

    actions: dict[str, float] = field(default_factory=_everything)
    people: tuple[float, ...] = (0.54, 0.26, 0.13, 0.07)
    facing: float = 0.6
    facing_spread: float = 45.0
    heights: tuple[tuple[float, float], ...] = ((0.45, 1.0), (0.9, 1.7))
    height_odds: tuple[float, ...] = (0.72, 0.28)


VARIED = Casting()
# Learned from far fewer pictures: upright people, whole and seen from the front.
UPRIGHT = Casting(
    actions={"stand": 0.4, "walk": 0.25, "reach": 0.35},
    people=(0.8, 0.2),
    facing=1.0,
    facing_spread=35.0,
    heights=((0.55, 0.95),),
    height_odds=(1.0,),
)
