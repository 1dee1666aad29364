"""What is said of a model without building it is true of the model."""

import pytest

from distilpose_keras.models.presets import FIGURES, MODELS
from distilpose_keras.profiling.model import profile
from tests.models import reference

PUBLISHED = [n for n in FIGURES if (reference.MODELS / f"{n}.json").exists()]


def test_every_named_model_has_its_facts():
    assert list(FIGURES) == list(MODELS)
    assert len(PUBLISHED) >= 11


@pytest.mark.parametrize("name", PUBLISHED)
def test_figures_are_the_published_ones(name):
    expected, facts = reference.description(name), FIGURES[name]
    assert facts.trainable_params == reference.trainable_params(name)
    assert facts.loss_params == reference.loss_params(name)
    assert facts.gmacs == pytest.approx(reference.gmacs(name), rel=5e-4)  # four digits
    if "family" not in expected:  # those write the papers' figures in other ways
        assert facts.paper_params_m == expected["paper_params_m"]
        assert facts.paper_gflops == expected["paper_gflops"]


@pytest.mark.parametrize("name", [n for n in FIGURES if n not in PUBLISHED])
def test_figures_of_our_own_models_are_counted(name):
    counted, facts = profile(name), FIGURES[name]
    assert facts.trainable_params == counted.trainable_params
    assert facts.gmacs == pytest.approx(counted.gmacs, rel=5e-4)
