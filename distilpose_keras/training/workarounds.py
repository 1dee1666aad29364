"""What other software makes slow, and how training goes around it."""

import ctypes
import os
import sys

import keras

# Parameters of `mallopt`, of the C library's malloc.h.
TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
NEVER_TRIM, LARGEST = -1, 2**31 - 1
CHOSEN_BY_USER = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_")


def keep_freed_memory():
    """Let this process keep the memory that it frees, for its own next use.

    By default the GNU C library returns large blocks to the system at once and gets
    them back empty, a page fault for every 4 KB. On a CPU, PyTorch and JAX allocate
    all tensors of a step that way.

    Does nothing on other systems, or where the environment says how `malloc` should
    work (``MALLOC_TRIM_THRESHOLD_``, ``MALLOC_MMAP_THRESHOLD_``, ``GLIBC_TUNABLES``).

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
        mallopt(TRIM_THRESHOLD, NEVER_TRIM) and mallopt(MMAP_THRESHOLD, LARGEST)
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
        shuffle: as of `fit`.
        class_weight: as of `fit`.

    Returns:
        What to give to `fit` of Keras in its place.
    """
    if keras.backend.backend() != "tensorflow":
        return dataset
    if not isinstance(dataset, keras.utils.PyDataset):
        return dataset
    if dataset.workers > 1 or dataset.use_multiprocessing:
        return dataset  # Keras switches it off itself
    return _adapter_class()(dataset, class_weight=class_weight, shuffle=shuffle)


def _adapter_class():
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
    either copy: a training step of `distilpose_nano` takes half the time.

    Returns:
        Whether PyTorch is the backend, and so whether anything changed.
    """
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
