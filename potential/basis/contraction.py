# SPDX-License-Identifier: BSD-3-Clause
"""Contraction of density channels (docs/theory.md eq. 2h, 2i; Willatt 2019, eq. 44, 45).

c^l_Jm = Σ_q V^l_Jq c^l_qm needs other tables only: S^l_aJ = Σ_q V^l_Jq S^l_aq, s0_aJ = Σ_q V^0_Jq
s0_aq. V may come from anywhere; here it is made of a covariance of the density.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from potential.basis.tables import TermTables


class Contraction(NamedTuple):
    """Matrices V (n_kept, Q_l) with orthonormal rows and the variance retained, lists over l."""

    matrices: list[np.ndarray]
    retained_variance: list[float]


def principal_components(
    covariance: Sequence[np.ndarray],
    n_channels: int | None = None,
    retained_variance: float | None = None,
) -> Contraction:
    """The leading eigenvectors of C^l (Q_l, Q_l), list over l; one of the two limits is given.

    n_channels: of every l, or all where there are fewer; retained_variance: the fraction of the
    trace that the channels of every l keep at least.
    """
    matrices, retained = [], []
    for C in covariance:
        variances, vectors = np.linalg.eigh(C)
        variances, vectors = np.maximum(variances[::-1], 0.0), vectors.T[::-1]
        kept = np.cumsum(variances)
        total = kept[-1]
        if n_channels is None:
            n_wanted = int(np.searchsorted(kept, retained_variance * total)) + 1
        else:
            n_wanted = n_channels
        n = min(n_wanted, len(C))
        # The sign of an eigenvector is anybody's choice; here its largest component is positive.
        largest = np.abs(vectors[:n]).argmax(axis=1)
        signs = np.sign(vectors[np.arange(n), largest])
        matrices.append(signs[:, None] * vectors[:n])
        retained.append(float(kept[n - 1] / total) if total > 0 else 1.0)
    return Contraction(matrices, retained)


def contracted(tables: TermTables, matrices: Sequence[np.ndarray]) -> TermTables:
    """Tables of the channels V c; every species feeds all of them.

    matrices: V (n_kept, Q_l), list over l. The splines are those of the given tables, combined.
    """
    n_kept = [len(V) for V in matrices]
    species = range(len(tables["channel_begin"]))
    return {
        "n_channels": n_kept,
        "channel_begin": [[0] * len(n_kept) for _ in species],
        "channel_end": [list(n_kept) for _ in species],
        "segments": tables["segments"],
        "tables": {a: _table(tables, matrices, a) for a in species},
        "central": {a: matrices[0] @ tables["central"][a] for a in species},
    }


def _table(tables: TermTables, matrices: Sequence[np.ndarray], a: int) -> np.ndarray:
    """(n_knots, 3, Σ_l n_kept) of the neighbour species a."""
    parts, column = [], 0
    for V, begin, end in zip(
        matrices, tables["channel_begin"][a], tables["channel_end"][a], strict=True
    ):
        own = tables["tables"][a][:, :, column : column + end - begin]
        parts.append(own @ V[:, begin:end].T)
        column += end - begin
    return np.concatenate(parts, axis=2)
