"""Stages that work at the same time, each in a thread of its own, in order."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any

# Items that wait between two stages: enough to even out slow moments, and few enough
# that a 4K frame in every place stays under a gigabyte.
DEPTH = 3
# Of the source, which may be waiting for a camera or a pipe that never answers.
SECONDS_TO_STOP = 1.0


class Pipeline:
    """Passes the items of a source through stages that run at the same time.

    Stage 2 works on one item while stage 1 is busy with the next. The items keep their
    order. The work of a stage runs beside that of the others where it leaves Python's
    lock, as OpenCV and the runtimes of models do.

    When iteration stops early, by `close`, an interrupt or the error of a stage, the
    items that have come as far as the last stages still pass these, so that what was
    computed is kept; the others are dropped.

    Example:
        >>> list(Pipeline([1, 2, 3], [lambda x: x + 1, str]))
        ['2', '3', '4']

    Attributes:
        seconds: the time that the source and each stage were at work.
    """

    def __init__(
        self,
        source: Iterable[Any],
        stages: list[Callable[[Any], Any]],
        *,
        depth: int = DEPTH,
        keeping: int = 1,
    ) -> None:
        """Take the parts; nothing runs before the iteration.

        Args:
            source: the items; iterated in a thread.
            stages: functions of one item, at least one, each called in its own thread.
            depth: items that may wait between two stages.
            keeping: the number of last stages that finish what has come to them.
        """
        self._source, self._stages, self._keeping = source, stages, keeping
        self.seconds = [0.0] * (1 + len(stages))
        self._channels = [_Channel(depth) for _ in range(1 + len(stages))]
        self._errors: list[BaseException] = []

    def __iter__(self) -> Iterator[Any]:
        """Yield what the last stage returns; raise the first error of a stage."""
        threads = [threading.Thread(target=self._read, daemon=True)]
        threads += [
            threading.Thread(target=self._work, args=(n,), daemon=True)
            for n in range(len(self._stages))
        ]
        for thread in threads:
            thread.start()
        try:
            yield from self._channels[-1]
        finally:
            self._stop()
            for thread in threads[1:]:
                thread.join()
            threads[0].join(SECONDS_TO_STOP)
        if self._errors:
            raise self._errors[0]

    def _read(self):
        """Put the items of the source into the first channel."""
        output = self._channels[0]
        items = iter(self._source)
        try:
            while True:
                start = time.perf_counter()
                try:
                    item = next(items)
                except StopIteration:
                    break
                self.seconds[0] += time.perf_counter() - start
                if not output.put(item):
                    break
        except BaseException as error:  # what came before goes on to the end
            self._errors.append(error)
        finally:
            output.close()
            if hasattr(items, "close"):
                items.close()

    def _work(self, number):
        """Apply a stage to what comes in until nothing more does."""
        source, output = self._channels[number : number + 2]
        stage, is_last = self._stages[number], number == len(self._stages) - 1
        try:
            for item in source:
                start = time.perf_counter()
                item = stage(item)
                self.seconds[number + 1] += time.perf_counter() - start
                # The last stage has kept its result; who looks is no matter
                if not output.put(item) and not is_last:
                    break
        except BaseException as error:
            self._fail(error)
        finally:
            source.abandon()  # whoever fills it must not wait for room
            output.close()

    def _fail(self, error):
        self._errors.append(error)
        self._stop(keep_result=True)

    def _stop(self, *, keep_result=False):
        """Drop what waits, except for the last stages and perhaps for the caller."""
        first_kept = len(self._stages) - self._keeping
        for channel in self._channels[:first_kept]:
            channel.abandon()
        if not first_kept:  # the source just ends
            self._channels[0].close()
        if not keep_result:
            self._channels[-1].abandon()


class _Channel:
    """A short queue between two threads that either end can close."""

    def __init__(self, depth):
        self._items, self._depth = deque(), depth
        self._closed = False
        self._changed = threading.Condition()

    def put(self, item):
        """Add an item as soon as there is room; False if nobody takes it any more."""
        with self._changed:
            self._changed.wait_for(
                lambda: len(self._items) < self._depth or self._closed
            )
            if self._closed:
                return False
            self._items.append(item)
            self._changed.notify_all()
            return True

    def __iter__(self):
        """Yield the items until the channel is closed and empty."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._items or self._closed)
                if not self._items:
                    return
                item = self._items.popleft()
                self._changed.notify_all()
            yield item

    def close(self):
        """Take no more items; what waits can still be taken out."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def abandon(self):
        """Take no more items and drop those that wait."""
        with self._changed:
            self._items.clear()
            self._closed = True
            self._changed.notify_all()
