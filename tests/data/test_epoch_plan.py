import numpy as np

from distilpose_keras.data.epoch_plan import WINDOW, plan_epoch

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
