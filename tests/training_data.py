# SPDX-License-Identifier: BSD-3-Clause
"""A small labelled set for tests of training: Cu and Au from ASE's effective medium theory."""

import ase.io
import numpy as np
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator

ORDERED = {"even": ["Cu", "Cu", "Cu", "Au"] * 2, "odd": ["Cu", "Cu", "Au", "Au"] * 2}


def emt_frames(n, seed=0, labels=("energy", "forces", "stress")):
    """Rattled and strained cells of 8 atoms, Cu3Au (config_type even) and CuAu (odd)."""
    rng = np.random.default_rng(seed)
    frames = []
    for k in range(n):
        config_type = ("even", "odd")[k % 2]
        atoms = bulk("Cu", "fcc", a=3.85, cubic=True).repeat((2, 1, 1))
        atoms.symbols[:] = ORDERED[config_type]
        strain = np.eye(3) + 0.02 * rng.standard_normal((3, 3))
        atoms.set_cell(atoms.cell.array @ strain, scale_atoms=True)
        atoms.positions += 0.06 * rng.standard_normal((len(atoms), 3))
        atoms.calc = EMT()
        atoms.get_stress()
        results = {label: atoms.calc.results[label] for label in labels}
        atoms.calc = SinglePointCalculator(atoms, **results)
        atoms.info["config_type"] = config_type
        atoms.info["name"] = f"frame {k}"
        frames.append(atoms)
    return frames


def write_frames(path, frames):
    """Extended XYZ; returns the name."""
    ase.io.write(path, frames, format="extxyz")
    return str(path)


def small_settings(train, test=(), **term):
    """Settings of a fit that takes a fraction of a second."""
    small = dict(cutoff=4.0, n_max=4, l_max=3, zeta=2, n_sparse=40)
    return {"data": {"train": [train], "test": list(test)}, "terms": [small | term]}


def small_toml(n_sparse):
    """A fit.toml of the same, of train.xyz and test.xyz."""
    return f"""\
[data]
train = ["train.xyz"]
test = ["test.xyz"]
[[terms]]
cutoff = 4.0
n_max = 4
l_max = 3
zeta = 2
n_sparse = {n_sparse}
"""


def write_fit(folder, toml, train, test):
    """fit.toml, train.xyz and test.xyz in the folder, which is returned."""
    write_frames(folder / "train.xyz", train)
    write_frames(folder / "test.xyz", test)
    (folder / "fit.toml").write_text(toml)
    return folder
