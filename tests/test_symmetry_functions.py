# SPDX-License-Identifier: BSD-3-Clause
"""Symmetry functions against a slow twin and dscribe, and what models of them promise."""

import ase
import ase.io
import numpy as np
import pytest
import slow_twin
from body_order import assert_forces_are_derivatives, assert_rows_are_the_evaluation, structures
from model_bytes import change_term
from models import SYMMETRY_FUNCTIONS, kernel_model, random_structure, symmetry_model
from numpy.polynomial.legendre import poly2leg
from scipy.special import binom
from training_data import emt_frames, write_frames

from potential import Model, SoapDescriptor, SoapGprError, SymmetryFunctions, fit
from potential.cli import main
from potential.model.compression import compress
from potential.selection import farthest_points
from potential.settings import SymmetryTermSettings
from potential.settings.file import as_settings
from potential.structures.structure import structure_from_atoms
from potential.terms import build_model, terms_of
from potential.terms.choice import choose_sparse_points
from potential.terms.symmetry import n_functions

CUTOFF = 3.5
ANGULAR = ("g4", "g5")


def twin(species, r_ij, n_species, cutoff=CUTOFF, functions=SYMMETRY_FUNCTIONS):
    """G1 to G5 of one centre, docs/theory.md eq. (5k) to (5n), each as one sum."""

    def f(r):
        return 0.5 * (1 + np.cos(np.pi * r / cutoff)) if r < cutoff else 0.0

    own = [(a, d, np.linalg.norm(d)) for a, d in zip(species, r_ij, strict=True)]
    values = []
    for a in range(n_species):
        r_a = [r for b, _, r in own if b == a]
        if functions["g1"]:
            values.append(sum(f(r) for r in r_a))
        values += [sum(np.exp(-e * (r - s) ** 2) * f(r) for r in r_a) for e, s in functions["g2"]]
        values += [sum(np.cos(k * r) * f(r) for r in r_a) for k in functions["g3"]]
    for b in range(n_species):
        for a in range(b + 1):
            for name in ANGULAR:
                for eta, zeta, lambda_ in functions[name]:
                    total = 0.0
                    for j, (s_j, d_j, r_j) in enumerate(own):
                        for s_k, d_k, r_k in own[:j]:
                            if sorted((s_j, s_k)) != [a, b]:
                                continue
                            r_jk = np.linalg.norm(d_k - d_j)
                            third = name == "g4"
                            angle = (1 + lambda_ * (d_j @ d_k) / (r_j * r_k)) ** zeta
                            squares = r_j**2 + r_k**2 + third * r_jk**2
                            cutoffs = f(r_j) * f(r_k) * (f(r_jk) if third else 1.0)
                            total += 2 ** (1 - zeta) * angle * np.exp(-eta * squares) * cutoffs
                    values.append(total)
    return np.array(values)


@pytest.fixture(scope="module")
def descriptor():
    return SymmetryFunctions(species=["O", "H"], cutoff=CUTOFF, **SYMMETRY_FUNCTIONS)


