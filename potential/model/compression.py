# SPDX-License-Identifier: BSD-3-Clause
"""A smaller form of the same function: the kernel sum over fewer dimensions.

p̂·p̂_m becomes (Aᵀ p̂)·(Bᵀ p̂_m) with A, B (n_features, rank). An error in p̂ counts where p̂ varies
(covariance C of p̂) and where the energy depends on it (covariance D of g = ∂ε/∂p̂): the best A and B
follow from the singular values of D^(1/2) C^(1/2), energies in eV, as in balanced truncation
(Moore, IEEE Trans. Autom. Control 26, 17 (1981)). Both covariances are those of the sparse points;
the tolerance is held by measuring forces. Targets depend on p̂ as the energy does: the D of each is
added to that of the energy, scaled so that over all sparse sets it is as large. Deviations of the
members of a committee are energies and targets too: their D are added with the same scale.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import reduce
from typing import Any

import numpy as np

from potential.errors import SoapGprError
from potential.model.contents import TRIANGLE
from potential.model.deviations import (
    Deviation,
    Measure,
    SpreadDeviation,
    TargetDeviation,
    spread_deviations,
)
from potential.model.model import Model
from potential.runtime.progress import Progress, silent
from potential.selection.rows import power
from potential.settings.compress import TARGET_TOLERANCE
from potential.structures.structure import Structure

_MEMBERS = "members"
_CHUNK = 1000  # sparse points whose gradients are in memory at a time


class NothingToGain(SoapGprError):
    """No sparse set of a model would become quicker."""


@dataclass(frozen=True)
class Compression:
    """The smaller model, its deviations, and (before, after) of each compressed sparse set."""

    model: Model
    deviation: Deviation | None  # None without a potential
    targets: dict[str, TargetDeviation]
    spread: SpreadDeviation | None  # of forces; None without a committee of the potential
    target_spreads: dict[str, SpreadDeviation]  # of targets with a committee
    ranks: dict[tuple[int, str], tuple[int, int]]  # (term, sparse set by its name): dimensions
    costs: tuple[float, float]  # multiplications of the kernels of one atom, mean over species


@dataclass(frozen=True)
class _Projection:
    """A, B (n_features, n) with their columns by falling singular value (n,) in eV."""

    A: np.ndarray
    B: np.ndarray
    values: np.ndarray

    def rank(self, threshold: float) -> int:
        return max(1, int(np.count_nonzero(self.values >= threshold)))


def compress(
    model: Model,
    structures: Sequence[Structure],
    tolerance: float = 1e-5,
    progress: Progress = silent,
    *,
    target_tolerance: float = TARGET_TOLERANCE,
) -> Compression:
    """The smallest projection whose forces differ by at most tolerance (eV/Å) on the structures,
    and values of targets by at most target_tolerance times their RMS about the means of species.

    Sparse sets that would not become quicker stay as they are; a triangle of the regression is left
    out. Members of a committee keep their weights. Variances are those of the model as it was, for
    which its sparse points stay in the file. Raises NothingToGain when no set would become quicker
    or there is no soap term, and SoapGprError when the model is compressed already.
    """
    if model.compressed:
        raise SoapGprError("the model is compressed already; start from the model that was fitted")
    record = model.metadata["provenance"]  # if it cannot be read, say so before the search
    model = model.without_array(TRIANGLE)  # of weights that the smaller model has not
    projections = _all_projections(model)
    if not projections:
        raise NothingToGain("found no soap term with weights, which alone can be compressed")
    values = np.sort(np.concatenate([[np.inf], *[f.values for f in projections.values()]]))[::-1]
    measure = Measure(model, structures, progress)
    best = None
    low, high = 0, len(values)  # number of singular values kept: too few, enough
    while high - low > 1:
        middle = (low + high) // 2
        candidate = _projected(model, projections, values[middle])
        measured, of_targets = measure(candidate[0], f"{middle} dimensions")
        kept = measured is None or measured.force <= tolerance
        if kept and all(own.relative <= target_tolerance for own in of_targets.values()):
            high, best = middle, (*candidate, measured, of_targets)
        else:
            low = middle
    if best is None or not best[1]:
        limits = [f"forces within {tolerance:g} eV/Å"] * model.has_potential
        limits += [f"targets within {target_tolerance:g} of their spread"] * bool(model.targets)
        raise NothingToGain(
            f"nothing to gain: {' and '.join(limits)} take nearly all dimensions; "
            "keep the model, or allow a larger tolerance"
        )
    smaller, ranks, measured, of_targets = best
    spread, spreads = spread_deviations(model, smaller, structures, progress)
    made: dict[str, Any] = {}
    if measured:
        made |= {"tolerance": tolerance, "deviation": asdict(measured)}
    if spread:
        made["spread_deviation"] = asdict(spread)
    if of_targets:
        changes = {name: asdict(own) for name, own in of_targets.items()}
        made |= {"target_tolerance": target_tolerance, "target_deviation": changes}
    if spreads:
        made["target_spread_deviation"] = {name: asdict(own) for name, own in spreads.items()}
    costs = _mean_cost(model), _mean_cost(smaller)
    smaller = smaller.with_record(provenance=record | {"compression": made})
    return Compression(smaller, measured, of_targets, spread, spreads, ranks, costs)


def _has_variance(model: Model) -> bool:
    """Of energies or targets."""
    own = model.uncertainty
    return own is not None and (own.variance is not None or bool(own.target_variances))


def _terms_of_features(model: Model) -> list[int]:
    """Places of the terms whose kernel is a power of products of features."""
    return [t for t, term in enumerate(model.terms) if "zeta" in term]


def _all_projections(model: Model) -> dict[tuple[int, int], _Projection]:
    """Of every sparse set with weights, by (term, species index)."""
    gradients = dict[tuple[int, int], dict[str, np.ndarray]]()
    for t in _terms_of_features(model):
        for a, points in model.sparse_points(t).items():
            own, coupling = {}, model.terms[t]["delta"] ** 2 * _coupling(model, t)
            for prefix in ("", *(f"target{h}." for h in range(len(model.targets)))):
                name = f"{prefix}term{t}.weights.{a}"
                weights = model.arrays.get(name, np.zeros(1))
                members = model.arrays.get(f"members.{name}", np.zeros((0, 1)))
                if np.any(weights):
                    own[prefix] = _triangle(_gradients(points, weights * coupling, model.terms[t]))
                if np.any(members):
                    each = (_gradients(points, d * coupling, model.terms[t]) for d in members)
                    own[prefix + _MEMBERS] = _joined(map(_triangle, each))
            if own:
                gradients[t, a] = own
    sizes: dict[str, float] = {}  # of the gradients of energies, under "", and targets
    for own in gradients.values():
        for prefix, R in own.items():
            sizes[prefix] = float(np.hypot(sizes.get(prefix, 0.0), np.linalg.norm(R)))
    unit, projections = sizes.get("", 1.0), {}
    for (t, a), own in gradients.items():
        scaled = []
        for prefix, R in own.items():
            of = prefix.removesuffix(_MEMBERS)
            scaled.append(unit / sizes[of] * R if of else R)
        projections[t, a] = _balanced(model.sparse_points(t)[a], _joined(scaled))
    return projections


def _joined(triangles: Iterable[np.ndarray]) -> np.ndarray:
    """R of the sum of RᵀR, one after the other: they may be many."""

    def joined(R: np.ndarray, more: np.ndarray) -> np.ndarray:
        return np.asarray(np.linalg.qr(np.concatenate([R, more]), mode="r"))

    return reduce(joined, triangles)


def _coupling(model: Model, t: int) -> np.ndarray:
    """κ_c (M, M) between points of a set that couples species, else 1 (docs/theory.md eq. 7d)."""
    kappa = model.arrays.get(f"term{t}.coupling")
    if kappa is None:
        return np.ones((1, 1))
    species = model.arrays[f"term{t}.sparse_species"]
    return kappa[np.ix_(species, species)]


def _gradients(X: np.ndarray, factors: np.ndarray, term: dict) -> np.ndarray:
    """(M, n_features) at the sparse points X of a sum of kernels; factors (1 or M, M) of the powers
    that each of those sums up."""
    zeta, offset = term["zeta"], term.get("offset", 0.0)
    factors = np.broadcast_to(factors, (len(X), len(X)))
    return np.concatenate(
        [
            zeta * (factors[own] * power(X[own] @ X.T + offset, zeta - 1)) @ X
            for begin in range(0, len(X), _CHUNK)
            for own in (slice(begin, begin + _CHUNK),)
        ]
    )


def _balanced(X: np.ndarray, R_g: np.ndarray) -> _Projection:
    """X (M, n_features): sparse points, which also are the sample of environments; R_g: triangle of
    the gradients there."""
    # C = R_pᵀ R_p and D = R_gᵀ R_g; with U S Vᵀ = R_g R_pᵀ both Aᵀ C A and Bᵀ D B are S
    R_p = _triangle(X)
    U, values, Vt = np.linalg.svd(R_g @ R_p.T)
    n = int(np.count_nonzero(values > 1e-15 * values[0]))
    scale = 1.0 / np.sqrt(values[:n])
    return _Projection(R_g.T @ U[:, :n] * scale, R_p.T @ Vt[:n].T * scale, values[:n])


def _triangle(rows: np.ndarray) -> np.ndarray:
    """R with RᵀR = covariance of the rows (M, n_features), about zero."""
    return np.asarray(np.linalg.qr(rows / np.sqrt(len(rows)), mode="r"))


def _projected(
    model: Model, projections: dict[tuple[int, int], _Projection], threshold: float
) -> tuple[Model, dict[tuple[int, str], tuple[int, int]]]:
    """The model without the singular values below threshold, and the dimensions of its sets."""
    arrays, ranks = {}, {}
    for (t, a), own in projections.items():
        points, rank = model.sparse_points(t)[a], own.rank(threshold)
        term, (size, n_features) = model.terms[t], points.shape
        if _cost(term, size, n_features, rank) >= _cost(term, size, n_features):
            continue
        arrays[f"term{t}.projection.{a}"] = own.A[:, :rank].T
        arrays[f"term{t}.sparse_points.{a}"] = points @ own.B[:, :rank]
        if _has_variance(model):
            # its kernels stay those of all dimensions: the forces need not feel what it is about
            arrays[f"variance.sparse_points.term{t}.{a}"] = points
        ranks[t, model.sparse_set_name(t, a)] = n_features, rank
    return model.with_arrays(arrays), ranks


def _cost(term: dict, size: int, n_features: int, rank: int | None = None) -> float:
    """Multiplications of one atom's kernel sum and gradient; rank None: not projected."""
    # only then the sum collapses, of kernels that couple species for ζ = 1 alone
    zeta = term["zeta"] if term.get("offset", 0) == 0 else 0
    zeta = 0 if zeta == 2 and term.get("centers") == "alchemical" else zeta
    project, length = (0, n_features) if rank is None else (2 * n_features * rank, rank)
    if zeta == 1:
        return project + length
    return project + min(2 * size * length, length**2 if zeta == 2 else np.inf)


def _mean_cost(model: Model) -> float:
    total = 0.0
    for t in _terms_of_features(model):
        term, sets = model.terms[t], model.sparse_points(t)
        for a, points in sets.items():
            size, length = points.shape
            projection = model.arrays.get(f"term{t}.projection.{a}")
            if projection is None:
                total += _cost(term, size, length) / len(sets)
            else:
                total += _cost(term, size, projection.shape[1], length) / len(sets)
    return total
