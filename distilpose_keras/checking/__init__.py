"""Reads a data set whole before anyone trains on it."""
