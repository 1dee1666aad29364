"""`distilpose train`, from people to a report, and a teacher on its own."""

import json
import shutil

import pytest

from distilpose_keras.models.model import build_model, load_model
from distilpose_keras.recipe import run as recipe_run
from distilpose_keras.synthetic import render_dataset

RESULTS = {
    "teacher.keras",
    "baseline.keras",
    "student.keras",
    "student.onnx",
    "student_int8.onnx",
    "student_float32.tflite",
    "student_float16.tflite",
    "student_int8.tflite",
    "student_int8-full.tflite",
    "metrics.json",
    "report.html",
    "run.json",
}


@pytest.fixture
def train(command, monkeypatch):
    # `setdefault` of the command would outlive the test.
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "1")
    monkeypatch.setenv("TF_NUM_INTEROP_THREADS", "2")
    return command("train")


@pytest.fixture
def asked(monkeypatch):
    """Settings and options of the runs that are asked for; none is made."""
    asked = []

    def run_recipe(*arguments):
        asked.append(arguments)
        return [{"model": "student", "file": "student.keras", "AP": 0.25}]

    monkeypatch.setattr(recipe_run, "run_recipe", run_recipe)
    return asked


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    folder = tmp_path_factory.mktemp("people") / "data"
    return render_dataset(folder, train_images=40, val_images=12, workers=1)


@pytest.mark.slow
def test_one_command_leaves_models_files_figures_and_a_report(
    train, people, tmp_path, capsys, mistake
):
    out = tmp_path / "out"
    arguments = ["--data", people, "--preset", "demo", "--epochs", 1, "--out", out]
    arguments += ["--photos", people / "val2017"]
    assert train(*arguments) == 0
    printed = capsys.readouterr().out
    assert {path.name for path in out.iterdir()} >= RESULTS
    metrics = json.loads((out / "metrics.json").read_text())
    files = [row["file"] for row in metrics["rows"]]
    assert files[:3] == ["teacher.keras", "baseline.keras", "student.keras"]
    assert len(files) == 9
    for row in metrics["rows"]:
        assert row["params"] > 0
        assert row["bytes"] == (out / row["file"]).stat().st_size
        assert 0 <= row["AP"] <= row["AP50"] <= 1
        assert row["file"] in printed
    assert {"regression", "simulated_heatmap"} < metrics["histories"]["student"].keys()
    assert set(metrics["histories"]["baseline"]) >= {"loss", "regression", "val_AP"}
    report = (out / "report.html").read_text()
    assert report.count("<img") >= 4
    photographs = report[report.index("<h2>Photographs</h2>") :]
    assert photographs.count("<img") == recipe_run.SHOWN
    assert "http" not in report.replace("http-equiv", "")  # self-contained
    model = load_model(out / "student.keras")
    assert model.metadata["training_data"] == "person_keypoints_train2017.json"
    assert 0 <= model.metadata["ap"] <= 1

    before = (out / "metrics.json").stat().st_mtime_ns
    assert train(*arguments) == 2
    line = mistake()
    assert "--resume" in line and "--overwrite" in line
    assert (out / "metrics.json").stat().st_mtime_ns == before


@pytest.mark.slow
def test_a_teacher_alone_starts_from_a_backbone_and_is_scored(train, tmp_path, capsys):
    data = render_dataset(tmp_path / "data", train_images=8, val_images=4, workers=1)
    source, out = tmp_path / "source.keras", tmp_path / "out"
    build_model("demo_teacher").save(source)
    arguments = ["--data", data, "--preset", "demo", "--epochs", 1, "--out", out]
    model = ("--model", "tokenpose_stemnet")
    assert train(*model, *arguments, "--init-backbone-from", source) == 0
    assert "backbone from" in capsys.readouterr().out
    assert load_model(out / "teacher.keras").pose_config.codec.heatmap_size
    assert {path.name for path in out.iterdir()} == {
        "teacher.keras",
        "metrics.json",
        "report.html",
        "run.json",
        "training",
    }
    (row,) = json.loads((out / "metrics.json").read_text())["rows"]
    assert row["file"] == "teacher.keras"
    assert 0 <= row["AP"] <= 1


@pytest.mark.slow
def test_a_truncated_image_stops_the_training_and_is_named(
    train, people, tmp_path, mistake
):
    data = tmp_path / "data"
    shutil.copytree(people, data)
    image = sorted((data / "train2017").iterdir())[3]
    image.write_bytes(image.read_bytes()[:3000])
    assert train("--data", data, "--preset", "demo", "--out", tmp_path / "out") == 2
    assert f"image is truncated: {image}" in mistake()


