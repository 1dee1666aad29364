"""The linear assignment in tensors against SciPy's and against all permutations."""

import itertools

import keras
import numpy as np
import pytest

from distilpose_keras.assignment import linear_assignment


def assign(costs):
    return keras.ops.convert_to_numpy(linear_assignment(costs))


def compiled(function):
    """The function as a training step would run it."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        return tf.function(function, jit_compile=True)
    if backend == "jax":
        import jax

        return jax.jit(function)
    return function


def contested_costs(shape, seed=0):
    """Rows that nearly agree on what they want: long augmenting paths."""
    rng = np.random.default_rng(seed)
    *problems, rows, columns = shape
    shared = rng.standard_normal((*problems, 1, columns))
    own = 0.05 * rng.standard_normal((*problems, rows, columns))
    return (shared + own).astype("float32")


@pytest.mark.backend
@pytest.mark.parametrize("shape", [(64, 17, 100), (32, 17, 17), (9, 1, 1), (20, 5, 6)])
def test_assignment_equals_that_of_scipy(shape):
    optimize = pytest.importorskip("scipy.optimize")
    costs = contested_costs(shape)
    expected = [optimize.linear_sum_assignment(problem)[1] for problem in costs]
    np.testing.assert_array_equal(assign(costs), expected)


def test_no_permutation_is_cheaper():
    costs = contested_costs((50, 4, 5), seed=1)
    for problem, columns in zip(costs, assign(costs), strict=True):
        cheapest = min(
            sum(problem[row, column] for row, column in enumerate(candidate))
            for candidate in itertools.permutations(range(5), 4)
        )
        assert problem[np.arange(4), columns].sum() == pytest.approx(cheapest, abs=1e-5)


def test_a_row_gives_way_where_that_is_cheaper_in_all():
    # Both rows want column 0; row 0 loses 1 by taking column 1, row 1 loses 9.
    assert assign(np.array([[1, 2, 9], [1, 10, 11]], "float32")).tolist() == [1, 0]


@pytest.mark.backend
def test_assignment_runs_in_a_compiled_step():
    costs = contested_costs((3, 2, 17, 30), seed=2)
    columns = keras.ops.convert_to_numpy(compiled(linear_assignment)(costs))
    np.testing.assert_array_equal(columns, assign(costs))
    assert columns.shape == (3, 2, 17)


@pytest.mark.backend
def test_assignment_takes_batches_of_unknown_size():
    if keras.backend.backend() != "tensorflow":
        pytest.skip("only TensorFlow traces unknown sizes")
    import tensorflow as tf

    traced = tf.function(
        linear_assignment, input_signature=[tf.TensorSpec((None, 17, 30))]
    )
    costs = contested_costs((4, 17, 30), seed=3)
    np.testing.assert_array_equal(traced(costs).numpy(), assign(costs))


@pytest.mark.backend
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_costs_that_are_no_numbers_still_give_every_row_its_own_column(bad):
    costs = np.full((2, 3, 4), bad, "float32")
    costs[1, 0] = [4, 3, 2, 1]
    columns = assign(costs)
    assert all(len(set(problem)) == 3 for problem in columns.tolist())
    assert columns.min() >= 0 and columns.max() < 4


def test_rows_avoid_costs_that_are_not_numbers():
    costs = np.array([[np.nan, 5.0, 7.0], [1.0, 2.0, np.nan]], "float32")
    assert assign(costs).tolist() == [1, 0]


def test_more_rows_than_columns_are_refused():
    with pytest.raises(ValueError, match=r"R <= C. Received: \(3, 2\)"):
        linear_assignment(np.zeros((3, 2), "float32"))
