"""Prediction on pictures of all kinds, in stages that run at the same time."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from distilpose_keras.drawing import draw_boxes, draw_poses
from distilpose_keras.person_scores import sureness
from distilpose_keras.picture_writer import PictureWriter
from distilpose_keras.pictures import Picture
from distilpose_keras.pose_lines import PoseLines
from distilpose_keras.scoring import pose_results
from distilpose_keras.types import Json
from distilpose_keras.video.pipeline import DEPTH, Pipeline

if TYPE_CHECKING:
    from distilpose_keras.predictor import PosePredictor
    from distilpose_keras.tracking import PoseTracker

# People with less are written but not drawn.
DRAWN_BOX = 0.3  # score of a box that somebody gave
DRAWN_SURENESS = 0.3  # of a person whom the finder found


def threads_per_model() -> int:
    """Return the threads for the finder and for the model, which run side by side.

    With all cores for each, their threads wait for each other: on two busy cores, all
    stages together were slower than one after the other.
    """
    return max(1, (os.cpu_count() or 1) // 2)


@dataclass
class Annotated:
    """A picture on its way through the stages.

    Attributes:
        picture: the `Picture`.
        boxes: (N, 4) left, top, width, height in pixels, once people are found; None
            in a frame in which the tracker is to follow them.
        box_scores: (N,).
        keypoints: (N, K, 2) pixels, once poses are.
        scores: (N, K).
        ids: (N,) numbers of the people who are followed, 0 of others; None where
            nobody is.
        drawn: (height, width, 3) uint8 RGB with the poses, once they are drawn.
    """

    picture: Picture
    boxes: np.ndarray | None = field(default_factory=lambda: np.zeros((0, 4)))
    box_scores: np.ndarray | None = field(default_factory=lambda: np.zeros(0))
    keypoints: np.ndarray | None = None
    scores: np.ndarray | None = None
    ids: np.ndarray | None = None
    drawn: np.ndarray | None = None


@dataclass
class Annotator:
    """What is done with a picture, one method per stage.

    Attributes:
        predictor: the `PosePredictor`.
        find: function of a `Picture` that returns boxes (N, 4) and scores (N,).
        lines: the `PoseLines` that every picture is written to; of `keep` alone.
        writer: the `PictureWriter` of annotated pictures and crops; of `keep` alone.
        flip: average with the mirrored crops.
        least_score: people with a lower box score are left out; None for none.
        crops: whether to write each person's part of the picture, too.
        doubts: whether boxes may be of nobody, as a finder's: people are drawn of whom
            box and pose together are sure, see `sureness`.
        draws: whether to draw poses.
        writes: whether to write what is drawn.
        tracker: the `PoseTracker` that follows people through videos, or None.
        drawn: people drawn so far.
    """

    predictor: "PosePredictor"
    find: Callable[[Picture], tuple[np.ndarray, np.ndarray]]
    lines: PoseLines | None = None
    writer: PictureWriter | None = None
    flip: bool = False
    least_score: float | None = None
    crops: bool = False
    doubts: bool = False
    draws: bool = True
    writes: bool = True
    tracker: "PoseTracker | None" = None
    drawn: int = 0
    _sought: dict[str, int] = field(default_factory=dict)  # frames of each video
    _followed: str | None = None  # the video that the tracker is in

    def stages(self) -> list[Callable[[Any], Any]]:
        """Return the stages: find, pose, draw and write."""
        return [self.find_people, self.find_poses, self.draw, self.keep]

    def run(self, source: Any, *, depth: int = DEPTH) -> Pipeline:
        """Return the `Pipeline` of all stages behind a `PictureSource`."""
        return Pipeline(source, self.stages(), depth=depth, keeping=2)

    def find_people(self, picture: Picture) -> Annotated:
        """Find the boxes of a picture."""
        item = Annotated(picture)
        if picture.error is None and not self._seeks(picture):
            item.boxes = item.box_scores = None
        elif picture.error is None:
            item.boxes, item.box_scores = self.find(picture)
            if self.least_score is not None:
                enough = item.box_scores >= self.least_score
                item.boxes = item.boxes[enough]
                item.box_scores = item.box_scores[enough]
        return item

    def _seeks(self, picture):
        """Whether people are looked for in a picture, not just followed."""
        if self.tracker is None or picture.frame is None:
            return True
        before = self._sought.get(picture.file_name, 0)
        self._sought[picture.file_name] = before + 1
        return before % self.tracker.detect_every == 0

    def find_poses(self, item: Annotated) -> Annotated:
        """Find the poses in the boxes; follow people through videos if asked to."""
        picture = item.picture
        if picture.error is not None:
            return item
        if self.tracker is not None and picture.frame is not None:
            return self._track(item)
        found = self.predictor.predict(picture.image, item.boxes, flip=self.flip)
        item.keypoints, item.scores = found.keypoints, found.scores
        return item

    def _track(self, item):
        """Follow the people of a video's frame."""
        picture = item.picture
        if picture.file_name != self._followed:
            self.tracker.reset()
            self._followed = picture.file_name
        seconds = picture.seconds
        if seconds is None:
            seconds = (picture.frame - 1) / picture.fps
        found = self.tracker.update(
            picture.image, item.boxes, item.box_scores, seconds=seconds
        )
        item.ids, item.boxes, item.box_scores = found.ids, found.boxes, found.box_scores
        item.keypoints, item.scores = found.keypoints, found.scores
        return item

    def draw(self, item: Annotated) -> Annotated:
        """Draw the people who are sure enough."""
        if item.picture.error is None and self.draws:
            if self.doubts:
                sure = sureness(item.scores, item.box_scores) >= DRAWN_SURENESS
            else:
                sure = item.box_scores >= DRAWN_BOX
            self.drawn += int(np.count_nonzero(sure))
            labels = None
            if item.ids is not None:
                labels = [str(n) if n else "" for n in item.ids[sure]]
            image = draw_boxes(item.picture.image, item.boxes[sure], labels=labels)
            item.drawn = draw_poses(
                image, item.keypoints[sure], item.scores[sure], self.predictor.schema
            )
        return item

    def keep(self, item: Annotated) -> Annotated:
        """Write the line of a picture, and then the pictures."""
        self.lines.append(self.record(item))
        if item.drawn is not None and self.writes:
            self.writer.write(item.picture, item.drawn)
        if item.picture.error is None and self.crops:
            self.writer.write_crops(item.picture, item.boxes)
        return item

    def record(self, item: Annotated) -> Json:
        """Return what is known of a picture, as JSON values."""
        picture = item.picture
        record = {"file_name": picture.file_name, "image_id": picture.image_id}
        if picture.frame is not None:
            record["frame"] = picture.frame
        if picture.seconds is not None:
            record["seconds"] = round(picture.seconds, 6)
        if picture.error is not None:
            return {**record, "error": picture.error}
        height, width = picture.image.shape[:2]
        people = pose_results(
            item.keypoints,
            item.scores,
            item.boxes,
            item.box_scores,
            person_scores=self.predictor.person_scores,
        )
        if item.ids is not None:
            for person, number in zip(people, item.ids, strict=True):
                if number:
                    person["track_id"] = int(number)
        return {**record, "width": width, "height": height, "people": people}
