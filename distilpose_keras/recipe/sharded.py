"""A run whose people are in shards: trained on as they are, scored in a folder."""

from distilpose_keras.data.coco import coco_paths, load_people
from distilpose_keras.data.dataset import PoseDataset
from distilpose_keras.data.shards.index import index_name, shard_name
from distilpose_keras.data.shards.people import load_shards
from distilpose_keras.data.shards.store import open_store
from distilpose_keras.data.shards.unpack import check_evaluable, unpack_shards
from distilpose_keras.export.calibration import CROPS


def holds_shards(data):
    """Whether `--data` means shards: a URL, or a folder with some in it.

    Args:
        data: path or URL, or None.
    """
    if data is None:
        return False
    names = {index_name("train"), shard_name("train", 0)}
    return "://" in str(data) or bool(names & open_store(data).sizes().keys())


def open_shards(options):
    """Return the train and the val people of a folder of shards.

    Args:
        options: `RunOptions`.

    Returns:
        Two `ShardedPeople`.

    Raises:
        ValueError: as `load_shards`, if val cannot be scored or is of other keypoints,
            or if the options ask for what shards cannot do.
    """
    for name in ("limit", "category", "flip_pairs"):
        if getattr(options, name) is not None:
            flag = name.replace("_", "-")
            raise ValueError(
                f"--{flag} is for a folder in COCO's layout; shards are trained on as "
                f"they were packed. Received: {options.data}"
            )
    people = load_shards(options.data, "train")
    val_people = load_shards(options.data, "val", schema=people.schema)
    check_evaluable(val_people, "val")
    return people, val_people


def unpack_val(val_people, options):
    """Write the val shards into the output folder, if they are not there yet."""
    if not (options.out / "val").exists():
        unpack_shards(val_people, options.out / "val", "val")


def load_unpacked_val(people, options):
    """Return the val people that `unpack_val` wrote, with the schema of others."""
    return load_people(*coco_paths(options.out / "val", "val"), schema=people.schema)


def sharded_crops(people, model):
    """Return crops that int8 calibrates on, of people of some shards.

    A picture that cannot be read is left out: a training has been through all.

    Args:
        people: `ShardedPeople`.
        model: the `PoseModel` to be quantized.

    Returns:
        (N, H, W, 3) uint8 RGB.
    """
    with PoseDataset(
        people,
        batch_size=min(CROPS, len(people)),
        input_size=model.pose_config.input_size,
        geometry=model.pose_config.geometry,
        augmentation=None,
        image_dtype="uint8",
        skip_bad_images=True,
    ) as batches:
        images, _ = batches[0]
    return images
