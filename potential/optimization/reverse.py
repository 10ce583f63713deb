# SPDX-License-Identifier: BSD-3-Clause
"""What steps have in common whose derivatives are taken in reverse mode."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

# From derivatives of a number by what a function returned to those by its argument.
PullBack = Callable[[np.ndarray], np.ndarray]


def unit(p: np.ndarray) -> tuple[np.ndarray, PullBack]:
    """p̂ = p / |p|; 0 stays 0."""
    length = np.linalg.norm(p, axis=1, keepdims=True)
    inverse = np.divide(1.0, length, out=np.zeros_like(length), where=length > 0)
    p_hat = p * inverse

    def pull_back(d: np.ndarray) -> np.ndarray:
        return (d - p_hat * np.sum(p_hat * d, axis=1, keepdims=True)) * inverse

    return p_hat, pull_back
