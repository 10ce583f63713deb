# SPDX-License-Identifier: BSD-3-Clause
"""soap-gpr check --tensor-key: faults of vectors and tensors, and data without any."""

import json
from pathlib import Path

import ase
import ase.io
import numpy as np
import pytest
from ase.units import Bohr, Debye
from scipy.spatial.transform import Rotation

from potential.cli import main
from potential.training.tensor_faults import meaning

DATA = Path(__file__).parents[2] / "shared/data"
needs_data = pytest.mark.skipif(not DATA.exists(), reason="needs ../shared/data")
N = 60
OXONIUM = [[0.94, 0.0, -0.3], [-0.47, 0.814, -0.3], [-0.47, -0.814, -0.3]]


def frames_of(n=N, seed=0, per_atom=False):
    """Distorted H3O of any direction and place, whose dipole and polarizability are sums of what
    bonds have of them."""
    rng = np.random.default_rng(seed)
    frames = []
    for _ in range(n):
        r = np.array(OXONIUM) + 0.08 * rng.normal(size=(3, 3))
        r = r @ Rotation.random(rng=rng).as_matrix().T
        lengths = np.linalg.norm(r, axis=1)
        u = r / lengths[:, None]
        mu = 0.4 * (u * lengths[:, None] ** 2)
        alpha = np.eye(3) * lengths[:, None, None] ** 3 + 2 * np.einsum("ba,bc->bac", u, u)
        atoms = ase.Atoms("OH3", np.concatenate([[np.zeros(3)], r]) + 3 * rng.normal(size=3))
        atoms.info |= {"mu": mu.sum(axis=0), "alpha": alpha.sum(axis=0).ravel()}
        if per_atom:
            atoms.arrays["cs"] = np.concatenate([alpha.sum(axis=0)[None], 3 * alpha]).reshape(-1, 9)
        frames.append(atoms)
    return frames


def turn(T, R):
    T = np.asarray(T)
    return R @ T if T.size == 3 else (R @ T.reshape(3, 3) @ R.T).ravel()


def rotations(n, seed=5):
    return Rotation.random(n, rng=np.random.default_rng(seed)).as_matrix()


