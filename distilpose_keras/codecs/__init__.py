"""Codecs: one way each to say where a keypoint is."""
