"""One process is its own chief; several meet in `tests/recipes`."""

import pytest

from distilpose_keras.training.processes import Processes


@pytest.mark.parametrize("strategy", ["single", "mirrored", "data_parallel"])
def test_one_process_does_everything_itself(strategy):
    processes = Processes(strategy)
    assert processes.chief
    assert processes.count == 1
    assert processes.anywhere([True, False]).tolist() == [True, False]
    assert processes.first(divmod, 7, 2) == (3, 1)
    assert processes.together(divmod, 7, 2) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        processes.first(divmod, 7, 0)
