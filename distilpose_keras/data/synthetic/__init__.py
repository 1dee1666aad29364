"""Synthetic people in COCO format: a data set that needs no download."""

from distilpose_keras.data.synthetic.dataset import render_dataset

__all__ = ["render_dataset"]
