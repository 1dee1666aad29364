"""A row's values read the same wherever they are shown."""

import json
import re

from distilpose_keras.commands.tables import print_rows
from distilpose_keras.files import write_json
from distilpose_keras.report.page import write_report
from distilpose_keras.report.rows import COLUMNS, FIGURES, texts

# A student of 19.18 AP whose file loses 0.19 points: 0.1899 of 100.
ROW = {
    "file": "runs/student_int8.tflite",
    "runtime": "tflite",
    "precision": "int8",
    "bytes": 241_234,
    "AP": 0.191801,
    "ap_drop": 0.1899,
    "max_keypoint_error_px": 3.456,
    "mean_keypoint_error_px": 0.1234,
    "latency_ms": 12.36,
}


def cells(text):
    """The words of each line of a table."""
    return [
        [cell.strip() for cell in line.strip("│┃").replace("┃", "│").split("│")]
        for line in text.splitlines()
        if line.startswith(("│", "┃"))
    ]


def test_a_drop_reads_the_same_in_terminal_page_and_json(tmp_path, capsys):
    expected = [
        *("student_int8.tflite", "tflite", "int8", "0.24 MB", "19.2", "0.19"),
        *("3.46 px", "0.123 px", "12.4 ms"),
    ]
    assert texts(ROW, FIGURES) == expected

    print_rows([ROW], FIGURES)
    heading, row = cells(capsys.readouterr().out)
    assert row == expected
    assert heading == [COLUMNS[key].heading for key in FIGURES]

    page = tmp_path / "report.html"
    write_report(page, title="A run", histories={}, rows=[ROW])
    found = re.findall("<t[dh][^>]*>([^<]*)<", page.read_text())
    shown = dict(zip(found[: len(found) // 2], found[len(found) // 2 :], strict=True))
    assert shown == dict(zip(heading, expected, strict=True))

    write_json(tmp_path / "rows.json", [ROW])
    assert json.loads((tmp_path / "rows.json").read_text()) == [ROW]


def test_figures_have_their_units_and_missing_ones_a_dash(capsys):
    print_rows(
        [
            {
                "model": "student",
                "file": "student.keras",
                "AP": 0.5312,
                "AP50": 1.0,
                "AP75": -1,  # nobody to score
                "params": 5364101,
                "bytes": 21_457_123,
                "latency_ms": 12.36,
            },
            {"model": "student", "file": "student_int8.tflite", "AP": None},
        ]
    )
    heading, first, second = cells(capsys.readouterr().out)
    assert heading == [
        *("model", "file", "AP", "AP50", "AP75", "parameters", "size", "latency")
    ]
    assert first == [
        *("student", "student.keras", "53.1", "100.0", "–", "5,364,101"),
        *("21.46 MB", "12.4 ms"),
    ]
    assert second == ["student", "student_int8.tflite", *["–"] * 6]


def test_long_names_are_not_cut_in_a_file(capsys):
    name = "student_of_a_long_name_int8-full.tflite"
    print_rows([{"model": "student", "file": name, "params": 5364101}])
    assert name in capsys.readouterr().out
