"""PoseDataset: what `fit` is given."""

import math
import os
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from distilpose_keras.data.batches import BatchMaker
from distilpose_keras.data.cache import open_cache
from distilpose_keras.data.images import ImageError
from distilpose_keras.data.samples import SampleLoader
from distilpose_keras.data.share import WHOLE, Share
from distilpose_keras.data.transforms import Augmentation
from distilpose_keras.geometry import PLAIN, CropGeometry
from distilpose_keras.pixels import normalize_uint8
from distilpose_keras.types import Size

if TYPE_CHECKING:
    from distilpose_keras.data.people_index import PeopleIndex
    from distilpose_keras.data.shards.people import ShardedPeople

CACHE_BYTES = 256 << 20  # decoded pictures held by all workers together, at most
AHEAD = 256  # people prepared ahead of use, at least two batches


class PoseDataset(keras.utils.PyDataset):
    """Batches of person crops with target keypoints, for `fit` on every backend.

    A batch is ``(images, targets)``: images (B, H, W, 3), and targets a dict of
    ``keypoints`` (B, K, 2) in [0, 1] of the crop and ``weights`` (B, K, 1), float32:
    for a labelled joint inside the crop 1, or what the data set says that the label is
    worth, and 0 for any other. The last batch of an epoch may be smaller.

    What a batch holds follows from (seed, epoch, index) alone, whatever the number of
    workers, and of processes that each ask for their `part`. The order is drawn anew in
    every epoch; `fit(..., shuffle=False)` asks in that order: workers prepare ahead and
    decode a picture once for its people. In another order it is slower, not other.

    Worker processes start with the first batch and end with `close()`, with the
    ``with`` block, with the data set itself or with the program, however it ends.

    Example:

        >>> people = load_people(*coco_paths("data/coco", "train"))
        >>> with PoseDataset(people, batch_size=32, workers=4) as batches:
        ...     distiller.fit(batches, epochs=300, shuffle=False)

    The epoch advances when Keras has used every batch. To tie it to the count of `fit`,
    call `set_epoch` from a callback's ``on_epoch_begin``.

    Args:
        people: PeopleIndex; or `load_shards`, whose order the processes change too.
        batch_size: people in a batch.
        input_size: (height, width) of a crop.
        geometry: CropGeometry of the model that learns, `pose_config.geometry`.
        augmentation: Augmentation; None for crops exactly as the boxes say.
        shuffle: draw a new order in every epoch.
        seed: of order and augmentation.
        image_dtype: "float32" for images normalised by ImageNet's mean and standard
            deviation, "uint8" for RGB 0..255, a quarter of the bytes, which the
            trainers of this package normalise on the device.
        skip_bad_images: put another person of the batch in the place of one whose
            picture cannot be read, and record it in ``bad_images``; else stop.
        appearance: callable of (images uint8, seeds) that returns images uint8 of the
            same shape; what it draws for an image follows from the image's seed, a
            tuple of ints, alone. See `AppearanceAugmentation`.
        drop_last: leave out a last batch that is smaller than the others.
        workers: processes that prepare batches; with 1 the calling process does.
        cache: folder for decoded pictures (`PatchCache`), written at the first use:
            the same batches, in half of the time where pictures are small.

    Attributes:
        processes: the ``workers`` argument; Keras' own ``workers`` stays 1.
        bad_images: dict of message by file of the pictures that were skipped.
        failure: the exception that stopped the last batch, else None. TensorFlow
            reports an error of its input as one of its own; this is the original.
    """

    def __init__(
        self,
        people: "PeopleIndex | ShardedPeople",
        *,
        batch_size: int,
        input_size: Size = (256, 192),
        geometry: CropGeometry = PLAIN,
        augmentation: Augmentation | None = Augmentation(),  # noqa: B008 (immutable)
        shuffle: bool = True,
        seed: int = 0,
        image_dtype: str = "float32",
        skip_bad_images: bool = False,
        appearance: Callable[[np.ndarray, Sequence[Any]], np.ndarray] | None = None,
        drop_last: bool = False,
        workers: int = 1,
        cache: str | os.PathLike[str] | None = None,
    ) -> None:
        """Prepare the first epoch; nothing is read yet."""
        # Keras sees one worker: its own pool would not know the epoch.
        super().__init__(workers=1, use_multiprocessing=False)
        if image_dtype not in ("float32", "uint8"):
            raise ValueError(
                f"image_dtype must be 'float32' or 'uint8'. Received: {image_dtype!r}"
            )
        if batch_size < 1 or workers < 1:
            raise ValueError(
                "batch_size and workers must be at least 1. "
                f"Received: {batch_size} and {workers}"
            )
        if len(people) < (batch_size if drop_last else 1):
            raise ValueError(f"no batch can be made. Received: {people.summary()}")
        augmentation = augmentation or Augmentation.none()
        if augmentation.flip_probability:
            people.schema.check_mirror()
        self.people = people
        self.batch_size = batch_size
        self.processes = workers
        self.image_dtype = image_dtype
        self.skip_bad_images = skip_bad_images
        self.bad_images = {}
        self.failure = None
        self._shuffle = shuffle
        self._drop_last = drop_last
        self._appearance = appearance
        self._seed = seed
        input_size = tuple(input_size)
        patches = None
        if cache is not None:
            crops = {"input_size": input_size, "geometry": geometry}
            crops["augmentation"] = augmentation
            patches = open_cache(cache, people, progress=True, **crops)
        loader = SampleLoader(
            people.schema,
            input_size,
            augmentation,
            seed,
            CACHE_BYTES // workers,
            geometry,
            patches,
        )
        self._maker = BatchMaker(people, loader, workers)
        self._lock = threading.Lock()
        self._epoch = 0
        self._running = False
        self._asked = set()
        self._share = WHOLE
        self._plan = None
        self._last = -1
        self._pending = {}

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""
        batches = len(self.people) / self.batch_size
        return math.floor(batches) if self._drop_last else math.ceil(batches)

    @property
    def epoch(self) -> int:
        """Number of the epoch that batches are of."""
        return self._epoch

    def set_epoch(self, epoch: int) -> None:
        """Make the batches of this epoch the next ones, as after a resumed training."""
        with self._lock:
            self._asked.clear()
            if epoch != self._epoch:
                self._epoch = epoch
                self._forget()

    def on_epoch_begin(self) -> None:
        """Note that batches are being used, not looked at (called by Keras)."""
        self._running = True

    def on_epoch_end(self) -> None:
        """Go to the next epoch if all batches of this one were used.

        Keras also calls this before the first epoch, and JAX and PyTorch after one
        batch that is only looked at.
        """
        with self._lock:
            self._running = False
            if len(self._asked) == len(self):
                self._asked.clear()
                self._epoch += 1
                self._forget()

    def __getitem__(self, index: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Return the batch at a position of the current epoch.

        Raises:
            ImageError: naming the file, if a picture cannot be read and
                ``skip_bad_images`` is off, or none of the batch can.
            IndexError: if there is no such batch.
        """
        return self.part(index, WHOLE)[1]

    def part(
        self, index: int, share: Share
    ) -> tuple[int, tuple[np.ndarray, dict[str, np.ndarray]]]:
        """Prepare the part of a batch that is one process's of several.

        Args:
            index: position of the batch in the current epoch.
            share: `Share`; asking for one other than before drops what is prepared.

        Returns:
            The number of people in the whole batch, and the batch of those at
            ``share.slots`` of that number.

        Raises:
            ValueError: if there are fewer people than processes; and as for a batch.
        """
        if not 0 <= index < len(self):
            raise IndexError(f"batch must be in [0, {len(self)}). Received: {index}")
        try:
            share.check_people(len(self.people))
            with self._lock:
                if self._running:
                    self._asked.add(index)
                if share != self._share:
                    self._share = share
                    self._forget()
                job = self._take(index)
            return len(job.batch), self._finish(job)
        except Exception as error:
            self.failure = error
            raise

    def close(self) -> None:
        """End the worker processes; they start again if another batch is asked for."""
        with self._lock:
            self._forget()
            self._maker.close()

    def __enter__(self):
        """Return the data set."""
        return self

    def __exit__(self, *_):
        """End the worker processes."""
        self.close()

    def _forget(self):
        """Drop the order of the epoch and what was prepared in it."""
        self._plan, self._last = None, -1
        self._forget_pending()

    def _forget_pending(self):
        for job in self._pending.values():
            job.cancel()
        self._pending.clear()

    def _take(self, index):
        """Return the job of a batch, started now if not before, and start the next."""
        in_order = index in (0, self._last + 1)
        self._last = index
        if not in_order:
            self._forget_pending()
        if index == 0:
            self._maker.source.rewind()
        job = self._pending.pop(index, None) or self._start(index, in_order)
        if in_order and self._maker.works_ahead:
            ahead = index + max(2, AHEAD // self.batch_size)
            for following in range(index + 1, min(ahead + 1, len(self))):
                if following not in self._pending:
                    self._pending[following] = self._start(following, in_order)
        return job

    def _start(self, index, in_order):
        """Begin a batch of the current epoch."""
        if self._plan is None:
            self._plan = self._maker.source.plan(
                seed=self._seed,
                epoch=self._epoch,
                shuffle=self._shuffle,
                batch_size=self.batch_size,
                share=self._share,
            )
        chosen = slice(index * self.batch_size, (index + 1) * self.batch_size)
        keep = self._plan.keep[chosen] & in_order
        people = self._plan.order[chosen]
        return self._maker.start(people, keep, self._epoch, self._share)

    def _finish(self, job):
        """Wait for a job and make it a batch."""
        arrays, errors = job.result()
        if errors and not self.skip_bad_images:
            raise ImageError(errors[min(errors)])
        if errors:
            for person, message in self._maker.fill_in(job, arrays, errors).items():
                self.bad_images[self._maker.source.picture_name(person)] = message
        images = arrays.images
        if self._appearance is not None:
            # The 1 sets them apart from the seeds of the crops.
            seeds = [(self._seed, job.epoch, int(n), 1) for n in job.indices]
            images = self._appearance(images, seeds)
        if self.image_dtype == "float32":
            images = normalize_uint8(images)
        return images, {"keypoints": arrays.keypoints, "weights": arrays.weights}
