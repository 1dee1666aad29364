"""What other software makes slow, and how training goes around it."""

import ctypes
import os
import sys

# Parameters of `mallopt`, of the C library's malloc.h.
TRIM_THRESHOLD, TOP_PAD, MMAP_THRESHOLD = -1, -2, -3
NEVER_TRIM, LARGEST = -1, 2**31 - 1
HEAP_SIZE = 64 * 2**20  # of the C library's arenas, on 64-bit systems
CHOSEN_BY_USER = (
    "MALLOC_TRIM_THRESHOLD_",
    "MALLOC_TOP_PAD_",
    "MALLOC_MMAP_THRESHOLD_",
)


def keep_freed_memory():
    """Let this process keep the memory that it frees, for its own next use.

    By default the GNU C library returns large blocks to the system at once and gets
    them back empty, a page fault for every 4 KB where huge pages are not the default
    (``madvise`` in ``/sys/kernel/mm/transparent_hugepage/enabled``). On a CPU all
    tensors of a step are allocated that way, see
    https://github.com/openxla/xla/issues/2265 for the allocator under XLA.

    Threads, of which TensorFlow has many, allocate from heaps of 64 MB each. An empty
    heap is given back whatever the trim threshold says, unless the padding at the top
    is as large as a heap (``heap_trim``, glibc 2.36). A larger block still comes from
    the system each time if a thread asks for it.

    This may be called at any time, also when the threads run already. A limit of one
    arena (``MALLOC_ARENA_MAX=1``) would serve such blocks too, but holds only for
    threads to come and makes all of them wait for one lock.

    Does nothing on other systems, or where the environment says how `malloc` should
    work (``MALLOC_TRIM_THRESHOLD_``, ``MALLOC_TOP_PAD_``, ``MALLOC_MMAP_THRESHOLD_``,
    ``GLIBC_TUNABLES``).

    Returns:
        Whether freed memory is kept.
    """
    if sys.platform != "linux" or any(name in os.environ for name in CHOSEN_BY_USER):
        return False
    if "glibc.malloc" in os.environ.get("GLIBC_TUNABLES", ""):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:  # another C library
        return False
    return bool(
        mallopt(TRIM_THRESHOLD, NEVER_TRIM)
        and mallopt(TOP_PAD, HEAP_SIZE)
        and mallopt(MMAP_THRESHOLD, LARGEST)
    )


def without_autotuning(dataset, *, shuffle=False, class_weight=None):
    """Read a data set through tf.data without its autotuning thread.

    Keras reads a `PyDataset` through a tf.data pipeline whose only stage is a
    prefetch: nothing to tune. At the end of an epoch its iterator is destroyed, which
    waits for the tuning thread; that thread often misses the call and sleeps on, up
    to as long as the epoch took (at most a minute).

    Args:
        dataset: what `fit` is given. Anything but a `PyDataset` read in this process
            is returned as it is, and so is everything on other backends.
        shuffle: see `fit`.
        class_weight: see `fit`.

    Returns:
        What to give to `fit` of Keras in its place.
    """
    import keras  # here: the memory is better kept before a backend starts threads

    if keras.backend.backend() != "tensorflow":
        return dataset
    if not isinstance(dataset, keras.utils.PyDataset):
        return dataset
    if dataset.workers > 1 or dataset.use_multiprocessing:
        return dataset  # Keras switches it off itself
    return adapter_class()(dataset, class_weight=class_weight, shuffle=shuffle)


def adapter_class():
    """Keras' own adapter of a `PyDataset`, with other options."""
    import tensorflow as tf
    from keras.src.trainers.data_adapters.py_dataset_adapter import PyDatasetAdapter

    class Adapter(PyDatasetAdapter):
        def get_tf_dataset(self):
            options = tf.data.Options()
            options.autotune.enabled = False
            return super().get_tf_dataset().with_options(options)

    return Adapter


def without_layout_copies():
    """Let convolutions on PyTorch read (B, H, W, C) tensors where they lie.

    Keras 3.15 copies the input of every 2D convolution and pooling into the order (B,
    C, H, W), and that of a convolution back into (B, H, W, C), the order in which
    PyTorch convolves fastest on a CPU. A view of the tensor says the same without
    either copy: a training step of the first `distilpose_nano` took half the time.

    Returns:
        Whether PyTorch is the backend, and so whether anything changed.
    """
    import keras

    if keras.backend.backend() != "torch":
        return False
    from keras.src.backend.torch import nn

    copied = nn._transpose_spatial_inputs
    if hasattr(copied, "copied"):  # ours already
        return True

    def viewed(inputs):
        if inputs.ndim != 4:
            return copied(inputs)
        return inputs.permute(0, 3, 1, 2)

    viewed.copied = copied
    nn._transpose_spatial_inputs = viewed
    return True
