"""Makes batches of samples, here or in worker processes."""

import weakref
from concurrent.futures import Future

import numpy as np

from distilpose_keras.data.images import ImageError
from distilpose_keras.data.people_source import source_of
from distilpose_keras.data.samples import SampleArrays
from distilpose_keras.data.share import WHOLE
from distilpose_keras.data.worker_pool import WorkerPool


class BatchJob:
    """A batch, or a share of one, that is being made.

    Attributes:
        batch: (B,) positions of the batch's people in the data set.
        slots: slice of ``batch``: the n people who are made here.
        epoch: number of the epoch.
    """

    def __init__(self, batch, slots, epoch, arrays, parts):
        """Hold the arrays and the futures that fill them."""
        self.batch = batch
        self.slots = slots
        self.epoch = epoch
        self._arrays = arrays
        self._parts = parts

    def cancel(self):
        """Drop the parts that no worker has begun."""
        for part in self._parts:
            part.cancel()

    @property
    def indices(self):
        """(n,) positions in the data set of the people who are made here."""
        return self.batch[self.slots]

    def result(self):
        """Return the SampleArrays of n people, and what is missing.

        That is a dict of position among the n to message.
        """
        errors = {}
        for part in self._parts:
            errors.update(part.result())
        return self._arrays, errors


class BatchMaker:
    """Makes batches in the calling process or in workers that it starts and ends.

    Args:
        people: PeopleIndex or ShardedPeople.
        loader: SampleLoader.
        workers: number of processes; with 1 the calling process does the work.

    Attributes:
        source: `PeopleSource` of the people.
    """

    def __init__(self, people, loader, workers):
        """Start nothing yet."""
        self.source = source_of(people)
        self._loader = loader
        self._workers = workers
        self._pool = None
        self._closer = None

    @property
    def works_ahead(self):
        """Whether a job goes on while its result is not asked for."""
        return self._workers > 1

    def start(self, batch, keep, epoch, share=WHOLE):
        """Begin a batch.

        Args:
            batch: (B,) positions of the people.
            keep: (B,) bool: the picture is wanted again soon.
            epoch: number of the epoch.
            share: `Share`: which of them to make.

        Returns:
            BatchJob; already done if there are no workers.
        """
        slots = share.slots(len(batch))
        indices, keep = batch[slots], keep[slots]
        arrays = SampleArrays.empty(
            len(indices), self._loader.input_size, self.source.schema.num_keypoints
        )
        request = self.source.request(indices, keep)
        if not self.works_ahead:
            done = Future()
            own = np.arange(len(indices))
            done.set_result(self._loader.load(request, epoch, arrays, own))
            return BatchJob(batch, slots, epoch, arrays, [done])
        if self._pool is None:
            self._pool = WorkerPool(self._loader, self._workers)
            self._closer = weakref.finalize(self, self._pool.close)
        # A picture always goes to the same worker, which may have it decoded.
        workers = self.source.pictures(indices) % self._workers
        parts = []
        for worker in np.unique(workers):
            own = np.flatnonzero(workers == worker)
            some = request.take(own)
            parts.append(self._pool.submit(worker, some, epoch, arrays, own))
        return BatchJob(batch, slots, epoch, arrays, parts)

    def fill_in(self, job, arrays, errors):
        """Put the next good person of the batch in the place of each who is missing.

        It is the same one whoever makes the batch: if that person is of another
        process's share, it is made here too.

        Args:
            job: `BatchJob`.
            arrays: its SampleArrays, written to.
            errors: dict of position among its people to message.

        Returns:
            Dict of position in the data set to message of all who are missing.

        Raises:
            ImageError: if nobody of the batch can be read.
        """
        first, count = job.slots.start, len(job.batch)
        bad = {first + n: message for n, message in errors.items()}
        good = {
            first + n: [array[n] for array in arrays]
            for n in range(len(job.indices))
            if n not in errors
        }
        for n in errors:
            for slot in np.arange(first + n + 1, first + n + count) % count:
                if slot not in good and slot not in bad:
                    one = self.start(job.batch[[slot]], np.array([False]), job.epoch)
                    other, missing = one.result()
                    if missing:
                        bad[slot] = missing[0]
                    else:
                        good[slot] = [array[0] for array in other]
                if slot in good:
                    for array, values in zip(arrays, good[slot], strict=True):
                        array[n] = values
                    break
            else:
                raise ImageError(bad[min(bad)])
        return {int(job.batch[slot]): message for slot, message in bad.items()}

    def close(self):
        """End the workers and wait until they are gone; `start` starts new ones."""
        self.source.close()
        if self._pool is not None:
            self._closer()
            self._pool = None
