"""Goes through an iterator in a thread, some items ahead of who uses them."""

import queue
import threading
import weakref
from collections.abc import Iterator
from typing import Any

_END = object()


class ReadAhead:
    """An iterator whose next items are made while the last is used.

    The thread ends with the items, with `close`, or when nobody holds this any more.

    Args:
        items: generator; closed in the end, in the thread.
        limit: items that wait, at most.
    """

    def __init__(self, items: Iterator[Any], limit: int) -> None:
        """Start the thread."""
        self._queue = queue.Queue(limit)
        stopped = threading.Event()
        self._thread = threading.Thread(
            target=_fill, args=(items, self._queue, stopped), daemon=True
        )
        self._closer = weakref.finalize(self, _stop, self._queue, stopped)
        self._thread.start()

    def __iter__(self) -> "ReadAhead":
        """Return itself."""
        return self

    def __next__(self) -> Any:
        """Return the next item; raises what making it raised."""
        item, error = self._queue.get()
        if item is not _END:
            return item
        self._queue.put((item, error))  # it stays at its end
        raise error

    def close(self) -> None:
        """End the thread and wait until it is gone."""
        self._closer()
        self._thread.join()


def _fill(items, target, stopped):
    """Put items into a queue, and in the end the exception that ended them."""
    try:
        for item in items:
            target.put((item, None))
            if stopped.is_set():
                items.close()
                return
        error = StopIteration()
    except BaseException as raised:
        error = raised
    target.put((_END, error))


def _stop(target, stopped):
    """Ask a thread to end, and make room for what it is about to put."""
    stopped.set()
    while True:
        try:
            target.get_nowait()
        except queue.Empty:
            return
