"""The tables of the documentation, by name, from the figures of a file."""

from collections.abc import Iterable

from distilpose_keras.report.documentation import Figures

BACKENDS = ("tensorflow", "jax", "torch")
CLIPS = ("cross", "leave", "hide")
STEP = "step in fit"
# Which of a pair's lines shows what of a training step.
STEP_LINES = {"images/s": "images_per_s", "step / sum of parts": "ratio"}


def table(heading: str, rule: str, rows: Iterable[Iterable[object]]) -> str:
    """Return a Markdown table; `heading` and `rule` are its first two lines."""
    lines = [heading, rule, *(_line(row) for row in rows)]
    return "".join(f"{line}\n" for line in lines)


def _line(cells):
    # An empty cell has one space, as in a heading without text.
    return "|" + "|".join(f" {cell} " if cell != "" else " " for cell in cells) + "|"


def demonstration(figures: Figures) -> str:
    """What `python recipes/train_distilpose_s.py` leaves in its metrics.json."""
    rows = [row for row in figures.entries["demonstration"]["rows"] if "file" in row]
    return table(
        "| model | file | AP | AP50 | parameters | MB |",
        "|---|---|--:|--:|--:|--:|",
        [
            (
                row["model"],
                row["file"],
                f"{100 * row['AP']:.1f}",
                f"{100 * row['AP50']:.1f}",
                f"{row['params']:,}",
                f"{row['bytes'] / 1e6:.2f}",
            )
            for row in rows
        ],
    )


def training(figures: Figures) -> str:
    """Images a second, and the step against the sum of its parts, by backend."""
    pairs = {
        "training": "demo_student under demo_teacher, 32",
        "training-distilpose_s": "distilpose_s alone, 16",
    }
    rows = []
    for name, pair in pairs.items():
        for title, key in STEP_LINES.items():
            values = [figures.value(name, key, part=STEP, backend=b) for b in BACKENDS]
            cells = [f"{v:.2f}" if key == "ratio" else _three_digits(v) for v in values]
            rows.append((pair if key == "images_per_s" else "", title, *cells))
    return table(
        "| pair, batch | | TensorFlow | JAX | PyTorch |",
        "|---|---|--:|--:|--:|",
        rows,
    )


def _three_digits(value):
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}"


def models(figures: Figures) -> str:
    """Named models as files, the fastest first, beside their papers' AP."""
    return table(
        "| model | input | parameters | GMACs | MB | ms | of distilpose_s | AP |",
        "|---|---|--:|--:|--:|--:|--:|--:|",
        [
            (
                row["model"],
                row["input"],
                f"{row['params_m']:.2f} M",
                f"{row['gmacs']:.2f}",
                f"{row['mb']:.1f}",
                _three_digits(row["ms"]),
                f"{row['ratio']:.2f}",
                "–" if row["paper_ap"] is None else f"{row['paper_ap']:.1f}",
            )
            for row in figures.entries["models"]["rows"]
        ],
    )


def tracking(figures: Figures) -> str:
    """The truth with noise, followed in three ways; smoothed behind an arrow."""
    rows = []
    for clip in CLIPS:
        for similarity, every in (("keypoints", 1), ("boxes", 1), ("keypoints", 5)):
            way = {"clip": clip, "similarity": similarity, "detect_every": every}
            row = figures.row("tracking", "MOTA", smooth=False, **way)
            jitter, error = f"{row['jitter_px']:.2f}", f"{row['error_px']:.2f}"
            if similarity == "keypoints":
                smooth = figures.row("tracking", "jitter_px", smooth=True, **way)
                jitter += f" → {smooth['jitter_px']:.2f}"
                error += f" → {smooth['error_px']:.2f}"
            first = clip if (similarity, every) == ("keypoints", 1) else ""
            compared = "poses" if similarity == "keypoints" else similarity
            rows.append((first, compared, every, *_scores(row), jitter, error))
    return table(
        "| clip | compared | N | MOTA | IDF1 | switches | jitter, px | error, px |",
        "|---|---|--:|--:|--:|--:|--:|--:|",
        rows,
    )


