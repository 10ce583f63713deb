# SPDX-License-Identifier: BSD-3-Clause
"""The example of spectra: data, labels of PySCF, harmonic modes, and a short run."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase.build import molecule

EXAMPLES = Path(__file__).parents[1] / "examples"
HERE = EXAMPLES / "spectra"
if not HERE.is_dir():
    pytest.skip("the examples are not here", allow_module_level=True)


@pytest.fixture
def example(monkeypatch):
    monkeypatch.syspath_prepend(str(HERE))
    return HERE


@pytest.mark.parametrize("name", ["train.xyz", "test.xyz"])
def test_data_are_labelled_neutral_clusters_of_small_files(name):
    path = HERE / name
    assert path.stat().st_size < 1e6
    for atoms in ase.io.read(path, ":"):
        assert not atoms.pbc.any()
        assert set(atoms.calc.results) >= {"energy", "forces", "dipole"}
        assert np.abs(atoms.get_forces().sum(axis=0)).max() < 0.02
        alpha = np.reshape(atoms.info["polarizability"], (3, 3))
        assert np.array_equal(alpha, alpha.T)
        assert np.linalg.eigvalsh(alpha).min() > 0.8 * len(atoms) / 3  # Å³, of each molecule


def test_labels_are_those_of_the_file(example):
    pytest.importorskip("pyscf")
    import electronic

    kept = next(a for a in ase.io.read(HERE / "train.xyz", ":") if len(a) == 3)
    made = electronic.label(kept)
    assert made.get_potential_energy() == pytest.approx(kept.get_potential_energy(), abs=1e-4)
    assert made.get_forces() == pytest.approx(kept.get_forces(), abs=1e-3)
    assert made.get_dipole_moment() == pytest.approx(kept.get_dipole_moment(), abs=1e-4)
    alpha = np.ravel(made.info["polarizability"])
    assert alpha == pytest.approx(np.ravel(kept.info["polarizability"]), abs=1e-3)


def test_polarizability_is_how_the_dipole_answers_a_field(example):
    pytest.importorskip("pyscf")
    import electronic

    atoms = molecule("H2O")
    atoms.rattle(0.05, seed=1)
    free = electronic.ground_state(atoms)
    core, r = free.get_hcore(), free.mol.intor_symmetric("int1e_r", comp=3)
    strength, dipoles = 1e-3, []
    for sign in (1, -1):
        field = electronic.ground_state(atoms)
        field.get_hcore = lambda *_, sign=sign: core + sign * strength * (r[0] + 0.5 * r[2])
        field.kernel()
        dipoles.append(field.dip_moment(unit="AU", verbose=0))
    answer = (dipoles[0] - dipoles[1]) / (2 * strength)
    expected = electronic.polarizability(free) @ [1, 0, 0.5]
    assert answer == pytest.approx(expected, abs=5e-3)


def test_harmonic_modes_are_those_of_springs(example):
    import harmonic

    atoms = molecule("H2O")
    lengths, charges, k = atoms.get_all_distances(), np.array([-0.8, 0.4, 0.4]), 30.0  # eV/Å²

    def springs(moved):
        x = moved.positions
        between = x[None] - x[:, None]
        r = np.linalg.norm(between, axis=-1) + np.eye(3)
        forces = k * np.sum(((r - lengths - np.eye(3)) / r)[..., None] * between, axis=1)
        return forces, charges @ x, np.diag([np.sum(r**2)] * 3)

    results = [springs(moved) for moved in harmonic.displaced(atoms)]
    modes = harmonic.modes(atoms, results)
    assert len(modes) == 3 and all(mode["anisotropic"] < 1e-9 for mode in modes)
    hessian, _, _ = harmonic.derivatives(results)
    trace = np.sum(np.diag(hessian) / np.repeat(atoms.get_masses(), 3))
    squares = np.sum([mode["wavenumber"] ** 2 for mode in modes])
    assert squares == pytest.approx(harmonic.WAVENUMBER**2 * trace, rel=1e-3)
    # from elsewhere back to the same distances
    moved = atoms.copy()
    moved.rattle(0.02, seed=2)
    found = harmonic.minimum(moved, lambda own: springs(own)[0], hessian)
    assert found.get_all_distances() == pytest.approx(lengths, abs=1e-3)


def test_run_draws_both_spectra_of_a_short_run(tmp_path):
    own = shutil.copytree(HERE, tmp_path / "spectra")
    (tmp_path / "water").symlink_to(EXAMPLES / "water")
    text = (own / "fit.toml").read_text()
    for given in ("{ O = 200, H = 300 }", "150"):
        text = text.replace(f"n_sparse = {given}", "n_sparse = 40")
    (own / "fit.toml").write_text(text)
    short = ["--fraction", "0.04", "--trajectories", "2", "--beads", "4"]
    folder = tmp_path / "found"
    command = [sys.executable, str(own / "run.py"), *short, "--folder", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    for method in ("classical", "trpmd"):
        for kind in ("infrared", "raman"):
            made = json.loads((folder / f"{method}_{kind}.json").read_text())
            assert made["inputs"]["beads"] == (1 if method == "classical" else 4)
            assert all(np.max(own["values"]) > 0 for own in made["curves"].values())
    assert "<svg" in (folder / "spectra.svg").read_text()
    assert "infrared absorption, O-H stretches" in done.stdout
