"""TensorFlow reads, in each of several processes, only that process's part of a batch.

Keras hands a data set to `experimental_distribute_dataset`, which lets every process
make all batches and keep a part of each.
"""

import keras

from distilpose_keras.training.even_batches import EvenBatches
from distilpose_keras.training.workarounds import adapter_class


def with_own_parts(dataset, trainer, **options):
    """Read a data set of parts of batches as what it is.

    Args:
        dataset: what `fit` is given; anything but `EvenBatches` for several processes
            is returned as it is, and so is everything on other backends.
        trainer: the model that is trained, which knows its strategy.
        **options: of the adapter: ``shuffle`` and ``class_weight`` of `fit`.

    Returns:
        What to give to `fit` of Keras in its place.
    """
    if keras.backend.backend() != "tensorflow":
        return dataset
    if not isinstance(dataset, EvenBatches) or dataset.share.processes == 1:
        return dataset
    replicas = dataset.share.replicas // dataset.share.processes

    class Adapter(adapter_class()):
        def get_tf_dataset(self):
            own = one_element_per_replica(super().get_tf_dataset(), replicas)
            strategy = trainer.distribute_strategy
            return strategy.distribute_datasets_from_function(lambda _: own)

    return Adapter(dataset, **options)


def one_element_per_replica(batches, replicas):
    """Cut every batch of a tf.data set into as many as there are replicas here.

    Args:
        batches: `tf.data.Dataset` whose batches the number of replicas divides.
        replicas: of this process.
    """
    if replicas == 1:
        return batches
    import tensorflow as tf

    def cut(*batch):
        def rows(tensor):
            shape = tf.shape(tensor)
            return tf.reshape(tensor, tf.concat([[replicas, -1], shape[1:]], axis=0))

        return tf.data.Dataset.from_tensor_slices(tf.nest.map_structure(rows, batch))

    return batches.flat_map(cut)
