"""One process is its own chief; several meet in `tests/recipes`."""

from types import SimpleNamespace

import pytest

from distilpose_keras.training.processes import Processes
from distilpose_keras.training.replicas import is_first_task


@pytest.mark.parametrize("strategy", ["single", "mirrored", "data_parallel"])
def test_one_process_does_everything_itself(strategy):
    processes = Processes(strategy)
    assert processes.chief
    assert processes.first(divmod, 7, 2) == (3, 1)
    assert processes.together(divmod, 7, 2) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        processes.first(divmod, 7, 0)


def test_the_first_task_is_the_chief_or_else_the_first_worker():
    def strategy(kind, index, jobs):
        resolver = SimpleNamespace(
            task_type=kind,
            task_id=index,
            cluster_spec=lambda: SimpleNamespace(jobs=jobs),
        )
        return SimpleNamespace(cluster_resolver=resolver)

    assert is_first_task(SimpleNamespace(cluster_resolver=None))
    assert is_first_task(strategy("worker", 0, ["worker"]))
    assert not is_first_task(strategy("worker", 1, ["worker"]))
    assert is_first_task(strategy("chief", 0, ["chief", "worker"]))
    assert not is_first_task(strategy("worker", 0, ["chief", "worker"]))
