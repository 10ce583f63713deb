# SPDX-License-Identifier: BSD-3-Clause
"""GTO radial basis (docs/theory.md eq. 2c; Handbook 2018, eq. 58).

g_n(x) ∝ x^n exp(−x²/2σ_n²), S_nn = 1,  σ_n = radius · max(√n, 1) / n_max,  n = 0..n_max − 1,
R_n = Σ_k [S^{-1/2}]_nk g_k,  S_nk = ∫_0^∞ x² g_n g_k dx          (Löwdin)
"""

import numpy as np


class GtoBasis:
    """Löwdin-orthonormal GTOs, the same for every l; radius = r_c − Δ in Å."""

    def __init__(self, radius, n_max):
        self.n = np.arange(n_max)
        self.sigma = radius * np.maximum(np.sqrt(self.n), 1.0) / n_max
        # Beyond the outermost maximum of x² g_n² plus 9 widths every g_n is below 1e-17.
        self.support = float(np.max((np.sqrt(self.n + 1.0) + 9.0) * self.sigma))
        self.width = float(np.min(self.sigma))
        self.coefficients = self._lowdin()

    def n_channels(self, l):
        """Number of radial functions of angular channel l."""
        return len(self.n)

    def functions(self, l, x, derivative=0):
        """R_n(x) or its first or second derivative, (n_max, len(x)) in Å^(−3/2 − derivative), at
        x (n,) Å."""
        return self.coefficients @ self._gto(x, derivative)

    def _gto(self, x, derivative=0):
        """Primitives, each scaled by its maximum so that the overlap stays well conditioned."""
        n, sigma = self.n[:, None], self.sigma[:, None]
        peak = np.maximum(np.sqrt(self.n), 1.0)[:, None] * sigma
        x, gaussian = x / peak, np.exp(0.5 * (n - (x / sigma) ** 2))
        if derivative == 0:
            return x**n * gaussian
        # of x^n exp(−s x²/2) in the scaled x, without negative powers
        s = (peak / sigma) ** 2
        first = n * x ** np.maximum(n - 1, 0) - s * x ** (n + 1)
        if derivative == 1:
            return first * gaussian / peak
        second = n * (n - 1) * x ** np.maximum(n - 2, 0) - s * (2 * n + 1) * x**n
        return (second + s**2 * x ** (n + 2)) * gaussian / peak**2

    def _lowdin(self):
        # S = A Aᵀ with A = √w x g on quadrature nodes. The singular values of A give S^{-1/2}
        # with an error that grows with √cond(S), diagonalising S with cond(S).
        nodes, weights = np.polynomial.legendre.leggauss(int(4 * self.support / self.width) + 32)
        x = 0.5 * self.support * (nodes + 1.0)
        a = self._gto(x) * x * np.sqrt(0.5 * self.support * weights)
        norm = np.linalg.norm(a, axis=1)
        u, s, _ = np.linalg.svd(a / norm[:, None], full_matrices=False)
        return (u / s) @ u.T / norm
