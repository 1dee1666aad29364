"""What is in shards, and training on them."""

from collections import Counter

import keras
import numpy as np
import pytest
import tiny_pose

from distilpose_keras.data.shards.people import load_shards
from distilpose_keras.keypoints import COCO_17, KeypointSchema
from distilpose_keras.training.loop import train
from distilpose_keras.training.optimizers import make_optimizer
from distilpose_keras.training.trainer import PoseTrainer
from tests.data.conftest import SIZE

from .conftest import make


def test_people_pictures_and_shards_are_counted(people, sharded):
    assert len(sharded) == len(people)
    assert sharded.schema == COCO_17
    np.testing.assert_array_equal(sharded.picture_of, people.image_index)
    assert sharded.people_per_shard().sum() == len(people)
    pictures = len(people.image_files)
    assert sharded.summary() == (
        f"{len(people)} people in {pictures} images in {len(sharded.shards)} shards"
    )


def test_a_models_schema_must_be_the_shards(packed_once):
    twice = COCO_17.with_sigmas([2 * s for s in COCO_17.sigmas])
    assert load_shards(packed_once, "train", schema=twice).schema is twice
    other = KeypointSchema.from_coco_category({"keypoints": ["head", "tail"]})
    with pytest.raises(ValueError, match="must be of the keypoints head, tail. Rec"):
        load_shards(packed_once, "train", schema=other)


def test_a_buffer_holds_somebody(packed_once):
    with pytest.raises(ValueError, match="buffer must be at least 1 person. Rec"):
        load_shards(packed_once, "train", buffer=0)


def test_the_order_is_that_of_seed_and_epoch(sharded):
    def order(epoch, seed):
        batches = make(sharded, seed=seed, augmentation=None)
        batches.set_epoch(epoch)
        return np.concatenate([batches[i][0] for i in range(len(batches))])

    np.testing.assert_array_equal(order(2, 3), order(2, 3))
    assert (order(2, 3) != order(1, 3)).any()
    assert (order(2, 3) != order(2, 4)).any()


@pytest.mark.backend
@pytest.mark.parametrize("workers", [1, 2])
def test_fit_sees_everyone_in_every_epoch(people, sharded, workers):
    model = tiny_pose.pooled_model(SIZE)
    plans = []
    with make(sharded, image_dtype="float32", workers=workers) as batches:
        plan = batches._maker.source.plan

        def noted(**options):
            plans.append((options["epoch"], plan(**options)))
            return plans[-1][1]

        batches._maker.source.plan = noted
        history = model.fit(batches, epochs=3, shuffle=False, verbose=0)
    assert np.isfinite(history.history["loss"]).all()
    assert [epoch for epoch, _ in plans] == [0, 1, 2]
    for _, each in plans:
        assert Counter(each.order.tolist()) == Counter(range(len(people)))


@pytest.mark.backend
def test_a_killed_training_goes_on_to_the_same_weights(sharded, tmp_path):
    def run(folder, **options):
        keras.utils.set_random_seed(0)
        trainer = PoseTrainer(tiny_pose.fill(tiny_pose.teacher(17, SIZE)))
        trainer.compile(optimizer=make_optimizer(1e-2))
        how = {"epochs": 2, "tensorboard": False, "verbose": 0, "checkpoint_steps": 1}
        with make(sharded, batch_size=8, seed=2) as batches:
            train(trainer, batches, run_dir=folder, **how, **options)
        return trainer.get_weights()

    expected = run(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "broken", callbacks=[tiny_pose.Interrupt(2)])
    again = run(tmp_path / "broken", resume=True)
    for one, other in zip(again, expected, strict=True):
        np.testing.assert_array_equal(one, other)
