"""Processes that make training samples, fed through pipes.

The processes are started as programs of their own (`distilpose_keras.data.worker`),
not forked: a fork of a process with a running backend may hang, and the `spawn` method
of multiprocessing imports the user's script, and with it the backend, in every process.
A worker ends when its input ends, so that none outlives a parent that is killed.
"""

import contextlib
import os
import pickle
import queue
import subprocess
import sys
import threading
from concurrent.futures import Future
from pathlib import Path

import distilpose_keras

CLOSE_SECONDS = 10.0  # patience with a worker that is asked to stop
PIPE_BYTES = 1 << 20  # largest pipe that Linux gives to a user


class WorkerPool:
    """A fixed set of worker processes with one queue each.

    Args:
        loader: SampleLoader that every process gets a copy of.
        workers: number of processes.
    """

    def __init__(self, loader, workers):
        """Start the processes."""
        self._lanes = [_Lane(loader) for _ in range(workers)]

    def __len__(self):
        """Return the number of processes."""
        return len(self._lanes)

    def submit(self, worker, request, epoch, arrays, slots):
        """Ask a process to fill samples into arrays.

        Args:
            worker: which process.
            request: SampleRequest of n people.
            epoch: number of the epoch.
            arrays: SampleArrays of this process to write to.
            slots: n positions in the arrays.

        Returns:
            Future of a dict of slot to message for unreadable pictures; the arrays are
            filled when it is done.
        """
        future = Future()
        self._lanes[worker].tasks.put((future, request, epoch, arrays, slots))
        return future

    def close(self):
        """Stop the processes and wait until they are gone."""
        for lane in self._lanes:
            lane.stop()
        for lane in self._lanes:
            lane.join()


class _Lane:
    """One process, its queue, and the thread that talks to it."""

    def __init__(self, loader):
        self.tasks = queue.SimpleQueue()
        self._loader = loader
        self._process = _start_process()
        self._stopping = False
        self._thread = threading.Thread(
            target=self._serve, name=f"data-worker-{self._process.pid}", daemon=True
        )
        self._thread.start()

    def stop(self):
        """Ask the process and the thread to end; what is queued is dropped."""
        self._stopping = True
        self.tasks.put(None)

    def join(self):
        """Wait for both to end, by force if the process hangs."""
        self._thread.join(CLOSE_SECONDS)
        if self._thread.is_alive():
            self._process.kill()
            self._thread.join()
        with contextlib.suppress(OSError):  # what a dead process has not read
            self._process.stdin.close()
        self._process.stdout.close()
        self._wait()

    def _wait(self):
        """Return the exit code of a process that is about to end."""
        try:
            return self._process.wait(CLOSE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()

    def _serve(self):
        """Pass tasks to the process until told to stop."""
        failure = None
        while (task := self.tasks.get()) is not None:
            future, request, epoch, arrays, slots = task
            if self._stopping:
                future.cancel()
            if not future.set_running_or_notify_cancel():
                continue
            try:
                if failure is not None:
                    raise failure
                future.set_result(self._exchange(request, epoch, arrays, slots))
            except (OSError, EOFError, pickle.UnpicklingError):
                code = self._wait()
                failure = RuntimeError(f"a data worker process died (exit code {code})")
                future.set_exception(failure)
            except BaseException as error:
                failure = error
                future.set_exception(error)

    def _exchange(self, request, epoch, arrays, slots):
        """Send one request and read the samples into their slots."""
        send, receive = self._process.stdin, self._process.stdout
        if self._loader is not None:
            pickle.dump(self._loader, send)
            self._loader = None
        pickle.dump((request, epoch), send)
        send.flush()
        errors = pickle.load(receive)
        if isinstance(errors, Exception):
            raise errors
        for slot in slots:
            for array in arrays:
                _read_exactly(receive, memoryview(array[slot]).cast("B"))
        return {int(slots[n]): message for n, message in errors.items()}


def _read_exactly(file, view):
    """Fill a buffer from a file."""
    while len(view):
        count = file.readinto(view)
        if not count:
            raise EOFError
        view = view[count:]


def _start_process():
    """Start a worker program that can import this package."""
    root = str(Path(distilpose_keras.__file__).resolve().parents[1])
    paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
    process = subprocess.Popen(
        [sys.executable, "-m", "distilpose_keras.data.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        # One thread per process: the processes are the parallelism.
        env=dict(
            os.environ,
            PYTHONPATH=os.pathsep.join(paths),
            OMP_NUM_THREADS="1",
            OPENBLAS_NUM_THREADS="1",
        ),
    )
    _enlarge_pipe(process.stdout)
    return process


def _enlarge_pipe(pipe):
    """Let a whole crop through at once, where the system can."""
    try:
        import fcntl

        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    except (ImportError, AttributeError, OSError):
        pass  # not Linux, or the user's pipe quota is used up: slower, not wrong
