# SPDX-License-Identifier: BSD-3-Clause
"""MPI ranks of a fit: one process by itself, or ``mpirun -n N soap-gpr fit`` through mpi4py."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import numpy as np

from potential.errors import SoapGprError

Item = TypeVar("Item")

# What MPICH, Open MPI and Slurm tell the processes that they start.
_SIZE = ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "SLURM_STEP_NUM_TASKS")
_RANK = ("PMI_RANK", "OMPI_COMM_WORLD_RANK", "SLURM_PROCID")


class Ranks:
    """The processes that share a fit; without a communicator there is one."""

    def __init__(self, comm: Any = None):
        self._comm = comm
        self.rank: int = comm.Get_rank() if comm else 0
        self.size: int = comm.Get_size() if comm else 1

    @property
    def is_first(self) -> bool:
        return self.rank == 0

    @contextmanager
    def together(self) -> Iterator[None]:
        """Work that a rank does by itself: what stops one of them is raised on all of them."""
        if self.size == 1:
            yield
            return
        error = None
        try:
            yield
        except SoapGprError as caught:
            error = str(caught)
        except Exception as caught:
            error = f"rank {self.rank}: {type(caught).__name__}: {caught}"
        for message in self.all_gather(error):
            if message is not None:
                raise SoapGprError(message)

    def from_first(self, make: Callable[[], Item]) -> Item:
        """What ``make`` returns on the first rank, on all ranks."""
        value: Any = None
        with self.together():
            if self.is_first:
                value = make()
        return self._comm.bcast(value) if self._comm else value

    def all_gather(self, value: Item) -> list[Item]:
        """The values of all ranks, in their order, on all ranks."""
        return self._comm.allgather(value) if self._comm else [value]

    def combine(self, array: np.ndarray, add: Callable[[np.ndarray], None]) -> None:
        """A tree: ``add`` meets the array of another rank, until the first rank has met all.

        array: float64 and contiguous in either order, of one shape and order on all ranks; add
        changes it in place.
        """
        step = 1
        while step < self.size:
            if self.rank % (2 * step):
                self._comm.Send(array, dest=self.rank - step)
                return
            if self.rank + step < self.size:
                other = np.empty_like(array)
                self._comm.Recv(other, source=self.rank + step)
                add(other)
            step *= 2

    def share(self, items: Sequence[Item], cost: Callable[[Item], float]) -> list[int]:
        """Indices of the items of this rank, ascending: the dearest first to the idlest rank."""
        loads = np.zeros(self.size)
        mine = []
        costs = [cost(item) for item in items]
        for k in sorted(range(len(items)), key=lambda k: (-costs[k], k)):
            idlest = int(np.argmin(loads))
            loads[idlest] += costs[k]
            if idlest == self.rank:
                mine.append(k)
        return sorted(mine)


def world() -> Ranks:
    """The ranks that mpirun or srun started, or the one process that runs without them.

    Raises SoapGprError when there are several and mpi4py is missing or sees only one: every one
    of them would do the whole fit.
    """
    wanted = max(_number(name, 1) for name in _SIZE)
    if wanted == 1:
        return Ranks()
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:
        raise SoapGprError(
            f"found {wanted} MPI ranks and no mpi4py that works ({error}), expected it for a fit "
            "on several ranks: pip install 'soap-gpr[mpi]'"
        ) from None
    if MPI.COMM_WORLD.Get_size() != wanted:
        raise SoapGprError(
            f"found {wanted} processes that mpi4py takes for {MPI.COMM_WORLD.Get_size()}, expected "
            "the mpirun of the MPI library that mpi4py uses"
        )
    return Ranks(MPI.COMM_WORLD)


def abort_all(error: Exception) -> None:
    """End all ranks after an error that only this one knows of, as the others would wait for it
    for ever; does nothing without other ranks."""
    if max(_number(name, 1) for name in _SIZE) == 1:
        return
    from mpi4py import MPI

    rank, reason = MPI.COMM_WORLD.Get_rank(), f"{type(error).__name__}: {error}".strip(": ")
    print(f"soap-gpr: error: rank {rank}: {reason}", file=sys.stderr, flush=True)
    time.sleep(5.0)  # mpirun, on a busy machine, drops what it has not passed on by then
    MPI.COMM_WORLD.Abort(1)


def is_first_process() -> bool:
    """Whether this process is the one that talks to people, as far as its environment tells."""
    return max(_number(name, 0) for name in _RANK) == 0


def _number(name: str, default: int) -> int:
    value = os.environ.get(name, "")
    return int(value) if value.isdigit() else default
