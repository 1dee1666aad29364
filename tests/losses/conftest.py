"""Fixtures of the losses' tests."""

import pytest

from tests import gradients


@pytest.fixture(scope="session")
def value_and_gradients():
    """See `tests.gradients`."""
    return gradients.value_and_gradients
