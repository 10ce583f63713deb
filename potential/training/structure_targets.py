# SPDX-License-Identifier: BSD-3-Clause
"""The regression of targets of kernels between structures (docs/theory.md eq. 23k to 23o)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from potential.errors import SoapGprError
from potential.model.evaluation import naming
from potential.model.structure_targets import KernelTarget, kernel_row
from potential.model.targets import Target, TargetKernel
from potential.runtime.parallel import ordered_map
from potential.runtime.progress import Progress, silent
from potential.runtime.ranks import Ranks
from potential.settings import FitSettings, KernelTermSettings, TargetSettings
from potential.settings.target_kernels import REMATCH
from potential.settings.targets import terms_used
from potential.structures.structure import Structure, symbol
from potential.terms import TrainingModel
from potential.training.regression import StreamingQR, merge, solve
from potential.training.structure_basis import (
    StructureBasis,
    structure_basis,
    training_structure,
    weights_in,
)
from potential.training.target_priors import asked_species, prior_of, weights_of


@dataclass(frozen=True)
class KernelFit:
    """A target with its arrays, what the record says of it, and warnings."""

    target: Target
    arrays: dict[str, np.ndarray]
    record: dict[str, Any]
    warnings: list[str]


def fit_kernel_target(
    model: TrainingModel,
    structures: Sequence[Structure],
    settings: FitSettings,
    h: int,
    ranks: Ranks,
    progress: Progress = silent,
) -> KernelFit:
    """The target number h of the settings, of features that the model has. Raises SoapGprError for
    anything a user can put right."""
    own = settings.targets[h]
    labelled = [s for s in structures if np.isfinite(s.targets.get(own.name, np.nan))]
    with ranks.together():
        prior = prior_of(own, labelled, model.species)
    target = kernel_target(own, settings, model.species)
    sigma = float(prior.sigma.max())
    left = _residuals(model, target, prior.mean, labelled)
    sizes = np.array([weights_in(target, model, s).sum() for s in labelled])
    sizes = sizes if own.extensive else np.ones(len(sizes))
    scale = float(np.sqrt(np.mean((left / sizes) ** 2)))
    if own.scale is not None:
        scale = float(prior.scale.max())
    basis = ranks.from_first(lambda: structure_basis(model, own, target, labelled, progress))
    triangle = _accumulate(model, target, basis, labelled, left, sigma, ranks, progress)
    weights = ranks.from_first(lambda: _weights(triangle, basis, scale))
    names = [symbol(model.species[a]) for a in asked_species(own, model.species)]
    means = prior.mean[asked_species(own, model.species)].tolist()
    record = {
        "name": own.name,
        "labels": len(labelled),
        "weights": len(weights),
        "mean": dict(zip(names, means, strict=True)),
        "scale": dict.fromkeys(names, scale),
        "sigma": dict.fromkeys(names, sigma),
    }
    arrays = KernelTarget(target, prior.mean, basis.sparse, weights).arrays(h)
    return KernelFit(target, arrays, record, basis.warnings)


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


def _residuals(
    model: TrainingModel, target: Target, mean: np.ndarray, labelled: Sequence[Structure]
) -> np.ndarray:
    """(n,) labels less their means (n_species,)."""
    found = []
    for s in labelled:
        species = model.species_indices(s.numbers)
        found.append(s.targets[target.name] - target.value(mean[species], species, s.arrays))
    return np.array(found)


def _accumulate(
    model: TrainingModel,
    target: Target,
    basis: StructureBasis,
    labelled: Sequence[Structure],
    left: np.ndarray,
    sigma: float,
    ranks: Ranks,
    progress: Progress,
) -> np.ndarray:
    """The triangle of the rows of eq. (23n), that of all ranks on the first; those of the sparse
    structures are there already."""
    mine = ranks.share(labelled, len)
    qr = StreamingQR(basis.matrix.shape[1])
    known = {k: m for m, k in enumerate(basis.places.tolist())}

    def row_of(k: int) -> np.ndarray:
        size = weights_in(target, model, labelled[k]).sum()
        if k in known:
            return basis.features[known[k]] * (size if target.extensive else 1.0)
        with naming(labelled[k]):
            own = training_structure(target, model, labelled[k])
            return kernel_row(target, own, size, basis.sparse) @ basis.matrix

    with ranks.together():
        rows = ordered_map(row_of, progress(mine, target.name))
        for k, row in zip(mine, rows, strict=True):
            qr.add(row[None] / sigma, left[[k]] / sigma)
    triangle = qr.finish()
    ranks.combine(triangle, partial(merge, triangle))
    return triangle


def _weights(triangle: np.ndarray, basis: StructureBasis, scale: float) -> np.ndarray:
    """(M,) of the sparse structures, eq. (23n): the weights of the features are independent."""
    prior = np.eye(basis.matrix.shape[1]) * (basis.spread / scale**2)
    try:
        return basis.matrix @ solve(triangle, prior, 0.0, overwrite=True).weights
    except SoapGprError:
        raise SoapGprError(
            f"target {basis.name}: the regression has no finite solution, expected a larger noise"
        ) from None
