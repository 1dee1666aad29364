import pytest

from distilpose_keras.data.transforms import Augmentation
from distilpose_keras.models.presets import MODELS
from distilpose_keras.recipe.settings import (
    demo_recipe,
    paper_recipe,
    recipe_of,
    with_changes,
)


def test_the_papers_recipe_is_the_papers():
    recipe = paper_recipe("distilpose_s")
    training = recipe.student_training
    assert MODELS[recipe.teacher].name == "tokenpose_hrnet_w48"
    assert (training.epochs, training.batch_size) == (300, 512)
    assert (training.learning_rate, training.warmup_steps) == (1e-3, 500)
    assert training.drop_epochs == (200, 260)
    assert not recipe.loss_weights
    assert Augmentation(**recipe.augmentation) == Augmentation()


def test_the_demonstration_compares_students_trained_alike():
    recipe = demo_recipe()
    assert recipe.baseline
    student, teacher = MODELS[recipe.student], MODELS[recipe.teacher]
    assert student.input_size == teacher.input_size
    assert student.codec.heatmap_size is None
    assert teacher.codec.heatmap_size == (16, 12)


@pytest.mark.parametrize("name", MODELS)
def test_every_named_model_has_a_recipe_that_fits(name):
    distillable = MODELS[name].distillable
    recipe = recipe_of(name, given_teacher=distillable)
    teacher = MODELS[recipe.teacher]
    if not distillable:
        assert (recipe.student, recipe.teacher) == (None, name)
        return
    assert recipe.student == name
    assert teacher.codec.heatmap_size is not None
    if recipe_of(name).student == name:  # by default, and not under the teacher given
        assert teacher.input_size == MODELS[name].input_size


@pytest.mark.parametrize("name", ["distilpose_s", "rle_resnet50"])
def test_a_teacher_is_the_default_where_the_paper_has_one(name):
    taught = name == "distilpose_s"
    expected = (name, "tokenpose_hrnet_w48") if taught else (None, name)
    assert (recipe_of(name).student, recipe_of(name).teacher) == expected
    assert recipe_of(name, given_teacher=True).student == name


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("yolo", False, "unknown model 'yolo'; known: distilpose_s"),
        ("hrnet_w32", True, "hrnet_w32 is trained alone"),
        ("deeppose_resnet50", True, "deeppose_resnet50 is trained alone"),
    ],
)
def test_a_model_that_cannot_be_trained_so_is_refused(name, given, message):
    with pytest.raises(ValueError, match=message):
        recipe_of(name, given_teacher=given)


def test_the_demonstration_stands_in_for_students_and_for_teachers():
    assert recipe_of("distilpose_l", demo=True) == demo_recipe()
    alone = recipe_of("hrnet_w48", demo=True)
    assert (alone.student, alone.teacher, alone.baseline) == (
        None,
        "demo_teacher",
        False,
    )


def test_changes_are_of_both_trainings_and_nothing_else():
    changed = with_changes(demo_recipe(), epochs=2, appearance=True)
    demo = demo_recipe()
    for name in ("student_training", "teacher_training"):
        training = getattr(changed, name)
        assert training.epochs == 2
        assert training.batch_size == getattr(demo, name).batch_size
    assert changed.appearance and not demo.appearance
    assert with_changes(demo) == demo
