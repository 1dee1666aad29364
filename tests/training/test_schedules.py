"""Learning rates, against the published schedule and by hand."""

import keras
import numpy as np
import pytest

from distilpose_keras.training import schedules


def rates(schedule, steps):
    return [float(keras.ops.convert_to_numpy(schedule(step))) for step in steps]


@pytest.mark.backend
def test_the_paper_schedule_warms_up_and_drops_at_epochs_200_and_260():
    schedule = schedules.step_schedule(1e-3, epochs=300, steps_per_epoch=293)
    # mmcv: rate * (1 - (1 - step / 500) * (1 - 0.001))
    assert rates(schedule, [0, 250, 499, 500]) == pytest.approx(
        [1e-6, 5.005e-4, 9.98002e-4, 1e-3], rel=1e-5
    )
    drops = [200 * 293 - 1, 200 * 293, 260 * 293 - 1, 260 * 293, 300 * 293]
    assert rates(schedule, drops) == pytest.approx(
        [1e-3, 1e-4, 1e-4, 1e-5, 1e-5], rel=1e-5
    )


def test_a_short_training_drops_at_the_same_share_and_warms_up_a_tenth():
    schedule = schedules.step_schedule(1.0, epochs=30, steps_per_epoch=10)
    assert schedule.milestones == [200, 260]
    assert schedule.warmup_steps == 30


def test_the_cosine_falls_to_zero_at_the_end():
    schedule = schedules.cosine_schedule(
        2.0, epochs=11, steps_per_epoch=100, warmup_steps=100
    )
    values = rates(schedule, [50, 100, 600, 1100, 2000])
    assert values == pytest.approx([1.001, 2.0, 1.0, 0, 0], rel=5e-3, abs=1e-6)


def test_no_warm_up_starts_at_the_full_rate():
    schedule = schedules.WarmupCosine(1.0, 10, warmup_steps=0)
    assert rates(schedule, [0])[0] == 1.0
    assert np.all(np.diff(rates(schedule, range(11))) < 0)


@pytest.mark.parametrize(
    "schedule",
    [
        schedules.WarmupStep(0.5, [3, 5], factor=0.2, warmup_steps=2, warmup_ratio=0.1),
        schedules.WarmupCosine(0.5, 7, warmup_steps=2, warmup_ratio=0.1),
    ],
)
def test_a_schedule_comes_back_from_its_configuration(schedule):
    data = keras.saving.serialize_keras_object(schedule)
    read = keras.saving.deserialize_keras_object(data)
    assert rates(read, range(8)) == rates(schedule, range(8))


def test_a_rate_of_zero_is_refused():
    with pytest.raises(ValueError, match="learning_rate must be above 0"):
        schedules.WarmupCosine(0.0, 7)
