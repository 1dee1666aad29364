"""The linear assignment problem in tensors: every row a column of its own.

Shortest augmenting paths (Jonker and Volgenant, 1987; Crouse, 2016), for many problems
at once and inside compiled steps of every backend, where host code such as SciPy's
cannot run. Exact up to float32 rounding.

Legend: N problems, R rows, C columns.
"""

from keras import ops

FREE = -1  # the column of an unassigned row, the row of an unassigned column
# What costs are limited to: a network that diverges must not hang the search.
LARGEST_COST = 1e9
# Farther than any path; finite, for products with it in exported graphs.
FARTHEST = 1e30


def linear_assignment(costs):
    """Give every row a column of its own at the least total cost.

    Args:
        costs: (..., R, C) with R <= C; not differentiated. Costs that are no numbers
            count as very high.

    Returns:
        (..., R) int32 column of each row.

    Raises:
        ValueError: if there are fewer columns than rows.
    """
    rows, columns = costs.shape[-2:]
    if rows > columns:
        raise ValueError(
            f"costs must be (..., R, C) with R <= C. Received: {tuple(costs.shape)}"
        )
    costs = ops.stop_gradient(ops.cast(costs, "float32"))
    costs = ops.nan_to_num(
        costs, nan=LARGEST_COST, posinf=LARGEST_COST, neginf=-LARGEST_COST
    )
    flat = ops.reshape(costs, (-1, rows, columns))
    state = (
        ops.full_like(flat[:, :, 0], FREE, dtype="int32"),  # column of each row
        ops.full_like(flat[:, 0], FREE, dtype="int32"),  # row of each column
        ops.zeros_like(flat[:, :, 0]),  # price of each row
        ops.zeros_like(flat[:, 0]),  # price of each column
    )
    column_of, *_ = ops.fori_loop(
        0, rows, lambda row, state: _assign_row(flat, row, *state), state
    )
    return ops.reshape(column_of, ops.shape(costs)[:-1])


def _assign_row(costs, new_row, column_of, row_of, row_price, column_price):
    """Assign one more row of every problem along the shortest augmenting path."""
    distance, parent, reached, end, length = _shortest_path(
        costs, new_row, row_of, row_price, column_price
    )
    # Prices such that no reduced cost is negative and those on the path are zero.
    gain = ops.where(reached, length[:, None] - distance, 0.0)  # (N, C)
    column_price = column_price - gain
    assigned = column_of >= 0
    own_gain = ops.take_along_axis(gain, ops.maximum(column_of, 0), axis=1)
    row_price = row_price + ops.where(assigned, own_gain, 0.0)
    is_new = _indices(column_of) == new_row
    row_price = row_price + ops.where(is_new, length[:, None], 0.0)
    column_of, row_of = _augment(new_row, parent, end, column_of, row_of)
    return column_of, row_of, row_price, column_price


def _shortest_path(costs, new_row, row_of, row_price, column_price):
    """Dijkstra's search from a row to the nearest free column, in every problem.

    Returns:
        distance (N, C), parent (N, C) row before each column, reached (N, C) columns
        whose distance is final, end (N,) the free column, length (N,) its distance.
    """
    rows, columns = costs.shape[1:]
    problems = ops.arange(ops.shape(costs)[0], dtype="int32")
    table = ops.reshape(costs, (-1, columns))
    indices = ops.arange(columns, dtype="int32")[None]
    nowhere = ops.full_like(row_of[:, 0], FREE)

    def searching(row, distance, parent, reached, end, length):
        return ops.any(end == FREE)

    def step(row, distance, parent, reached, end, length):
        active = end == FREE  # the other problems have found their path
        row_costs = ops.take(table, problems * rows + row, axis=0)  # (N, C)
        price = ops.take_along_axis(row_price, row[:, None], axis=1)
        through = length[:, None] + row_costs - price - column_price
        closer = active[:, None] & ~reached & (through < distance)
        distance = ops.where(closer, through, distance)
        parent = ops.where(closer, row[:, None], parent)
        nearest = _first_minimum(ops.where(reached, FARTHEST, distance))
        here = active[:, None] & (indices == nearest)
        reached = reached | here
        at_nearest = ops.take_along_axis(distance, nearest, axis=1)[:, 0]
        length = ops.where(active, at_nearest, length)
        next_row = ops.take_along_axis(row_of, nearest, axis=1)[:, 0]
        found = active & (next_row == FREE)
        end = ops.where(found, nearest[:, 0], end)
        row = ops.where(active & ~found, next_row, row)
        return row, distance, parent, reached, end, length

    start = (
        ops.zeros_like(nowhere) + ops.cast(new_row, "int32"),
        ops.full_like(column_price, FARTHEST),
        ops.full_like(row_of, FREE),
        ops.zeros_like(row_of, dtype="bool"),
        nowhere,
        ops.zeros_like(column_price[:, 0]),
    )
    # A path visits each row at most once.
    _, *found = ops.while_loop(searching, step, start, maximum_iterations=rows)
    return found


def _augment(new_row, parent, end, column_of, row_of):
    """Exchange assigned and unassigned pairs along the path that ends at `end`."""
    row_indices, column_indices = _indices(column_of), _indices(row_of)

    def walking(column, column_of, row_of):
        return ops.any(column != FREE)

    def step(column, column_of, row_of):
        row = ops.take_along_axis(parent, ops.maximum(column, 0)[:, None], axis=1)
        here = column[:, None] != FREE
        before = ops.take_along_axis(column_of, ops.maximum(row, 0), axis=1)[:, 0]
        row_of = ops.where(here & (column_indices == column[:, None]), row, row_of)
        column_of = ops.where(here & (row_indices == row), column[:, None], column_of)
        # The new row had no column: its entry is FREE and the walk ends.
        return ops.where(here[:, 0], before, FREE), column_of, row_of

    _, column_of, row_of = ops.while_loop(
        walking, step, (end, column_of, row_of), maximum_iterations=column_of.shape[1]
    )
    return column_of, row_of


def _first_minimum(values):
    """(N, 1) int32 index of the first minimum of (N, n) values.

    Keras' argmin needs operators on bits, which neither TFLite nor ONNX has built in.
    """
    lowest = ops.min(values, axis=1, keepdims=True)
    found = ops.where(values <= lowest, _indices(values), values.shape[1])
    return ops.min(found, axis=1, keepdims=True)


def _indices(values):
    """(1, n) int32 indices of the last axis of (N, n) values."""
    return ops.arange(values.shape[1], dtype="int32")[None]
