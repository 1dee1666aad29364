import json

import numpy as np
import pytest

from distilpose_keras.keypoints import COCO_17, KeypointSchema


def test_coco_flip_pairs_exchange_left_and_right_names():
    names = np.array(COCO_17.names)
    for name, mirrored in zip(names, names[COCO_17.flip_permutation], strict=True):
        swap = {"left": "right", "right": "left"}
        side, _, part = name.partition("_")
        assert mirrored == (f"{swap[side]}_{part}" if side in swap else name)


def test_coco_sigmas_are_those_of_pycocotools():
    cocoeval = pytest.importorskip("pycocotools.cocoeval")
    expected = cocoeval.Params(iouType="keypoints").kpt_oks_sigmas
    np.testing.assert_allclose(COCO_17.sigmas, expected, rtol=0, atol=1e-12)


def test_coco_lower_body_starts_at_the_hips():
    assert [COCO_17.names[i] for i in COCO_17.lower_body] == [
        f"{side}_{part}"
        for part in ("hip", "knee", "ankle")
        for side in ("left", "right")
    ]


def test_schema_survives_json():
    text = json.dumps(COCO_17.to_dict())
    assert KeypointSchema.from_dict(json.loads(text)) == COCO_17


def test_category_of_another_animal_is_paired_by_name():
    category = {
        "keypoints": ["nose", "left_paw", "right_paw", "left_hip", "tail"],
        "skeleton": [[1, 2], [1, 3]],
    }
    schema = KeypointSchema.from_coco_category(category)
    assert schema.flip_pairs == ((1, 2),)
    assert schema.unpaired == ("left_hip",)  # it has no right_hip
    assert schema.skeleton == ((0, 1), (0, 2))
    assert schema.lower_body == (3,)


def test_a_category_that_has_cocos_names_is_coco():
    category = {"keypoints": list(COCO_17.names), "skeleton": []}
    assert KeypointSchema.from_coco_category(category) is COCO_17


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sigmas": (0.1,)}, "one value per keypoint"),
        ({"flip_pairs": ((0, 99),)}, r"Received: \[99\]"),
        ({"upper_body": (-1,)}, r"Received: \[-1\]"),
    ],
)
def test_indices_and_lengths_must_fit_the_names(change, message):
    fields = {f: getattr(COCO_17, f) for f in COCO_17.__dataclass_fields__}
    with pytest.raises(ValueError, match=message):
        KeypointSchema(**{**fields, **change})


def test_a_category_without_keypoints_is_refused():
    with pytest.raises(ValueError, match="must list its keypoint names"):
        KeypointSchema.from_coco_category({"id": 1, "name": "person"})


def schema_of(names, **more):
    return KeypointSchema.from_coco_category({"keypoints": names, **more})


def test_names_that_hold_a_side_and_stay_unpaired_are_not_mirrored():
    schema = schema_of(["nose", "Left Fin", "Fin on the other side"])
    with pytest.raises(ValueError, match=r"cannot be mirrored.*Left Fin.*flip_pairs"):
        _ = schema.flip_permutation
    assert KeypointSchema.from_dict(schema.to_dict()) == schema


def test_the_user_s_pairs_count_more_than_the_names():
    names = ["nose", "Left Fin", "Fin on the other side"]
    pairs = [("Left Fin", "Fin on the other side")]
    for given in (pairs, [(1, 2)]):
        category = {"keypoints": names}
        schema = KeypointSchema.from_coco_category(category, flip_pairs=given)
        assert schema.flip_permutation.tolist() == [0, 2, 1]
    alone = schema_of(names).with_flip_pairs(())
    assert alone.flip_permutation.tolist() == [0, 1, 2]
    turned = KeypointSchema.from_coco_category(
        {"keypoints": list(COCO_17.names)}, flip_pairs=[("left_eye", "right_eye")]
    )
    assert turned.flip_pairs == ((1, 2),)


@pytest.mark.parametrize(
    "pairs",
    [[("left_eye", "tail")], [(1, 99)], [(1,)], [(1, 2), (2, 3)], [(1, 1)], [3]],
)
def test_pairs_that_are_none_are_refused(pairs):
    with pytest.raises(ValueError, match=r"flip_pairs must .*Received"):
        COCO_17.with_flip_pairs(pairs)


@pytest.mark.parametrize("seed", range(3))
def test_coco_s_sigmas_follow_the_names(seed):
    rng = np.random.default_rng(seed)
    chosen = rng.permutation(17)[: rng.integers(2, 18)]
    names = [COCO_17.names[k].replace("_", " ").title() for k in chosen]
    schema = schema_of([*names, "Neck"])
    expected = [*np.array(COCO_17.sigmas)[chosen], 0.05]
    np.testing.assert_array_equal(schema.sigmas, expected)
    # COCO's lines too, where the file draws none.
    drawn = {frozenset((names[a], names[b])) for a, b in schema.skeleton}
    assert drawn == {
        frozenset((names[list(chosen).index(a)], names[list(chosen).index(b)]))
        for a, b in COCO_17.skeleton
        if a in chosen and b in chosen
    }


@pytest.mark.parametrize("names", [None, [], "nose,left_eye", {"nose": 1}, 3])
def test_keypoint_names_must_be_a_list(names):
    with pytest.raises(ValueError, match="must list its keypoint names"):
        schema_of(names)
