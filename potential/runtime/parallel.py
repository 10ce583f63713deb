# SPDX-License-Identifier: BSD-3-Clause
"""Threads over structures: the core releases the GIL, so Python threads are enough."""

from __future__ import annotations

import os
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from potential.errors import SoapGprError

MOST_THREADS = 1024
Item = TypeVar("Item")
Result = TypeVar("Result")


# What MPICH, Open MPI and Slurm call the number of ranks on this machine.
_LOCAL_RANKS = ("MPI_LOCALNRANKS", "OMPI_COMM_WORLD_LOCAL_SIZE", "SLURM_NTASKS_PER_NODE")


def thread_count(wanted: int | None = None) -> int:
    """The number of threads wanted, by default the first number of OMP_NUM_THREADS, by default the
    share of one MPI rank in the cores it may use.

    Raises SoapGprError for what is not a whole number from 1 to ``MOST_THREADS``.
    """
    if wanted is not None:
        return _checked("n_threads", wanted)
    variable = os.environ.get("OMP_NUM_THREADS", "").strip()
    if variable:
        return _checked("OMP_NUM_THREADS", variable.split(",")[0])
    return max(1, len(os.sched_getaffinity(0)) // local_ranks())


def _checked(name: str, value: object) -> int:
    text = str(value).strip()
    if re.fullmatch("[0-9]{1,9}", text) and 1 <= int(text) <= MOST_THREADS:
        return int(text)
    raise SoapGprError(
        f"{name}: found {text:.40}, expected a number of threads, 1 to {MOST_THREADS}"
    )


def local_ranks() -> int:
    """MPI ranks on this machine, as far as the environment tells; 1 without MPI."""
    values = [os.environ.get(name, "") for name in _LOCAL_RANKS]
    return max((int(value) for value in values if value.isdigit() and int(value)), default=1)


def ordered_map(
    function: Callable[[Item], Result], items: Iterable[Item], n_threads: int | None = None
) -> Iterator[Result]:
    """Results in the order of the items, with few of them in memory at a time."""
    n_threads = thread_count(n_threads)
    with ThreadPoolExecutor(n_threads) as pool:
        pending: deque = deque()
        try:
            for item in items:
                pending.append(pool.submit(function, item))
                if len(pending) > n_threads:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()
