# SPDX-License-Identifier: BSD-3-Clause
"""The pass over the training structures: their rows go into triangular factors, one per rank."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from potential.model.evaluation import naming
from potential.runtime.parallel import ordered_map
from potential.runtime.progress import Progress, silent
from potential.runtime.ranks import Ranks
from potential.settings import FitSettings
from potential.structures.structure import Structure, composition
from potential.terms import TrainingModel
from potential.training.baseline import baseline_labels
from potential.training.checkpoint import Checkpoint, deferred_interrupts
from potential.training.noise import row_sigmas
from potential.training.regression import StreamingQR, merge


def accumulate(
    model: TrainingModel,
    structures: Sequence[Structure],
    settings: FitSettings,
    ranks: Ranks,
    progress: Progress = silent,
    checkpoint: Checkpoint | None = None,
) -> tuple[np.ndarray, int]:
    """R (M + 1, M + 1) with RᵀR = [A y]ᵀ[A y] of all structures, and the number of rows.

    Only the first rank's R is that of all ranks. Raises KeyboardInterrupt, with the checkpoint
    written, when the process is told to stop, and SoapGprError when it cannot be written then.
    """
    mine = [structures[k] for k in ranks.share(structures, lambda s: row_cost(s, model.cutoff))]
    qr = StreamingQR(model.n_weights)
    with ranks.together():
        if checkpoint is None:
            _add(qr, model, mine, settings, progress)
        else:
            _add_with_checkpoints(qr, model, mine, settings, progress, checkpoint)
    triangle = qr.finish()
    ranks.combine(triangle, lambda other: merge(triangle, other))
    return triangle, sum(ranks.all_gather(qr.n_rows))


def _add(qr, model, structures, settings, progress, after_each=lambda: None):
    def rows_of(structure: Structure):
        return weighted_rows(model, structure, settings)

    for rows, targets in ordered_map(rows_of, progress(structures, "regression")):
        qr.add(rows, targets)
        after_each()


def _add_with_checkpoints(qr, model, structures, settings, progress, checkpoint):
    done = checkpoint.resume(qr, len(structures))
    with deferred_interrupts() as received:

        def after_each():
            nonlocal done
            done += 1
            if received:
                checkpoint.save(model, qr, done)
                raise KeyboardInterrupt
            checkpoint.save_at_times(model, qr, done)

        _add(qr, model, structures[done:], settings, progress, after_each)
        checkpoint.save_at_times(model, qr, done, now=True)


def weighted_rows(
    model: TrainingModel, structure: Structure, settings: FitSettings
) -> tuple[np.ndarray, np.ndarray]:
    """Rows (n_labels, n_weights) and targets (n_labels,) of one structure, both over sigma."""
    sigma = row_sigmas(settings.noise, structure)
    used = np.isfinite(sigma)
    with naming(structure):
        environments = model.environments(structure)
        rows = model.rows(environments, gradients=bool(used[1:].any()))
    baseline = baseline_labels(model, structure, environments)[: len(rows)]
    sigma, used = sigma[: len(rows)], used[: len(rows)]
    sigma, target = sigma[used], (structure.labels[: len(rows)] - baseline)[used]
    rows = rows[used]
    rows /= sigma[:, None]
    return rows, target / sigma


def extended_rows(model: TrainingModel, structure: Structure, settings: FitSettings) -> np.ndarray:
    """[A C y] / sigma (n_labels, n_weights + n_species + 1) of one structure.

    C is the composition, for the energy alone: y - C Δe0 are the targets for another e0.
    """
    rows, targets = weighted_rows(model, structure, settings)
    M = model.n_weights
    extended = np.zeros((len(rows), M + len(model.species) + 1))
    extended[:, :M], extended[:, -1] = rows, targets
    sigma = row_sigmas(settings.noise, structure)[0]
    if np.isfinite(sigma):
        extended[0, M:-1] = composition(structure, model.species) / sigma
    return extended


def row_cost(structure: Structure, cutoff: float) -> float:
    """Relative time of a structure's rows: atoms times their neighbours, where forces matter."""
    n = len(structure)
    if structure.forces is None and structure.virial is None:
        return float(n)
    neighbours = n - 1.0
    if structure.pbc.all():
        neighbours = 4.2 * cutoff**3 * n / abs(np.linalg.det(structure.cell))
    return n * (2.0 + neighbours)