@pytest.mark.parametrize("name", structures())
def test_values_equal_the_twin(descriptor, name):
    atoms = structures()[name]
    neighbours = slow_twin.neighbours(atoms.positions, atoms.cell.array, atoms.pbc, CUTOFF)
    species = np.searchsorted([1, 8], atoms.numbers)
    expected = [twin(species[j], r_ij, 2) for j, r_ij in neighbours]
    np.testing.assert_allclose(descriptor(atoms), expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", structures())
def test_values_and_gradients_equal_dscribe(descriptor, name):
    dscribe = pytest.importorskip("dscribe.descriptors")
    atoms = structures()[name]
    own = {f"{key}_params": SYMMETRY_FUNCTIONS[key] for key in ("g2", "g3", "g4", "g5")}
    other = dscribe.ACSF(r_cut=CUTOFF, species=[8, 1], periodic=bool(atoms.pbc.any()), **own)
    values, gradients = descriptor(atoms, gradients=True)
    np.testing.assert_allclose(values, other.create(atoms), rtol=1e-10, atol=1e-12)
    step = 1e-4
    for atom, x in [(0, 0), (len(atoms) - 1, 2)]:
        differences = []
        for sign in (1, -1):
            moved = atoms.copy()
            moved.positions[atom, x] += sign * step
            differences.append(other.create(moved))
        expected = (differences[0] - differences[1]) / (2 * step)
        found = np.zeros_like(values)
        pairs = gradients.atom == atom
        found[gradients.environment[pairs]] = gradients.positions[pairs, x]
        np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("species, column", [((0, 0), 0), ((0, 1), 1), ((1, 1), 2)])
def test_g5_of_an_integer_zeta_is_a_projection_of_the_density(species, column):
    """docs/theory.md eq. (5m): squares of density coefficients, less what is of one neighbour."""
    atoms = structures()["triclinic"]
    eta, zeta, lambda_ = 0.05, 3, -0.7
    found = SymmetryFunctions(species=[1, 8], cutoff=CUTOFF, g5=[[eta, zeta, lambda_]])(atoms)
    neighbours = slow_twin.neighbours(atoms.positions, atoms.cell.array, atoms.pbc, CUTOFF)
    b = poly2leg(binom(zeta, np.arange(zeta + 1)) * lambda_ ** np.arange(zeta + 1))
    for i, (j, r_ij) in enumerate(neighbours):
        r = np.linalg.norm(r_ij, axis=1)
        S = np.exp(-eta * r**2) * slow_twin.shifted_cosine(r, CUTOFF, CUTOFF)
        own = [np.searchsorted([1, 8], atoms.numbers[j]) == a for a in species]
        total = 0.0
        for l, b_l in enumerate(b):
            Y = slow_twin.spherical_harmonics(l, r_ij)
            c = [(S * mask) @ Y for mask in own]
            total += 4 * np.pi * b_l / (2 * l + 1) * (c[0] @ c[1])
        if species[0] == species[1]:
            total = 0.5 * (total - (1 + lambda_) ** zeta * (S[own[0]] ** 2).sum())
        assert found[i, column] == pytest.approx(2.0 ** (1 - zeta) * total, abs=1e-12)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"selected": True},
        {"normalize": False, "offset": 0.3, "delta": 0.1},
        {"zeta": 2.5},
        {"centers": "shared"},
    ],
    ids=str,
)
def test_rows_are_the_evaluation_and_forces_are_derivatives(changes):
    model = shared_model() if "centers" in changes else symmetry_model(**changes)
    for atoms in structures().values():
        assert_rows_are_the_evaluation(model, atoms)
        assert_forces_are_derivatives(model, atoms)


