"""Where batches get their people from: picture files of a folder, or shards."""

from typing import TYPE_CHECKING, Protocol

import numpy as np

from distilpose_keras.data.epoch_plan import EpochPlan, plan_epoch
from distilpose_keras.data.samples import SampleRequest
from distilpose_keras.data.shards.people import ShardedPeople
from distilpose_keras.data.shards.source import ShardSource
from distilpose_keras.data.share import Share
from distilpose_keras.keypoints import KeypointSchema

if TYPE_CHECKING:
    from distilpose_keras.data.people_index import PeopleIndex


class PeopleSource(Protocol):
    """What batches are made of; people are known by their position in the data set."""

    schema: KeypointSchema

    def plan(
        self, *, seed: int, epoch: int, shuffle: bool, batch_size: int, share: Share
    ) -> EpochPlan:
        """Return the order of an epoch, and expect to be asked in it."""
        ...

    def rewind(self) -> None:
        """Expect to be asked from the beginning of the epoch again."""

    def pictures(self, indices: np.ndarray) -> np.ndarray:
        """Return the number of each person's picture."""
        ...

    def picture_name(self, person: int) -> str:
        """Return what messages call a person's picture."""
        ...

    def request(self, indices: np.ndarray, keep: np.ndarray) -> SampleRequest:
        """Return what a loader needs to know of some people."""
        ...

    def close(self) -> None:
        """End what is read ahead."""


def source_of(people: "PeopleIndex | ShardedPeople") -> PeopleSource:
    """Return the source of the people of a folder or of shards."""
    if isinstance(people, ShardedPeople):
        return ShardSource(people)
    return FolderSource(people)


class FolderSource:
    """The people of a `PeopleIndex`, whose picture files the loaders read.

    Args:
        people: PeopleIndex.
    """

    def __init__(self, people: "PeopleIndex") -> None:
        """Read nothing."""
        self.schema = people.schema
        self._people = people

    def plan(
        self, *, seed: int, epoch: int, shuffle: bool, batch_size: int, share: Share
    ) -> EpochPlan:
        """Return the order of an epoch."""
        return plan_epoch(
            self._people.image_index,
            seed=seed,
            epoch=epoch,
            shuffle=shuffle,
            batch_size=batch_size,
            share=share,
        )

    def rewind(self) -> None:
        """Files may be read in any order."""

    def pictures(self, indices: np.ndarray) -> np.ndarray:
        """Return the number of each person's picture."""
        return self._people.image_index[indices]

    def picture_name(self, person: int) -> str:
        """Return the file of a person's picture."""
        return str(self._people.image_path(self._people.image_index[person]))

    def request(self, indices: np.ndarray, keep: np.ndarray) -> SampleRequest:
        """Return what a loader needs to know of some people."""
        people = self._people
        pictures = people.image_index[indices]
        return SampleRequest(
            indices,
            [str(people.image_path(i)) for i in pictures],
            people.boxes_xywh[indices],
            people.keypoints[indices],
            people.visibility[indices],
            keep,
            people.image_sizes[pictures],
            people.confidences[indices],
        )

    def close(self) -> None:
        """Nothing is open."""
