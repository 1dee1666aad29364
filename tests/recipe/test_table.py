"""The table at the end of a run, as a reader sees it."""

from distilpose_keras.recipe.table import print_rows


def cells(text):
    """The words of each line of a table."""
    return [
        [cell.strip() for cell in line.strip("│┃").replace("┃", "│").split("│")]
        for line in text.splitlines()
        if line.startswith(("│", "┃"))
    ]


def test_figures_have_their_units_and_missing_ones_a_dash(capsys):
    print_rows(
        [
            {
                "model": "student",
                "file": "student.keras",
                "AP": 0.5312,
                "AP50": 1.0,
                "AP75": 0.0,
                "params": 5364101,
                "bytes": 21_457_123,
                "latency_ms": 12.36,
            },
            {"model": "student", "file": "student_int8.tflite", "AP": None},
        ]
    )
    heading, first, second = cells(capsys.readouterr().out)
    assert heading == [
        *("model", "file", "AP", "AP50", "AP75", "parameters", "MB", "ms")
    ]
    assert first == [
        *("student", "student.keras", "53.1", "100.0", "0.0", "5,364,101"),
        *("21.46", "12.4"),
    ]
    assert second == ["student", "student_int8.tflite", *["-"] * 6]


def test_long_names_are_not_cut_in_a_file(capsys):
    name = "student_of_a_long_name_int8-full.tflite"
    print_rows([{"model": "student", "file": name, "params": 5364101}])
    assert name in capsys.readouterr().out