def found_in(frames, capsys, tmp_path, *keys):
    """Findings about the tensors, as (kind, numbers of frames, message), and notes."""
    data = str(tmp_path / "data.xyz")
    ase.io.write(data, frames)
    arguments = [word for key in keys for word in ("--tensor-key", key)]
    assert main(["check", data, *arguments, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    kinds = ("label units", "origin of dipoles", "turned labels", "odd labels", "asymmetric labels")
    findings = [
        (own["kind"], sorted(int(name.split("#")[1]) for name in own["frames"]), own["message"])
        for own in said["findings"]
        if own["kind"] in kinds
    ]
    return findings, [note for note in said["notes"] if "compared" in note]


def test_sound_vectors_and_tensors_have_no_findings(tmp_path, capsys):
    assert found_in(frames_of(per_atom=True), capsys, tmp_path, "mu", "alpha", "cs") == ([], [])


@pytest.mark.parametrize(
    "key, ratio, meant",
    [
        ("mu", Bohr / Debye, "as between debye and a.u."),
        ("mu", -1.0, "look for the opposite sign"),
        ("alpha", Bohr**3, "as between Å³ and a.u."),
        ("alpha", 0.25, "look whether they were divided by the number of atoms"),
        ("alpha", 3.3, "look for another unit"),
    ],
)
def test_units_of_a_config_type_are_found_and_named(tmp_path, capsys, key, ratio, meant):
    frames = frames_of()
    for k, atoms in enumerate(frames):
        atoms.info["config_type"] = "new" if k % 3 == 0 else "old"
        atoms.info[key] = atoms.info[key] * (ratio if k % 3 == 0 else 1.0)
    [(kind, where, message)], notes = found_in(frames, capsys, tmp_path, key)
    assert (kind, where, notes) == ("label units", list(range(0, N, 3)), [])
    assert message.startswith(f"20 frames of config_type new with {key} ") and meant in message
    said = float(message.split(f"with {key} ")[1].split(" times what a model of old ")[0])
    assert said == pytest.approx(ratio, rel=0.03)


def test_units_of_some_frames_are_found(tmp_path, capsys):
    frames = frames_of()
    for k in (11, 42):
        frames[k].info["mu"] = frames[k].info["mu"] * 3.8
    [(kind, where, message)], _ = found_in(frames, capsys, tmp_path, "mu")
    assert (kind, where) == ("label units", [11, 42])
    assert message.startswith("2 frames with mu 3.") and "data.xyz#" in message


@pytest.mark.parametrize("key", ["mu", "alpha", "cs"])
def test_labels_that_were_not_turned_with_their_frames_are_found(tmp_path, capsys, key):
    frames = frames_of(per_atom=True)
    for k, R in zip((7, 30, 31), rotations(3), strict=True):
        if key == "cs":
            rows = [turn(T, R) for T in frames[k].arrays[key]]
            frames[k].arrays[key] = np.array(rows)
        else:
            frames[k].info[key] = turn(frames[k].info[key], R)
    [(kind, where, message)], _ = found_in(frames, capsys, tmp_path, key)
    assert (kind, where) == ("turned labels", [7, 30, 31])
    assert "but for a rotation" in message


@pytest.mark.parametrize("key", ["mu", "alpha"])
def test_labels_of_which_none_was_turned_are_found(tmp_path, capsys, key):
    frames = frames_of(80)
    for atoms, R in zip(frames, rotations(80), strict=True):
        atoms.info[key] = turn(atoms.info[key], R)
    [(kind, where, message)], _ = found_in(frames, capsys, tmp_path, key)
    assert (kind, where) == ("turned labels", list(range(80)))
    assert "lengths go with the structures and whose directions do not" in message


def test_dipoles_about_the_origin_of_charged_frames_are_found(tmp_path, capsys):
    frames = frames_of()
    for atoms in frames:  # e Å, one elementary charge
        atoms.info["mu"] = atoms.info["mu"] + atoms.get_center_of_mass()
    [(kind, where, message)], _ = found_in(frames, capsys, tmp_path, "mu")
    assert (kind, where) == ("origin of dipoles", list(range(N)))
    said = message.split("goes with the place of the frame, ")[1].split(" for each Å")[0]
    assert float(said) == pytest.approx(1.0, abs=0.05)
    assert "take dipoles of charged frames about the centre of mass" in message


def test_dipoles_about_the_origin_of_some_frames_are_found_with_their_charge(tmp_path, capsys):
    frames = frames_of()
    for k in (3, 9, 20, 44):
        frames[k].info["charge"] = -2
        frames[k].info["mu"] = frames[k].info["mu"] - 2 * frames[k].get_center_of_mass()
    [(kind, where, message)], _ = found_in(frames, capsys, tmp_path, "mu")
    assert (kind, where) == ("origin of dipoles", [3, 9, 20, 44])
    assert "for each Å and elementary charge" in message


def test_an_asymmetric_tensor_among_symmetric_ones_is_found(tmp_path, capsys):
    frames = frames_of()
    frames[12].info["alpha"] = frames[12].info["alpha"] + np.array([0, 1, 0, -1, 0, 0, 0, 0, 0])
    findings, _ = found_in(frames, capsys, tmp_path, "alpha")
    assert [own[:2] for own in findings] == [("asymmetric labels", [12])]


def test_labels_of_other_frames_are_odd(tmp_path, capsys):
    frames = frames_of()
    frames[5].info["mu"] = frames[5].info["mu"] + np.array([0.0, 0.0, 40.0])
    frames[6].info["alpha"] = np.diag([1.0, 9.0, 30.0]).ravel()
    findings, _ = found_in(frames, capsys, tmp_path, "mu", "alpha")
    assert {own[1][0]: len(own[1]) for own in findings} == {5: 1, 6: 1}


def test_what_cannot_be_compared_is_said(tmp_path, capsys):
    frames = frames_of(12)
    findings, notes = found_in(frames, capsys, tmp_path, "mu")
    assert (findings, notes) == ([], ["mu was not compared: fewer than 40 frames have it"])
    frames = frames_of(60)
    rng = np.random.default_rng(8)
    for atoms in frames:
        atoms.info["mu"] = rng.normal(size=3)
    findings, notes = found_in(frames, capsys, tmp_path, "mu")
    half = "a model of half of the frames does not predict the others"
    assert (findings, notes) == ([], [f"mu was not compared: {half}"])


def test_parts_that_are_not_learnt_and_frames_of_other_species_are_said(tmp_path, capsys):
    frames = frames_of()
    rng = np.random.default_rng(9)
    for atoms in frames:
        A = rng.normal(size=(3, 3))
        atoms.info["alpha"] = atoms.info["alpha"] + (A - A.T).ravel()
    frames[17].numbers[0] = 7
    findings, notes = found_in(frames, capsys, tmp_path, "alpha")
    assert findings == []
    assert notes == [
        "alpha: λ = 1 pseudo was not compared: a model of half of the frames does not predict it "
        "well enough",
        "alpha of 1 frame was not compared: its species are not in both halves",
    ]


def test_a_name_that_is_no_tensor_is_refused(tmp_path, capsys):
    data = str(tmp_path / "data.xyz")
    frames = frames_of(2)
    for atoms in frames:
        atoms.info["five"] = np.arange(5.0)
    ase.io.write(data, frames)
    assert main(["check", data, "--tensor-key", "nothing"]) == 1
    assert "nothing: found no frame with it" in capsys.readouterr().err
    assert main(["check", data, "--tensor-key", "five"]) == 1
    assert "data.xyz#0: five: found shape (5,), expected 3, 9 or 27" in capsys.readouterr().err


@needs_data
def test_real_vectors_and_tensors_are_sound(tmp_path, capsys):
    frames = ase.io.read(DATA / "water_tensors/zundel.xyz", ":120")
    names = ["dipole", "polarizability_au", "hyperpolarizability_au"]
    assert found_in(frames, capsys, tmp_path, *names) == ([], [])


@needs_data
def test_faults_of_real_vectors_and_tensors_are_found(tmp_path, capsys):
    frames = ase.io.read(DATA / "water_tensors/zundel.xyz", ":160")
    for k in (30, 70, 110):
        frames[k].info["dipole_au"] = frames[k].info["dipole_au"] * (Bohr / Debye)
    for k, R in zip((20, 60), rotations(2), strict=True):
        T = frames[k].info["polarizability_au"]
        frames[k].info["polarizability_au"] = turn(T, R).reshape(np.shape(T))
    names = ["dipole_au", "polarizability_au"]
    first, second = found_in(frames, capsys, tmp_path, *names)[0]
    assert first[:2] == ("label units", [30, 70, 110]) and "debye and a.u." in first[2]
    assert second[:2] == ("turned labels", [20, 60])


def test_factors_between_units_have_their_names():
    assert meaning(Debye / Bohr, 1, [3]) == "as between debye and a.u."
    assert meaning(-1 / Bohr, 1, [3]) == "as between e Å and a.u."
    assert meaning(3.02, 2, [3]) == "look whether they were multiplied by the number of atoms"
    assert meaning(3.02, 2, [1]) == "look for another unit"
