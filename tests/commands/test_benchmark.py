"""`distilpose benchmark`: rows become tables and JSON."""

import json

import pytest

from distilpose_keras.commands import benchmark as module


@pytest.fixture
def benchmark(command):
    return command("benchmark")


@pytest.fixture
def asked(monkeypatch):
    """What is asked of the benchmarks, which measure nothing here."""
    asked = []

    class Fake:
        @staticmethod
        def run(arguments):
            asked.append(arguments)
            return [{"a": arguments.rounds}, {"a": 2}, {"b": 3.5}]

    def import_only(kind):
        asked.append(kind)
        return Fake

    monkeypatch.setattr(module, "_module", import_only)
    return asked


def test_rows_become_tables_and_json(benchmark, asked, tmp_path, capsys):
    path = tmp_path / "rows.json"
    assert benchmark("evaluation", "--rounds", 1, "--json", path) == 0
    assert json.loads(path.read_text()) == [{"a": 1}, {"a": 2}, {"b": 3.5}]
    printed = capsys.readouterr().out
    assert printed.count("┏") == 2  # tables
    assert "3.5" in printed
    assert asked[0] == "evaluation" and asked[1].model == "demo_student"


@pytest.mark.parametrize(("outcome", "code"), [("measured", 0), ("failed: x", 1)])
def test_all_writes_its_own_file(
    benchmark, monkeypatch, tmp_path, capsys, outcome, code
):
    from distilpose_keras.benchmarks import all as everything

    row = {"benchmark": "soak", "outcome": outcome}
    monkeypatch.setattr(everything, "run", lambda arguments: [row])
    path = tmp_path / "rows.json"
    assert benchmark("all", "--only", "soak", "--json", path) == code
    assert not path.exists()
    assert outcome in capsys.readouterr().out


@pytest.mark.parametrize("kind", module.KINDS)
def test_every_kind_has_its_benchmark(kind):
    assert callable(module._module(kind).run)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["speed"], "invalid choice: 'speed'"),
        (["latency", "gone.onnx"], "no such file: gone.onnx"),
        (["data"], "--data"),
        (["training", "--rounds", "0"], "--rounds: must be at least 1"),
        (["all"], "--json"),
        (["all", "--json", "x.json", "--coco", "gone"], "no such folder: gone"),
    ],
)
def test_mistakes_are_one_line(benchmark, asked, mistake, arguments, complaint):
    assert benchmark(*arguments) == 2
    assert complaint in mistake()
    assert asked == []
