"""Synthetic people in COCO format: a data set that needs no download."""

from distilpose_keras.synthetic.casting import UPRIGHT, VARIED, Casting
from distilpose_keras.synthetic.dataset import render_dataset

__all__ = ["UPRIGHT", "VARIED", "Casting", "render_dataset"]
