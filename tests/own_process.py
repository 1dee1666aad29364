"""Runs a function in a process of its own, as a command runs it.

Ray starts once in a process of a user; started and stopped again and again in one that
has several backends in it, it has aborted.
"""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context


def in_own_process(function, *args, **kwargs):
    """Return what a function of a module returns, or raise what it raises."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *args, **kwargs).result()
