# SPDX-License-Identifier: BSD-3-Clause
"""REMatch: matching of environments with regularised entropy (docs/theory.md eq. 24c, 24d)."""

from __future__ import annotations

import numpy as np

from potential.errors import SoapGprError

# Σ_i |Σ_j P_ij - a_i| of a plan, at most; K is then right to the same, times the largest |C_ij|.
TOLERANCE = 1e-10
MOST_ITERATIONS = 2000


def rematch(
    C: np.ndarray, a: np.ndarray, b: np.ndarray, offsets: np.ndarray, gamma: float
) -> np.ndarray:
    """K = Σ_ij P_ij C_ij (n,) of one structure with n others, with the plan P that maximises
    Σ_ij P_ij C_ij - γ Σ_ij P_ij ln P_ij among those of row sums a and column sums b.

    C (N_A, N): similarities, the columns of structure s from offsets[s] to offsets[s + 1];
    a (N_A,) and b (N,): above 0, adding up to 1 for each structure. All structures side by side,
    each until its own plan is found. Raises SoapGprError where that takes too long.
    """
    c, log_b = _side_by_side(C / gamma, np.log(b), offsets)
    K, left = np.empty(len(c)), np.arange(len(c))
    f, reach = np.zeros(c.shape[:2]), np.full(len(c), 2.0)
    g = np.where(np.isfinite(log_b), 0.0, -np.inf)
    for _ in range(MOST_ITERATIONS):
        f = np.log(a) - _log_sum(c + g[:, None], axis=2)
        g = log_b - _log_sum(c + f[:, :, None], axis=1)
        P = np.exp(c + f[:, :, None] + g[:, None])
        missing = a - P.sum(axis=2)
        done = np.abs(missing).sum(axis=1) < TOLERANCE
        if done.any():
            K[left[done]] = gamma * np.sum(P[done] * c[done], axis=(1, 2))
            if done.all():
                return K
            kept = ~done
            left, c, log_b, f, g = left[kept], c[kept], log_b[kept], f[kept], g[kept]
            P, missing, reach = P[kept], missing[kept], reach[kept]
        f, g, reach = _newton(c, log_b, a, f, g, P, missing, reach)
    raise SoapGprError(
        f"REMatch has not converged in {MOST_ITERATIONS} iterations: expected a larger gamma than "
        f"{gamma:g}"
    )


def _newton(c, log_b, a, f, g, P, missing, reach):
    """Steps in f no longer than reach, taken where they raise Σ_i a_i f_i + Σ_j b_j g_j(f), which
    is largest at the plan. Environments of different kinds are next to decoupled where γ is small:
    there Sinkhorn's iteration alone takes exp(1 / γ) steps."""
    there, b = np.isfinite(log_b), np.exp(log_b)
    H = -np.divide(P, b[:, None], out=np.zeros_like(P), where=there[:, None]) @ P.swapaxes(1, 2)
    i = np.arange(len(a))
    # where directions are next to decoupled, H is below the rounding of P = exp(c + f + g)
    H[:, i, i] += P.sum(axis=2) + 1e-14 * (1.0 + np.abs(f).max(axis=1))[:, None]
    H += 1.0 / len(a) ** 2  # f is free up to a constant
    step = np.linalg.solve(H, missing[:, :, None])[:, :, 0]
    size = np.abs(step).max(axis=1)
    step *= np.minimum(1.0, reach / np.maximum(size, 1e-300))[:, None]
    other_f = f + step
    other_g = log_b - _log_sum(c + other_f[:, :, None], axis=1)
    change = np.subtract(other_g, g, out=np.zeros_like(g), where=there)
    # close to the plan the gain is below the rounding of f and g
    better = step @ a + np.sum(b * change, axis=1) > -1e-15 * (1.0 + np.abs(f).max(axis=1))
    reach = np.where(better, 2.0 * reach, np.maximum(np.minimum(size, reach) / 4.0, 1e-3))
    f = np.where(better[:, None], other_f, f)
    return f, np.where(better[:, None], other_g, g), reach


def _log_sum(x: np.ndarray, axis: int) -> np.ndarray:
    """ln Σ exp x along an axis."""
    largest = x.max(axis=axis, keepdims=True)
    return np.log(np.exp(x - largest).sum(axis=axis)) + np.squeeze(largest, axis)


def _side_by_side(
    c: np.ndarray, log_b: np.ndarray, offsets: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(n, N_A, M) and (n, M) of the columns of each structure, those that it lacks of weight 0."""
    counts = np.diff(offsets)
    there = np.arange(counts.max()) < counts[:, None]
    column = np.where(there, offsets[:-1, None] + np.arange(counts.max()), 0)
    padded = c[:, column].transpose(1, 0, 2) * there[:, None]
    return padded, np.where(there, log_b[column], -np.inf)
