# SPDX-License-Identifier: BSD-3-Clause
"""Labels that are vectors and tensors: their forms, what is missing, and whether they are symmetric
where they are said to be."""

from itertools import permutations
from pathlib import Path

import ase
import numpy as np
import pytest

from potential import SoapGprError
from potential.structures.check import check
from potential.structures.digests import structure_digest
from potential.structures.read import labelled, read_data_set
from potential.structures.structure import structure_from_atoms
from potential.structures.target_labels import TargetLabel

DATA = Path(__file__).parents[2] / "shared/data"
DIPOLE = TargetLabel("dipole", "mu", per_atom=False, rank=1)
ALPHA = TargetLabel("alpha", "alpha", per_atom=False, rank=2)
BETA = TargetLabel("beta", "beta", per_atom=False, rank=3)
CS = TargetLabel("cs", "cs", rank=2, symmetric=False, species=(1,))


def water(**info):
    atoms = ase.Atoms("OH2", [[0, 0, 0], [0.76, 0.59, 0], [-0.76, 0.59, 0]])
    atoms.info |= info
    return atoms


def read(frames, *labels):
    return labelled([(atoms, f"f#{k}") for k, atoms in enumerate(frames)], "f", targets=labels)


def symmetric(rank, seed=0):
    T = np.random.default_rng(seed).normal(size=(3,) * rank)
    return np.mean([T.transpose(order) for order in permutations(range(rank))], axis=0)


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_tensors_of_structures_are_rows_whatever_their_form(rank):
    T = symmetric(rank)
    label = TargetLabel("t", "t", per_atom=False, rank=rank)
    for form in (T, T.ravel(), T.ravel().tolist(), T.tolist()):
        found = read([water(t=form)], label).structures[0].targets["t"]
        np.testing.assert_allclose(found, T.ravel(), rtol=1e-14)


def test_tensors_of_atoms_are_of_the_species_asked_for():
    atoms = water()
    atoms.arrays["cs"] = np.arange(27.0).reshape(3, 3, 3)
    found = read([atoms], CS).structures[0].targets["cs"]
    np.testing.assert_array_equal(found[1:], np.arange(9.0, 27).reshape(2, 9))
    assert np.isnan(found[0]).all()


def test_a_tensor_that_lacks_a_component_is_no_label():
    atoms = water()
    atoms.arrays["cs"] = np.ones((3, 9))
    atoms.arrays["cs"][1, 4] = np.nan
    data = read([atoms, water(mu=[1, np.nan, 0]), water(mu=[1, 0, 0])], CS, DIPOLE)
    assert np.isnan(data.structures[0].targets["cs"][1]).all()
    assert np.isnan(data.structures[1].targets["dipole"]).all()
    assert {
        "target cs: 1 labels are nan and were left out",
        "target dipole: 1 labels are nan and were left out",
        "target dipole: 1 of 3 structures have no 'mu'",
    } <= set(data.notes)


BAD = [
    (DIPOLE, {"mu": np.ones(4)}, r"mu: found shape \(4,\), expected 3 numbers \(x, y, z\), \(3,\)"),
    (ALPHA, {"alpha": np.ones(6)}, r"alpha: found shape \(6,\), expected 9 numbers \(xx, xy"),
    (ALPHA, {"alpha": np.ones((2, 3))}, r"alpha: found shape \(2, 3\), expected 9 numbers"),
    (BETA, {"beta": np.ones((3, 9))}, r"beta: found shape \(3, 9\), expected 27 numbers"),
    (DIPOLE, {"mu": [1, np.inf, 0]}, "mu: found a number beyond 1e.08, or infinite"),
    (DIPOLE, {"mu": "up"}, "mu: found 'up', expected 3 numbers"),
    (CS, {"cs": np.ones(9)}, "cs: found one value, expected a column of atoms for target cs"),
]


@pytest.mark.parametrize(("label", "info", "message"), BAD)
def test_other_forms_are_one_sentence(label, info, message):
    with pytest.raises(SoapGprError, match=f"^f#0: {message}") as error:
        read([water(**info)], label)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("label", [ALPHA, BETA])
def test_a_small_antisymmetric_part_is_noted_and_taken_off(label):
    T = symmetric(label.rank)
    off = 0.004 * np.random.default_rng(1).normal(size=T.shape)
    data = read([water(**{label.key: T}), water(**{label.key: T + off})], label)
    note = f"target {label.name}: '{label.key}' was made symmetric: antisymmetric parts were up to"
    assert [own for own in data.notes if own.startswith(note) and "(f#1)" in own]
    found = data.structures[1].targets[label.name].reshape(T.shape)
    for order in permutations(range(label.rank)):
        np.testing.assert_allclose(found, found.transpose(order), atol=1e-14)
    assert np.abs(found - T).max() < 0.01


@pytest.mark.parametrize("label", [ALPHA, BETA])
def test_a_large_antisymmetric_part_is_refused(label):
    T = symmetric(label.rank)
    off = 0.2 * np.random.default_rng(1).normal(size=T.shape)
    frames = [water(**{label.key: T}), water(**{label.key: T + off})]
    with pytest.raises(SoapGprError, match=f"^f#1: {label.key}: found a tensor whose antisymm"):
        read(frames, label)


def test_tensors_tell_frames_apart():
    frames = [water(mu=[1, 0, 0]), water(mu=[1, 0.1, 0])]
    structures = read(frames, DIPOLE).structures
    assert len(set(map(structure_digest, structures))) == 2
    (found,) = [own for own in check(structures) if own.kind == "contradictions"]
    assert found.frames == ("f#1",)
    twice = read([water(mu=[1, 0, 0])] * 2, DIPOLE).structures
    assert [own.kind for own in check(twice)] == ["duplicates"]


def test_labels_of_a_single_frame_are_read_as_of_many():
    T = symmetric(2)
    names = read([water(alpha=T)], ALPHA).names
    found = structure_from_atoms(water(alpha=T), names).targets["alpha"]
    np.testing.assert_allclose(found, T.ravel(), rtol=1e-14)


@pytest.mark.skipif(not DATA.exists(), reason="needs ../shared/data")
def test_real_tensors_are_read():
    cases = (
        ("water_tensors/zundel.xyz", "hyperpolarizability_au", 3, True, False),
        ("qm7x_polarizability_100/qm7x_reduced_100.xyz", "polarizability", 2, True, False),
        ("water_tensor_deepmd/polar_training_global.xyz", "polarizability", 2, True, True),
        ("water_tensor_deepmd/dipole_training_global.xyz", "dipole", 1, True, False),
        ("ShiftML3_tensors/test.xyz", "cs_tensor", 2, False, False),
    )
    for name, key, rank, is_symmetric, noted in cases:
        per_atom = key == "cs_tensor"
        label = TargetLabel("t", key, per_atom=per_atom, rank=rank, symmetric=is_symmetric)
        data = read_data_set([f"{DATA / name}@:10"], targets=[label])
        for s in data.structures:
            assert s.targets["t"].shape == ((len(s),) if per_atom else ()) + (3**rank,)
        assert any("was made symmetric" in note for note in data.notes) == noted


@pytest.mark.skipif(not DATA.exists(), reason="needs ../shared/data")
def test_real_shieldings_are_not_symmetric():
    label = TargetLabel("cs", "cs_tensor", rank=2)
    with pytest.raises(SoapGprError, match=r"antisymmetric part.*expected.*or symmetric = false"):
        read_data_set([f"{DATA / 'ShiftML3_tensors/test.xyz'}@:10"], targets=[label])
