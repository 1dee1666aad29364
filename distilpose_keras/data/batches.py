"""Makes batches of samples, here or in worker processes."""

import weakref
from concurrent.futures import Future

import numpy as np

from distilpose_keras.data.samples import SampleArrays, SampleRequest
from distilpose_keras.data.worker_pool import WorkerPool


class BatchJob:
    """A batch that is being made.

    Attributes:
        indices: (B,) positions of its people in the data set.
    """

    def __init__(self, indices, arrays, parts):
        """Hold the arrays and the futures that fill them."""
        self.indices = indices
        self._arrays = arrays
        self._parts = parts

    def cancel(self):
        """Drop the parts that no worker has begun."""
        for part in self._parts:
            part.cancel()

    def result(self):
        """Return the SampleArrays and a dict of slot to message for what is missing."""
        errors = {}
        for part in self._parts:
            errors.update(part.result())
        return self._arrays, errors


class BatchMaker:
    """Makes batches in the calling process or in workers that it starts and ends.

    Args:
        people: PeopleIndex.
        loader: SampleLoader.
        workers: number of processes; with 1 the calling process does the work.
    """

    def __init__(self, people, loader, workers):
        """Start nothing yet."""
        self._people = people
        self._loader = loader
        self._workers = workers
        self._pool = None
        self._closer = None

    @property
    def works_ahead(self):
        """Whether a job goes on while its result is not asked for."""
        return self._workers > 1

    def start(self, indices, keep, epoch):
        """Begin a batch.

        Args:
            indices: (B,) positions of the people.
            keep: (B,) bool: the picture is wanted again soon.
            epoch: number of the epoch.

        Returns:
            BatchJob; already done if there are no workers.
        """
        arrays = SampleArrays.empty(
            len(indices), self._loader.input_size, self._people.schema.num_keypoints
        )
        if not self.works_ahead:
            done = Future()
            request = self._request(indices, keep)
            slots = np.arange(len(indices))
            done.set_result(self._loader.load(request, epoch, arrays, slots))
            return BatchJob(indices, arrays, [done])
        if self._pool is None:
            self._pool = WorkerPool(self._loader, self._workers)
            self._closer = weakref.finalize(self, self._pool.close)
        # A picture always goes to the same worker, which may have it decoded.
        workers = self._people.image_index[indices] % self._workers
        parts = []
        for worker in np.unique(workers):
            slots = np.flatnonzero(workers == worker)
            request = self._request(indices[slots], keep[slots])
            parts.append(self._pool.submit(worker, request, epoch, arrays, slots))
        return BatchJob(indices, arrays, parts)

    def close(self):
        """End the workers and wait until they are gone; `start` starts new ones."""
        if self._pool is not None:
            self._closer()
            self._pool = None

    def _request(self, indices, keep):
        """Return what a loader needs to know of some people."""
        people = self._people
        paths = [str(people.image_path(i)) for i in people.image_index[indices]]
        return SampleRequest(
            indices,
            paths,
            people.boxes_xywh[indices],
            people.keypoints[indices],
            people.visibility[indices],
            keep,
            people.image_sizes[people.image_index[indices]],
            people.confidences[indices],
        )
