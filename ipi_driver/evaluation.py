# SPDX-License-Identifier: BSD-3-Clause
"""A model and a template structure, evaluated in the units and conventions of i-PI."""

import json
import math
from pathlib import Path

import ase
import numpy as np
from ase.io.formats import parse_filename

from ipi_driver.tensors import TensorExtras
from ipi_driver.units import (
    ANGSTROM_PER_BOHR,
    HARTREE_PER_BOHR_PER_EV_PER_ANGSTROM,
    HARTREE_PER_EV,
)
from potential.errors import SoapGprError
from potential.measures import require_served
from potential.species import LAST_ELEMENT, bead_names, symbol
from potential.structures.beads import species_of
from potential.structures.read import read_atoms


class Evaluator:
    """Energy, forces and virial of one structure after another, in hartree and bohr.

    i-PI sends neither the chemical species nor the periodicity: both come from the template. A
    template without a cell (a plain xyz file, such as those i-PI itself reads and writes) says
    nothing about periodicity, and then the cell that i-PI sends is taken as periodic.

    Parameters
    ----------
    model : object with ``evaluate(numbers, positions, cell, pbc)`` like potential.model.Model; its
        ``species`` (atomic numbers), where present, are checked against the template
    template : an ``ase.Atoms``, or the path of a file that ase.io reads (its last structure)
    uncertainty : measures of ``model.evaluate`` that go into the extras
    derivatives : vectors and tensors of structures whose derivatives do, see ``TensorExtras``
    options : passed on to ``model.evaluate``, for example ``n_threads``

    Raises
    ------
    SoapGprError
        when the template cannot be read, is empty, or holds a species the model does not know, and
        when the model has no potential, targets with weights by a column of atoms, or not the
        measures or vectors asked for.

    Attributes
    ----------
    n_atoms : int
    pbc : (3,) bool array
    notes : list of str, what there is to say before a run
    """

    def __init__(self, model, template, uncertainty=(), derivatives=(), **options):
        if not getattr(model, "has_potential", True):
            raise SoapGprError(
                "the model has targets and no potential; expected one whose forces move the atoms"
            )
        for target in getattr(model, "targets", ()):
            if target.weight_column:
                raise SoapGprError(
                    f"the model weighs atoms in the target {target.name} by the column "
                    f"{target.weight_column!r}, which i-PI does not send; expected weights by "
                    "species"
                )
        require_served(uncertainty, getattr(model, "uncertainty", None))
        if uncertainty:
            options["uncertainty"] = tuple(uncertainty)
        self._model = model
        self._options = options
        self._tensors = TensorExtras(model, derivatives)
        self.notes = self._tensors.notes
        self._name = "the template"
        if isinstance(template, (str, Path)):
            self._name = f"template {template}"
            template = _read_template(template, bead_names(getattr(model, "species", ())))
        self._numbers = species_of(template)
        self.formula = _formula(template, self._numbers)
        self.n_atoms = len(template)
        if self.n_atoms == 0:
            raise SoapGprError(
                f"{self._name} holds no atoms; expected the structure that i-PI runs"
            )
        self.pbc = template.pbc.copy() if template.cell.any() else np.ones(3, bool)
        self._check_species()

    def _check_species(self):
        known = getattr(self._model, "species", self._numbers)
        unknown = sorted(set(self._numbers.tolist()) - {int(number) for number in known})
        if unknown:
            raise SoapGprError(
                f"{self._name} contains {_symbols(unknown)}; "
                f"expected only the species of the model ({_symbols(known)})"
            )

    def check_n_atoms(self, n_atoms: int) -> None:
        """Raise SoapGprError unless i-PI's number of atoms is the template's."""
        if n_atoms != self.n_atoms:
            raise SoapGprError(
                f"i-PI sent {n_atoms} atoms; expected {self.n_atoms} as in {self._name}, "
                "with the atoms in the same order"
            )

    def evaluate(self, cell, positions, forces, virial) -> tuple[float, bytes]:
        """Evaluate one structure.

        Parameters
        ----------
        cell : (3, 3) array, bohr, cell vectors as columns
        positions : (N, 3) array, bohr, anywhere in space
        forces : (N, 3) array to fill, hartree/bohr
        virial : (3, 3) array to fill, hartree, −dE/dε

        Returns
        -------
        energy : float, hartree
        extras : bytes, an ASCII JSON object of the targets of the model by their names, in their
            units, but dipoles and polarizabilities in atomic units, and null where an atom has no
            value, of the derivatives asked for, see ``TensorExtras``, and of what was asked for of
            its uncertainty, see ``uncertainty_extras``; empty where there is nothing

        Raises
        ------
        SoapGprError
            when i-PI sends, or the model returns, numbers that are not finite.
        """
        if not (np.isfinite(positions).all() and np.isfinite(cell).all()):
            raise SoapGprError(
                "i-PI sent positions or a cell with numbers that are not finite: "
                "the dynamics diverged earlier, check the time step and the starting structure"
            )
        structure = (
            self._numbers,
            positions * ANGSTROM_PER_BOHR,
            cell.T * ANGSTROM_PER_BOHR,
            self.pbc,
        )
        result = self._model.evaluate(*structure, **self._options)
        np.multiply(result.forces, HARTREE_PER_BOHR_PER_EV_PER_ANGSTROM, out=forces)
        np.multiply(result.virial, HARTREE_PER_EV, out=virial)
        energy = float(result.energy) * HARTREE_PER_EV
        if not (math.isfinite(energy) and np.isfinite(forces).all() and np.isfinite(virial).all()):
            raise SoapGprError(
                "the model returned an energy, forces or a virial that are not finite; "
                "expected numbers: check that no two atoms coincide"
            )
        values = self._tensors.converted(getattr(result, "properties", {}))
        n_threads = self._options.get("n_threads", 1)
        values |= self._tensors.derivatives(*structure, n_threads=n_threads)
        if self._options.get("uncertainty"):
            values |= uncertainty_extras(result.uncertainty)
        return energy, _json(values)


