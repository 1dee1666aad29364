"""Parts of batches, worked out by hand."""

import pytest

from distilpose_keras.data.share import WHOLE, Share


@pytest.mark.parametrize(
    "samples, processes, replicas, expected",
    [
        (6, 2, 2, [[0, 1, 2], [3, 4, 5]]),
        (5, 2, 2, [[0, 0, 1, 1, 2], [2, 3, 3, 4, 4]]),
        (1, 2, 2, [[0], [0]]),
        (6, 2, 4, [[0, 0, 1, 1, 2, 2], [3, 3, 4, 4, 5, 5]]),
        (3, 3, 3, [[0], [1], [2]]),
        (3, 1, 2, [[0, 0, 1, 1, 2, 2]]),
    ],
)
def test_a_batch_is_cut_into_runs_of_equal_length(
    samples, processes, replicas, expected
):
    shares = [Share(n, processes, replicas) for n in range(processes)]
    assert [share.rows(samples).tolist() for share in shares] == expected
    for share, rows in zip(shares, expected, strict=True):
        assert list(range(samples))[share.slots(samples)] == sorted({*rows})
        assert rows.count(rows[len(rows) // 2]) <= share.repeats(samples)


def test_one_process_has_everything():
    assert WHOLE.slots(7) == slice(0, 7)
    assert WHOLE.repeats(7) == 1


def test_fewer_people_than_processes_are_refused():
    Share(0, 3, 3).check_people(3)
    with pytest.raises(ValueError, match="in 3 processes needs at least.* Received: 2"):
        Share(0, 3, 3).check_people(2)
