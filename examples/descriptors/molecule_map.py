# SPDX-License-Identifier: BSD-3-Clause
"""A map of molecules: principal components of their averaged SOAP vectors, into a PNG file.

python molecule_map.py molecules.png
"""

import sys

import matplotlib.pyplot as plt
import numpy as np
from ase.build import molecule
from ase.data.g2 import molecule_names

from potential import SoapDescriptor, farthest_points

names = [n for n in molecule_names if set(molecule(n).symbols) <= set("HCNO")]
names = [n for n in names if len(molecule(n)) > 2]
molecules = [molecule(name) for name in names]
kinds = {
    "hydrocarbons": {"H", "C"},
    "with oxygen": {"H", "C", "O"},
    "with nitrogen": {"H", "C", "N"},
    "with both": {"H", "C", "N", "O"},
}

# The mean over the atoms of each molecule, so that size plays no part.
X = SoapDescriptor(cutoff=4.0, n_max=4, l_max=3, pooling="mean").fit_transform(molecules)
centred = X - X.mean(axis=0)
_, singular, axes = np.linalg.svd(centred, full_matrices=False)
x, y = (centred @ axes[:2].T).T
share = singular[:2] ** 2 / (singular**2).sum()

figure, plot = plt.subplots(figsize=(7, 4.6), layout="constrained")
left = set(range(len(names)))
for kind, elements in kinds.items():
    own = [k for k in sorted(left) if set(molecules[k].symbols) <= elements]
    left -= set(own)
    plot.scatter(x[own], y[own], s=22, label=kind)
for k in farthest_points(X, 20):
    plot.annotate(names[k], (x[k], y[k]), (3, 3), textcoords="offset points", fontsize=7)
plot.set_xlabel(f"first component, {100 * share[0]:.0f} % of the variance")
plot.set_ylabel(f"second component, {100 * share[1]:.0f} %")
plot.legend(frameon=False)
figure.savefig(sys.argv[1], dpi=110)
