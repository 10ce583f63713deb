# SPDX-License-Identifier: BSD-3-Clause
"""What a model says of its own errors (docs/theory.md eq. 25)."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from potential.measures import (
    ENERGIES,
    FORCES,
    TARGETS,
    TARGETS_VARIANCE,
    VARIANCE,
    grade_of_target,
    result_of_target,
    rigidity_of_target,
)

# Names of what can be asked for, and the measures of which one gives it.
RESULTS = {
    "energy_uncertainty": (ENERGIES,),
    "energies_uncertainty": (ENERGIES, VARIANCE),
    "forces_uncertainty": (FORCES,),
    "committee_energies": (ENERGIES,),
    "committee_forces": (FORCES,),
    "committee_virials": (FORCES,),
    "deviations": (VARIANCE,),
    "rigidities": (VARIANCE,),
    "grades": (VARIANCE,),
}


TargetScale = float | tuple[float, ...]  # of structures; of atoms, by places of their species


@dataclass(frozen=True)
class Scales:
    """Factors that make standard deviations the errors seen on data that were not fitted."""

    energy: float
    force: float


@dataclass(frozen=True)
class TargetVariance:
    """Of one target: scales of the deviations by its variance and by its rigidity, and of targets
    of atoms the largest deviations in training, by places in the list of species, unscaled."""

    scale: TargetScale
    rigidity: TargetScale
    edges: tuple[float, ...] = ()

    def entry(self) -> dict:
        """What the metadata of the model file have of it."""
        edges = {"edges": list(self.edges)} if self.edges else {}
        return {"variance": {"scale": self.scale} | edges, "rigidity": {"scale": self.rigidity}}


@dataclass(frozen=True)
class Uncertainty:
    """The measures that a model file has, from its metadata; None for those that it lacks.

    n_members: of the committee, 0 without one. edges: eV by places in the list of species, the
    largest σ_i among the environments of training, unscaled. targets: scales of those that the
    members have too, of atoms by places in the list of species; target_variances: of those that
    have variances. A model without a potential has these two alone.
    """

    n_members: int = 0
    committee: Scales | None = None
    variance: Scales | None = None
    rigidity: Scales | None = None
    edges: tuple[float, ...] = ()
    targets: Mapping[str, TargetScale] = field(default_factory=dict)
    target_variances: Mapping[str, TargetVariance] = field(default_factory=dict)

    @property
    def measures(self) -> tuple[str, ...]:
        """What can be asked for, of MEASURES."""
        of_committee = (ENERGIES, FORCES) if self.committee else ()
        of_variance = (VARIANCE,) if self.variance else ()
        of_targets = (TARGETS,) if self.targets else ()
        of_atoms = (TARGETS_VARIANCE,) if self.of_atoms else ()
        return of_committee + of_variance + of_targets + of_atoms

    @property
    def of_atoms(self) -> list[str]:
        """The targets whose variances can be asked for, those of atoms."""
        return [name for name, own in self.target_variances.items() if own.edges]

    def entry(self) -> dict:
        """What the metadata of the model file have of it."""
        own: dict[str, dict] = {}
        if self.committee or self.targets:
            own["committee"] = {"n_members": self.n_members}
        if self.committee:
            own["committee"]["scales"] = vars(self.committee)
        if self.variance and self.rigidity:
            own["variance"] = {"scales": vars(self.variance), "edges": list(self.edges)}
            own["rigidity"] = {"scales": vars(self.rigidity)}
        if self.targets:
            own["targets"] = {name: {"scale": scale} for name, scale in self.targets.items()}
        for name, of_target in self.target_variances.items():
            own.setdefault("targets", {}).setdefault(name, {}).update(of_target.entry())
        return own


def uncertainty_of(metadata: Mapping[str, str]) -> Uncertainty | None:
    """That of a model file, which the core has checked; None where there is none."""
    if "uncertainty" not in metadata:
        return None
    entry = json.loads(metadata["uncertainty"])
    of_targets, of_variances = dict[str, TargetScale](), dict[str, TargetVariance]()
    for name, own in entry.pop("targets", {}).items():
        if "scale" in own:
            of_targets[name] = _target_scale(own)
        if "variance" in own:
            of_variances[name] = TargetVariance(
                _target_scale(own["variance"]),
                _target_scale(own["rigidity"]),
                tuple(own["variance"].get("edges", ())),
            )
    scales = {name: Scales(**own["scales"]) for name, own in entry.items() if "scales" in own}
    n_members = entry.get("committee", {}).get("n_members", 0)
    edges = tuple(entry.get("variance", {}).get("edges", ()))
    own = Uncertainty(n_members, **scales, edges=edges)  # type: ignore[arg-type]
    return replace(own, targets=of_targets, target_variances=of_variances)


def _target_scale(entry: Mapping[str, Any]) -> TargetScale:
    scale = entry["scale"]
    return tuple(scale) if isinstance(scale, list) else scale


@dataclass(frozen=True)
class MeasuredUncertainty:
    """What was asked for of one structure, None what was not; eV and Å.

    Arrays of members are differences from the model's own values; neither these nor variances are
    scaled. Properties are.
    """

    of_model: Uncertainty
    species: np.ndarray  # (N,) places in the model's list
    # of the model itself: energies (N,), forces (N, 3), virial (3, 3)
    potential: tuple[np.ndarray, np.ndarray | None, np.ndarray | None]
    member_energies: np.ndarray | None = None  # (C, N)
    member_forces: np.ndarray | None = None  # (C, N, 3)
    member_virials: np.ndarray | None = None  # (C, 3, 3), symmetric
    variances: np.ndarray | None = None  # (N,) eV²
    rigidities: np.ndarray | None = None  # (N,) 1/eV²
    # of targets by their names, in their units: of the model, and of members, (C, N) or (C,)
    properties: Mapping[str, Any] = field(default_factory=dict)
    member_properties: Mapping[str, np.ndarray] | None = None
    # (N,) by the names of targets of atoms, in units² and 1/units²; nan of atoms without a value
    target_variances: Mapping[str, np.ndarray] | None = None
    target_rigidities: Mapping[str, np.ndarray] | None = None

    @property
    def energy_uncertainty(self) -> float | None:
        """Standard deviation of the energy by the committee, eV; None without one."""
        if self.of_model.committee is None or self.member_energies is None:
            return None
        return self.of_model.committee.energy * float(_spread(self.member_energies.sum(axis=1)))

    @property
    def energies_uncertainty(self) -> np.ndarray | None:
        """(N,) standard deviations of the atoms' energies, eV: by the committee if it was asked
        for, else by the variance."""
        if self.of_model.committee is not None and self.member_energies is not None:
            return self.of_model.committee.energy * _spread(self.member_energies)
        return self.deviations

    @property
    def deviations(self) -> np.ndarray | None:
        """(N,) standard deviations of the atoms' energies by the variance, eV."""
        if self.of_model.variance is None or self.variances is None:
            return None
        return self.of_model.variance.energy * np.sqrt(self.variances)

    @property
    def grades(self) -> np.ndarray | None:
        """(N,) extrapolation grade: √variance over its largest in training for the species, 1 at
        the edge of what was seen."""
        if self.variances is None:
            return None
        return np.sqrt(self.variances) / np.array(self.of_model.edges)[self.species]

    @property
    def forces_uncertainty(self) -> np.ndarray | None:
        """(N, 3) standard deviations of the components of forces by the committee, eV/Å."""
        if self.of_model.committee is None or self.member_forces is None:
            return None
        return self.of_model.committee.force * _spread(self.member_forces)

    @property
    def results(self) -> dict[str, Any]:
        """By name, what of RESULTS was asked for, and what of targets."""
        found = {name: getattr(self, name) for name in RESULTS}
        return {name: own for name, own in found.items() if own is not None} | self.of_targets

    @property
    def of_targets(self) -> dict[str, Any]:
        """By name, standard deviations, rigidities and grades of targets, what was asked for."""
        made = (
            (result_of_target, self.properties_uncertainty),
            (rigidity_of_target, self.target_rigidities),
            (grade_of_target, self.target_grades),
        )
        return {named(name): own for named, values in made for name, own in (values or {}).items()}

    # Of the members with the scale of energies, so that each of them is one potential surface.

    @property
    def committee_energies(self) -> np.ndarray | None:
        """(C,) eV; their mean is the model's own energy."""
        if self.member_energies is None:
            return None
        return self.potential[0].sum() + self._scaled(self.member_energies.sum(axis=1))

    @property
    def committee_forces(self) -> np.ndarray | None:
        """(C, N, 3) eV/Å."""
        if self.member_forces is None or self.potential[1] is None:
            return None
        return self.potential[1] + self._scaled(self.member_forces)

    @property
    def committee_virials(self) -> np.ndarray | None:
        """(C, 3, 3) eV."""
        if self.member_virials is None or self.potential[2] is None:
            return None
        return self.potential[2] + self._scaled(self.member_virials)

    @property
    def properties_uncertainty(self) -> dict[str, Any] | None:
        """Standard deviations of targets by their names, in their units: (N,) of atoms, nan for
        those that have none, or one number of the structure; by the committee if it was asked for,
        else by the variance."""
        if self.member_properties is None:
            return self.target_deviations
        return {
            name: self._by_species(self.of_model.targets[name]) * _spread(own)
            for name, own in self.member_properties.items()
        }

    @property
    def target_deviations(self) -> dict[str, np.ndarray] | None:
        """(N,) standard deviations of targets of atoms by the variance."""
        if self.target_variances is None:
            return None
        return {
            name: self._by_species(self.of_model.target_variances[name].scale) * np.sqrt(own)
            for name, own in self.target_variances.items()
        }

    @property
    def target_grades(self) -> dict[str, np.ndarray] | None:
        """(N,) extrapolation grades by targets of atoms, as ``grades``."""
        if self.target_variances is None:
            return None
        return {
            name: np.sqrt(own) / self._by_species(self.of_model.target_variances[name].edges)
            for name, own in self.target_variances.items()
        }

    @property
    def committee_properties(self) -> dict[str, np.ndarray] | None:
        """(C, N) or (C,) of the members, scaled; their mean is the model's own value."""
        if self.member_properties is None:
            return None
        return {
            name: self.properties[name] + self._by_species(self.of_model.targets[name]) * own
            for name, own in self.member_properties.items()
        }

    def _by_species(self, values: TargetScale) -> Any:
        return np.array(values)[self.species] if isinstance(values, tuple) else values

    def _scaled(self, deviations: np.ndarray) -> np.ndarray:
        assert self.of_model.committee is not None
        return self.of_model.committee.energy * deviations


def _spread(deviations: np.ndarray) -> np.ndarray:
    """Standard deviation over members (C, ...) whose mean is zero."""
    return np.sqrt((deviations**2).sum(axis=0) / (len(deviations) - 1))


def measures_of(names: Collection[str] | None, of_model: Uncertainty | None) -> dict[str, str]:
    """The measure that gives each of these results, of those that the model has; other names and
    what it cannot give are left out. None: all of them."""
    if of_model is None:
        return {}
    known = RESULTS | {result_of_target(name): (TARGETS,) for name in of_model.targets}
    for name in of_model.of_atoms:
        known[result_of_target(name)] = (TARGETS, TARGETS_VARIANCE)
        known[rigidity_of_target(name)] = known[grade_of_target(name)] = (TARGETS_VARIANCE,)
    served, found = of_model.measures, dict[str, str]()
    for name in known if names is None else names:
        own = [measure for measure in known.get(name, ()) if measure in served]
        if own:
            found[name] = own[0]
    return found
