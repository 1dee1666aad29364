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


def test_a_drop_reads_the_same_in_terminal_page_and_json(tmp_path, capsys):
    expected = [
        *("student_int8.tflite", "tflite", "int8", "0.24 MB", "19.2", "0.19"),
        *("3.46 px", "0.123 px", "12.4 ms"),
    ]
    assert texts(ROW, FIGURES) == expected

    print_rows([ROW], FIGURES)
    printed = capsys.readouterr().out.splitlines()
    assert [cell.strip() for cell in printed[3].strip("│").split("│")] == expected

    page = tmp_path / "report.html"
    write_report(page, title="A run", histories={}, rows=[ROW])
    found = re.findall("<t[dh][^>]*>([^<]*)<", page.read_text())
    shown = dict(zip(found[: len(found) // 2], found[len(found) // 2 :], strict=True))
    headings = [COLUMNS[key].heading for key in FIGURES]
    assert shown == dict(zip(headings, expected, strict=True))

    write_json(tmp_path / "rows.json", [ROW])
    assert json.loads((tmp_path / "rows.json").read_text()) == [ROW]


def test_what_was_not_taken_is_a_dash():
    row = {"file": "a/student.keras", "AP": -1, "AP50": None}  # nobody to score
    keys = ("model", "file", "AP", "AP50", "AR")
    assert texts(row, keys) == ["–", "student.keras", "–", "–", "–"]
