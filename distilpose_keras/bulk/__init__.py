"""Poses of a million pictures: in parts, on many machines, and again after a stop."""
