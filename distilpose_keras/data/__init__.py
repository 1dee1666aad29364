"""Data: COCO reading, geometry, codecs, data sets."""
