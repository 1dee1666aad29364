import numpy as np
import pytest

from distilpose_keras.synthetic.actions import ACTIONS
from distilpose_keras.synthetic.casting import UPRIGHT, VARIED
from distilpose_keras.synthetic.scene import sample_scene


@pytest.mark.parametrize("casting", [VARIED, UPRIGHT], ids=["varied", "upright"])
def test_odds_are_of_known_actions_and_sum_to_one(casting):
    assert set(casting.actions) <= set(ACTIONS)
    for odds in (casting.actions.values(), casting.people, casting.height_odds):
        assert sum(odds) == pytest.approx(1)
    assert len(casting.heights) == len(casting.height_odds)


def test_varied_people_do_everything():
    assert set(VARIED.actions) == set(ACTIONS)


def test_upright_people_stand_on_their_feet_and_face_the_camera():
    rng = np.random.default_rng(0)
    scenes = [sample_scene(rng, (240, 320), UPRIGHT) for _ in range(12)]
    assert {len(scene.people) for scene in scenes} <= {1, 2}
    for scene in scenes:
        for person in scene.people:
            joints = scene.camera.to_camera(person.keypoints)
            shoulders, hips, ankles = joints[5:7], joints[11:13], joints[15:17]
            # y points down
            assert shoulders[:, 1].mean() < hips[:, 1].mean() < ankles[:, 1].mean()
        # their left is to the right of the picture, but for the odd one turned away
    turned = [
        scene.camera.to_camera(person.keypoints)[[5, 6], 0]
        for scene in scenes
        for person in scene.people
    ]
    assert np.mean([left > right for left, right in turned]) > 0.8
