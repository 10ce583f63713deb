# SPDX-License-Identifier: BSD-3-Clause
"""SOAP vectors in Python: against the slow twin and finite differences, columns, bad input."""

import pickle

import numpy as np
import pytest
import slow_twin
from ase import Atoms
from ase.build import molecule
from models import random_structure
from numerical import numerical_forces, numerical_virial

from potential import SoapDescriptor, SoapGprError
from potential.basis import evaluate, tabulate
from potential.settings import SoapTermSettings
from potential.structures.label_table import VOIGT

SMALL = {"cutoff": 3.0, "n_max": 3, "l_max": 2}
TRICLINIC = [[4.1, 0, 0], [1.3, 4.4, 0], [-1, 1, 4.0]]


def small(**parameters):
    return SoapDescriptor(**{"species": ["H", "O"], **SMALL, **parameters})


def frames():
    return [
        random_structure([8, 1, 1, 8], seed=1, cell=TRICLINIC),
        molecule("H2O"),
        random_structure([8, 8], seed=2, cell=2.6 * np.eye(3)),  # smaller than the cutoff
    ]


@pytest.mark.parametrize("basis", ["gto", "laplacian"])
def test_features_are_those_of_the_slow_twin(basis):
    atoms = frames()[0]
    soap = small(basis=basis, n_max=4)
    tables = tabulate(SoapTermSettings(**SMALL | {"n_max": 4}, basis=basis), [1, 8])
    index = [(1, 8).index(z) for z in atoms.numbers]
    p = slow_twin.features(tables, 2, index, atoms.positions, atoms.cell.array, atoms.pbc)
    expected = [slow_twin.normalise(own) for own in p]
    np.testing.assert_allclose(soap(atoms), expected, atol=1e-12)
    np.testing.assert_allclose(soap.set_params(normalize=False)(atoms), p, atol=1e-11)


def test_structures_stand_one_below_the_other():
    soap = small()
    found = soap.compute(frames())
    assert found.offsets.tolist() == [0, 4, 7, 9]
    assert found.structure.tolist() == [0] * 4 + [1] * 3 + [2] * 2
    assert found.numbers.tolist() == [z for atoms in frames() for z in atoms.numbers]
    np.testing.assert_array_equal(found.values, soap(frames()))
    for atoms, begin, end in zip(frames(), found.offsets, found.offsets[1:], strict=False):
        np.testing.assert_array_equal(soap(atoms), found.values[begin:end])
    np.testing.assert_array_equal(found.values, small(n_threads=3)(iter(frames())))


def test_pooling_is_the_mean_or_the_sum_of_a_structure():
    parts = [small()(atoms) for atoms in frames()]
    mean = [part.mean(axis=0) for part in parts]
    np.testing.assert_allclose(small().transform(frames()), mean, atol=1e-14)
    np.testing.assert_allclose(small(pooling="sum").transform(frames())[0], parts[0].sum(axis=0))
    np.testing.assert_array_equal(small(pooling=None).transform(frames()), np.concatenate(parts))


def test_features_do_not_change_under_rotation_and_permutation():
    atoms = molecule("CH3CH2OH")
    soap = small(species=["C", "H", "O"])
    turned = atoms.copy()
    turned.rotate(40, (1, 2, 3))
    turned.positions += 7.0
    np.testing.assert_allclose(soap(turned), soap(atoms), atol=1e-10)
    np.testing.assert_allclose(soap(atoms[::-1]), soap(atoms)[::-1], atol=1e-12)


def test_columns_are_named_in_the_order_of_the_features():
    # Of one neighbour, the products that are not zero are those of its own species.
    soap = small(central_weight=0.0)
    names, columns = soap.get_feature_names_out(), soap.columns()
    assert names.shape == (soap(molecule("H2O")).shape[1],) and len(set(names)) == len(names)
    assert names[0] == "H n=0 H n=0 l=0" and names[-1] == "O n=2 O n=2 l=2"
    X = soap(Atoms("HO", positions=[[0, 0, 0], [0, 0, 1.0]]))
    for row, neighbor in zip(X, (8, 1), strict=True):
        own = np.array([{c.species_1, c.species_2} == {neighbor} for c in columns])
        assert np.all(row[~own] == 0) and np.all(row[own] != 0)


