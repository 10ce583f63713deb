# SPDX-License-Identifier: BSD-3-Clause
"""Checks before a fit spends hours: memory, and processes that would all do the same work."""

from __future__ import annotations

import os
from pathlib import Path

from potential.errors import SoapGprError
from potential.parallel import thread_count


def regression_bytes(n_weights: int, n_atoms: int) -> int:
    """Peak memory of the regression: K_MM, its factor, the QR buffers, rows in flight.

    Each thread holds the rows of a structure of n_atoms atoms, their copy over sigma and those of
    the structure before.
    """
    matrices = 9 * n_weights**2
    rows = 3 * (thread_count() + 1) * (3 * n_atoms + 7) * n_weights
    return 8 * (matrices + rows)


def require_memory(n_weights: int, n_atoms: int) -> None:
    """Raise SoapGprError when the regression cannot fit into the memory that is free now."""
    needed, available = regression_bytes(n_weights, n_atoms), available_bytes()
    if available is not None and needed > available:
        raise SoapGprError(
            f"the regression with {n_weights} sparse points in all needs about "
            f"{needed / 2**30:.1f} GiB and {available / 2**30:.1f} GiB are free: lower n_sparse"
        )


def require_one_process() -> None:
    """Refuse to run once per MPI rank: every rank would do the whole fit and write the model."""
    for name in ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE"):
        ranks = os.environ.get(name, "1")
        if ranks.isdigit() and int(ranks) > 1:
            raise SoapGprError(
                f"found {ranks} MPI ranks, expected one process: this version fits with threads "
                "(OMP_NUM_THREADS), not with mpirun"
            )


def available_bytes() -> int | None:
    """Memory that programs can still get, or None where Linux does not tell."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(1024 * int(line.split()[1]) for line in lines if "MemAvailable" in line)
    except (OSError, StopIteration, ValueError):
        return None
