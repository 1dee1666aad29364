"""Stages at the same time: order, errors, early ends, and that it pays."""

import threading
import time

import pytest

from distilpose_keras.video.pipeline import Pipeline


def slow(seconds):
    def stage(item):
        time.sleep(seconds)
        return item

    return stage


def test_items_keep_their_order_through_stages_of_any_speed():
    def uneven(item):
        time.sleep(0.004 if item % 5 == 0 else 0)
        return item

    stages = [uneven, lambda x: x * 10, uneven]
    assert list(Pipeline(range(40), stages)) == [10 * n for n in range(40)]


def test_all_stages_work_at_the_same_time():
    lock = threading.Lock()
    working = most = 0

    def stage(item):
        nonlocal working, most
        with lock:
            working += 1
            most = max(most, working)
        time.sleep(0.02)
        with lock:
            working -= 1
        return item

    pipeline = Pipeline(range(20), [stage] * 3)
    assert list(pipeline) == list(range(20))
    assert most == 3
    assert all(seconds >= 20 * 0.02 for seconds in pipeline.seconds[1:])


def test_few_items_wait():
    begun = []

    def source():
        for number in range(1000):
            begun.append(number)
            yield number

    items = iter(Pipeline(source(), [lambda x: x], depth=2))
    assert next(items) == 0
    time.sleep(0.1)
    assert len(begun) < 10  # two channels of two, and what is in hand
    items.close()


@pytest.mark.parametrize("failing", [0, 1, 2])
def test_an_error_ends_all_and_keeps_what_came_through(failing):
    def fail(item):
        if item == 7:
            raise OSError("no space left")
        return item

    kept = []
    stages = [slow(0), slow(0), kept.append]
    if failing < 2:
        stages[failing] = fail
    else:
        stages[2] = lambda item: kept.append(fail(item))
    before = threading.active_count()
    with pytest.raises(OSError, match="no space left"):
        list(Pipeline(range(1000), stages))
    # Of what the stage before the last had passed, nothing is lost.
    assert kept == list(range(7)) if failing else kept == list(range(len(kept)))
    assert threading.active_count() == before


def test_an_error_of_the_source_comes_after_its_items():
    def source():
        yield from range(5)
        raise ValueError("stdin is no picture")

    seen = []
    with pytest.raises(ValueError, match="stdin is no picture"):
        for item in Pipeline(source(), [slow(0.01), slow(0.01)]):
            seen.append(item)
    assert seen == list(range(5))


def test_closing_early_writes_what_was_computed_and_drops_the_rest():
    computed, written = [], []

    def compute(item):
        computed.append(item)
        return item

    def write(item):
        time.sleep(0.02)
        written.append(item)

    items = iter(Pipeline(range(1000), [compute, write]))
    next(items)
    items.close()
    assert written == computed[: len(written)]
    assert len(computed) - len(written) <= 1  # one in hand when the channel closed
    assert len(computed) < 20


def test_a_source_that_never_answers_does_not_hold_the_end():
    asked, answered = threading.Event(), []

    def source():
        yield 1
        asked.wait(60)
        answered.append(2)

    items = iter(Pipeline(source(), [lambda x: x]))
    assert next(items) == 1
    items.close()
    assert not answered
    asked.set()


@pytest.mark.parametrize("keeping", [1, 2, 3])
def test_stages_before_one_that_fails_do_not_wait_for_it(keeping):
    def full(item):
        time.sleep(0.02)  # until the channels before are full
        if item == 3:
            raise OSError("no space left")
        return item

    def consume():
        with pytest.raises(OSError, match="no space left"):
            list(Pipeline(range(1000), [slow(0), slow(0), full], keeping=keeping))

    consumer = threading.Thread(target=consume, daemon=True)
    consumer.start()
    consumer.join(10)
    assert not consumer.is_alive()
