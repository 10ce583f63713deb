# SPDX-License-Identifier: BSD-3-Clause
"""The examples that the documents show run as they are, and are short."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
if not EXAMPLES.is_dir():
    pytest.skip("the examples are not here", allow_module_level=True)


def run(name, folder, *arguments):
    """What the script prints, run in an empty folder."""
    assert len((EXAMPLES / name).read_text().splitlines()) <= 60
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / name), *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_ridge_on_soap_vectors_beats_the_mean(tmp_path):
    pytest.importorskip("sklearn")
    said = run("descriptors/ridge.py", tmp_path)
    assert "81 molecules, 544 features" in said
    error = float(re.search(r"others: ([\d.]+) kcal/mol", said)[1])
    guess = float(re.search(r"^([\d.]+) with the mean", said, re.M)[1])
    assert error < 0.7 * guess


def test_kernel_ridge_on_structures_beats_the_mean(tmp_path):
    pytest.importorskip("sklearn")
    said = run("descriptors/kernel_ridge.py", tmp_path)
    errors = re.findall(r"^(\w+) +mean absolute error of 27 molecules: ([\d.]+)", said, re.M)
    guess = float(re.search(r"^([\d.]+) with the mean", said, re.M)[1])
    assert [pooling for pooling, _ in errors] == ["sum", "mean", "rematch"]
    assert all(float(error) < 0.85 * guess for _, error in errors)


def test_copper_is_trained_and_run(tmp_path):
    said = run("copper/train_and_run.py", tmp_path)
    assert float(re.search(r"test frames: ([\d.]+) eV/Å", said)[1]) < 0.03
    assert abs(float(re.search(r"K: (-?[\d.]+) meV/atom", said)[1])) < 0.1
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "copper.sgpr",
        "test.xyz",
        "train.xyz",
    ]


def test_charges_and_potential_are_one_model(tmp_path):
    said = run("targets/charges.py", tmp_path)
    assert float(re.search(r"test frames: ([\d.]+) eV/Å", said)[1]) < 0.1
    error, spread = (
        float(re.search(rf"{word} ([\d.]+) e", said)[1]) for word in ("all:", "spread")
    )
    assert error < 0.1 * spread


def test_level_of_molecules_is_learnt_by_a_kernel_of_structures(tmp_path):
    said = run("targets/level.py", tmp_path)
    error, spread = (
        float(re.search(rf"{word} ([\d.]+) eV", said)[1]) for word in ("error", "spread")
    )
    assert error < 0.15 * spread


def test_map_of_molecules_is_drawn(tmp_path):
    run("descriptors/molecule_map.py", tmp_path, "molecules.png")
    assert (tmp_path / "molecules.png").read_bytes().startswith(b"\x89PNG")


def test_copper_is_described_and_mapped(tmp_path):
    said = run("maps/copper.py", tmp_path)
    assert "the last of 105 columns is Cu n=5 Cu n=5 l=4" in said
    assert re.search(r"copper.xyz#61 +copper.xyz#4 +0 +50.000 +crystal", said)
    assert re.search(r"copper.xyz#60 +copper.xyz#3 +[\d.e-]+ +-?0.000 ", said)
    assert "duplicates, at most" in said and "from one before: 2, 1 of them with energies" in said
    assert (tmp_path / "map.html").read_text().count("<circle") == 62


def test_coarse_water_is_trained_and_run(tmp_path):
    said = run("beads/coarse_water.py", tmp_path)
    assert float(re.search(r"test frames: ([\d.]+) eV/Å", said)[1]) < 0.03
    assert abs(float(re.search(r"K: (-?[\d.]+) meV/bead", said)[1])) < 0.1
