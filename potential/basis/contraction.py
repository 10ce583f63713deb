# SPDX-License-Identifier: BSD-3-Clause
"""Contraction of density channels (docs/theory.md eq. 2h to 2k; Willatt 2019, eq. 44, 45).

c^l_Jm = Σ_q V^l_Jq c^l_qm needs other tables only: S^l_aJ = Σ_q V^l_Jq S^l_aq, s0_aJ = Σ_q V^0_Jq
s0_aq. V may come from anywhere; here it is made of a covariance of the density.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from potential.basis.tables import TermTables


class Contraction(NamedTuple):
    """Matrices V (n_kept, Q_l) and the variance that their rows span, lists over l."""

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


def variance_in(covariance: Sequence[np.ndarray], matrices: Sequence[np.ndarray]) -> list[float]:
    """The part of the traces of C^l (Q_l, Q_l) in the span of the rows of V^l (n_kept, Q_l)."""
    found = []
    for C, V in zip(covariance, matrices, strict=True):
        axes, total = np.linalg.qr(V.T)[0], np.trace(C)
        found.append(float(np.trace(axes.T @ C @ axes) / total) if total > 0 else 1.0)
    return found


def contracted(tables: TermTables, matrices: Sequence[np.ndarray]) -> TermTables:
    """Tables of the channels V c; every species feeds all of them.

    matrices: V (n_kept, Q_l), list over l. The splines are those of the given tables, combined, and
    a table of each species also where an alchemical map had fewer.
    """
    n_kept = [len(V) for V in matrices]
    species = range(len(tables["alchemy" if "table_of" in tables else "channel_begin"]))
    return {
        "n_channels": n_kept,
        "channel_begin": [[0] * len(n_kept) for _ in species],
        "channel_end": [list(n_kept) for _ in species],
        "segments": tables["segments"],
        "tables": {a: _table(tables, matrices, a) for a in species},
        "central": {a: _central(tables, matrices[0], a) for a in species},
    }


def _table(tables: TermTables, matrices: Sequence[np.ndarray], a: int) -> np.ndarray:
    """(n_knots, 3, Σ_l n_kept) of the neighbour species a."""
    table = tables["tables"][tables["table_of"][a] if "table_of" in tables else a]
    parts, column = [], 0
    for l, V in enumerate(matrices):
        own = _of_species(tables, V, l, a)
        end = column + own.shape[1]
        parts.append(table[:, :, column:end] @ own.T)
        column = end
    return np.concatenate(parts, axis=2)


def _central(tables: TermTables, V: np.ndarray, a: int) -> np.ndarray:
    """s0 (n_kept,) of a centre of species a."""
    if "table_of" not in tables:
        return V @ tables["central"][a]
    return _of_species(tables, V, 0, a) @ tables["central"][tables["table_of"][a]]


def _of_species(tables: TermTables, V: np.ndarray, l: int, a: int) -> np.ndarray:
    """(n_kept, n_l) what of V acts on the functions in the table of species a: its own channels, or
    Σ_J u_Ja V_{K,(J,n)} with an alchemical map, eq. (2k)."""
    if "table_of" not in tables:
        return V[:, tables["channel_begin"][a][l] : tables["channel_end"][a][l]]
    u = tables["alchemy"][a]
    return np.tensordot(V.reshape(len(V), len(u), -1), u, axes=(1, 0))
