"""Charts: loss curves, one per term; reliability of scores; AP of models over time."""

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


def reliability_chart(reliability):
    """Draw a `Reliability`: similarity over score, and how many keypoints have it.

    Returns:
        matplotlib's ``Figure``; its ``savefig`` writes a file.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.6, 4.8), dpi=130, layout="constrained")
    curve, share = figure.subplots(2, height_ratios=(4, 1), sharex=True)
    drawn = [
        (score, near)
        for score, near in zip(
            reliability.scores, reliability.similarities, strict=True
        )
        if score is not None
    ]
    curve.plot((0, 1), (0, 1), ":", color="grey", label="score = similarity")
    curve.plot(*zip(*drawn, strict=True), "o-", label="keypoints, by score")
    curve.axvline(
        reliability.threshold,
        color="C1",
        linewidth=1,
        label=f"best threshold, {reliability.threshold:.2f}",
    )
    curve.set(xlim=(0, 1), ylim=(0, 1), ylabel="mean similarity to the truth (OKS)")
    curve.set_title(f"calibration error {reliability.calibration_error:.3f}")
    curve.legend(fontsize=8)
    bins = len(reliability.counts)
    places = (np.arange(bins) + 0.5) / bins
    share.bar(
        places, np.array(reliability.counts) / sum(reliability.counts), 0.9 / bins
    )
    share.set(xlabel="score of a keypoint", ylabel="share")
    for axis in (curve, share):
        axis.grid(alpha=0.25)
    return figure


def latency_chart(rows):
    """Draw the AP of models over the time that a crop takes, a colour per family.

    Args:
        rows: dicts of ``model``, ``family``, ``ms`` and ``paper_ap``; those without an
            AP are left out.

    Returns:
        matplotlib's ``Figure``.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator, NullFormatter

    figure = Figure(figsize=(8, 5.4), dpi=130, layout="constrained")
    axis = figure.subplots()
    rows = [row for row in rows if row["paper_ap"] is not None]
    families = list(dict.fromkeys(row["family"] for row in rows))
    for number, family in enumerate(families):
        own = sorted(
            (row["ms"], row["paper_ap"], row["model"])
            for row in rows
            if row["family"] == family
        )
        times, figures, names = zip(*own, strict=True)
        style = {"color": f"C{number % 10}", "marker": "os^Dv"[number // 10 % 5]}
        axis.plot(times, figures, "-", **style, label=family, linewidth=1, alpha=0.8)
        for time, ap, name in own:
            axis.annotate(
                name,
                (time, ap),
                xytext=(3, 3),
                textcoords="offset points",
                fontsize=5,
                color=style["color"],
            )
    axis.set_xscale("log")
    axis.margins(x=0.1)
    axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.xaxis.set_major_formatter("{x:g}")
    axis.xaxis.set_minor_formatter(NullFormatter())
    axis.set(
        xlabel="milliseconds for a crop: TFLite float32, one thread",
        ylabel="AP on COCO val, as the papers have it",
    )
    axis.grid(alpha=0.25, which="both")
    if rows:
        axis.legend(fontsize=6, ncols=2, loc="upper left")
    return figure


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
