# SPDX-License-Identifier: BSD-3-Clause
"""Molecular dynamics far from the training data: the fixed repulsion keeps atoms apart."""

import numpy as np
import pytest
from ase import units
from ase.build import bulk
from ase.md.langevin import Langevin
from training_data import emt_frames, small_settings, write_frames

from potential.model.calculator import SoapGprCalculator
from potential.training.fitting import fit


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    train = write_frames(tmp_path_factory.mktemp("md") / "train.xyz", emt_frames(24, seed=1))
    settings = small_settings(train)
    settings["baseline"] = {"zbl": {"inner": 1.2, "outer": 2.2}}
    return fit(settings, progress=False).model


def test_5000_kelvin_and_100_gigapascal_fuse_no_atoms(model):
    atoms = bulk("Cu", "fcc", a=2.96, cubic=True).repeat(2)
    atoms.calc = SoapGprCalculator(model)
    assert -atoms.get_stress()[:3].mean() / units.GPa > 100
    rng = np.random.default_rng(0)
    width = np.sqrt(5000 * units.kB * atoms.get_masses())[:, None]
    atoms.set_momenta(width * rng.normal(size=(len(atoms), 3)))
    nearest, temperatures = [], []

    def look():
        distances = atoms.get_all_distances(mic=True)
        nearest.append(distances[np.triu_indices(len(atoms), 1)].min())
        temperatures.append(atoms.get_temperature())

    friction = 0.05 / units.fs
    md = Langevin(
        atoms, 0.5 * units.fs, temperature_K=5000, friction=friction, rng=rng, fixcm=False
    )
    md.attach(look, interval=5)
    md.run(1000)
    assert min(nearest) > 1.2
    assert 3000 < np.mean(temperatures[len(temperatures) // 2 :]) < 7000
    assert np.isfinite(atoms.get_forces()).all()
