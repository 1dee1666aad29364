"""Find the keypoints of people in images, folders, videos, a camera or a stream.

Writes annotated pictures and videos, poses.jsonl and poses.json into a folder.
poses.jsonl has a line per picture or frame, written as it is found: a stop loses
nothing. poses.json is a list in COCO's result format, one entry per person: file_name,
image_id, category_id, bbox, score, keypoints (x, y, score of each) and, for videos,
frame and, with --track, track_id, the number of the person.

With --engine ray, for very many pictures: writes Parquet tables alone, in parts, from
as many processes as there are cores, here or on a Ray cluster. The same command again
goes on after a stop.
"""

import time
from contextlib import closing
from pathlib import Path

from distilpose_keras import preset_files
from distilpose_keras.commands import cli, predict_ray
from distilpose_keras.commands.progress import pictures_bar

SUMMARY = "keypoints of people in images, videos, from a camera"
EXAMPLES = """examples:
  %(prog)s photo.jpg
  %(prog)s student.tflite photo.jpg --whole-image
  %(prog)s student.keras photos/ --boxes detections.json --out poses
  %(prog)s student.onnx 'photos/**/*.jpg' --table csv --no-draw
  %(prog)s student.onnx walk.mp4 --frames 100 --save-crops
  %(prog)s walk.mp4 --track --detect-every 5
  %(prog)s student.onnx 0 --frames 100      (camera 0)
  %(prog)s --engine ray photos/ more.parquet --out poses
  ffmpeg -i rtsp://camera -f image2pipe -c:v mjpeg - | %(prog)s student.onnx -

The input - is standard input: JPEG or PNG pictures, one after the other, as ffmpeg's
image2pipe and cat write them.
--boxes is a JSON list of bbox (left, top, width, height), score and image_id or
file_name, as detectors for COCO write it. image_id is the number in a picture's file
name, or its position in the input. Pictures show people with a box score of 0.3 and
more, and without --boxes those of whom box and keypoints together are sure; poses.json
has them all, or with --conf those whose box has that score.
"""
TABLES = ("csv", "parquet")


def add_arguments(parser):
    """Add the arguments of the command."""
    parser.epilog = EXAMPLES
    add = parser.add_argument
    add(
        "inputs",
        metavar="[MODEL] INPUT",
        nargs="+",
        help=f"a {cli.MODEL_FILE} (default: {preset_files.DEFAULT}), and images, "
        "folders, patterns, videos, camera numbers, - for standard input",
    )
    add_boxes = parser.add_mutually_exclusive_group().add_argument
    add_boxes("--boxes", metavar="FILE", type=cli.input_file, help="person boxes")
    add_boxes(
        "--whole-image", action="store_true", help="one person fills each picture"
    )
    add("--flip", action="store_true", help="average with the mirror")
    add("--dark", **cli.DARK)
    add(
        "--conf",
        type=float,
        metavar="SCORE",
        help="leave out people whose box has a lower score",
    )
    add(
        "--frames",
        type=cli.positive_int,
        metavar="N",
        help="take N frames of each video, camera or stream",
    )
    add(
        "--fps",
        type=cli.positive_float,
        metavar="RATE",
        help="frames a second of standard input (default: 25)",
    )
    add("--track", action="store_true", help="number the people of videos (track_id)")
    add(
        "--detect-every",
        type=cli.positive_int,
        metavar="N",
        help="with --track: look for people in every N-th frame and follow them in "
        "between (default: 1)",
    )
    add(
        "--smooth",
        action="store_true",
        help="with --track: filter keypoints over time, for the eye",
    )
    _add_outputs(parser.add_argument)
    predict_ray.add_arguments(parser.add_argument)


def _add_outputs(add):
    """Add the arguments that say what is written."""
    add(
        "--out",
        type=cli.output_folder,
        default=Path("poses"),
        metavar="DIR",
        help="default: poses",
    )
    add("--overwrite", action="store_true", help="write into a folder that has files")
    add("--no-draw", action="store_true", help="write no annotated pictures")
    add(
        "--save-crops",
        action="store_true",
        help="also write each person as a picture, in DIR/crops",
    )
    add("--table", choices=TABLES, help="also write poses.csv or poses.parquet")
    add("--show", action="store_true", help="show the pictures in a window; q ends")