def tracking_model(figures: Figures) -> str:
    """What the package's finder and model see of the same clips."""
    rows = []
    for clip in CLIPS:
        for every in (1, 5):
            way = {"clip": clip, "similarity": "keypoints", "detect_every": every}
            row = figures.row("tracking-model", "MOTA", smooth=False, **way)
            smooth = figures.row("tracking-model", "jitter_px", smooth=True, **way)
            jitter = f"{row['jitter_px']:.2f} → {smooth['jitter_px']:.2f}"
            error = f"{row['error_px']:.2f}"
            first = clip if every == 1 else ""
            rows.append((first, every, *_scores(row), jitter, error))
    return table(
        "| clip | N | MOTA | IDF1 | switches | jitter, px | error, px |",
        "|---|--:|--:|--:|--:|--:|--:|",
        rows,
    )


def _scores(row):
    return f"{row['MOTA']:.1f}", f"{row['IDF1']:.1f}", row["switches"]


def finder(figures: Figures) -> str:
    """The person finder on both data sets, beside its goals."""
    sets = {  # name: what the pictures are, their people, the goal of a figure
        "finder-people_real": (
            "people_real, validation, {pictures} pictures",
            *("AP50", 0.75),
        ),
        "finder-coco": (
            "COCO val, {pictures} pictures, people over 1,500 square pixels",
            *("best_recall_at_0.6", 0.6),
        ),
    }
    rows = []
    for name, (pictures, judged, goal) in sets.items():
        row = figures.row(name, "best_recall_at_0.6")
        shown = ("precision", "recall", "best_recall_at_0.6", "AP50")
        values = [f"{row[key]:.2f}" for key in shown]
        missed = "" if row[judged] >= goal else ": missed"
        people = f"{row['people']:,}"
        rows.append((pictures.format(**row), people, *values, f"{goal}{missed}"))
    return table(
        "| pictures | people | precision | recall | recall at precision 0.6 "
        "| AP at IoU 0.5 | goal |",
        "|---|--:|--:|--:|--:|--:|--:|",
        rows,
    )


def browser(figures: Figures) -> str:
    """Milliseconds of files in the browser, and against TFLite float32."""
    models = {"distilpose_nano": "160x128", "distilpose_s": "256x192"}
    rows = {row["file"]: [] for row in figures.entries["browser"]["rows"]}
    for file, cells in rows.items():
        for model in models:
            wanted = {"model": model, "file": file}
            try:
                row = figures.row("browser", "ratio", **wanted)
            except ValueError:
                cells.append("not measured")
                continue
            digits = 0 if row["ms"] >= 100 else 1
            cells.append(f"{row['ms']:.{digits}f} ({row['ratio']:.2f})")
    sizes = " | ".join(f"{model}, {size}" for model, size in models.items())
    lines = [(file, *cells) for file, cells in rows.items()]
    return table(f"| file | {sizes} |", "|---|--:|--:|", lines)


def processors(figures: Figures) -> str:
    """Files on a CPU with VNNI and on one without, against TFLite float32."""
    rows = []
    for runtime in ("TFLite", "ONNX"):
        for precision in ("float32", "int8"):
            file = f"distilpose_nano_{precision}.{runtime.lower()}"
            wanted = {"file": file, "precision": precision}
            ratios = [figures.value("latency", "ratio", **wanted)]
            for model in ("distilpose_nano", "distilpose_s"):
                wanted = {"model": model, "file": f"{runtime} {precision}"}
                ratios.append(figures.value("latency-avx2", "ratio", **wanted))
            cells = (f"{ratio:.2f}" for ratio in ratios)
            rows.append((f"{runtime} {precision}", *cells))
    return table(
        "| file | distilpose_nano, VNNI | distilpose_nano, AVX2 | distilpose_s, AVX2 |",
        "|---|--:|--:|--:|",
        rows,
    )


def sources(figures: Figures) -> str:
    """Where each of the figures comes from."""
    return table(
        "| figures | command | date | machine |",
        "|---|---|---|---|",
        [
            (name, f"`{entry['command']}`", entry["date"][:10], entry["machine"])
            for name, entry in sorted(figures.entries.items())
        ],
    )


TABLES = {
    "browser": browser,
    "demonstration": demonstration,
    "finder": finder,
    "models": models,
    "processors": processors,
    "sources": sources,
    "tracking": tracking,
    "tracking-model": tracking_model,
    "training": training,
}
