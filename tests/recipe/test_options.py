import json
from pathlib import Path

from distilpose_keras.recipe.options import RunOptions


def test_workers_and_processes_do_not_determine_a_result_but_data_and_seed_do():
    free = {"workers": 4, "photos": Path("photos")}
    options = RunOptions(Path("out"), data=Path("coco"), seed=3, **free)
    determining = json.loads(json.dumps(options.determining()))
    assert determining["data"] == "coco"
    assert determining["seed"] == 3
    left_out = {"workers", "strategy", "out", "resume", "overwrite", "photos"}
    assert not left_out & determining.keys()
