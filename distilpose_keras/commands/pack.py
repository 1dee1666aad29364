"""Pack a data set into shards: tar files that are read from end to end.

For object stores and network disks, where many small files are slow. A shard holds two
members a picture, in WebDataset's layout: KEY.jpg, the file as it is, and KEY.json, its
people. An index, SPLIT-index.json, is written last.
"""

from pathlib import Path

from distilpose_keras.commands import cli

SUMMARY = "a data set into tar files, for object stores"
EXAMPLES = """examples:
  %(prog)s --data coco --out coco-shards
  %(prog)s --data coco --out coco-shards --split train --people-per-shard 2000

Train on them: `distilpose train --data coco-shards`, see docs/many_machines.md.
"""


def add_arguments(parser):
    """Add the arguments of the command."""
    parser.epilog = EXAMPLES
    add = parser.add_argument
    add(
        "--data",
        required=True,
        type=cli.input_folder,
        metavar="DIR",
        help="COCO layout: annotations/person_keypoints_{train,val}2017.json, "
        "train2017/, val2017/",
    )
    add(
        "--out",
        required=True,
        type=cli.output_folder,
        metavar="DIR",
        help="folder of the shards",
    )
    add("--split", choices=["train", "val"], help="pack this split only")
    size = parser.add_mutually_exclusive_group().add_argument
    size(
        "--shard-mb",
        type=cli.positive_float,
        metavar="N",
        help="close a shard when it has N MB (default: 100)",
    )
    size(
        "--people-per-shard",
        type=cli.positive_int,
        metavar="N",
        help="close a shard when it has N people",
    )
    add("--category", **cli.CATEGORY)
    add("--flip-pairs", **cli.FLIP_PAIRS)
    add("--overwrite", action="store_true", help="replace the shards in --out")


def run(arguments):
    """Pack, and say what was written."""
    from distilpose_keras.commands.progress import pictures_bar
    from distilpose_keras.data.coco import coco_paths, load_people
    from distilpose_keras.data.shards.writer import SHARD_BYTES, check_out, pack_people

    splits = [arguments.split] if arguments.split else ["train", "val"]
    paths = [coco_paths(arguments.data, split) for split in splits]
    for split in splits:
        check_out(arguments.out, split, overwrite=arguments.overwrite)
    how = {"category": arguments.category, "flip_pairs": arguments.flip_pairs}
    people = [load_people(*each, **how) for each in paths]
    for split, each in zip(splits, people, strict=True):
        with pictures_bar() as bar:
            task = bar.add_task("", total=len(set(each.image_index.tolist())))
            index = pack_people(
                each,
                arguments.out,
                split,
                shard_bytes=int((arguments.shard_mb or 0) * 1e6) or SHARD_BYTES,
                people_per_shard=arguments.people_per_shard,
                annotations=split == "val",
                overwrite=arguments.overwrite,
                on_picture=lambda bar=bar, task=task: bar.advance(task),
            )
        size = sum(shard.size for shard in index.shards) / 1e6
        print(f"{split}: {each.summary()}: {len(index.shards)} shards, {size:.1f} MB")
    print(f"wrote {Path(arguments.out)}")
