# SPDX-License-Identifier: BSD-3-Clause
"""Under which names the frames of a data set carry their labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar

import ase

from potential.schema import Choice, Settings, Text, setting
from potential.structures.energy_units import EV_PER
from potential.structures.target_labels import TargetLabel

SIGMAS = ("energy", "force", "force_atom", "force_component", "virial", "virial_component")
WEIGHTS = ("energy", "forces", "virials", "stress")


@dataclass(frozen=True)
class LabelKeys(Settings):
    """Names in a data file; None: those of ``choose_names``. Expected errors are ``energy_`` and
    the like before sigma_key."""

    table: ClassVar[str] = "data"

    energy_key: str | None = setting(None, Text(unit="eV", help="name of the energy in the file"))
    forces_key: str | None = setting(None, Text(unit="eV/Å", help="name of the forces"))
    virial_key: str | None = setting(None, Text(unit="eV", help="name of the virial"))
    stress_key: str | None = setting(None, Text(unit="eV/Å³", help="name of the stress"))
    force_mask_key: str | None = setting(
        None,
        Text(help="name of the column of atoms whose forces are no labels; none: `force_mask`"),
    )
    sigma_key: str | None = setting(
        None,
        Text(
            help="what follows `energy_`, `force_`, … in the names of expected errors, below; "
            "none: `sigma`"
        ),
    )
    weight_key: str | None = setting(
        None, Text(help="name of the weight of a frame; none: `config_weight`")
    )
    energy_unit: str = setting(
        "eV",
        Choice(
            tuple(EV_PER),
            help="unit of energies and virials; that of forces is per Å, of stresses per Å³, "
            "expected errors in the file are in the same. They become eV when they are read",
        ),
    )

    @property
    def named(self) -> dict[str, str]:
        """The names that are set, by their keys."""
        return {key: name for key, name in vars(self).items() if key.endswith("_key") and name}


@dataclass(frozen=True)
class LabelNames:
    """Names to look for, the first that a frame has counts; none where a label is not wanted."""

    energy: tuple[str, ...] = ("energy", "free_energy")
    forces: tuple[str, ...] = ("forces",)
    virial: tuple[str, ...] = ("virial",)
    stress: tuple[str, ...] = ("stress",)
    sigma: str = "sigma"
    force_mask: str = "force_mask"
    weight: str = "config_weight"
    energy_unit: str = "eV"
    targets: tuple[TargetLabel, ...] = ()

    @property
    def ev(self) -> float:
        """What the unit of energy is in eV."""
        return EV_PER[self.energy_unit]

    def sigma_of(self, what: str) -> str:
        """The name of the expected error of one of SIGMAS."""
        return f"{what}_{self.sigma}"

    def weights_of(self, what: str) -> tuple[str, str]:
        """The names of the weights that apply to one of WEIGHTS."""
        return self.weight, f"config_{what}_weight"

    @property
    def all(self) -> set[str]:
        """Every name that is looked for."""
        return {
            *(*self.energy, *self.forces, *self.virial, *self.stress, self.force_mask),
            *(self.sigma_of(what) for what in SIGMAS),
            *(name for what in WEIGHTS for name in self.weights_of(what)),
            *(label.key for label in self.targets),
            *(label.weights for label in self.targets if label.weights),
        }

    def to_dict(self) -> dict[str, Any]:
        """The names of the labels in plain JSON types."""
        return {kind: list(asdict(self)[kind]) for fields in KINDS.values() for kind in fields}


# Kinds of labels with the fields of LabelNames that hold them.
KINDS = {"energies": ("energy",), "forces": ("forces",), "virials": ("virial", "stress")}
STANDARD = LabelNames()
# MACE's names, which ASE leaves alone when it moves the standard ones about.
RENAMED = LabelNames(
    energy=("REF_energy",),
    forces=("REF_forces",),
    virial=("REF_virial", "REF_virials"),
    stress=("REF_stress",),
)
FORCE_CONSISTENT = STANDARD.energy[::-1]


def from_dict(values: Any) -> LabelNames | None:
    """The inverse of to_dict; None for anything else."""
    fields = [field for of_kind in KINDS.values() for field in of_kind]
    if not isinstance(values, dict) or not all(
        isinstance(values.get(field), list) and all(isinstance(x, str) for x in values[field])
        for field in fields
    ):
        return None
    names: dict[str, Any] = {field: tuple(values[field]) for field in fields}
    return LabelNames(**names)


def choose_names(
    frames: Sequence[ase.Atoms], keys: LabelKeys, trained: LabelNames | None = None
) -> LabelNames:
    """The names for all frames together.

    For each kind of label these are the names in the settings, else those of training, the standard
    ones or REF_energy and the like, whichever is the first that any frame has. Of ``energy`` and
    ``free_energy``, which differ where electrons are smeared, it is the latter whose derivatives
    the forces and the stress are: it goes first where there are any.
    """
    carried = {name for atoms in frames for name in frame_names(atoms)}
    names = LabelNames(
        sigma=keys.sigma_key or STANDARD.sigma,
        force_mask=keys.force_mask_key or STANDARD.force_mask,
        weight=keys.weight_key or STANDARD.weight,
        energy_unit=keys.energy_unit,
    )
    candidates = [STANDARD, RENAMED] if trained is None else [trained, STANDARD, RENAMED]
    for fields in KINDS.values():
        named = {field: getattr(keys, f"{field}_key") for field in fields}
        chosen: dict[str, Any]
        options = [_of(option, fields) for option in candidates]
        there = [of for of in options if not carried.isdisjoint(sum(of.values(), ()))]
        chosen = there[0] if there else _of(STANDARD, fields)
        if any(named.values()):
            chosen = {field: (key,) if key else () for field, key in named.items()}
        names = replace(names, **chosen)
    has_derivatives = not carried.isdisjoint(names.forces + names.virial + names.stress)
    as_trained = trained is not None and names.energy == trained.energy
    if has_derivatives and names.energy == STANDARD.energy and not as_trained:
        names = replace(names, energy=FORCE_CONSISTENT)
    return names


def _of(names: LabelNames, fields: Sequence[str]) -> dict[str, tuple[str, ...]]:
    return {field: getattr(names, field) for field in fields}


def frame_names(atoms: ase.Atoms) -> list[str]:
    """Every name under which this frame carries data that could be a label."""
    results = list(atoms.calc.results) if atoms.calc is not None else []
    arrays = [name for name in atoms.arrays if name not in ("numbers", "positions")]
    return results + list(atoms.info) + arrays


def find_label(atoms: ase.Atoms, key: str) -> Any:
    """The value called ``key`` in info, arrays or the results of a finished calculation."""
    if key in atoms.info:
        return atoms.info[key]
    if key in atoms.arrays:
        return atoms.arrays[key]
    return atoms.calc.results.get(key) if atoms.calc is not None else None


def find_first(atoms: ase.Atoms, names: Sequence[str]) -> tuple[str, Any]:
    """(name, value) of the first name that the frame has; (first name or "", None) without."""
    for name in names:
        value = find_label(atoms, name)
        if value is not None:
            return name, value
    return (names[0] if names else ""), None
