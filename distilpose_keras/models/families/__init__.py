"""Families of models: one file per method, all that the house knows of it.

A file holds a configuration, the graph that it builds, its codec, its loss on labels,
what `deploy` may do with it, and its named models.
"""
