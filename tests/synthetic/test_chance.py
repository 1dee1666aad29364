"""Weighted draws."""

from types import SimpleNamespace

import pytest

from distilpose_keras.synthetic.chance import choose


@pytest.mark.parametrize(
    "number, expected",
    [(0.0, "a"), (0.24, "a"), (0.25, "b"), (0.74, "b"), (0.75, "c"), (0.99, "c")],
)
def test_an_option_has_its_share_of_the_line_from_0_to_1(number, expected):
    rng = SimpleNamespace(random=lambda: number)
    assert choose(rng, "abc", (0.25, 0.5, 0.25)) == expected


def test_odds_that_fall_short_by_rounding_give_the_last_option():
    rng = SimpleNamespace(random=lambda: 0.9999999)
    assert choose(rng, "ab", (0.3, 0.699)) == "b"


def test_options_without_odds_are_refused():
    rng = SimpleNamespace(random=lambda: 0.9)
    with pytest.raises(ValueError, match="zip"):
        choose(rng, "abc", (0.5, 0.2))