def run(arguments):
    """Predict and write."""
    if arguments.engine == "ray":
        return predict_ray.run(arguments)
    if arguments.address or arguments.workers:
        raise ValueError("--address and --workers need --engine ray")
    out = arguments.out
    if out.exists() and any(out.iterdir()) and not arguments.overwrite:
        raise ValueError(f"output folder is not empty (use --overwrite): {out}")
    from distilpose_keras.pictures import PictureSource
    from distilpose_keras.tables import check_table
    from distilpose_keras.video.window import Window

    if (arguments.detect_every or arguments.smooth) and not arguments.track:
        raise ValueError("--detect-every and --smooth need --track")
    if arguments.table:
        check_table(_table(arguments))
    given = {} if arguments.fps is None else {"stream_fps": arguments.fps}
    model, inputs = cli.split_model(arguments.inputs)
    source = PictureSource(inputs, max_frames=arguments.frames, **given)
    files = [path for path in source.images + source.videos if isinstance(path, Path)]
    if any(path.parent.resolve() == out.resolve() for path in files):
        raise ValueError(f"--out must not be the folder of the pictures: {out}")
    if arguments.track and not source.videos:
        raise ValueError("--track needs a video, a camera or a stream")
    window = Window() if arguments.show else None
    annotator = _annotator(arguments, model)
    began, failures = time.perf_counter(), []
    try:
        failures = _work(annotator, source, window)
    finally:  # what was computed is kept, whatever stopped the rest
        if window is not None:
            window.close()
        _finish(arguments, annotator)
    lines, seconds = annotator.lines, time.perf_counter() - began
    shown = "" if arguments.no_draw else f", {annotator.drawn} drawn"
    print(
        f"{lines.people} people in {lines.pictures - len(failures)} pictures{shown} "
        f"({lines.pictures / seconds:.1f} a second); wrote {out}"
    )
    if failures:
        raise ValueError(
            f"{len(failures)} of {len(source)} inputs skipped: {'; '.join(failures)}"
        )


def _annotator(arguments, model):
    """What works on the pictures."""
    from distilpose_keras.picture_writer import PictureWriter
    from distilpose_keras.pose_lines import PoseLines
    from distilpose_keras.predictor import PosePredictor
    from distilpose_keras.video.annotate import Annotator, threads_per_model

    find = _box_finder(arguments)
    predictor = PosePredictor(
        model, dark=arguments.dark, num_threads=threads_per_model()
    )
    tracker = None
    if arguments.track:
        from distilpose_keras.tracking import PoseTracker

        tracker = PoseTracker(
            predictor,
            detect_every=arguments.detect_every or 1,
            smooth=arguments.smooth,
            flip=arguments.flip,
        )
    return Annotator(
        predictor,
        find,
        PoseLines(arguments.out / "poses.jsonl"),
        PictureWriter(arguments.out),
        flip=arguments.flip,
        least_score=arguments.conf,
        crops=arguments.save_crops,
        doubts=not (arguments.boxes or arguments.whole_image),
        draws=arguments.show or not arguments.no_draw,
        writes=not arguments.no_draw,
        tracker=tracker,
    )


def _box_finder(arguments):
    """The function from a picture to boxes and scores that the user asked for."""
    from distilpose_keras.detection import BoxFile, PersonFinder, whole_image
    from distilpose_keras.video.annotate import threads_per_model

    if arguments.boxes:
        return BoxFile(arguments.boxes).find
    if arguments.whole_image:
        return lambda picture: whole_image(picture.image)
    finder = PersonFinder(num_threads=threads_per_model())
    return lambda picture: finder.find(picture.image)


def _work(annotator, source, window):
    """Let all pictures pass the stages; return why some could not be read."""
    failures = []
    # What a window shows should be what the camera sees now.
    options = {"depth": 1} if source.is_live else {}
    items = closing(iter(annotator.run(source, **options)))
    with pictures_bar() as bar, items as done:
        task = bar.add_task("", total=None if source.is_live else len(source))
        for item in done:
            if not source.is_live:
                bar.update(task, total=len(source))
            bar.advance(task)
            if item.picture.error:
                failures.append(item.picture.error)
            elif window is not None and not window.show(item.drawn):
                break
    return failures


def _finish(arguments, annotator):
    """Close what was written, and write what is made of the lines."""
    from contextlib import ExitStack

    from distilpose_keras.files import undisturbed
    from distilpose_keras.pose_lines import write_results
    from distilpose_keras.tables import write_table

    lines, names = annotator.lines, annotator.predictor.schema.names
    with undisturbed(), ExitStack() as stack:  # each is done, whatever another raises
        stack.callback(lines.close)
        if arguments.table:
            stack.callback(lambda: write_table(_table(arguments), lines, names))
        stack.callback(lambda: write_results(arguments.out / "poses.json", lines))
        stack.callback(annotator.writer.close)


def _table(arguments):
    return arguments.out / f"poses.{arguments.table}"
