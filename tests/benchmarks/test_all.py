"""All benchmarks in one file: nothing that was measured is lost."""

import json

import pytest

from distilpose_keras.benchmarks import all as everything
from tests.benchmarks.arguments import of


@pytest.fixture
def file(tmp_path):
    return tmp_path / "figures.json"


@pytest.fixture
def calls(monkeypatch, file):
    """What is called, which measures nothing; names in `fail` fail."""

    class Calls(list):
        fail = ()

        def __call__(self, words, workplace):
            self.append((words, file.exists() and runs_of(file)))
            if words[1] in self.fail:
                raise RuntimeError("no room")
            if words[0] == "benchmark":
                rows = [{"ratio": len(self), "seen": sorted(names(workplace))}]
                (workplace / words[-1]).write_text(json.dumps(rows))

        def kinds(self):
            kinds = [words[1] for words, _ in self]
            self.clear()
            return kinds

    calls = Calls()
    monkeypatch.setattr(everything, "_call", calls)
    return calls


def names(folder):
    return [path.name for path in folder.iterdir()]


def runs_of(file):
    return json.loads(file.read_text()).get("runs")


def outcomes(*argv):
    rows = everything.run(of("all", *argv))
    return {row["benchmark"]: row["outcome"] for row in rows}


def test_one_file_has_machine_versions_and_every_row(file, calls):
    found = outcomes("--json", file, "--only", "video,soak")
    assert list(found) == ["video", "video-no_finder", "soak"]
    assert all(outcome.startswith("measured in ") for outcome in found.values())
    document = json.loads(file.read_text())
    assert document["machine"]["cores"] >= 1
    assert "numpy" in document["software"]["packages"]
    assert document["date"].startswith("20")
    entry = document["runs"]["video-no_finder"]
    assert entry["command"] == "distilpose benchmark video --finder none"
    assert entry["rows"][0]["ratio"] == 2 and "quick" not in entry
    assert {"date", "git", "load", "seconds"} < set(entry)


def test_each_run_is_in_the_file_before_the_next(file, calls):
    outcomes("--json", file, "--only", "video,soak")
    assert [list(before or []) for _, before in calls] == [
        [],
        ["video"],
        ["video", "video-no_finder"],
    ]


def test_a_failure_is_recorded_and_loses_nothing(file, calls):
    calls.fail = ("evaluation",)
    rows = everything.run(of("all", "--json", file, "--only", "data,evaluation,soak"))
    assert everything.failed(rows)
    assert runs_of(file)["evaluation"]["error"] == "no room"
    assert runs_of(file)["data"]["left_out"] == "needs --coco DIR"
    assert runs_of(file)["soak"]["rows"]
    calls.clear()
    calls.fail = ()
    rows = everything.run(of("all", "--json", file, "--only", "data,evaluation,soak"))
    assert calls.kinds() == ["evaluation"]  # what has no rows is tried again
    assert not everything.failed(rows) and rows[-1]["outcome"] == "kept"


def test_an_interrupt_leaves_what_was_over(file, calls, monkeypatch):
    def interrupt(words, workplace):
        if words[1] == "soak":
            raise KeyboardInterrupt
        calls(words, workplace)

    monkeypatch.setattr(everything, "_call", interrupt)
    with pytest.raises(KeyboardInterrupt):
        outcomes("--json", file, "--only", "evaluation,soak")
    assert list(runs_of(file)) == ["evaluation"]


def test_what_else_is_in_the_file_stays(file, calls):
    file.write_text(json.dumps({"measured_by_hand": {"training": 7}}))
    outcomes("--json", file, "--only", "soak")
    assert json.loads(file.read_text())["measured_by_hand"] == {"training": 7}


@pytest.mark.parametrize("part", ["machine", "software"])
def test_two_machines_do_not_share_a_file(file, calls, part):
    outcomes("--json", file, "--only", "soak")
    document = json.loads(file.read_text())
    key = "cores" if part == "machine" else "python"
    document[part][key] = "other"
    file.write_text(json.dumps(document))
    with pytest.raises(ValueError, match=f"of another {part}: {key} changed"):
        outcomes("--json", file, "--only", "evaluation")
    outcomes("--json", file, "--only", "evaluation", "--overwrite")
    assert list(runs_of(file)) == ["evaluation"]


@pytest.mark.parametrize("text", ["{", "[]", '{"runs": 3}'])
def test_another_file_is_refused(file, calls, text):
    file.write_text(text)
    with pytest.raises(ValueError, match="figures.json holds no benchmarks"):
        outcomes("--json", file)
    assert file.read_text() == text


def test_quick_figures_are_marked_and_replace_no_others(file, calls):
    outcomes("--json", file, "--only", "soak", "--quick")
    assert runs_of(file)["soak"]["quick"] is True
    outcomes("--json", file, "--only", "soak")
    assert "quick" not in runs_of(file)["soak"]
    with pytest.raises(ValueError, match="has full runs, which --quick"):
        outcomes("--json", file, "--only", "evaluation", "--quick")


def test_older_rows_stay_where_newer_cannot_be_had(file, calls):
    outcomes("--json", file, "--only", "soak")
    document = json.loads(file.read_text())
    document["runs"]["soak"]["command"] = "distilpose benchmark soak --minutes 9"
    file.write_text(json.dumps(document))
    calls.fail = ("soak",)
    assert outcomes("--json", file, "--only", "soak") == {"soak": "failed: no room"}
    assert runs_of(file)["soak"]["rows"]


def test_commands_find_the_data_under_its_name(file, calls, tmp_path):
    (tmp_path / "pictures").mkdir()
    options = ("--only", "data", "--coco", tmp_path / "pictures")
    outcomes("--json", file, *options)
    entry = runs_of(file)["data"]
    assert entry["command"] == "distilpose benchmark data --data coco"
    assert entry["rows"][0]["seen"] == ["coco"]


def test_files_of_the_preset_are_exported_first(file, calls, monkeypatch):
    pytest.importorskip("ai_edge_litert")
    rendered = []
    monkeypatch.setattr(
        "distilpose_keras.synthetic.render_dataset",
        lambda folder, **_: [rendered.append(folder), folder.mkdir()],
    )
    outcomes("--json", file, "--only", "latency")
    *exports, measuring = [words for words, _ in calls]
    assert [words[:4] for words in exports[:2]] == [
        ["export", "distilpose_nano", "--out", "distilpose_nano_float32.tflite"],
        ["export", "distilpose_nano", "--out", "distilpose_nano_int8.tflite"],
    ]
    assert exports[0][4:] == ["--precision", "float32"]
    assert exports[1][4:7] == ["--precision", "int8", "--calibration"]
    assert len(exports) == 4 and len(rendered) == 1
    assert measuring[1] == "latency"


def test_an_error_is_the_last_line_of_the_process(tmp_path):
    with pytest.raises(RuntimeError, match="^.*no such file: gone.onnx"):
        everything._call(["benchmark", "latency", "gone.onnx"], tmp_path)


@pytest.mark.slow
def test_processes_measure(file):
    found = outcomes("--json", file, "--only", "video-no_finder", "--quick")
    assert found["video-no_finder"].startswith("measured in ")
    assert runs_of(file)["video-no_finder"]["rows"][-1]["frames"] == 4
