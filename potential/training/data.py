# SPDX-License-Identifier: BSD-3-Clause
"""The structures of a fit: read or given, checked, and put in an order that files do not set."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace

import ase
import numpy as np
from ase.calculators.calculator import compare_atoms

from potential.errors import SoapGprError
from potential.settings import DataSettings, FitSettings
from potential.species import bead_names
from potential.structures.check import check
from potential.structures.digests import fingerprint, structure_digest
from potential.structures.label_names import LabelNames
from potential.structures.read import DataSet, labelled, read_data_set
from potential.structures.structure import Structure, symbol
from potential.terms.choice import unused_species
from potential.training.extra_species import extra_species, known_species
from potential.training.noise import unused_config_types


@dataclass(frozen=True)
class FitData:
    """Training and test structures in the order given, and what there is to say of them."""

    train: list[Structure]
    test: list[Structure]
    settings: FitSettings  # with the terms of a preset; [data] without files that frames replace
    names: LabelNames  # of the labels in training
    frames: dict[str, str]  # ``train[0:24]`` of frames that were given, and their SHA-256
    warnings: list[str] = field(default_factory=list)
    preset: str | None = None  # that the terms are of

    @property
    def files(self) -> DataSettings:
        """[data] as it was used."""
        return self.settings.data

    @property
    def ordered(self) -> list[Structure]:
        """The training structures in the order of a fit, which decides the last digits of the
        weights: one that files do not set."""
        return sorted(self.train, key=fingerprint)

    def without(self, structures: Collection[Structure]) -> FitData:
        """The same with these training structures left out."""
        left_out = {id(structure) for structure in structures}
        return replace(self, train=[s for s in self.train if id(s) not in left_out])


def read_fit_data(
    settings: FitSettings,
    train: Iterable[ase.Atoms] | None = None,
    test: Iterable[ase.Atoms] | None = None,
) -> FitData:
    """Read the files of [data], or take the frames given in their place, and check them.

    Raises SoapGprError for anything a user can put right.
    """
    files, warnings = settings.data, list[str]()
    found, frames = _labelled(settings, "train", train)
    warnings += found.doubts + found.notes
    structures = [structure for structure in found.structures if structure.has_labels]
    if len(structures) < len(found.structures):
        count = len(found.structures) - len(structures)
        warnings.append(f"{count} training structures carry no labels and were left out")
    warnings += [finding.message for finding in check(structures)]
    preset = settings.preset_in_use
    settings = settings.for_data(structures)
    warnings += unused_config_types(settings.noise, structures)
    warnings += extra_species(settings, structures)
    warnings += unused_species(settings, structures)
    warnings += _unused_beads(files.beads, structures)
    with_potential = any(s.has_potential_labels for s in structures)
    if with_potential and all(s.energy is None for s in structures):
        warnings.append("no energies were read: the zero of energy is arbitrary")
    tested = list[Structure]()
    if files.test or test is not None:
        own, test_frames = _labelled(settings, "test", test, found.names)
        frames |= test_frames
        said = own.doubts + own.notes
        warnings += [f"test: {line}" for line in said if line not in warnings]
        tested = own.structures
    require_known_species(known_species(files, structures), tested)
    known = {fingerprint(structure) for structure in structures}
    shared = sum(fingerprint(structure) in known for structure in tested)
    if shared:
        warnings.append(f"{shared} test structures are training structures as well")
    for key, given, names in (("train", train, files.train), ("test", test, files.test)):
        if given is not None and names:
            warnings.append(f"[data] {key}: {', '.join(names)} not read, as frames were given")
    if train is not None:
        files = replace(files, train=())
    if test is not None:
        files = replace(files, test=())
    settings = replace(settings, data=files)
    return FitData(structures, tested, settings, found.names, frames, warnings, preset)


def _labelled(
    settings: FitSettings,
    key: str,
    frames: Iterable[ase.Atoms] | None,
    trained: LabelNames | None = None,
) -> tuple[DataSet, dict[str, str]]:
    """The structures of [data] train or test, or of the frames, with a digest of those.

    Test structures may lack labels that training must have, such as virials.
    """
    keys, required = settings.data.keys, None if trained is None else ()
    targets = [own.label for own in settings.targets]
    if frames is None:
        specs = getattr(settings.data, key)
        beads = settings.data.beads
        data = read_data_set(
            specs,
            keys,
            required_keys=required,
            trained=trained,
            beads=beads,
            targets=targets,
        )
        return data, {}
    named = _named(key, frames)
    data = labelled(named, key, keys, required_keys=required, trained=trained, targets=targets)
    digest = hashlib.sha256(b"".join(map(structure_digest, data.structures)))
    return data, {f"{key}[0:{len(named)}]": digest.hexdigest()}


def _named(key: str, frames: Iterable[ase.Atoms]) -> list[tuple[ase.Atoms, str]]:
    """The frames with their names in messages. Raises SoapGprError for anything else."""
    if isinstance(frames, (ase.Atoms, str)) or not isinstance(frames, Iterable):
        raise SoapGprError(
            f"{key}: found one {type(frames).__name__}, expected a list of ase.Atoms"
        )
    named = [(atoms, f"{key}[{k}]") for k, atoms in enumerate(frames)]
    if not named:
        raise SoapGprError(f"{key}: found no frames, expected a list of ase.Atoms")
    for atoms, name in named:
        if not isinstance(atoms, ase.Atoms):
            raise SoapGprError(f"{name}: found {type(atoms).__name__}, expected ase.Atoms")
        _require_current(atoms, name)
    return named


def _require_current(atoms: ase.Atoms, name: str) -> None:
    """Raise SoapGprError for results of a calculator that are those of another geometry."""
    calculated = getattr(atoms.calc, "atoms", None)
    if calculated is None or not atoms.calc.results:
        return
    changed = {"positions", "numbers", "cell", "pbc"} & set(compare_atoms(calculated, atoms))
    if changed:
        raise SoapGprError(
            f"{name}: found results of its calculator from before a change of "
            f"{', '.join(sorted(changed))}, expected those of the frame as it is"
        )


def _unused_beads(declared: Sequence[str], structures: Sequence[Structure]) -> list[str]:
    """Warnings for names that no structure has; SoapGprError for those that are not declared."""
    found = set[str]()
    for structure in structures:
        own = set(bead_names(np.unique(structure.numbers).tolist()))
        if own - set(declared):
            raise SoapGprError(
                f"{structure.source}: found the species {', '.join(sorted(own - set(declared)))}, "
                "expected chemical elements, or beads that [data] beads names"
            )
        found |= own
    return [f"[data] beads: {n} is in no training structure" for n in declared if n not in found]


def require_known_species(species: Collection[int], structures: Sequence[Structure]) -> None:
    """Raise SoapGprError when a structure holds an element that training lacks."""
    for structure in structures:
        unknown = sorted({int(z) for z in structure.numbers} - set(species))
        if unknown:
            raise SoapGprError(
                f"{structure.source}: found {', '.join(map(symbol, unknown))}, expected only "
                f"{', '.join(symbol(z) for z in sorted(species))} as in training"
            )
