# SPDX-License-Identifier: BSD-3-Clause
"""The sparse structures of a target of kernels between structures, and the features that stand for
its kernel (docs/theory.md eq. 23m)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from potential.errors import SoapGprError
from potential.kernels.structures import KernelOfSet, Structures, normalized
from potential.model.evaluation import naming
from potential.model.structure_targets import of_structures, structure_of
from potential.model.targets import Target, TargetKernel
from potential.runtime.memory import available_bytes
from potential.runtime.parallel import ordered_map
from potential.runtime.progress import Progress, silent
from potential.selection.farthest import farthest_of
from potential.settings import TargetSettings
from potential.settings.target_kernels import DENSITY, FEATURES, N_STRUCTURES
from potential.structures.structure import Structure
from potential.terms import TrainingModel
from potential.training.regression import BUFFER_ROWS

# Candidates are thinned until their features are no larger than this.
CANDIDATE_BYTES = 2**30
# Negative eigenvalues below this part of the largest are what matches leave of zeros, eq. (24d).
ROUNDING = 1e-9


@dataclass(frozen=True, eq=False)
class StructureBasis:
    """M sparse structures, and the matrix that makes features of kernels with them."""

    name: str  # of the target
    sparse: Structures
    places: np.ndarray  # (M,) of them among the labelled structures
    matrix: np.ndarray  # (M, r): a row of kernels (M,) times it has the kernel as its product
    features: np.ndarray  # (M, r) what that is of the sparse structures themselves
    warnings: list[str]

    @property
    def spread(self) -> float:
        """v of eq. (23o), the variance of the features about their mean, added up; of one
        structure alone, its square."""
        own = float(np.mean(np.sum(self.features**2, axis=1)))
        mean = self.features.mean(axis=0)
        return own if len(self.features) == 1 else max(own - float(mean @ mean), 1e-12 * own)


def structure_basis(
    model: TrainingModel,
    own: TargetSettings,
    target: Target,
    labelled: Sequence[Structure],
    progress: Progress = silent,
    n_blocks: int = 1,
) -> StructureBasis:
    """Of all labelled structures, or of those farthest from each other; n_blocks: triangles of the
    regression that follows. Raises SoapGprError where they do not fit into memory, have no
    features, or where a match is not found."""
    assert own.kernel is not None and target.kernel is not None
    asked, there = own.kernel.n_structures, len(labelled)
    wanted, warnings = min(asked or N_STRUCTURES, there), list[str]()
    if asked is not None and asked > there:
        warnings.append(
            f"target {own.name}: {there} structures have labels, n_structures = {asked} were "
            "asked for"
        )
    step = _thinning(model, target, labelled, wanted, n_blocks)
    if step > 1:
        warnings.append(
            f"target {own.name}: sparse structures are chosen from one in {step} of the "
            f"structures: features of all would take more than {CANDIDATE_BYTES >> 20} MiB"
        )
    candidates = _features(model, target, labelled[::step], progress)
    try:
        chosen = _chosen(candidates, target.kernel, wanted, progress)
        sparse = candidates.take(chosen)
        K = of_structures(target.kernel).between(sparse, sparse)
    except SoapGprError as error:
        raise SoapGprError(f"target {own.name}: {error}") from None
    matrix, features, said = _decomposed(K, target.kernel.normalize)
    if matrix.shape[1] == 0:
        raise SoapGprError(
            f"target {own.name}: found no environment with any neighbour within cutoff in the "
            "structures, expected some"
        )
    warnings += [f"target {own.name}: {text}" for text in said]
    return StructureBasis(own.name, sparse, step * chosen, matrix, features, warnings)


def _thinning(
    model: TrainingModel,
    target: Target,
    labelled: Sequence[Structure],
    wanted: int,
    n_blocks: int,
) -> int:
    """Every which structure is a candidate, of which so many are wanted."""
    assert target.kernel is not None
    of_pooling = {FEATURES: lambda s: len(np.unique(s.numbers)), DENSITY: lambda s: 1}
    rows = map(of_pooling.get(target.kernel.pooling, len), labelled)
    each = 8 * model.core.n_features(target.kernel.term) * float(np.mean(list(rows)))  # bytes
    needed, free = 2 * wanted * each + 48 * wanted**2, available_bytes()
    needed += 8 * (n_blocks - 1) * (wanted + BUFFER_ROWS) * wanted
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


def _chosen(
    candidates: Structures, kernel: TargetKernel, wanted: int, progress: Progress
) -> np.ndarray:
    """Numbers of all, or of those farthest from each other in the kernel, eq. (17)."""
    if wanted >= len(candidates):
        return np.arange(len(candidates))
    own = KernelOfSet(of_structures(kernel), candidates, kernel.normalize)
    return farthest_of(own.own, own.between, wanted, progress=progress)


def _decomposed(K: np.ndarray, normalize: bool) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """The matrix and the features of the basis from K (M, M) of sparse structures, without the
    eigenvectors that have no positive eigenvalue; warnings."""
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
    return matrix, vectors * np.sqrt(values), said
