"""Do the sizes that an annotation file gives its pictures fit what is annotated?"""

import numpy as np

from distilpose_keras.data.images import ImageError, read_size, same_size

SLACK = 2  # pixels that labels may reach beyond a picture


def settle_sizes(images, persons, image_dir):
    """Look at the pictures whose size is not given, or cannot be what the file says.

    Where people reach beyond a picture and would lie inside it if width and height
    changed places, the picture itself decides. Only such pictures are opened.

    Args:
        images: `ImageTable`; its sizes are set right.
        persons: `Persons` of these pictures.
        image_dir: folder of the pictures.

    Returns:
        list of notes.

    Raises:
        ImageError: if the size of a picture is not given and it cannot be read.
    """
    reach = reaches(persons, len(images.ids))
    sizes = images.sizes
    beyond = (reach > sizes + SLACK).any(axis=1)
    inside = (reach <= sizes[:, ::-1] + SLACK).all(axis=1)
    absent = (sizes <= 0).any(axis=1)
    exchanged = 0
    for n in np.flatnonzero(absent | (beyond & inside)):
        try:
            stored, orientation = read_size(image_dir / images.files[n])
        except ImageError:
            if absent[n]:
                raise
            continue  # told when the picture is wanted
        turns = orientation >= 5
        if absent[n]:
            sizes[n] = stored[::-1] if turns else stored
        elif turns or same_size(stored, sizes[n, ::-1]):
            exchanged += 1
            sizes[n] = sizes[n, ::-1].copy()
    notes = []
    if absent.any():
        notes.append(f"sizes of {np.count_nonzero(absent)} pictures read from them")
    if exchanged:
        notes.append(f"width and height of {exchanged} pictures had changed places")
    return notes


def reaches(persons, count):
    """How far down and right the people of each picture reach.

    Args:
        persons: `Persons`.
        count: number of pictures, M.

    Returns:
        (M, 2) float64 (bottom, right) pixels; 0 where nobody is.
    """
    labelled = (persons.visibility > 0)[..., None]
    points = np.where(labelled, persons.keypoints, 0).max(axis=1, initial=0)
    corners = persons.boxes_xywh[:, :2] + persons.boxes_xywh[:, 2:]
    reach = np.zeros((count, 2))
    np.maximum.at(reach, persons.image_index, np.maximum(points, corners)[:, ::-1])
    return reach
