# SPDX-License-Identifier: BSD-3-Clause
"""Memory that a fit needs."""

from potential.errors import SoapGprError
from potential.runtime.memory import available_bytes
from potential.runtime.parallel import local_ranks, thread_count
from potential.training.regression import BUFFER_ROWS


def regression_bytes(n_weights: int, n_atoms: int) -> int:
    """Peak memory of the regression on one rank: triangle, K_MM, its factor, rows in flight.

    Each thread holds the rows of a structure of n_atoms atoms, their copy over sigma and those of
    the structure before. Nothing here grows with the number of labels.
    """
    matrices = 3 * n_weights**2 + 2 * BUFFER_ROWS * n_weights
    rows = 3 * (thread_count() + 1) * (3 * n_atoms + 7) * n_weights
    return 8 * (matrices + rows)


def require_memory(n_weights: int, n_atoms: int, more: int = 0, n_ranks: int = 1) -> None:
    """Raise SoapGprError when the regression, and as many bytes more, cannot fit into the memory
    that is free now. n_ranks: of the fit, of which those on this machine share its memory."""
    needed, available = regression_bytes(n_weights, n_atoms) + more, available_bytes()
    sharing = min(n_ranks, local_ranks())
    if available is not None and needed * sharing > available:
        each = f" on each of {sharing} ranks of this machine" if sharing > 1 else ""
        raise SoapGprError(
            f"the regression with {n_weights} weights in all needs about "
            f"{needed / 2**30:.1f} GiB{each} and {available / 2**30:.1f} GiB are free: lower "
            f"n_sparse{' or start fewer ranks' if sharing > 1 else ''}"
        )
