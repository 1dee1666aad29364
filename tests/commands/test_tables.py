"""Tables as a reader sees them."""

from rich.table import Table

from distilpose_keras.commands.tables import print_rows, print_table


def cells(text):
    """The words of each line of a table."""
    return [
        [cell.strip() for cell in line.strip("│┃").replace("┃", "│").split("│")]
        for line in text.splitlines()
        if line.startswith(("│", "┃"))
    ]


def test_rows_are_shown_with_units_and_dashes(capsys):
    print_rows(
        [
            {
                "model": "student",
                "file": "runs/student.keras",
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


def test_long_lines_are_not_cut_in_a_file(capsys):
    table = Table("name")
    table.add_row("x" * 110)
    print_table(table)
    assert "x" * 110 in capsys.readouterr().out
