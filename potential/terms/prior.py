# SPDX-License-Identifier: BSD-3-Clause
"""The prior of the weights as a triangle (docs/theory.md eq. 13a)."""

import numpy as np
from scipy.linalg import LinAlgError, cholesky

from potential.errors import SoapGprError


def prior_factor(K_MM: np.ndarray, jitter: float, more_columns: int = 0) -> np.ndarray:
    """U (M, M + more_columns) of docs/theory.md eq. (13a), with more columns of zeros.

    Raises SoapGprError when K_MM + jitter is not positive definite.
    """
    M = len(K_MM)
    U = np.zeros((M, M + more_columns), order="F")
    U[:, :M] = K_MM
    U[np.diag_indices(M)] += jitter * np.mean(np.diag(K_MM))
    try:
        U[:, :M] = cholesky(U[:, :M], lower=False, overwrite_a=True)
    except LinAlgError:
        raise SoapGprError(
            f"the kernel matrix of the sparse points is singular at jitter = {jitter:g}: "
            "raise [solver] jitter tenfold or ask for fewer sparse points"
        ) from None
    return U
