# SPDX-License-Identifier: BSD-3-Clause
"""The regression of targets of kernels between structures (docs/theory.md eq. 23k to 23o)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from potential.errors import SoapGprError
from potential.model.evaluation import naming
from potential.model.structure_targets import KernelTarget, kernel_row
from potential.model.targets import Target, TargetKernel
from potential.runtime.parallel import ordered_map
from potential.runtime.progress import Progress, silent
from potential.runtime.ranks import Ranks
from potential.settings import FitSettings, KernelTermSettings, TargetSettings, UncertaintySettings
from potential.settings.target_kernels import REMATCH
from potential.settings.targets import terms_used
from potential.structures.structure import Structure, symbol
from potential.terms import TrainingModel
from potential.training.accumulation import of_all_ranks
from potential.training.blocks import Blocks
from potential.training.part_fits import PartFits
from potential.training.regression import StreamingQR, Triangle, solve
from potential.training.structure_basis import (
    StructureBasis,
    structure_basis,
    training_structure,
    weights_in,
)
from potential.training.target_priors import asked_species, prior_of, weights_of
from potential.uncertainty.committee import deviations


@dataclass(frozen=True, eq=False)
class KernelProblem:
    """What there is to be solved for such a target: the weights of the features of its basis."""

    model: TrainingModel
    target: Target
    mean: np.ndarray  # (n_species,)
    sigma: float
    scale: float
    basis: StructureBasis
    labelled: Sequence[Structure]  # of training

    @cached_property
    def _known(self) -> dict[int, int]:
        """Which sparse structure a structure of training is."""
        return {id(self.labelled[k]): m for m, k in enumerate(self.basis.places.tolist())}

    def row(self, structure: Structure) -> np.ndarray:
        """Features (r,) of a structure, times its size where the target is extensive."""
        size = weights_in(self.target, self.model, structure).sum()
        if id(structure) in self._known:
            own = self.basis.features[self._known[id(structure)]]
            return own * (size if self.target.extensive else 1.0)
        with naming(structure):
            of = training_structure(self.target, self.model, structure)
            return kernel_row(self.target, of, size, self.basis.sparse) @ self.basis.matrix

    def left(self, structure: Structure) -> float:
        """Its label less its mean."""
        return _left(self.model, self.target, self.mean, structure)

    @property
    def prior(self) -> np.ndarray:
        """(r, r) of eq. (23n): the weights of the features are independent."""
        return np.eye(self.basis.matrix.shape[1]) * (self.basis.spread / self.scale**2)


@dataclass(frozen=True, eq=False)
class KernelFit:
    """A target with its arrays, what the record says of it, and warnings; number: its place in
    [[targets]]."""

    number: int
    problem: KernelProblem
    weights: np.ndarray  # (r,) of the features
    parts: PartFits | None  # of these too, with blocks
    record: dict[str, Any]

    @property
    def target(self) -> Target:
        return self.problem.target

    @property
    def warnings(self) -> list[str]:
        return self.problem.basis.warnings

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        """Those of the model file."""
        basis = self.problem.basis
        weights = basis.matrix @ self.weights
        return KernelTarget(self.target, self.problem.mean, basis.sparse, weights).arrays(
            self.number
        )

    def member_arrays(self, n_members: int) -> dict[str, np.ndarray]:
        """Those of the first members of its fits to some of the blocks."""
        assert self.parts is not None
        own = deviations(self.parts.members[:n_members]) @ self.problem.basis.matrix.T
        return {f"members.target{self.number}.weights": own}


def fit_kernel_target(
    model: TrainingModel,
    structures: Sequence[Structure],
    settings: FitSettings,
    h: int,
    ranks: Ranks,
    progress: Progress = silent,
    blocks: Blocks | None = None,
) -> KernelFit:
    """The target number h of the settings, of features that the model has; with blocks of the
    structures also fits to some of these, for a committee. Raises SoapGprError for anything a user
    can put right."""
    own = settings.targets[h]
    labelled = [s for s in structures if np.isfinite(s.targets.get(own.name, np.nan))]
    asked = settings.uncertainty
    blocks = blocks if asked and asked.committee else None
    with ranks.together():
        prior = prior_of(own, labelled, model.species)
    target = kernel_target(own, settings, model.species)
    left = np.array([_left(model, target, prior.mean, s) for s in labelled])
    sizes = np.array([weights_in(target, model, s).sum() for s in labelled])
    sizes = sizes if own.extensive else np.ones(len(sizes))
    scale = float(np.sqrt(np.mean((left / sizes) ** 2)))
    if own.scale is not None:
        scale = float(prior.scale.max())
    n_blocks = blocks.n_blocks if blocks else 1
    basis = ranks.from_first(
        lambda: structure_basis(model, own, target, labelled, progress, n_blocks)
    )
    sigma = float(prior.sigma.max())
    problem = KernelProblem(model, target, prior.mean, sigma, scale, basis, labelled)
    triangle = _accumulate(problem, ranks, progress, blocks)
    weights, parts = ranks.from_first(lambda: _solved(problem, triangle, asked if blocks else None))
    names = [symbol(model.species[a]) for a in asked_species(own, model.species)]
    means = prior.mean[asked_species(own, model.species)].tolist()
    record = {
        "name": own.name,
        "labels": len(labelled),
        "weights": len(basis.sparse),
        "mean": dict(zip(names, means, strict=True)),
        "scale": dict.fromkeys(names, scale),
        "sigma": dict.fromkeys(names, sigma),
    }
    return KernelFit(h, problem, weights, parts, record)


def kernel_target(own: TargetSettings, settings: FitSettings, species: Sequence[int]) -> Target:
    """A sum is N times a mean, of what is extensive (eq. 23l), or the same when normalised."""
    assert own.kernel is not None
    (t,) = terms_used(own, settings.terms)
    term = settings.terms[t]
    assert isinstance(term, KernelTermSettings)
    kernel = TargetKernel(
        term=t,
        pooling="mean" if own.kernel.pooling == "sum" else own.kernel.pooling,
        zeta=term.zeta if own.kernel.zeta is None else own.kernel.zeta,
        centers=term.centers,
        normalize=own.kernel.normalize,
        gamma=own.kernel.smoothing if own.kernel.pooling == REMATCH else None,
    )
    unit, weights = own.unit or "", weights_of(own, species)
    return Target(own.name, unit, False, own.extensive, weights=weights, kernel=kernel)


def _left(model: TrainingModel, target: Target, mean: np.ndarray, structure: Structure) -> float:
    species = model.species_indices(structure.numbers)
    own = target.value(mean[species], species, structure.arrays)
    return float(structure.targets[target.name] - own)


def _accumulate(
    problem: KernelProblem, ranks: Ranks, progress: Progress, blocks: Blocks | None
) -> Triangle:
    """The triangle of the rows of eq. (23n), and with blocks those of each of these, which are
    those of all ranks on the first; those of the sparse structures are there already."""
    labelled = problem.labelled
    mine = [labelled[k] for k in ranks.share(labelled, len)]
    n_weights = problem.basis.matrix.shape[1]
    qrs = [StreamingQR(n_weights) for _ in range(blocks.n_blocks if blocks else 1)]
    with ranks.together():
        rows = ordered_map(problem.row, progress(mine, problem.target.name))
        for structure, row in zip(mine, rows, strict=True):
            qr = qrs[blocks[structure] if blocks else 0]
            qr.add(row[None] / problem.sigma, np.array([problem.left(structure)]) / problem.sigma)
    return of_all_ranks(qrs, ranks, blocks is not None)


def _solved(
    problem: KernelProblem, triangle: Triangle, own: UncertaintySettings | None
) -> tuple[np.ndarray, PartFits | None]:
    """Weights (r,) of the features, and with [uncertainty] those of fits to some of the blocks."""
    prior, name = problem.prior, problem.target.name
    try:
        weights = solve(triangle.R, prior, 0.0, overwrite=True).weights
    except SoapGprError:
        raise SoapGprError(
            f"target {name}: the regression has no finite solution, expected a larger noise"
        ) from None
    if own is None:
        return weights, None
    try:
        ones = np.ones(len(weights))
        return weights, PartFits.solved(triangle, np.sqrt(prior), ones, own, variance=False)
    except SoapGprError:
        raise SoapGprError(
            f"target {name}: the fit to some of the structures, for [uncertainty], is singular, "
            "expected a larger noise"
        ) from None
