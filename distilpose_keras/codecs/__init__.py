"""Codecs: one way each to say where a keypoint is, and how to read it back."""
