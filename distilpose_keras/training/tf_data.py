"""How TensorFlow reads the batches of a `keras.utils.PyDataset`."""

import keras


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
