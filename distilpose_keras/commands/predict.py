"""Find the keypoints of people in images, folders, videos or from a camera.

Writes annotated pictures and poses.json into a folder. poses.json is a list in COCO's
result format, one entry per person: file_name, image_id, category_id, bbox, score,
keypoints (x, y, score of each) and, for videos, frame.
"""

import sys
from pathlib import Path

from distilpose_keras.commands import cli

SUMMARY = "keypoints of people in images, videos, from a camera"
EXAMPLES = """examples:
  %(prog)s student.tflite photo.jpg --whole-image
  %(prog)s student.keras photos/ --boxes detections.json --out poses
  %(prog)s student.onnx walk.mp4 --frames 100
  %(prog)s student.onnx 0 --frames 100      (camera 0)

--boxes is a JSON list of bbox (left, top, width, height), score and image_id or
file_name, as detectors for COCO write it. image_id is the number in a picture's file
name, or its position in the input. Pictures show people with a box score of 0.3 and
more; poses.json has them all.
"""
DRAWN_SCORE = 0.3
FINDER_NOTE = (
    "no --boxes: people are found by OpenCV's built-in detector, which sees only "
    "whole, upright people"
)


def add_arguments(parser):
    """Add the arguments of the command."""
    parser.epilog = EXAMPLES
    add = parser.add_argument
    add("model", metavar="MODEL", type=cli.model_file, help=cli.MODEL_FILE)
    add("inputs", metavar="INPUT", nargs="+", help="image, folder, video, camera")
    add_boxes = parser.add_mutually_exclusive_group().add_argument
    add_boxes("--boxes", metavar="FILE", type=cli.input_file, help="person boxes")
    add_boxes(
        "--whole-image", action="store_true", help="one person fills each picture"
    )
    add(
        "--out",
        type=cli.output_folder,
        default=Path("poses"),
        metavar="DIR",
        help="default: poses",
    )
    add("--overwrite", action="store_true", help="write into a folder that has files")
    add("--flip", action="store_true", help="average with the mirror")
    add("--dark", **cli.DARK)
    add(
        "--frames",
        type=cli.positive_int,
        metavar="N",
        help="take N frames of each video or camera",
    )


def run(arguments):
    """Predict and write."""
    out = arguments.out
    if out.exists() and any(out.iterdir()) and not arguments.overwrite:
        raise ValueError(f"output folder is not empty (use --overwrite): {out}")
    from rich.progress import Progress

    from distilpose_keras.files import undisturbed, write_json
    from distilpose_keras.pictures import PictureSource, PictureWriter
    from distilpose_keras.predictor import PosePredictor

    source = PictureSource(arguments.inputs, max_frames=arguments.frames)
    if any(path.parent.resolve() == out.resolve() for path in source.images):
        raise ValueError(f"--out must not be the folder of the pictures: {out}")
    find = _box_finder(arguments)
    predictor = PosePredictor(arguments.model, dark=arguments.dark)
    writer = PictureWriter(out)
    results, failures = [], []
    try:
        with Progress(transient=True) as bar:
            for picture in bar.track(source, total=len(source)):
                if picture.error:
                    failures.append(picture.error)
                    continue
                results += _annotate(predictor, find, picture, writer, arguments.flip)
    finally:  # what was computed is kept, whatever stopped the rest
        with undisturbed():
            try:
                writer.close()
            finally:
                write_json(out / "poses.json", results)
    print(f"{len(results)} people; wrote {out}")
    if failures:
        raise ValueError(
            f"{len(failures)} of {len(source)} inputs skipped: {'; '.join(failures)}"
        )


def _box_finder(arguments):
    """The function from a picture to boxes and scores that the user asked for."""
    from distilpose_keras.detection import BoxFile, PersonFinder, whole_image

    if arguments.boxes:
        return BoxFile(arguments.boxes).find
    if arguments.whole_image:
        return lambda picture: whole_image(picture.image)
    finder = PersonFinder()
    print(FINDER_NOTE, file=sys.stderr)
    return lambda picture: finder.find(picture.image)


def _annotate(predictor, find, picture, writer, flip):
    """Predict, draw and write one picture; return its entries for poses.json."""
    from distilpose_keras.drawing import draw_boxes, draw_poses
    from distilpose_keras.scoring import pose_results

    boxes, box_scores = find(picture)
    found = predictor.predict(picture.image, boxes, flip=flip)
    drawn = box_scores >= DRAWN_SCORE
    image = draw_boxes(picture.image, boxes[drawn])
    writer.write(
        picture,
        draw_poses(
            image, found.keypoints[drawn], found.scores[drawn], predictor.schema
        ),
    )
    origin = {"file_name": picture.file_name, "image_id": picture.image_id}
    if picture.frame is not None:
        origin["frame"] = picture.frame
    poses = pose_results(
        found.keypoints,
        found.scores,
        boxes,
        box_scores,
        person_scores=predictor.person_scores,
    )
    return [{**origin, **pose} for pose in poses]
