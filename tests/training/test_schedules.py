"""Learning rates, against the published schedule and by hand."""

import keras
import numpy as np
import pytest

from distilpose_keras.training import schedules


def rates(schedule, steps):
    return [float(keras.ops.convert_to_numpy(schedule(step))) for step in steps]


@pytest.mark.backend
def test_the_paper_schedule_warms_up_and_drops_at_epochs_200_and_260():
    schedule = schedules.WarmupStep(1e-3, [200 * 293, 260 * 293])
    # mmcv: rate * (1 - (1 - step / 500) * (1 - 0.001))
    assert rates(schedule, [0, 250, 499, 500]) == pytest.approx(
        [1e-6, 5.005e-4, 9.98002e-4, 1e-3], rel=1e-5
    )
    drops = [200 * 293 - 1, 200 * 293, 260 * 293 - 1, 260 * 293, 300 * 293]
    assert rates(schedule, drops) == pytest.approx(
        [1e-3, 1e-4, 1e-4, 1e-5, 1e-5], rel=1e-5
    )


@pytest.mark.backend
def test_the_cosine_warms_up_and_falls_to_zero_at_the_end():
    schedule = schedules.warmup_cosine(2.0, 1100, warmup_steps=100)
    values = rates(schedule, [0, 50, 100, 600, 1100, 2000])
    assert values == pytest.approx([2e-3, 1.001, 2.0, 1.0, 0, 0], rel=1e-5, abs=1e-6)


def test_no_warm_up_starts_at_the_full_rate():
    schedule = schedules.warmup_cosine(1.0, 10, warmup_steps=0)
    assert rates(schedule, [0])[0] == 1.0
    assert np.all(np.diff(rates(schedule, range(11))) < 0)


@pytest.mark.parametrize(
    "schedule",
    [
        schedules.WarmupStep(0.5, [3, 5], factor=0.2, warmup_steps=2, warmup_ratio=0.1),
        schedules.warmup_cosine(0.5, 7, warmup_steps=2, warmup_ratio=0.1),
    ],
)
def test_a_schedule_comes_back_from_its_configuration(schedule):
    data = keras.saving.serialize_keras_object(schedule)
    read = keras.saving.deserialize_keras_object(data)
    assert rates(read, range(8)) == rates(schedule, range(8))


@pytest.mark.parametrize(
    "schedule, steps", [(schedules.warmup_cosine, 7), (schedules.WarmupStep, [7])]
)
def test_a_rate_of_zero_is_refused(schedule, steps):
    with pytest.raises(ValueError, match="learning_rate must be above 0"):
        schedule(0.0, steps)


def test_the_cosine_of_version_0_1_is_read():
    arguments = {"learning_rate": 2.0, "warmup_steps": 100, "warmup_ratio": 0.1}
    saved = {
        "module": "distilpose_keras.training.schedules",
        "class_name": "WarmupCosine",
        "config": {**arguments, "total_steps": 1100},
        "registered_name": "distilpose_keras>WarmupCosine",
    }
    schedule = keras.saving.deserialize_keras_object(saved)
    assert rates(schedule, [0, 50, 600]) == pytest.approx([0.2, 1.1, 1.0])
