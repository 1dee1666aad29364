"""What a user may ask of a run, beside its settings."""

import os
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class RunOptions:
    """Where a run reads and writes, and on what it runs.

    Attributes:
        out: output folder.
        data: COCO layout, or shards, to train on; a folder or, of shards, a URL. None
            renders a synthetic set into ``out``.
        teacher: ``.keras`` file of a trained teacher; None trains one.
        init_backbone_from: ``.keras`` or checkpoint file whose backbone the student
            starts from, as the published DistilPose-L does, or the teacher where it is
            trained alone; None starts fresh.
        limit: people per split; None uses all.
        category: name or id of the category that is read; None reads all that have the
            same keypoints.
        flip_pairs: (left, right) names or numbers of keypoints that a mirror
            exchanges, where the names do not tell.
        workers: loading processes.
        seed: of weights, order and augmentation.
        precision: `keras.config.set_dtype_policy` of the trained models.
        strategy: ``single``, ``mirrored``, ``data_parallel`` or ``multi_worker``.
        resume: continue the run in ``out``.
        overwrite: replace the run in ``out``.
        skip_bad_images: go on past images that cannot be read.
        photos: folder of pictures that the report shows, too.
    """

    out: Path
    data: Path | str | None = None
    teacher: Path | None = None
    init_backbone_from: Path | None = None
    limit: int | None = None
    category: str | None = None
    flip_pairs: tuple[tuple[str | int, str | int], ...] | None = None
    workers: int = os.cpu_count() or 1
    seed: int = 0
    precision: str = "float32"
    strategy: str = "single"
    resume: bool = False
    overwrite: bool = False
    skip_bad_images: bool = False
    photos: Path | None = None

    def determining(self):
        """What the result depends on, as JSON values; a resumed run must have the same.

        The workers and the strategy are not among them: batches are the same with any
        number of processes, and the weights to a rounding. Nor are the photographs,
        which nothing is trained on.
        """
        free = ("out", "workers", "strategy", "resume", "overwrite", "photos")
        return {
            name: value if value is None or isinstance(value, int) else str(value)
            for name, value in asdict(self).items()
            if name not in free
        }
