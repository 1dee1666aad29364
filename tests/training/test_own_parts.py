"""Parts of batches on their way through tf.data."""

import keras
import numpy as np
import pytest
import tiny_pose

from distilpose_keras.data.share import Share
from distilpose_keras.training.even_batches import EvenBatches
from distilpose_keras.training.own_parts import one_element_per_replica, with_own_parts
from distilpose_keras.training.trainer import PoseTrainer

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="other backends do without tf.data"
)


def tf_data(*batches):
    import tensorflow as tf

    signature = (
        tf.TensorSpec((None, 2, 3), "float32"),
        {"repeats": tf.TensorSpec((None, 1), "float32")},
    )
    return tf.data.Dataset.from_generator(
        lambda: iter(batches), output_signature=signature
    )


def batch(samples):
    images = np.arange(samples * 6, dtype="float32").reshape(samples, 2, 3)
    return images, {"repeats": np.ones((samples, 1), "float32")}


def test_a_batch_becomes_one_element_for_each_replica():
    batches = tf_data(batch(4), batch(2))
    assert one_element_per_replica(batches, 1) is batches
    cut = one_element_per_replica(batches, 2)
    assert cut.element_spec[0].shape.as_list() == [None, 2, 3]
    elements = list(cut.as_numpy_iterator())
    assert [len(images) for images, _ in elements] == [2, 2, 1, 1]
    np.testing.assert_array_equal(elements[1][0], batch(4)[0][2:])
    np.testing.assert_array_equal(elements[3][0], batch(2)[0][1:])
    assert elements[3][1]["repeats"].shape == (1, 1)


def test_what_is_whole_is_left_alone():
    trainer = PoseTrainer(tiny_pose.student())
    dataset = tiny_pose.Dataset(8, 4)
    assert with_own_parts(dataset, trainer) is dataset
    one_process = EvenBatches(dataset, Share(replicas=2))
    assert with_own_parts(one_process, trainer) is one_process


@pytest.mark.parametrize("workers", [1, 2])
def test_the_part_of_a_process_is_read_as_it_is(workers):
    import tensorflow as tf

    with tf.distribute.MirroredStrategy(["CPU:0"]).scope():
        trainer = PoseTrainer(tiny_pose.student())
    dataset = tiny_pose.Dataset(10, 4, workers=workers)
    mine = EvenBatches(dataset, Share(1, 2, 2))
    adapter = with_own_parts(mine, trainer, shuffle=False)
    read = adapter.get_tf_dataset()
    assert isinstance(read, tf.distribute.DistributedDataset)
    batches = list(read)
    assert [len(images) for images, _ in batches] == [2, 2, 1]
    for i, (images, _) in enumerate(batches):
        np.testing.assert_array_equal(images, mine[i][0])
