"""Quantization-aware distillation: fine-tune a trained student for integer arithmetic.

The student is fine-tuned under its teacher with weights and activations rounded as an
integer file rounds them, and exported as that file. Measured on the validation split:
the student, its post-training int8-full file, the fine-tuned int8-full file, and the
fine-tuned weights in float32, which tell what is rounding and what is more training.
"""

import os

from distilpose_keras.commands import cli

SUMMARY = "quantization-aware distillation, to int8-full"
POST_TRAINING = "post_training_int8-full.tflite"
FINE_TUNED = "fine_tuned_int8-full.tflite"
FINE_TUNED_FLOAT = "fine_tuned_float32.tflite"
EXAMPLES = f"""examples:
  %(prog)s student.keras --teacher teacher.keras --data coco \\
      --out runs/int8
  %(prog)s runs/distilpose_s/student.keras --preset demo \\
      --teacher runs/distilpose_s/teacher.keras --data runs/distilpose_s/data \\
      --out runs/int8

Files in --out: {FINE_TUNED}, {POST_TRAINING},
{FINE_TUNED_FLOAT}; and metrics.json with the table's figures, as
`distilpose verify` writes them: AP 0 to 1, drops in AP points 0 to 100 against the
student, keypoint errors in pixels of the crop, milliseconds for one crop on one thread.
"""


def add_arguments(parser):
    """Add the arguments of the command."""
    parser.epilog = EXAMPLES
    add = parser.add_argument
    add(
        "student",
        type=cli.trained_model,
        metavar="STUDENT.keras",
        help="trained student",
    )
    add(
        "--teacher",
        required=True,
        type=cli.trained_model,
        metavar="FILE",
        help="its teacher, a .keras file or a preset",
    )
    add(
        "--data",
        required=True,
        type=cli.input_folder,
        metavar="DIR",
        help="data set in COCO's layout",
    )
    add(
        "--out",
        required=True,
        type=cli.output_folder,
        metavar="DIR",
        help="folder of the results",
    )
    number = {"type": cli.positive_int, "metavar": "N"}
    add("--epochs", **number, default=10, help="10")
    add("--batch-size", **number, default=32, help="32")
    add(
        "--learning-rate",
        type=cli.positive_float,
        default=1e-4,
        metavar="X",
        help="peak of a cosine, 1e-4",
    )
    add(
        "--preset",
        choices=("demo", "none", "paper"),
        default="paper",
        help="augmentation that the student was trained with (default: paper)",
    )
    add("--limit", **number, help="use N people per split")
    add("--workers", **number, default=os.cpu_count() or 1, help="loading processes")
    add("--seed", type=int, default=0, metavar="N")
    add("--json", type=cli.output_file, metavar="FILE", help="also write the figures")
    add("--overwrite", action="store_true", help="replace the files in --out")


def run(arguments):
    """Fine-tune, export, measure and print the table."""
    cli.refuse_finished(arguments.out, overwrite=arguments.overwrite)
    # Whatever backend trained the two models: the quantizers are TensorFlow's.
    os.environ["KERAS_BACKEND"] = "tensorflow"
    import keras

    from distilpose_keras.commands.tables import print_rows
    from distilpose_keras.evaluation import evaluate
    from distilpose_keras.export.calibration import calibration_crops
    from distilpose_keras.export.verify import verify
    from distilpose_keras.files import write_json
    from distilpose_keras.models.model import load_model
    from distilpose_keras.quantization.finetune import check_pair
    from distilpose_keras.quantization.student import quantize_aware
    from distilpose_keras.report.rows import FIGURES

    keras.utils.set_random_seed(arguments.seed)
    student, teacher = map(load_model, (arguments.student, arguments.teacher))
    check_pair(student, teacher)
    people, val_people = load_splits(arguments, student.pose_config.schema)
    crops = calibration_crops(people, student, seed=arguments.seed)
    quantized = quantize_aware(student, crops)
    train(quantized, teacher, people, arguments)
    quantized.metadata["ap"] = evaluate(quantized, val_people)["AP"]
    files = export(student, quantized, crops, arguments.out)
    rows = verify(arguments.student, files, val_people, progress=True)
    write_json(arguments.out / "metrics.json", rows)
    if arguments.json:
        write_json(arguments.json, rows)
    print_rows(rows, FIGURES)


def load_splits(arguments, schema):
    """Return the people of the training and the validation split."""
    from distilpose_keras.data.coco import coco_paths, load_people

    splits = [
        load_people(*coco_paths(arguments.data, split), schema=schema)
        for split in ("train", "val")
    ]
    limit = arguments.limit
    return [people if limit is None else people.limit(limit) for people in splits]


def train(quantized, teacher, people, arguments):
    """Fine-tune in place."""
    from distilpose_keras.data.dataset import PoseDataset
    from distilpose_keras.data.transforms import Augmentation
    from distilpose_keras.quantization.finetune import finetune
    from distilpose_keras.recipe.settings import DEMO_AUGMENTATION

    augmentation = {
        "demo": Augmentation(**DEMO_AUGMENTATION),
        "none": None,
        "paper": Augmentation(),
    }[arguments.preset]
    with PoseDataset(
        people,
        batch_size=min(arguments.batch_size, len(people)),
        input_size=quantized.pose_config.input_size,
        geometry=quantized.pose_config.geometry,
        augmentation=augmentation,
        seed=arguments.seed,
        image_dtype="uint8",
        workers=arguments.workers,
    ) as batches:
        finetune(
            quantized,
            teacher,
            batches,
            epochs=arguments.epochs,
            learning_rate=arguments.learning_rate,
        )


def export(student, quantized, crops, out):
    """Write the three files and return their paths."""
    from distilpose_keras.export.tflite.write import export_tflite
    from distilpose_keras.quantization.files import export_quantized

    files = [out / name for name in (POST_TRAINING, FINE_TUNED, FINE_TUNED_FLOAT)]
    export_tflite(
        student, files[0], precision="int8-full", calibration=crops, progress=True
    )
    export_quantized(quantized, files[1], crops)
    export_quantized(quantized, files[2], crops, precision="float32")
    return files
