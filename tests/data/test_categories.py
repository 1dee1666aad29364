"""Whose keypoints are meant, and in which order."""

import copy

import numpy as np
import pytest

from distilpose_keras.data.coco import load_people
from distilpose_keras.keypoints import COCO_17, KeypointSchema

from .other_files import document, load, write

NAMES = ("nose", "left_paw", "right_paw")


def dogs_and_cats(names=NAMES, cat_names=NAMES):
    data = document(names=names)
    data["categories"] = [
        {"id": 3, "name": "dog", "keypoints": list(names)},
        {"id": 8, "name": "cat", "keypoints": list(cat_names)},
        {"id": 9, "name": "car"},
    ]
    for n, person in enumerate(data["annotations"]):
        person["category_id"] = (3, 8, 9)[n % 3]
    return data


def test_categories_with_the_same_keypoints_are_one(tmp_path):
    people = load(tmp_path, dogs_and_cats())
    assert people.annotation_ids.tolist() == [100, 101, 103, 104]
    assert people.category_ids == (3, 8)
    assert people.schema.names == NAMES
    assert people.skipped == {"of another category": 2}


@pytest.mark.parametrize(
    ("wanted", "ids"), [("dog", [100, 103]), (8, [101, 104]), ("8", [101, 104])]
)
def test_one_category_can_be_chosen(tmp_path, wanted, ids):
    people = load(tmp_path, dogs_and_cats(), category=wanted)
    assert people.annotation_ids.tolist() == ids
    # Other keypoints are no reason against it.
    other = dogs_and_cats(cat_names=("a", "b", "c"))
    assert load(tmp_path, other, category=wanted).annotation_ids.tolist() == ids


def test_a_choice_that_is_none_is_told_what_there_is(tmp_path):
    with pytest.raises(ValueError, match=r"one of dog \(3\), cat \(8\). Rec.*'horse'"):
        load(tmp_path, dogs_and_cats(), category="horse")
    with pytest.raises(ValueError, match=r"choose one \(category\).*'dog', 'cat'"):
        load(tmp_path, dogs_and_cats(cat_names=("a", "b", "c")))


@pytest.mark.parametrize("seed", range(3))
def test_another_order_is_brought_into_the_schema_s(tmp_path, seed):
    data = document()
    order = np.random.default_rng(seed).permutation(17)
    shuffled = copy.deepcopy(data)
    names = [COCO_17.names[k] for k in order]
    shuffled["categories"][0]["keypoints"] = names
    for person in shuffled["annotations"]:
        triples = np.reshape(person["keypoints"], (17, 3))[order]
        person["keypoints"] = triples.ravel().tolist()
    expected = load(tmp_path, data)
    people = load(tmp_path, shuffled, schema=COCO_17)
    np.testing.assert_array_equal(people.keypoints, expected.keypoints)
    np.testing.assert_array_equal(people.visibility, expected.visibility)
    # On its own the file keeps its order, with COCO's sigmas.
    own = load(tmp_path, shuffled)
    np.testing.assert_array_equal(own.keypoints, expected.keypoints[:, order])
    np.testing.assert_array_equal(own.schema.sigmas, np.array(COCO_17.sigmas)[order])


def test_a_part_of_the_schema_s_keypoints_is_labelled(tmp_path):
    names = COCO_17.names[4:]
    with pytest.warns(UserWarning, match="no labels of nose, left_eye"):
        people = load(tmp_path, document(names=names), schema=COCO_17)
    expected = load(tmp_path, document(names=names))
    assert people.schema == COCO_17
    np.testing.assert_array_equal(people.keypoints[:, 4:], expected.keypoints)
    assert not people.visibility[:, :4].any()
    assert people.visibility[:, 4:].all()


def test_keypoints_that_the_schema_lacks_are_left_out(tmp_path):
    names = ("neck", *COCO_17.names)
    with pytest.warns(UserWarning, match="labels of neck are not used"):
        people = load(tmp_path, document(names=names), schema=COCO_17)
    expected = load(tmp_path, document(names=names))
    np.testing.assert_array_equal(people.keypoints, expected.keypoints[:, 1:])


def test_keypoints_of_something_else_are_refused(tmp_path):
    names = ("nose", *(f"paw_{n}" for n in range(16)))
    with pytest.raises(ValueError, match=r"people\.json: expected 17 keypoints"):
        load(tmp_path, document(names=names), schema=COCO_17)


def test_the_user_s_pairs_are_taken(tmp_path):
    names = ("nose", "left_paw", "other_paw")
    path = write(tmp_path, document(names=names))
    with pytest.raises(ValueError, match="cannot be mirrored.*left_paw"):
        _ = load_people(path, tmp_path).schema.flip_permutation
    people = load_people(path, tmp_path, flip_pairs=[("left_paw", "other_paw")])
    assert people.schema.flip_pairs == ((1, 2),)
    schema = KeypointSchema.from_coco_category({"keypoints": list(names)})
    again = load_people(path, tmp_path, schema=schema, flip_pairs=[(1, 2)])
    assert again.schema.flip_permutation.tolist() == [0, 2, 1]


def test_lines_that_cannot_be_drawn_are_told_once(tmp_path):
    data = document()
    data["categories"][0]["keypoints"][0] = "nase"
    data["categories"][0]["skeleton"] = [[1, 2], [99, 1], ["x", 1], None]
    with pytest.warns(UserWarning, match="3 lines of the skeleton cannot be") as told:
        people = load(tmp_path, data)
    assert len(told) == 1
    assert people.schema.skeleton == ((0, 1),)


def test_ids_of_categories_may_be_text_or_floats(tmp_path):
    for value in ("1", 1.0, "01"):
        data = document()
        data["categories"][0]["id"] = value
        assert len(load(tmp_path, data)) == 6
    data["categories"][0]["id"] = "person"
    with pytest.raises(ValueError, match=r"'categories' has id that is not a whole"):
        load(tmp_path, data)
