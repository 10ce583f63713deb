# SPDX-License-Identifier: BSD-3-Clause
"""Memory: what a fit needs, and what is there."""

from __future__ import annotations

from pathlib import Path

from potential.errors import SoapGprError
from potential.parallel import thread_count
from potential.regression import BUFFER_ROWS


def regression_bytes(n_weights: int, n_atoms: int) -> int:
    """Peak memory of the regression on one rank: triangle, K_MM, its factor, rows in flight.

    Each thread holds the rows of a structure of n_atoms atoms, their copy over sigma and those of
    the structure before. Nothing here grows with the number of labels.
    """
    matrices = 3 * n_weights**2 + 2 * BUFFER_ROWS * n_weights
    rows = 3 * (thread_count() + 1) * (3 * n_atoms + 7) * n_weights
    return 8 * (matrices + rows)


def require_memory(n_weights: int, n_atoms: int, more: int = 0) -> None:
    """Raise SoapGprError when the regression, and as many bytes more, cannot fit into the memory
    that is free now."""
    needed, available = regression_bytes(n_weights, n_atoms) + more, available_bytes()
    if available is not None and needed > available:
        raise SoapGprError(
            f"the regression with {n_weights} weights in all needs about "
            f"{needed / 2**30:.1f} GiB and {available / 2**30:.1f} GiB are free: lower n_sparse"
        )


def available_bytes() -> int | None:
    """Memory that programs can still get, or None where Linux does not tell."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(1024 * int(line.split()[1]) for line in lines if "MemAvailable" in line)
    except (OSError, StopIteration, ValueError):
        return None
