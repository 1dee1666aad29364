"""Items come in order, few are made ahead, and no thread stays."""

import gc
import time

import pytest

from distilpose_keras.data.shards.read_ahead import ReadAhead


def wait_until(condition):
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


class Counted:
    """A generator that says how far it is, and whether it was closed."""

    def __init__(self, count, error=None):
        self.made = 0
        self.closed = False
        self._count, self._error = count, error

    def items(self):
        try:
            for n in range(self._count):
                self.made += 1
                yield n
            if self._error is not None:
                raise self._error
        finally:
            self.closed = True


def test_all_items_come_and_it_ends():
    counted = Counted(100)
    ahead = ReadAhead(counted.items(), 3)
    assert list(ahead) == list(range(100))
    assert list(ahead) == []
    assert counted.closed


def test_no_more_is_made_than_may_wait():
    counted = Counted(100)
    ahead = ReadAhead(counted.items(), 3)
    assert next(ahead) == 0
    wait_until(lambda: counted.made == 5)  # one used, three wait, one is in hand
    time.sleep(0.1)
    assert counted.made == 5
    ahead.close()
    assert counted.closed


def test_an_error_comes_after_the_items_before_it():
    ahead = ReadAhead(Counted(2, ValueError("bad")).items(), 5)
    assert [next(ahead), next(ahead)] == [0, 1]
    for _ in range(2):
        with pytest.raises(ValueError, match="bad"):
            next(ahead)
    ahead.close()


def test_the_thread_ends_with_who_uses_it():
    counted = Counted(100)
    ahead = ReadAhead(counted.items(), 1)
    next(ahead)
    thread = ahead._thread
    del ahead
    gc.collect()
    wait_until(lambda: not thread.is_alive())
    assert counted.closed
