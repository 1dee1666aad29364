"""How far predictions are from published ones, and the worst of it in every test.

``pytest -m parity`` ends with a table of them (`tests/conftest.py`).
"""

import numpy as np

worst = {}  # array: (error, tolerance), of the running test


def assert_near(found, expected, name, tolerance):
    """Compare with a reference, in its standard deviations."""
    assert found.shape == expected.shape, name
    error = float(np.abs(found - expected).max() / expected.std())
    worst[name] = max(worst.get(name, (0.0, 0.0)), (error, tolerance))
    assert error < tolerance, f"{name}: {error:.1e} of its standard deviation"