def test_columns_carry_the_functions_they_name():
    # Of one neighbour at r, p is S_n S_n' √(2l + 1) up to a constant (docs/theory.md eq. 3, 5).
    parameters = SMALL | {"n_max": 4, "basis": "laplacian", "central_weight": 0.0}
    soap, r = SoapDescriptor(species=["O"], **parameters), 1.3
    tables = tabulate(SoapTermSettings(**parameters), [8])
    values = evaluate(tables, 0, np.array([r]))[0]
    begin = np.cumsum([0, *tables["n_channels"]])
    columns = soap.columns()
    sizes = [len({c.n_1 for c in columns if c.l == l}) for l in range(3)]
    assert sizes == tables["n_channels"] and sizes[0] > sizes[2]
    expected = [
        np.sqrt(2 * c.l + 1)
        * values[begin[c.l] + c.n_1]
        * values[begin[c.l] + c.n_2]
        * (1 if c.n_1 == c.n_2 else np.sqrt(2))
        for c in columns
    ]
    X = soap(Atoms("OO", positions=[[0, 0, 0], [0, 0, r]]))[0]
    np.testing.assert_allclose(X, np.array(expected) / np.linalg.norm(expected), atol=1e-9)


@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("k", range(3))
def test_gradients_are_finite_differences(k, normalize):
    soap, atoms = small(normalize=normalize), frames()[k]
    c = np.random.default_rng(0).normal(size=soap(atoms).shape)

    def value(positions, cell=None):
        moved = atoms.copy()
        moved.set_cell(atoms.cell if cell is None else cell)
        moved.positions = positions
        return float((c * soap(moved)).sum())

    X, gradients = soap(atoms, gradients=True)
    np.testing.assert_allclose(X, soap(atoms), atol=1e-14)
    found = np.zeros((len(atoms), 3))
    own = np.einsum("pxf,pf->px", gradients.positions, c[gradients.environment])
    np.add.at(found, gradients.atom, own)
    np.testing.assert_allclose(found, -numerical_forces(value, atoms.positions), atol=1e-8)
    strain = np.einsum("nvf,nf->v", gradients.strain, c)
    numerical = -numerical_virial(value, atoms.positions, atoms.cell.array)
    np.testing.assert_allclose(strain, numerical[VOIGT], atol=1e-7)


def test_gradients_count_atoms_through_all_structures():
    soap = small()
    together = soap.compute(frames(), gradients=True)
    for s, atoms in enumerate(frames()):
        begin, end = together.offsets[s : s + 2]
        _, alone = soap(atoms, gradients=True)
        own = together.structure[together.gradients.environment] == s
        np.testing.assert_array_equal(
            together.gradients.environment[own], alone.environment + begin
        )
        np.testing.assert_array_equal(together.gradients.atom[own], alone.atom + begin)
        np.testing.assert_array_equal(together.gradients.positions[own], alone.positions)
        np.testing.assert_array_equal(together.gradients.strain[begin:end], alone.strain)


def test_species_are_those_given_or_those_of_fit():
    soap = SoapDescriptor(**SMALL)
    with pytest.raises(SoapGprError, match=r"^the species of the descriptor are not known: give"):
        soap(molecule("H2O"))
    assert soap.fit(frames()).species_ == [1, 8]
    np.testing.assert_array_equal(soap(frames()), small()(frames()))
    np.testing.assert_array_equal(small(species=[8, 1, "O"])(frames()), small()(frames()))
    assert small(species=np.array([8, 1])).fit(molecule("H2O")).species_ == [1, 8]


def test_changed_parameters_change_the_features():
    soap = small()
    before = soap(molecule("H2O"))
    assert soap.set_params(n_max=4)(molecule("H2O")).shape[1] > before.shape[1]
    soap.n_max = 3
    np.testing.assert_array_equal(soap(molecule("H2O")), before)
    sigmas = {"H": 0.5, "O": 0.5}
    soap.set_params(atom_sigma=sigmas)
    np.testing.assert_allclose(soap(molecule("H2O")), before, atol=1e-14)
    sigmas["O"] = 0.3
    assert np.abs(soap(molecule("H2O")) - before).max() > 1e-3
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(soap))(frames()), soap(frames()))