@pytest.mark.parametrize(
    ("arguments", "student", "teacher", "epochs"),
    [
        ([], "demo_student", "demo_teacher", 11),
        (["--preset", "paper"], "distilpose_s", "tokenpose_hrnet_w48", 300),
        (["--data", "DATA"], "distilpose_s", "tokenpose_hrnet_w48", 300),
        (
            ["--data", "DATA", "--model", "distilpose_l", "--epochs", "7"],
            *("distilpose_l", "tokenpose_hrnet_w48", 7),
        ),
        (["--data", "DATA", "--model", "hrnet_w32"], None, "hrnet_w32", 300),
        (["--model", "hrnet_w32"], None, "demo_teacher", 11),
    ],
)
def test_the_model_says_what_is_trained(
    train, asked, data, arguments, student, teacher, epochs
):
    assert train(*(data if a == "DATA" else a for a in arguments)) == 0
    ((settings, _),) = asked
    assert (settings.student, settings.teacher) == (student, teacher)
    assert settings.student_training.epochs == epochs


def test_options_reach_the_run(train, asked, data, tmp_path, capsys):
    arguments = ("--data", data, "--seed", 3, "--limit", 5, "--batch-size", 64)
    arguments += ("--photos", tmp_path)
    assert train(*arguments, "--workers", 2, "--skip-bad-images", "--resume") == 0
    ((settings, options),) = asked
    assert options.photos == tmp_path
    assert settings.teacher_training.batch_size == 64
    assert not settings.appearance
    assert (options.seed, options.limit, options.workers) == (3, 5, 2)
    assert options.skip_bad_images and options.resume and not options.overwrite
    assert options.out.as_posix() == "runs/distilpose_s"
    printed = capsys.readouterr().out
    assert "25.0" in printed
    assert printed.endswith("report: runs/distilpose_s/report.html\n")


def test_appearance_is_asked_of_the_recipe(train, asked, monkeypatch):
    made = []
    name = "distilpose_keras.data.appearance.AppearanceAugmentation"
    monkeypatch.setattr(name, lambda: made.append(True))
    assert train("--appearance") == 0
    assert asked[0][0].appearance
    assert made  # a package that is missing is told before anything is rendered


def test_the_demonstration_says_for_what_it_stands_in(train, asked, capsys):
    train("--model", "hrnet_w32")
    assert "stand in for hrnet_w32" in capsys.readouterr().out
    train("--model", "demo_student")
    assert "stand in" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--data", "nowhere"], "no such folder: nowhere"),
        (["--epochs", "0"], "at least 1"),
        (["--photos", "nowhere"], "no such folder: nowhere"),
        (["--photos", "."], "no picture in . can be read"),
        (["--teacher", "nowhere.keras"], "no such file: nowhere.keras"),
        (["--precision", "int4"], "invalid choice"),
        (["--model", "yolo"], "unknown model 'yolo'; known: distilpose_s"),
        (["--model", "hrnet_w32", "--teacher", "MODEL"], "no use for --teacher"),
        (
            ["--model", "deeppose_resnet50", "--teacher", "MODEL"],
            "no use for --teacher",
        ),
        (["--teacher", "MODEL"], "expected a teacher"),
        (["--out", "MODEL"], "is a file, not a folder"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_no_folder(
    train, model, tmp_path, monkeypatch, mistake, arguments, complaint
):
    monkeypatch.chdir(tmp_path)
    assert train(*(model if a == "MODEL" else a for a in arguments)) == 2
    assert complaint in mistake()
    assert not list(tmp_path.iterdir())


def test_appearance_on_another_backend_is_one_line(
    train, tmp_path, monkeypatch, mistake
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("keras.backend.backend", lambda: "jax")
    assert train("--appearance") == 2
    assert "needs KERAS_BACKEND=tensorflow" in mistake()
    assert not list(tmp_path.iterdir())


def test_shards_that_cannot_be_trained_on_are_one_line(
    train, command, data, tmp_path, mistake
):
    shards, out = tmp_path / "shards", tmp_path / "out"
    assert command("pack")("--data", data, "--out", shards) == 0
    arguments = ["--data", shards, "--preset", "demo", "--out", out]
    assert train(*arguments, "--limit", 3) == 2
    assert "--limit is for a folder in COCO's layout" in mistake()
    path = shards / "train-000000.tar"
    path.write_bytes(path.read_bytes()[:-512])
    assert train(*arguments) == 2
    assert f"shard {path} must have" in mistake()
    (shards / "train-index.json").unlink()
    assert train(*arguments) == 2
    assert "train-index.json is missing" in mistake()
    assert train("--data", "memory://nowhere", "--out", out) == 2
    assert "memory://nowhere/train-index.json is missing" in mistake()
    assert train("--data", "nope://nowhere", "--out", out) == 2
    assert "nope" in mistake()
    assert not out.exists()
