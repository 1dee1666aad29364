import numpy as np

from distilpose_keras.data.epoch_plan import WINDOW, plan_epoch
from distilpose_keras.data.share import Share

RNG = np.random.default_rng(0)
IMAGES = np.sort(RNG.integers(0, 1200, 3000))  # 2.5 people a picture on average


def plan(**options):
    defaults = {"seed": 3, "epoch": 0, "shuffle": True, "batch_size": 32}
    return plan_epoch(IMAGES, **{**defaults, **options})


def test_everyone_comes_once():
    for options in ({}, {"epoch": 5}, {"shuffle": False}, {"batch_size": 700}):
        order = plan(**options).order
        np.testing.assert_array_equal(np.sort(order), np.arange(3000))


def test_the_order_follows_from_seed_and_epoch():
    np.testing.assert_array_equal(plan().order, plan().order)
    assert (plan().order != plan(epoch=1).order).mean() > 0.9
    assert (plan().order != plan(seed=4).order).mean() > 0.9
    np.testing.assert_array_equal(plan(shuffle=False).order, np.arange(3000))


def test_batches_are_mixed():
    order = plan().order
    batches = IMAGES[order[: 93 * 32]].reshape(93, 32)
    different = np.mean([len(np.unique(batch)) for batch in batches])
    assert different > 29  # a full shuffle gives 31.6, people picture by picture 13
    # and they come from everywhere, not from one stretch of the file.
    assert np.median(np.ptp(batches, axis=1)) > 1000


def test_pictures_are_kept_while_wanted_and_not_beyond_their_window():
    for options in ({}, {"shuffle": False}, {"batch_size": 400}):
        order, keep = plan(**options)
        images = IMAGES[order]
        held, decoded, most = set(), 0, 0
        for position, (image, again) in enumerate(zip(images, keep, strict=True)):
            decoded += image not in held
            held.add(image)
            if not again:
                held.remove(image)
            most = max(most, len(held))
            if options == {} and (position + 1) % WINDOW == 0:
                assert not held
        assert not held
        # A picture at the edge of a window is decoded twice.
        assert decoded <= len(np.unique(IMAGES)) + 3000 // WINDOW
        assert most < 250


def test_an_empty_data_set_has_an_empty_order():
    order, keep = plan_epoch([], seed=0, epoch=0, shuffle=True, batch_size=4)
    assert len(order) == len(keep) == 0


def decoded(processes, process):
    """Crops and decoded pictures of one of several processes in an epoch."""
    share = Share(process, processes, processes)
    order, keep = plan(share=share, batch_size=64)
    np.testing.assert_array_equal(order, plan(batch_size=64).order)
    held, crops, pictures = set(), 0, 0
    for start in range(0, len(order), 64):
        batch = slice(start, start + 64)
        slots = share.slots(len(order[batch]))
        for person, again in zip(order[batch][slots], keep[batch][slots], strict=True):
            crops += 1
            pictures += IMAGES[person] not in held
            held.add(IMAGES[person])
            if not again:
                held.remove(IMAGES[person])
    assert not held
    return crops, pictures


def test_two_processes_decode_little_more_than_half_of_the_pictures_each():
    crops, pictures = decoded(1, 0)
    assert crops == 3000
    for process in range(2):
        own_crops, own_pictures = decoded(2, process)
        assert own_crops == 1500
        # 0.74 if halves were cut at random, for pictures of 2.5 people.
        assert own_pictures < 0.57 * pictures