def test_defaults_are_those_of_fit_toml():
    parameters, term = SoapDescriptor().get_params(), SoapTermSettings()
    shared = set(parameters) - {"species", "beads", "features", "pooling", "n_threads"}
    parameters["radial_scaling"]["scale"] = 9.0
    assert SoapDescriptor().get_params()["radial_scaling"] == term.radial_scaling
    parameters = SoapDescriptor().get_params()
    assert {"cutoff", "n_max", "l_max", "atom_sigma", "radial_scaling"} <= shared
    assert {name: getattr(term, name) for name in shared} == {k: parameters[k] for k in shared}


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"cutof": 4.0}, "unknown parameter 'cutof'; did you mean 'cutoff'"),
        ({"zzz": 4.0}, "unknown parameter 'zzz', expected one of cutoff, "),
        ({"cutoff": -1.0}, "cutoff"),
        ({"n_max": 2.5}, "n_max"),
        ({"atom_sigma": "wide"}, "atom_sigma"),
        ({"basis": "best"}, "basis"),
        ({"species": []}, r"species: found \[\]"),
        ({"species": "HO"}, "species: found 'HO', expected a list"),
        ({"species": 8}, "species: found 8, expected a list"),
        ({"species": ["H", "Q"]}, "species: found 'Q'"),
        ({"species": [1, 300]}, "species: found 300"),
        ({"species": [1, 2.5]}, "species: found 2.5"),
        ({"pooling": "max"}, "pooling: found 'max', expected 'mean' or 'sum' or None"),
        ({"n_threads": 0}, "n_threads: found 0"),
    ],
)
def test_bad_parameters_are_refused_at_once_and_change_nothing(parameters, message):
    with pytest.raises(SoapGprError, match=message):
        SoapDescriptor(**parameters)
    soap = small()
    before = soap.get_params()
    with pytest.raises(SoapGprError, match=message):
        soap.set_params(**parameters)
    assert soap.get_params() == before


@pytest.mark.parametrize(
    ("structures", "message"),
    [
        ([], "^found no structures, expected at least one$"),
        ("water.xyz", "^found str, expected ase.Atoms or a list of them$"),
        (None, "^found NoneType, expected ase.Atoms"),
        ([molecule("H2O"), 3], "^structure 1: found int, expected ase.Atoms$"),
        ([molecule("H2O"), molecule("CH3Cl")], "^structure 1: found C, Cl, expected only H, O, "),
        (Atoms("X"), "^structure 0: found X, expected only H, O"),
        ([molecule("H2O"), Atoms()], "^structure 1: .*without atoms$"),
        (Atoms("OH", positions=np.zeros((2, 3))), "^structure 0: two atoms are at the same place"),
        (Atoms("O", positions=[[np.nan, 0, 0]]), "^structure 0: positions: .*not finite$"),
        (Atoms("O", pbc=True), "^structure 0: .*cell vector"),
    ],
)
def test_bad_structures_are_refused_in_one_sentence(structures, message):
    for gradients in (False, True):
        with pytest.raises(SoapGprError, match=message):
            small()(structures, gradients=gradients)


def test_gradients_that_do_not_fit_into_memory_are_refused(monkeypatch):
    monkeypatch.setattr("potential.descriptors.tables.available_bytes", lambda: 2**15)
    with pytest.raises(SoapGprError, match=r"^structure 0: the gradients of 63 features need 0.0"):
        small()(frames(), gradients=True)


def test_fit_refuses_what_is_no_element():
    with pytest.raises(SoapGprError, match=r"^species: found 0, expected"):
        SoapDescriptor(**SMALL).fit(Atoms("HX", positions=np.eye(2, 3)))


def test_representation_says_what_was_given():
    assert "species=array([8, 1])" in repr(small(species=np.array([8, 1])))
    assert repr(small()) == "SoapDescriptor(cutoff=3.0, n_max=3, l_max=2, species=['H', 'O'])"