def uncertainty_extras(found) -> dict:
    """What i-PI's ``<ffcommittee>`` reads, and standard deviations of atoms: hartree and bohr.

    committee_pot (C,), committee_force (C, 3N) and committee_virial (C, 3, 3): of the members, all
    with the scale of energies, so that each of them is one potential surface. energies_uncertainty
    (N,), forces_uncertainty (N, 3), and rigidities (N,) in 1/hartree² and grades (N,). Of targets
    ``<name>_uncertainty``, ``<name>_rigidity`` and ``<name>_grade``, in their units.
    """
    forces = found.committee_forces
    units = {
        "committee_pot": (found.committee_energies, HARTREE_PER_EV),
        "committee_force": (
            None if forces is None else forces.reshape(len(forces), -1),
            HARTREE_PER_BOHR_PER_EV_PER_ANGSTROM,
        ),
        "committee_virial": (found.committee_virials, HARTREE_PER_EV),
        "energies_uncertainty": (found.energies_uncertainty, HARTREE_PER_EV),
        "forces_uncertainty": (found.forces_uncertainty, HARTREE_PER_BOHR_PER_EV_PER_ANGSTROM),
        "rigidities": (found.rigidities, HARTREE_PER_EV**-2),
        "grades": (found.grades, 1.0),
    }
    values = {name: unit * value for name, (value, unit) in units.items() if value is not None}
    return values | found.of_targets


def _json(properties) -> bytes:
    """i-PI keeps what a JSON object names; that has no nan."""
    if not properties:
        return b""
    values = {name: _plain(np.asarray(value)) for name, value in properties.items()}
    return json.dumps(values).encode("ascii")


def _plain(values: np.ndarray):
    """Nested lists with None in the place of what is not finite."""
    plain = values.astype(object)
    plain[~np.isfinite(values)] = None
    return plain.tolist()


def _read_template(path, beads):
    try:
        whole = Path(path).exists()  # or a name with the index of a structure, file@index
        name, index = (str(path), -1) if whole else parse_filename(str(path), -1)
        atoms = read_atoms(name, index, beads)
    except SoapGprError:
        raise
    except FileNotFoundError:
        raise SoapGprError(
            f"template {path} not found; expected a file that ASE can read"
        ) from None
    except Exception as error:  # ASE's readers raise anything from StopIteration to ImportError
        raise SoapGprError(
            f"template {path} cannot be read by ASE ({type(error).__name__}: {error}); "
            "expected a structure, for example an extended xyz file"
        ) from error
    return atoms if isinstance(atoms, ase.Atoms) else atoms[-1]


def _symbols(numbers) -> str:
    return ", ".join(symbol(int(number)) for number in numbers)


def _formula(template, numbers) -> str:
    if numbers.max(initial=0) <= LAST_ELEMENT:
        return template.get_chemical_formula()
    counts = zip(*np.unique(numbers, return_counts=True), strict=True)
    return " ".join(f"{symbol(int(number))}{count}" for number, count in counts)
