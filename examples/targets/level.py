# SPDX-License-Identifier: BSD-3-Clause
"""Learn a property of molecules as wholes with a kernel between structures, through fit.toml.

The property is the deepest level of a model of one orbital on each atom: no sum over atoms, and no
mean. Writes train.xyz, test.xyz, fit.toml and level.sgpr into the current folder.
"""

from pathlib import Path

import ase.io
import numpy as np
from ase.build import molecule
from ase.data.g2 import molecule_names

from potential import Model, fit

ORBITAL = {"H": -7.0, "C": -8.0, "N": -10.0, "O": -12.0}  # eV
SETTINGS = """\
[data]
train = ["train.xyz"]
[[terms]]
cutoff = 4.0
n_max = 4
l_max = 3
[[targets]]
name = "level"
key = "deepest"
per_atom = false
extensive = false
unit = "eV"
noise = 0.05
kernel = {pooling = "features", normalize = true, zeta = 2}
"""


def deepest(atoms):
    """The lowest energy of an electron that hops between the atoms, eV."""
    H = -3.0 * np.exp(1.0 - atoms.get_all_distances())
    np.fill_diagonal(H, [ORBITAL[name] for name in atoms.symbols])
    return np.linalg.eigvalsh(H)[0]


frames = []  # of the G2 set, which comes with ASE
for k, name in enumerate(2 * molecule_names):
    atoms = molecule(name)
    if len(atoms) > 2 and set(atoms.symbols) <= set(ORBITAL):
        atoms.rattle(0.05, seed=k)
        atoms.info["deepest"] = deepest(atoms)
        frames.append(atoms)
order = np.random.default_rng(0).permutation(len(frames))
ase.io.write("train.xyz", [frames[k] for k in order[20:]])
ase.io.write("test.xyz", [frames[k] for k in order[:20]])
Path("fit.toml").write_text(SETTINGS)  # soap-gpr fit fit.toml -o level.sgpr
fit("fit.toml", progress=False).model.save("level.sgpr")

model, tests = Model.load("level.sgpr"), ase.io.read("test.xyz", ":")
labels = np.array([atoms.info["deepest"] for atoms in tests])
found = [model.evaluate(atoms).properties["level"] for atoms in tests]
print(f"error {np.abs(found - labels).mean():.3f} eV, spread {labels.std():.3f} eV")
