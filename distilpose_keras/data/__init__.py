"""Data: COCO reading, samples, data sets."""
