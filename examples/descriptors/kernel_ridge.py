# SPDX-License-Identifier: BSD-3-Clause
"""Kernel ridge regression on a property of molecules with kernels of structures and scikit-learn.

Molecules and measured heats of formation are those of the G2 set that comes with ASE. A third of
them are to test on.
"""

import numpy as np
from ase.build import molecule
from ase.data.g2 import data, molecule_names
from sklearn.kernel_ridge import KernelRidge
from sklearn.model_selection import GridSearchCV

from potential import SoapDescriptor, structure_kernel

names = [n for n in molecule_names if set(molecule(n).symbols) <= set("HCNO")]
molecules = [molecule(name) for name in names]
heats = np.array([data[name]["enthalpy"] for name in names])  # kcal/mol
size = np.array([len(atoms) for atoms in molecules])
test, train = np.split(np.random.default_rng(0).permutation(len(names)), [len(names) // 3])

soap = SoapDescriptor(cutoff=4.0, n_max=4, l_max=3, species=["H", "C", "N", "O"])
features = soap.compute(molecules)
kernels = {"sum": {}, "mean": {}, "rematch": {"gamma": 0.1}}
for pooling, options in kernels.items():
    # A heat is a sum over atoms; a kernel that is an average learns the heat of an atom.
    atoms = np.ones(len(names)) if pooling == "sum" else size
    y = heats / atoms
    K = structure_kernel(features, zeta=1, pooling=pooling, **options)
    K /= np.diag(K).mean()
    # A kernel of all pairs, of which scikit-learn gets the rows and columns it needs.
    alphas = {"alpha": np.geomspace(1e-6, 1.0, 7)}
    model = GridSearchCV(KernelRidge(kernel="precomputed"), alphas, cv=5)
    model.fit(K[np.ix_(train, train)], y[train] - y[train].mean())
    found = model.predict(K[np.ix_(test, train)]) + y[train].mean()
    error = np.abs(found * atoms[test] - heats[test]).mean()
    print(f"{pooling:8s} mean absolute error of {len(test)} molecules: {error:.1f} kcal/mol")
guess = np.abs(heats[train].mean() - heats[test]).mean()
print(f"{guess:.1f} with the mean of those trained on in the place of a model")
