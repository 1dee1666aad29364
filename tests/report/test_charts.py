"""Loss curves and models: which charts there are, and what is drawn in them."""

import numpy as np
from matplotlib.figure import Figure

from distilpose_keras.report.charts import _draw_metric, latency_chart, loss_curves


def test_there_is_a_chart_for_each_term():
    one = loss_curves({"student": {"loss": [2.0, 1.0]}})
    # Three charts stand in a row; a validation twin needs no chart of its own.
    terms = {name: [2.0, 1.0] for name in ("loss", "val_loss", "score", "regression")}
    three = loss_curves({"student": terms})
    four = loss_curves({"student": terms, "teacher": {"heatmap": [1.0]}})
    assert three.shape == (one.shape[0], 3 * one.shape[1], 3)
    assert four.shape == (2 * one.shape[0], 3 * one.shape[1], 3)
    assert loss_curves({}) is None


def drawn(histories, metric="loss"):
    """The axes of one chart."""
    axis = Figure().subplots()
    _draw_metric(axis, metric, histories)
    return axis


def test_epochs_without_a_figure_are_left_out_and_keep_their_numbers():
    axis = drawn({"student": {"loss": [3.0, None, float("nan"), 1.0, float("inf")]}})
    (line,) = axis.lines
    np.testing.assert_array_equal(line.get_xdata(), [1, 4])
    np.testing.assert_array_equal(line.get_ydata(), [3, 1])


def test_a_validation_is_dashed_in_the_colour_of_its_model():
    histories = {
        "student": {"loss": [3.0, 1.0], "val_loss": [4.0, 2.0]},
        "baseline": {"loss": [5.0, 4.0]},
    }
    axis = drawn(histories)
    styles = [(line.get_label(), line.get_linestyle()) for line in axis.lines]
    assert styles == [
        ("student", "-"),
        ("student, validation", "--"),
        ("baseline", "-"),
    ]
    student, validation, baseline = (line.get_color() for line in axis.lines)
    assert student == validation != baseline
    # A figure that only a validation has is no twin.
    (line,) = drawn({"student": {"val_AP": [0.1, 0.2]}}, "AP").lines
    assert (line.get_label(), line.get_linestyle()) == ("student", "-")


def test_curves_that_fall_far_have_a_log_axis():
    assert drawn({"student": {"loss": [30.0, 1.0]}}).get_yscale() == "log"
    assert drawn({"student": {"loss": [3.0, 1.0]}}).get_yscale() == "linear"
    assert drawn({"student": {"loss": [30.0, 0.0]}}).get_yscale() == "linear"


def test_models_of_a_family_are_a_line_from_the_fastest():
    rows = [
        {"model": "b", "family": "One", "ms": 30.0, "paper_ap": 74.0},
        {"model": "a", "family": "One", "ms": 10.0, "paper_ap": 71.0},
        {"model": "c", "family": "Two", "ms": 20.0, "paper_ap": 70.0},
        {"model": "d", "family": "Three", "ms": 5.0, "paper_ap": None},
    ]
    (axis,) = latency_chart(rows).axes
    one, two = axis.lines
    np.testing.assert_array_equal(one.get_xydata(), [[10, 71], [30, 74]])
    np.testing.assert_array_equal(two.get_xydata(), [[20, 70]])
    assert (one.get_label(), two.get_label()) == ("One", "Two")
    assert sorted(text.get_text() for text in axis.texts) == ["a", "b", "c"]
    assert latency_chart(rows[-1:]).axes[0].lines[:] == []
