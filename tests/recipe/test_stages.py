import pytest

from distilpose_keras.data.coco import coco_paths, load_people
from distilpose_keras.data.synthetic import render_dataset
from distilpose_keras.recipe.stages import load_splits, without_images


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("people") / "data"
    return render_dataset(out, train_images=4, val_images=3, workers=1)


def test_people_of_unreadable_images_are_left_out(folder):
    people = load_people(*coco_paths(folder, "train"))
    bad = str(people[0].image_path)
    rest = without_images(people, {bad})
    assert {str(p.image_path) for p in rest} == {str(p.image_path) for p in people} - {
        bad
    }
    assert len(without_images(people, set())) == len(people)


def test_limit_takes_people_from_both_splits(folder):
    assert [len(people) for people in load_splits(folder, limit=2)] == [2, 2]
