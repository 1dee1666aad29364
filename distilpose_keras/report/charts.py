"""Loss curves: one small chart per term, one line per model."""

import math

import numpy as np

_COLUMNS = 3
_VALIDATION = "val_"
_LOG_RATIO = 20  # a curve that falls further than this is drawn on a log axis


def loss_curves(histories):
    """Draw the history of one or more training runs.

    Args:
        histories: model name -> {metric: one value per epoch}, as `History.history`
            holds them. A ``val_X`` is drawn dashed in the chart of ``X``; epochs
            with None or NaN are left out.

    Returns:
        (height, width, 3) uint8 RGB, or None if there is nothing to draw.
    """
    metrics = _metrics(histories)
    if not metrics:
        return None
    # Figure and canvas by hand: pyplot would look for a display and keep every figure.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns = min(_COLUMNS, len(metrics))
    rows = math.ceil(len(metrics) / columns)
    figure = Figure(figsize=(4.2 * columns, 2.9 * rows), dpi=110, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis, metric in zip(axes, metrics, strict=False):
        _draw_metric(axis, metric, histories)
    for axis in axes[len(metrics) :]:
        axis.set_visible(False)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def _metrics(histories):
    """Names of the charts: each metric once, without its validation twin."""
    names = [name for history in histories.values() for name in history]
    plain = [name.removeprefix(_VALIDATION) for name in names]
    return list(dict.fromkeys(plain))


def _draw_metric(axis, metric, histories):
    """Draw one metric of all models that have it."""
    drawn = []
    for color, (model, history) in enumerate(histories.items()):
        for name in (metric, _VALIDATION + metric):
            values = np.asarray(history.get(name, ()), np.float64)
            epochs = np.flatnonzero(np.isfinite(values))
            if not len(epochs):
                continue
            twin = name != metric and metric in history
            marker = "o" if len(epochs) < 3 else None
            axis.plot(
                epochs + 1,
                values[epochs],
                "--" if twin else "-",
                color=f"C{color}",
                label=f"{model}, validation" if twin else model,
                marker=marker,
                linewidth=1.6,
            )
            drawn.append(values[epochs])
    values = np.concatenate(drawn) if drawn else np.ones(1)
    if values.min() > 0 and values.max() > _LOG_RATIO * values.min():
        axis.set_yscale("log")
    axis.set_title(metric.replace("_", " "), fontsize=10)
    axis.set_xlabel("epoch", fontsize=8)
    axis.xaxis.get_major_locator().set_params(integer=True)
    axis.tick_params(labelsize=8)
    axis.grid(alpha=0.25)
    if drawn:
        axis.legend(fontsize=7, framealpha=0.6)