def shared_model():
    """One sparse set for the centres of both species."""
    own = symmetry_model()
    entry = dict(own.terms[0]) | {"centers": "shared"}
    points = np.concatenate([own.sparse_points(0)[a] for a in range(2)])
    weights = np.concatenate([own.arrays[f"term0.weights.{a}"] for a in range(2)])
    entry |= {"sparse_points": {0: points}, "weights": {0: weights}}
    species = np.repeat([0, 1], len(points) // 2)
    return build_model([1, 8], [-1.0, -8.0], [entry | {"sparse_species": species}])


def test_columns_are_named_in_the_order_of_the_values(descriptor):
    names = list(descriptor.get_feature_names_out())
    assert names[:4] == ["H G1", "H G2 0.5 0", "H G2 2 1.5", "H G3 1.2"]
    assert names[8:14] == [
        "H H G4 0.02 1 1",
        "H H G4 0.02 2.5 -1",
        "H H G4 0.1 4 -0.7",
        "H H G5 0.05 2 1",
        "H H G5 0.02 1 1",
        "H O G4 0.02 1 1",
    ]
    assert len(names) == n_functions(SYMMETRY_FUNCTIONS, 2)
    alone = descriptor(ase.Atoms("OH", positions=[[0, 0, 0], [1, 0, 0]]))[0]
    assert {name[0] for name, value in zip(names, alone, strict=True) if value} == {"H"}


def test_descriptor_is_a_transformer_like_the_other(descriptor):
    atoms = structures()["triclinic"]
    pooled = SymmetryFunctions(cutoff=CUTOFF, **SYMMETRY_FUNCTIONS).fit_transform([atoms, atoms])
    np.testing.assert_allclose(pooled[1], descriptor(atoms).mean(axis=0))
    unit = SymmetryFunctions(cutoff=CUTOFF, normalize=True).fit(atoms)(atoms)
    np.testing.assert_allclose(np.linalg.norm(unit, axis=1), 1.0)
    assert repr(SymmetryFunctions(cutoff=4.0)) == "SymmetryFunctions(cutoff=4.0)"
    with pytest.raises(
        SoapGprError, match="SymmetryFunctions: found the unknown parameter 'n_max'"
    ):
        SymmetryFunctions(n_max=4)
    assert set(SoapDescriptor().get_params()) & set(descriptor.get_params()) == {
        "beads",
        "cutoff",
        "features",
        "n_threads",
        "normalize",
        "pooling",
        "species",
    }


def test_neighbours_at_one_place_are_refused(descriptor):
    atoms = ase.Atoms("OHH", positions=[[0, 0, 0], [1, 0, 0], [1, 0, 0]])
    with pytest.raises(SoapGprError, match="two atoms are at the same place"):
        descriptor(atoms)


def test_features_are_scaled_to_their_deviations_whatever_the_order_of_structures():
    structures = [structure_from_atoms(atoms) for atoms in emt_frames(4)]
    term = {"kind": "acsf", "n_sparse": 5, "feature_scaling": "std"}
    settings = as_settings({"data": {"train": ["a.xyz"]}, "terms": [term]})
    species = sorted({int(z) for s in structures for z in s.numbers})
    e0 = np.zeros(len(species))
    model, _ = choose_sparse_points(settings, structures, species, e0)
    again, _ = choose_sparse_points(settings, structures[::-1], species, e0)
    scale = model.arrays["term0.feature_scale"]
    np.testing.assert_array_equal(scale, again.arrays["term0.feature_scale"])
    X = SymmetryFunctions(species=species)(emt_frames(4))
    np.testing.assert_allclose((X * scale).std(axis=0), 1.0, rtol=1e-6)


def test_a_fit_evaluates_compresses_and_describes(tmp_path, capsys):
    frames = emt_frames(6)
    term = {"kind": "acsf", "cutoff": 4.5, "n_sparse": 15, "zeta": 2}
    train = write_frames(tmp_path / "train.xyz", frames)
    result = fit({"data": {"train": [train]}, "terms": [term]}, progress=False)
    file = tmp_path / "model.sgpr"
    result.model.save(file)
    assert_forces_are_derivatives(Model.load(file), frames[0])
    assert main(["info", str(file)]) == 0
    assert "acsf, cutoff 4.5 Å, 9 G2, 18 G5, zeta 2, delta 1 eV" in capsys.readouterr().out
    smaller = compress(result.model, [structure_from_atoms(a) for a in frames], 1e-2)
    assert smaller.deviation.force <= 1e-2
    assert terms_of(result.model)[0].counts == {"Cu": 15, "Au": 15}


def test_sparse_points_of_other_functions_are_refused(tmp_path):
    frames = emt_frames(3)
    term = {"kind": "acsf", "cutoff": 4.0, "g2": [[1.0, 2.0], [0.5, 2.0]], "n_sparse": 5}

    def fitted(**changes):
        settings = {"data": {}, "terms": [term | changes]}
        return fit(settings, train=frames, progress=False).model

    fitted().save(tmp_path / "model.sgpr")
    del term["n_sparse"]
    from_file = {"sparse_method": "file", "sparse_file": str(tmp_path / "model.sgpr")}
    assert fitted(**from_file).n_weights == 10
    for changes in ({"g2": [[1.0, 2.0], [0.6, 2.0]]}, {"feature_scaling": "std"}):
        with pytest.raises(SoapGprError, match="found no acsf term with the basis"):
            fitted(**from_file, **changes)


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"g2": [[1.0]]}, r"g2: found \[1.0\], expected a list of 2 numbers, \[η, r_s\]"),
        ({"g4": [[0.1, 0.5, 1]]}, r"g4.ζ: found 0.5, expected ζ >= 1 and <= 1024"),
        ({"g4": [[0.1, 1, -2]]}, r"g4.λ: found -2, expected λ >= -1 and <= 1"),
        ({"g5": [[-0.1, 1, 1]]}, r"g5.η: found -0.1, expected η in 1/Å² >= 0"),
        ({"g3": 2}, "g3: found 2, expected a list"),
        ({"n_max": 8}, "n_max"),
        ({"cutoff_width": 1.0}, "cutoff_width"),
        ({"centers": "alchemical"}, 'centers: found "alchemical", expected one of'),
        ({"feature_scaling": "sd"}, "feature_scaling"),
    ],
)
def test_wrong_settings_are_one_sentence(changes, message):
    with pytest.raises(SoapGprError, match=message):
        as_settings({"data": {"train": ["a.xyz"]}, "terms": [{"kind": "acsf", **changes}]})


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"g4": [[0.1, 0.5, 1]]}, "a parameter of 'g4' that is out of range"),
        ({"g2": [[0.1]]}, "functions in 'g2' with other than 2 parameters"),
        ({"g3": ["a"]}, "a parameter of 'g3' that is out of range"),
        (dict(g1=False, g2=[], g3=[], g4=[], g5=[]), "has no symmetry functions, or too many"),
        ({"g6": []}, "g6"),
    ],
)
def test_damaged_model_files_are_refused(changes, message):
    with pytest.raises(SoapGprError, match=message):
        Model.from_bytes(change_term(symmetry_model(), **changes))


def test_functions_for_a_cutoff_are_used_where_none_are_given():
    own = SymmetryTermSettings(cutoff=5.0).functions()
    assert len(own["g2"]) == 9 and len(own["g5"]) == 18
    assert SymmetryTermSettings(g3=[1.0]).functions()["g2"] == ()


def test_farthest_points_and_kernels_take_symmetry_functions(descriptor):
    X = descriptor(random_structure([8] * 5 + [1] * 10))
    assert len(set(farthest_points(X, 6))) == 6
    assert kernel_model().terms[0]["kind"] != symmetry_model().terms[0]["kind"]
