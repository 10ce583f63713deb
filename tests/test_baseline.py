# SPDX-License-Identifier: BSD-3-Clause
"""e0 by every method, and the sigmas of labels."""

import math

import numpy as np
import pytest

from potential.errors import SoapGprError
from potential.settings import BaselineSettings, NoiseSettings, Sigmas
from potential.structures.structure import Structure
from potential.training.baseline import isolated_atom_energies
from potential.training.noise import label_sigmas, unused_config_types

H, O = 1, 8


def structure(numbers, energy=None, config_type="default", **sigmas):
    n = len(numbers)
    return Structure(
        numbers=np.array(numbers),
        positions=np.zeros((n, 3)),
        cell=np.eye(3),
        pbc=np.ones(3, dtype=bool),
        energy=energy,
        config_type=config_type,
        **sigmas,
    )


def e0(method, structures, species=(H, O)):
    return isolated_atom_energies(BaselineSettings(method), structures, species)


def test_fit_recovers_additive_energies():
    energies = {H: -13.0, O: -430.0}
    sets = ([H, H, O], [O, O], [H, H], [H, O, O, O])
    structures = [structure(z, sum(energies[x] for x in z)) for z in sets]
    assert np.allclose(e0("fit", structures), [-13.0, -430.0], atol=1e-6)


def test_fit_of_one_composition_falls_back_to_the_average():
    structures = [structure([H, H, O], -465.0), structure([H, H, O] * 2, -931.2)]
    values = e0("fit", structures)
    assert np.allclose(values, values.mean(), atol=0.1)
    assert values @ [2, 1] == pytest.approx(-465.3, abs=0.4)


def test_fit_of_one_composition_is_decided_by_isolated_atoms():
    structures = [structure([H, H, O] * 4, -4 * 460.0)] * 5
    structures += [structure([H], -13.0, "isolated_atom"), structure([O], -430.0, "isolated_atom")]
    values = e0("fit", structures)
    assert values @ [2, 1] == pytest.approx(-460.0, abs=1e-3)
    # the 4 eV of binding are shared so that neither atom is far off
    assert np.abs(values - [-13.0, -430.0]).max() < 2.0


def test_fit_hardly_sees_isolated_atoms_when_compositions_vary():
    sets = ([H, H, O], [O, O], [H, H], [H, O, O, O])
    structures = [structure(z, -20.0 * len(z)) for z in sets]
    structures += [structure([H], 5.0, "isolated_atom")]
    assert np.allclose(e0("fit", structures), -20.0, atol=1e-3)


def test_average_is_the_same_for_all_species():
    structures = [structure([H, H, O], -3.0), structure([O, O], -4.0), structure([H, H])]
    assert np.allclose(e0("average", structures), -1.5)


def test_given_energies_are_taken_and_missing_ones_named():
    assert np.allclose(e0({"H": -1.0, "O": -2.0, "C": -3.0}, []), [-1.0, -2.0])
    with pytest.raises(SoapGprError, match=r"isolated_atom_energies: found H, expected O as well"):
        e0({"H": -1.0}, [])


def test_isolated_atoms_are_read_and_missing_ones_named():
    atoms = [structure([H], -13.0, "isolated_atom"), structure([O], -430.0, "IsolatedAtom")]
    assert np.allclose(e0("isolated_atom", atoms), [-13.0, -430.0])
    with pytest.raises(SoapGprError, match=r"config_type=isolated_atom and an energy for O"):
        e0("isolated_atom", atoms[:1])
    with pytest.raises(SoapGprError, match=r"isolated-atom energy -12\.0"):
        e0("isolated_atom", [*atoms, structure([H], -12.0, "isolated_atom")])


def test_no_energies_leave_e0_at_zero():
    assert np.allclose(e0("fit", [structure([H, O])]), 0.0)


def test_sigmas_grow_with_the_square_root_of_the_number_of_atoms():
    sigmas = label_sigmas(NoiseSettings(Sigmas(0.002, 0.1, 0.03)), structure([H] * 9))
    assert sigmas.energy == pytest.approx(0.006)
    assert sigmas.force == pytest.approx(0.1)
    assert sigmas.virial == pytest.approx(0.09)


def test_config_type_and_structure_override_sigmas():
    noise = NoiseSettings(Sigmas(), {"liquid": Sigmas(0.01, 0.2, math.inf)})
    sigmas = label_sigmas(noise, structure([H] * 4, config_type="liquid", sigma_energy=0.5))
    assert (sigmas.energy, sigmas.force, sigmas.virial) == (0.5, 0.2, math.inf)


def test_config_types_that_match_nothing_are_pointed_out():
    noise = NoiseSettings(Sigmas(), {"liqiud": Sigmas(), "liquid": Sigmas()})
    (warning,) = unused_config_types(noise, [structure([H], config_type="liquid")])
    assert "liqiud" in warning and "did you mean 'liquid'?" in warning
