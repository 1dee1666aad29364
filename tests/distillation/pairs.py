"""A tiny student and its teacher, with weights, and a distiller that is ready."""

import keras
import tiny_pose


def pair():
    return tiny_pose.fill(tiny_pose.student(), 1), tiny_pose.fill(
        tiny_pose.teacher(), 2
    )


def compiled(distiller, **kwargs):
    distiller.compile(optimizer=keras.optimizers.SGD(0.1), **kwargs)
    return distiller
