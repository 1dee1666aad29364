"""Figures in pages: filled in, compared, and never guessed."""

import json

import pytest

from distilpose_keras.report.documentation import Figures, fill, read_figures, written

DOCUMENT = {
    "machine": {"cpu": "a CPU", "cores": 2},
    "runs": {
        "video": {"command": "v", "date": "2026", "rows": [{"ratio": 0.84}]},
        "soak": {"command": "s", "quick": True, "rows": [{"mb": 1}]},
        "predict": {"command": "p", "error": "no room"},
    },
    "measured_by_hand": {
        "video": {"command": "v", "date": "2025", "rows": [{"ratio": 0.8}]},
        "soak": {"command": "s", "date": "2025", "rows": [{"mb": 2295.4}]},
        "predict": {
            "command": "p",
            "date": "2025",
            "rows": [{"workers": 1, "ratio": 1.0}, {"workers": 2, "ratio": 1.87}],
        },
        "train": {
            "command": "t",
            "date": "2025",
            "rows": [
                {"file": "a, b.keras", "AP": 0.3485},
                {"seconds": 403, "jitter_px": None},
            ],
        },
    },
}


@pytest.fixture
def figures():
    return Figures(DOCUMENT, [{"models": 68}])


@pytest.mark.parametrize(
    ("page", "filled"),
    [
        ("**0.80<!-- = video/ratio -->**", "**0.84<!-- = video/ratio -->**"),
        ("at 2,295<!-- = soak/mb --> MB", "at 2,295<!-- = soak/mb --> MB"),
        ("7<!-- = soak/mb -->", "2,295<!-- = soak/mb -->"),
        ("(1.9<!-- = predict/workers=2/ratio -->",) * 2,
        ("34.8<!-- = train/file=a, b.keras/AP:points -->%",) * 2,
        ("-3<!-- = train/AP:points -->", "35<!-- = train/AP:points -->"),
        ("6<!-- = train/seconds:minutes -->", "7<!-- = train/seconds:minutes -->"),
        ("seven<!-- = train/seconds:minutes -->",) * 2,
        ("7:00<!-- = train/seconds -->", "6:43<!-- = train/seconds -->"),
        ("all 67<!-- = counted/models -->.", "all 68<!-- = counted/models -->."),
        ("no figure 5", "no figure 5"),
    ],
)
def test_numbers_are_filled_in(figures, page, filled):
    text, differences = fill(page, figures, {})
    assert text == filled
    assert bool(differences) == (page != filled)
    assert fill(filled, figures, {}) == (filled, [])


def test_tables_are_filled_in(figures):
    tables = {"one": lambda figures: f"| {figures.value('video', 'ratio')} |\n"}
    page = "a\n\n<!-- figures: one -->\nold\n<!-- /figures -->\nb 3<!-- = soak/mb -->\n"
    text, differences = fill(page, figures, tables)
    assert text == (
        "a\n\n<!-- figures: one -->\n\n| 0.84 |\n\n<!-- /figures -->\n"
        "b 2,295<!-- = soak/mb -->\n"
    )
    assert differences == [
        (3, "the table one should be another one"),
        (6, "3 should be 2,295: soak/mb"),
    ]


@pytest.mark.parametrize(
    ("page", "complaint"),
    [
        ("3<!-- = vidoe/ratio -->", "no figures are named 'vidoe'"),
        ("3<!-- = predict/ratio -->", "2 rows have 'ratio'"),
        ("3<!-- = predict/workers=3/ratio -->", "0 rows have 'ratio'"),
        ("3<!-- = video/rtio -->", "0 rows have 'rtio'"),
        ("3<!-- = video -->", "expected NAME/FIELD=VALUE/.../KEY"),
        ("3<!-- = predict/2/ratio -->", "expected NAME/FIELD=VALUE/.../KEY"),
        ("3<!-- = video/ratio:percent -->", "expected a unit of .*points"),
        ("six<!-- = soak/mb -->", "no word for 2295.4"),
        ("3<!-- = train/jitter_px -->", "no figures for train/jitter_px: "),
        (" <!-- = video/ratio -->", "a mark without"),
        ("<!-- figures: one -->\n", "a mark without"),
        ("<!-- /figures -->\n", "a mark without"),
        ("<!-- figures: one -->\n<!-- /figures -->", "no such table; there are two"),
        ("<!-- figures: two -->\n<!-- /figures -->", "no figures for two: 'gone'"),
    ],
)
def test_a_place_without_a_figure_stays_and_is_said(figures, page, complaint):
    tables = {"two": lambda figures: figures.entries["gone"]}
    text, ((line, message),) = fill(f"\n{page}", figures, tables)
    assert text == f"\n{page}" and line == 2
    with pytest.raises(AssertionError, match=complaint):
        raise AssertionError(message)


def test_a_table_without_an_end_takes_nothing_away(figures):
    page = "<!-- figures: one -->\na\n<!-- figures: one -->\nb\n<!-- /figures -->\n"
    text, differences = fill(page, figures, {"one": lambda figures: "c\n"})
    assert "\na\n" in text and "\nb\n" not in text
    assert [line for line, _ in differences] == [1, 3]


def test_what_was_measured_says_on_what(figures):
    assert figures.entries["video"]["machine"] == "a CPU, 2 cores"
    assert figures.entries["soak"]["date"] == "2025"


def test_words_and_minutes():
    assert written(6.72, "six") == "seven"
    assert written(59.6, "0:01") == "1:00"


def test_counts_are_the_librarys(tmp_path):
    (tmp_path / "figures.json").write_text(json.dumps(DOCUMENT))
    figures = read_figures(tmp_path / "figures.json")
    # MobileNetV2 has 3,504,872 parameters with its classifier, of which 1,281,000, and
    # 34,112 of batch-norms, whose 17,056 offsets are biases here: 2,206,816. Then a
    # linear map to 64 and three of the pyramid, three separable convolutions, the
    # features, and two maps of 17 each.
    pyramid = 1281 * 64 + 65 * 64 + 33 * 32 + 25 * 24
    separable = 9 * (64 + 32 + 24) + 65 * 32 + 33 * 24 + 25 * 24
    heads = 9 * 24 + 25 * 96 + 2 * 97 * 17
    expected = 2_206_816 + pyramid + separable + heads
    assert figures.value("counted", "params", preset="distilpose_nano") == expected
    assert figures.value("counted", "models") > 60


@pytest.mark.parametrize("text", ["{", "[]", '{"runs": 3}'])
def test_another_file_is_refused(tmp_path, text):
    (tmp_path / "figures.json").write_text(text)
    with pytest.raises(ValueError, match="figures.json holds no measurements"):
        read_figures(tmp_path / "figures.json")
