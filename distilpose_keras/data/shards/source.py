"""What batches of sharded people are made of: pictures, read ahead in their order."""

import threading

import numpy as np

from distilpose_keras.data.epoch_plan import EpochPlan
from distilpose_keras.data.samples import SampleRequest
from distilpose_keras.data.shards.people import ShardedPeople
from distilpose_keras.data.shards.plan import ShardPlan, plan_shards
from distilpose_keras.data.shards.read_ahead import ReadAhead
from distilpose_keras.data.shards.reader import read_picture, read_shard
from distilpose_keras.data.shards.records import ShardPicture
from distilpose_keras.data.share import Share

AHEAD = 64  # pictures read before they are asked for


class ShardSource:
    """Reads shards while people are asked for in the order of an epoch.

    The process's own shards are read once, from end to end, by a thread of their own; a
    picture is held until its last person has come. Out of this order, and of another
    process's shards, pictures are read one by one.

    Args:
        people: ShardedPeople.
    """

    def __init__(self, people: ShardedPeople) -> None:
        """Read nothing yet."""
        self.schema = people.schema
        self._people = people
        self._lock = threading.Lock()
        self._plan = ShardPlan(*[np.zeros(0, np.int64)] * 4)
        self._rank = np.full(len(people), -1)  # of each person in `own`
        self._last = np.full(len(people.shard_of), -1)  # rank of each picture's last
        self._place = np.full(len(people.shard_of), -1)  # of each picture in own shards
        self._restart()

    def plan(
        self, *, seed: int, epoch: int, shuffle: bool, batch_size: int, share: Share
    ) -> EpochPlan:
        """Return the order of an epoch, and expect to be asked in it.

        Raises:
            ValueError: if there are fewer shards than processes.
        """
        people = self._people
        plan = plan_shards(
            people,
            seed=seed,
            epoch=epoch,
            shuffle=shuffle,
            batch_size=batch_size,
            share=share,
        )
        with self._lock:
            self._close()
            self._plan = plan
            ranks = np.arange(len(plan.own))
            for array, at in (
                (self._rank, plan.own),
                (self._last, people.picture_of[plan.own]),
            ):
                array[:] = -1
                np.maximum.at(array, at, ranks)
            pictures = np.concatenate([self._pictures_in(s) for s in plan.shards])
            self._place[:] = -1
            self._place[pictures] = np.arange(len(pictures))
            self._restart()
        return EpochPlan(plan.order, plan.keep)

    def rewind(self) -> None:
        """Expect to be asked from the beginning of the epoch again."""
        with self._lock:
            if self._next:
                self._close()
                self._restart()

    def pictures(self, indices: np.ndarray) -> np.ndarray:
        """Return the number of each person's picture."""
        return self._people.picture_of[indices]

    def picture_name(self, person: int) -> str:
        """Return what messages call a person's picture: folder, shard and key."""
        return self._people.picture_name(self._people.picture_of[person])

    def request(self, indices: np.ndarray, keep: np.ndarray) -> SampleRequest:
        """Return what a loader needs to know of some people.

        Raises:
            ValueError: naming the shard, if one is missing, cut short or damaged, or
                of other keypoints than the others.
        """
        pictures = self._people.picture_of[indices]
        with self._lock:
            ranks = self._rank[indices]
            in_turn = ranks[0] == self._next
            if in_turn:
                self._drop()
            found = {n: self._picture(n, in_turn) for n in dict.fromkeys(pictures)}
            self._next = max(self._next, int(ranks.max()) + 1)
        people = [
            (found[picture], person - self._people.first_person[picture])
            for picture, person in zip(pictures, indices, strict=True)
        ]
        return SampleRequest(
            indices,
            [picture.name for picture, _ in people],
            np.stack([picture.boxes_xywh[n] for picture, n in people]),
            np.stack([picture.keypoints[n] for picture, n in people]),
            np.stack([picture.visibility[n] for picture, n in people]),
            keep,
            np.stack([picture.size for picture, _ in people]),
            np.stack([picture.confidences[n] for picture, n in people]),
            [picture.content for picture, _ in people],
        )

    def close(self) -> None:
        """End what is read ahead; it goes on if more is asked for."""
        with self._lock:
            self._close()

    def _restart(self):
        """Stand at the beginning of the epoch, with nothing read."""
        self._lane = None
        self._held: dict[int, ShardPicture] = {}
        self._next = 0  # rank of the person who comes next
        self._read = 0  # place of the picture that is read next

    def _close(self):
        if self._lane is not None:
            self._lane.close()
            self._lane = None

    def _drop(self):
        """Let go of the pictures that nobody is left to come of."""
        done = [n for n in self._held if self._last[n] < self._next]
        for number in done:
            del self._held[number]

    def _picture(self, number, in_turn):
        """Return a picture, from memory, the thread or its shard."""
        if number in self._held:
            return self._held[number]
        if in_turn and self._place[number] >= self._read:
            return self._read_to(number)
        people = self._people
        shard = people.shard_of[number]
        within = number - people.first_picture[shard]
        names = people.schema.names
        return read_picture(people.store, people.shards[shard], within, names)

    def _read_to(self, wanted):
        """Read on until a picture, and hold those whose people are still to come."""
        if self._lane is None:
            shards = [n for n in self._plan.shards if self._is_ahead(n)]
            self._lane = ReadAhead(_read(self._people, shards), AHEAD)
        try:
            for number, picture in self._lane:
                self._read = self._place[number] + 1
                if self._last[number] >= self._next:
                    self._held[number] = picture
                if number == wanted:
                    return picture
        except BaseException:
            self._close()
            raise
        raise AssertionError(f"picture {wanted} is in none of the process's shards")

    def _is_ahead(self, shard):
        """Whether a shard has a picture that is not read yet and will be wanted."""
        pictures = self._pictures_in(shard)
        wanted = self._last[pictures] >= self._next
        return (wanted & (self._place[pictures] >= self._read)).any()

    def _pictures_in(self, shard):
        """The numbers of a shard's pictures."""
        first = self._people.first_picture
        return np.arange(first[shard], first[shard + 1])


def _read(people, shards):
    """Yield number and picture of all in some shards, in order."""
    for shard in shards:
        pictures = read_shard(people.store, people.shards[shard], people.schema.names)
        yield from enumerate(pictures, people.first_picture[shard])
