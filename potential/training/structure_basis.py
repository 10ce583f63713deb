# SPDX-License-Identifier: BSD-3-Clause
"""The sparse structures of a target of kernels between structures, and the features that stand for
its kernel (docs/theory.md eq. 23m)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from potential.errors import SoapGprError
from potential.kernels.structures import StructureKernel, Structures, normalized
from potential.model.evaluation import naming
from potential.model.structure_targets import of_structures, structure_of
from potential.model.targets import Target, TargetKernel
from potential.runtime.memory import available_bytes
from potential.runtime.parallel import ordered_map
from potential.runtime.progress import Progress, silent
from potential.selection.farthest import farthest_points
from potential.selection.rows import RowKernel
from potential.settings import TargetSettings
from potential.settings.target_kernels import DENSITY, FEATURES, N_STRUCTURES
from potential.structures.structure import Structure
from potential.terms import TrainingModel

# Candidates are thinned until their features are no larger than this.
CANDIDATE_BYTES = 2**30
# Negative eigenvalues below this part of the largest are what matches leave of zeros, eq. (24d).
ROUNDING = 1e-9


@dataclass(frozen=True, eq=False)
class StructureBasis:
    """M sparse structures, and the matrix that makes features of kernels with them."""

    name: str  # of the target
    sparse: Structures
    matrix: np.ndarray  # (M, r): a row of kernels (M,) times it has the kernel as its product
    spread: float  # v of eq. (23o)
    warnings: list[str]


def structure_basis(
    model: TrainingModel,
    own: TargetSettings,
    target: Target,
    labelled: Sequence[Structure],
    progress: Progress = silent,
) -> StructureBasis:
    """Of all labelled structures, or of those farthest from each other. Raises SoapGprError where
    they do not fit into memory, have no features, or where a match is not found."""
    assert own.kernel is not None and target.kernel is not None
    asked, there = own.kernel.n_structures, len(labelled)
    wanted, warnings = min(asked or N_STRUCTURES, there), list[str]()
    if asked is not None and asked > there:
        warnings.append(
            f"target {own.name}: {there} structures have labels, n_structures = {asked} were "
            "asked for"
        )
    step = _thinning(model, target, labelled, wanted)
    if step > 1:
        warnings.append(
            f"target {own.name}: sparse structures are chosen from one in {step} of the "
            f"structures: features of all would take more than {CANDIDATE_BYTES >> 20} MiB"
        )
    candidates = _features(model, target, labelled[::step], progress)
    try:
        sparse = _chosen(candidates, target.kernel, wanted, progress)
        K = of_structures(target.kernel).between(sparse, sparse)
    except SoapGprError as error:
        raise SoapGprError(f"target {own.name}: {error}") from None
    matrix, spread, said = _decomposed(K, target.kernel.normalize)
    if matrix.shape[1] == 0:
        raise SoapGprError(
            f"target {own.name}: found no environment with any neighbour within cutoff in the "
            "structures, expected some"
        )
    warnings += [f"target {own.name}: {text}" for text in said]
    return StructureBasis(own.name, sparse, matrix, spread, warnings)


def _thinning(
    model: TrainingModel,
    target: Target,
    labelled: Sequence[Structure],
    wanted: int,
) -> int:
    """Every which structure is a candidate, of which so many are wanted."""
    assert target.kernel is not None
    of_pooling = {FEATURES: lambda s: len(np.unique(s.numbers)), DENSITY: lambda s: 1}
    rows = map(of_pooling.get(target.kernel.pooling, len), labelled)
    each = 8 * model.core.n_features(target.kernel.term) * float(np.mean(list(rows)))  # bytes
    needed, free = 2 * wanted * each + 48 * wanted**2, available_bytes()
    if free is not None and needed > free:
        raise SoapGprError(
            f"target {target.name}: {wanted} sparse structures need about {needed / 2**30:.1f} GiB "
            f"and {free / 2**30:.1f} GiB are free: lower n_structures"
        )
    most = max(wanted, int(CANDIDATE_BYTES / each))
    return max(1, len(labelled) // most)


def weights_in(target: Target, model: TrainingModel, structure: Structure) -> np.ndarray:
    """How much each atom counts (N,), eq. (24b)."""
    return target.atom_weights(model.species_indices(structure.numbers), structure.arrays)


def training_structure(target: Target, model: TrainingModel, structure: Structure) -> Structures:
    """What the kernel takes of it."""
    assert target.kernel is not None
    environments, w = model.environments(structure), weights_in(target, model, structure)
    return structure_of(model, target.kernel, environments, w)


def _features(
    model: TrainingModel, target: Target, labelled: Sequence[Structure], progress: Progress
) -> Structures:
    def of(structure: Structure) -> Structures:
        with naming(structure):
            return training_structure(target, model, structure)

    return Structures.joined(list(ordered_map(of, progress(labelled, "features"))))


class _OfStructures(RowKernel):
    """The kernel of structures whose numbers are the rows (n, 1)."""

    def __init__(self, kernel: StructureKernel, structures: Structures, normalize: bool):
        self._kernel, self._structures, self._normalize = kernel, structures, normalize
        self._own = kernel.of_each(structures)

    def between(self, A: np.ndarray, B: np.ndarray) -> np.ndarray:
        (a, X), (b, Y) = map(self._taken, (A, B))
        K = self._kernel.between(X, Y)
        return normalized(K, self._own[a], self._own[b]) if self._normalize else K

    def of_rows(self, A: np.ndarray) -> np.ndarray:
        own = self._own[A[:, 0].astype(int)]
        return (own > 0).astype(float) if self._normalize else own

    def _taken(self, rows: np.ndarray) -> tuple[np.ndarray, Structures]:
        numbers = rows[:, 0].astype(int)
        return numbers, self._structures.take(numbers)


def _chosen(
    candidates: Structures, kernel: TargetKernel, wanted: int, progress: Progress
) -> Structures:
    """All, or those farthest from each other in the metric of the kernel, eq. (17)."""
    if wanted >= len(candidates):
        return candidates
    numbers = np.arange(len(candidates), dtype=float)[:, None]
    metric = _OfStructures(of_structures(kernel), candidates, kernel.normalize)
    return candidates.take(farthest_points(numbers, wanted, kernel=metric, progress=progress))


def _decomposed(K: np.ndarray, normalize: bool) -> tuple[np.ndarray, float, list[str]]:
    """The matrix of the basis from K (M, M) of sparse structures, without the eigenvectors that
    have no positive eigenvalue; v of eq. (23o); warnings."""
    lengths = np.sqrt(np.maximum(np.diag(K), 0.0)) if normalize else np.ones(len(K))
    if normalize:
        K = normalized(K, np.diag(K), np.diag(K))
    values, vectors = np.linalg.eigh(0.5 * (K + K.T))
    kept = values > len(K) * np.finfo(float).eps * max(values[-1], 0.0)
    negative = values < -ROUNDING * max(values[-1], 0.0)
    said = []
    if negative.any():
        said.append(
            f"{negative.sum()} of {len(values)} eigenvalues of the kernel are negative, down to "
            f"{-values[0] / values[-1]:.1e} of the largest, and were left out"
        )
    values, vectors = values[kept], vectors[:, kept]
    matrix = vectors / np.sqrt(values)
    matrix = np.divide(
        matrix, lengths[:, None], out=np.zeros_like(matrix), where=lengths[:, None] > 0
    )
    return matrix, _spread(vectors * np.sqrt(values)), said


def _spread(features: np.ndarray) -> float:
    """The variance of features (M, r) about their mean, added up; of one alone, its square."""
    own = float(np.mean(np.sum(features**2, axis=1)))
    mean = features.mean(axis=0)
    return own if len(features) == 1 else max(own - float(mean @ mean), 1e-12 * own)
