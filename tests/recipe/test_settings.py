from distilpose_keras.data.transforms import Augmentation
from distilpose_keras.models.presets import MODELS
from distilpose_keras.recipe.settings import demo_recipe, paper_recipe


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
