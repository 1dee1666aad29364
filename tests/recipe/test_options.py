import json
from pathlib import Path

from distilpose_keras.recipe.options import RunOptions


def test_workers_do_not_determine_a_result_but_data_and_seed_do():
    options = RunOptions(Path("out"), data=Path("coco"), workers=4, seed=3)
    determining = json.loads(json.dumps(options.determining()))
    assert determining["data"] == "coco"
    assert determining["seed"] == 3
    assert not {"workers", "out", "resume", "overwrite"} & determining.keys()
