"""The switches of the paper's ablations change exactly what they name."""

import numpy as np
import pytest

from distilpose_keras.distillation.distiller import Distiller
from distilpose_keras.models.model import build_model
from distilpose_keras.recipe.ablation import TABLES, mean_and_spread, only

TERM_OF_LOSS = {
    "L_CS": "score",
    "L_SH": "simulated_heatmap",
    "L_KT": "keypoint_token",
    "L_VT": "visual_token",
}


@pytest.fixture(scope="module")
def pair():
    return build_model("demo_student"), build_model("demo_teacher")


@pytest.mark.parametrize("row", TABLES["4"].rows, ids=lambda row: "-".join(row.labels))
def test_each_row_of_table_4_has_the_terms_that_it_marks(row, pair):
    student, teacher = pair
    marked = [
        TERM_OF_LOSS[column]
        for column, mark in zip(TABLES["4"].columns, row.labels, strict=True)
        if mark
    ]
    distiller = Distiller(
        student=student,
        teacher=row.teacher and teacher,
        loss_weights=row.loss_weights,
    )
    assert set(distiller.loss_weights) == {"regression", *marked}


def test_table_4_has_none_each_and_all():
    counts = [sum(map(bool, row.labels)) for row in TABLES["4"].rows]
    assert counts == [0, 1, 1, 1, 1, 4]


def test_terms_that_stay_keep_the_papers_weight(pair):
    everything = Distiller(student=pair[0], teacher=pair[1]).loss_weights
    alone = Distiller(
        student=pair[0], teacher=pair[1], loss_weights=only("L_SH")
    ).loss_weights
    assert alone == {
        name: everything[name] for name in ("regression", "simulated_heatmap")
    }


def test_sizes_of_table_5_differ_and_fit_together():
    models = {}
    for row in TABLES["5"].rows:
        student = build_model(row.student.name, **row.student.overrides)
        models[row.labels[0]] = student.count_params()
        if row.teacher is not None:
            teacher = build_model(row.teacher.name, **row.teacher.overrides)
            Distiller(student=student, teacher=teacher)  # raises if the two do not fit
            models[row.labels[1]] = teacher.count_params()
    assert models["L"] > 2 * models["S"]
    assert models["large"] > 1.5 * models["small"]


def test_one_sigma_makes_round_gaussians():
    one, two = (
        build_model(row.student.name, **row.student.overrides)
        for row in TABLES["B"].rows
    )
    assert two.count_params() - one.count_params() == 64 + 1  # one output of the head
    images = np.random.default_rng(0).normal(size=(2, 64, 48, 3)).astype("float32")
    sigmas = one.predict(images, verbose=0)["sigmas"]
    np.testing.assert_array_equal(sigmas[..., 0], sigmas[..., 1])


def test_the_convolutional_pair_of_table_6_needs_no_tokens():
    distilled = TABLES["6"].rows[1]
    student, teacher = (
        build_model(model.name, **model.overrides)
        for model in (distilled.student, distilled.teacher)
    )
    distiller = Distiller(
        student=student, teacher=teacher, loss_weights=distilled.loss_weights
    )
    assert set(distiller.loss_weights) == {"regression", "simulated_heatmap", "score"}


def test_spread_is_the_sample_standard_deviation():
    assert mean_and_spread([0.5, 0.6]) == pytest.approx((55.0, 7.0710678))
    assert mean_and_spread([0.5]) == (50.0, 0.0)
