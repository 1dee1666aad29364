"""The benchmarks that the documentation quotes, with the arguments that it names."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

PRESET_FILES = (
    *("distilpose_nano_float32.tflite", "distilpose_nano_int8.tflite"),
    *("distilpose_nano_float32.onnx", "distilpose_nano_int8.onnx"),
)


@dataclass(frozen=True)
class Run:
    """One benchmark.

    Attributes:
        name: of its rows in the file.
        arguments: what follows ``distilpose benchmark``: its kind comes first.
        quick: what follows where it has to be over soon, and its figures are worth
            nothing.
        folder: name of the data set that its command reads, or None.
        modules: of optional packages, without which it cannot run.
    """

    name: str
    arguments: str
    quick: str
    folder: str | None = None
    modules: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        """The kind of benchmark."""
        return self.arguments.split()[0]

    def words(self, quick: bool) -> list[str]:
        """Return what follows ``distilpose benchmark``, word by word."""
        return (self.quick if quick else self.arguments).split()

    def lacks(self, folders: Mapping[str, Path | None]) -> str | None:
        """Return why the benchmark cannot run, or None.

        Args:
            folders: the data sets that are at hand, by name.
        """
        if self.folder and not folders.get(self.folder):
            return f"needs --{self.folder.replace('_', '-')} DIR"
        missing = [name for name in self.modules if find_spec(name) is None]
        return f"not installed: {', '.join(missing)}" if missing else None


RUNS = (
    Run(
        "latency",
        f"latency {' '.join(PRESET_FILES)} --profile",
        f"latency {PRESET_FILES[2]} --rounds 2",
        modules=("tensorflow", "tf2onnx", "onnxruntime", "ai_edge_litert"),
    ),
    Run(
        "models",
        "models",
        "models demo_student --rounds 2",
        modules=("tensorflow", "ai_edge_litert"),
    ),
    Run(
        "data",
        "data --data coco",
        "data --data coco --rounds 1 --workers 1 --people 0",
        folder="coco",
    ),
    Run(
        "training",
        "training",
        "training --backends tensorflow --batch-size 2 --rounds 1 --steps 1",
    ),
    Run(
        "training-distilpose_s",
        "training --model distilpose_s --teacher none --batch-size 16 --rounds 3 "
        "--steps 2",
        "training --backends tensorflow --teacher none --batch-size 2 --rounds 1 "
        "--steps 1",
    ),
    Run(
        "training-xla",
        "training --backends tensorflow --jit both",
        "training --backends tensorflow --jit both --batch-size 2 --rounds 1 --steps 1",
        modules=("tensorflow",),
    ),
    Run(
        "finder-coco",
        "finder --data coco --smallest-area 1500",
        "finder --data coco --limit 1",
        folder="coco",
    ),
    Run(
        "finder-people_real",
        "finder --data people_real",
        "finder --data people_real --limit 1",
        folder="people_real",
    ),
    Run("evaluation", "evaluation", "evaluation --rounds 1 --scored-images 5"),
    Run("tracking", "tracking", "tracking --frames 4 --seeds 1"),
    Run(
        "tracking-model",
        "tracking --poses model --frames 100 --seeds 2",
        "tracking --poses model --frames 2 --seeds 1",
    ),
    Run("video", "video", "video --frames 4 --rounds 1"),
    Run(
        "video-no_finder",
        "video --finder none",
        "video --finder none --frames 4 --rounds 1",
    ),
    Run(
        "predict",
        "predict --pictures 1000 --workers 2",
        "predict --pictures 16 --workers 1",
        modules=("ray", "pyarrow"),
    ),
    Run(
        "soak",
        "soak --minutes 1 --epochs 20",
        "soak --minutes 0.02 --epochs 0",
    ),
)


def chosen_runs(only: list[str] | None) -> list[Run]:
    """Return the runs of those names or kinds, or all.

    Raises:
        ValueError: if a name is neither; one line with those that are.
    """
    known = {name: None for run in RUNS for name in (run.kind, run.name)}
    for name in only or ():
        if name not in known:
            raise ValueError(
                f"--only knows {', '.join(known)}. Received: {name or 'nothing'}"
            )
    return [r for r in RUNS if only is None or {r.name, r.kind} & set(only)]
