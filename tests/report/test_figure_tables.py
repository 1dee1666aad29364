"""The documentation's tables, of rows as the benchmarks return them."""

from distilpose_keras.report.documentation import Figures
from distilpose_keras.report.figure_tables import TABLES, table


def figures(**rows):
    entries = {
        name.replace("_", "-"): {
            "command": "c",
            "date": "2026-11-26T01:02:03+00:00",
            "machine": "m",
            "rows": rows,
        }
        for name, rows in rows.items()
    }
    return Figures({"measured_by_hand": entries})


def lines(name, **rows):
    return TABLES[name](figures(**rows)).splitlines()[2:]


def test_an_empty_cell_is_one_space():
    assert table("| a | |", "|---|---|", [("b", "")]) == "| a | |\n|---|---|\n| b | |\n"


def test_a_run_leaves_models_and_files():
    row = {"model": "student", "file": "student.onnx", "AP": 0.1594, "AP50": 0.5}
    size = {"params": 158325, "bytes": 691234, "latency_ms": 1.2}
    assert lines("demonstration", demonstration=[row | size, {"seconds": 3}]) == [
        "| student | student.onnx | 15.9 | 50.0 | 158,325 | 0.69 |"
    ]


def test_models_stand_beside_their_papers():
    row = {"model": "a", "input": "64x48", "params_m": 1.5, "gmacs": 0.133, "mb": 6.04}
    rows = [
        row | {"ms": 4.21, "ratio": 0.051, "paper_ap": None},
        row | {"ms": 123.4, "ratio": 1.5, "paper_ap": 71.6},
    ]
    assert lines("models", models=rows) == [
        "| a | 64x48 | 1.50 M | 0.13 | 6.0 | 4.2 | 0.05 | – |",
        "| a | 64x48 | 1.50 M | 0.13 | 6.0 | 123 | 1.50 | 71.6 |",
    ]


def test_files_stand_by_processor():
    names = [("TFLite", "float32"), ("TFLite", "int8"), ("ONNX", "float32")]
    names.append(("ONNX", "int8"))
    rows, others = [], []
    for n, (runtime, precision) in enumerate(names):
        file = f"distilpose_nano_{precision}.{runtime.lower()}"
        rows.append({"file": file, "precision": precision, "ratio": 1 + n / 8})
        rows.append({"file": file, "batch": 4, "ratio": 9.0})
        for model, scale in (("distilpose_nano", 2), ("distilpose_s", 3)):
            kind = f"{runtime} {precision}"
            ratio = {"ratio": scale * (1 + n / 8)}
            others.append({"model": model, "file": kind, **ratio})
    assert lines("processors", latency=rows, latency_avx2=others) == [
        "| TFLite float32 | 1.00 | 2.00 | 3.00 |",
        "| TFLite int8 | 1.12 | 2.25 | 3.38 |",
        "| ONNX float32 | 1.25 | 2.50 | 3.75 |",
        "| ONNX int8 | 1.38 | 2.75 | 4.12 |",
    ]


def test_backends_stand_side_by_side():
    def rows(rates):
        names = ("tensorflow", "jax", "torch")
        return [
            {"backend": name, "part": part, "images_per_s": rate, "ratio": rate / 1000}
            for name, rate in zip(names, rates, strict=True)
            for part in ("step in fit", "input")
        ]

    entries = {
        "training": {"rows": rows((582.4, 605, 99.94))},
        "training-distilpose_s": {"rows": rows((6.31, 3.4, 6.4))},
    }
    assert TABLES["training"](Figures({"measured_by_hand": entries})).splitlines() == [
        "| pair, batch | | TensorFlow | JAX | PyTorch |",
        "|---|---|--:|--:|--:|",
        "| demo_student under demo_teacher, 32 | images/s | 582 | 605 | 99.9 |",
        "| | step / sum of parts | 0.58 | 0.60 | 0.10 |",
        "| distilpose_s alone, 16 | images/s | 6.3 | 3.4 | 6.4 |",
        "| | step / sum of parts | 0.01 | 0.00 | 0.01 |",
    ]


def tracking_rows():
    """As `distilpose benchmark tracking` returns them."""
    ways = [("keypoints", 1), ("boxes", 1), ("keypoints", 5)]
    return [
        {
            "clip": clip,
            "similarity": similarity,
            "detect_every": every,
            "smooth": smooth,
            **{"MOTA": 90.04, "IDF1": 80, "switches": 7},
            **{"jitter_px": 3 if smooth else 7.09, "error_px": 5 if smooth else 4.99},
        }
        for clip in ("cross", "leave", "hide")
        for similarity, every in ways
        for smooth in ((False,) if similarity == "boxes" else (False, True))
    ] + [{"model": "distilpose_nano", "detect_every": 1, "faster": 1.0}]


def test_smoothed_figures_stand_behind_arrows():
    first, boxes, fifth, *others = lines("tracking", tracking=tracking_rows())
    smoothed = "7.09 → 3.00 | 4.99 → 5.00 |"
    assert first == f"| cross | poses | 1 | 90.0 | 80.0 | 7 | {smoothed}"
    assert boxes == "| | boxes | 1 | 90.0 | 80.0 | 7 | 7.09 | 4.99 |"
    assert fifth == f"| | poses | 5 | 90.0 | 80.0 | 7 | {smoothed}"
    assert len(others) == 6
    found = lines("tracking-model", tracking_model=tracking_rows())
    assert found[1] == "| | 5 | 90.0 | 80.0 | 7 | 7.09 → 3.00 | 4.99 |"
    assert len(found) == 6


def test_a_finders_goals_are_met_or_missed():
    row = {"pictures": 36, "people": 1096, "precision": 0.25, "recall": 0.668}
    row |= {"best_recall_at_0.6": 0.6, "AP50": 0.7}
    entries = {name: {"rows": [row]} for name in ("finder-people_real", "finder-coco")}
    own, coco = TABLES["finder"](Figures({"measured_by_hand": entries})).splitlines()[
        2:
    ]
    assert own.endswith(
        "36 pictures | 1,096 | 0.25 | 0.67 | 0.60 | 0.70 | 0.75: missed |"
    )
    assert coco.endswith("| 0.60 | 0.70 | 0.6 |")


def test_what_a_browser_was_not_given_is_said():
    rows = [
        {"model": "distilpose_nano", "file": "a", "ms": 31.04, "ratio": 2.43},
        {"model": "distilpose_s", "file": "b", "ms": 398.2, "ratio": 1},
    ]
    assert lines("browser", browser=rows) == [
        "| a | 31.0 (2.43) | not measured |",
        "| b | not measured | 398 (1.00) |",
    ]


def test_sources_have_command_day_and_machine():
    assert lines("sources", b=[{}], a=[{}]) == [
        "| a | `c` | 2026-11-26 | m |",
        "| b | `c` | 2026-11-26 | m |",
    ]
