# SPDX-License-Identifier: BSD-3-Clause
"""Threads over structures: the core releases the GIL, so Python threads are enough."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from potential.errors import SoapGprError
from potential.limits import MOST_THREADS

Item = TypeVar("Item")
Result = TypeVar("Result")


# What MPICH, Open MPI and Slurm call the number of ranks on this machine.
_LOCAL_RANKS = ("MPI_LOCALNRANKS", "OMPI_COMM_WORLD_LOCAL_SIZE", "SLURM_NTASKS_PER_NODE")


def thread_count() -> int:
    """OMP_NUM_THREADS if set, otherwise the share of one MPI rank in the cores it may use.

    Raises SoapGprError when it is set to more than any machine has.
    """
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    if wanted.isdecimal() and wanted.strip("0"):
        if len(wanted) > len(str(MOST_THREADS)) or int(wanted) > MOST_THREADS:
            raise SoapGprError(
                f"OMP_NUM_THREADS: found {wanted[:40]}, expected at most {MOST_THREADS}"
            )
        return int(wanted)
    return max(1, len(os.sched_getaffinity(0)) // local_ranks())


def local_ranks() -> int:
    """MPI ranks on this machine, as far as the environment tells; 1 without MPI."""
    values = [os.environ.get(name, "") for name in _LOCAL_RANKS]
    return max((int(value) for value in values if value.isdigit() and int(value)), default=1)


def ordered_map(
    function: Callable[[Item], Result], items: Iterable[Item], n_threads: int | None = None
) -> Iterator[Result]:
    """Results in the order of the items, with few of them in memory at a time."""
    n_threads = n_threads or thread_count()
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
