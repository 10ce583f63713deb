# SPDX-License-Identifier: BSD-3-Clause
"""Heats of formation of molecules by linear regression on SOAP vectors, with scikit-learn.

Molecules and measured heats are those of the G2 set that comes with ASE. The regression is trained
on twenty of them, the most different ones, and tested on the others.
"""

import numpy as np
from ase.build import molecule
from ase.data.g2 import data, molecule_names
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline

from potential import SoapDescriptor, farthest_points

names = [n for n in molecule_names if set(molecule(n).symbols) <= set("HCNO")]
molecules = [molecule(name) for name in names]
heats = np.array([data[name]["enthalpy"] for name in names])  # kcal/mol

# One row for each molecule: SOAP vectors of its atoms added up, as its energy is a sum over atoms.
soap = SoapDescriptor(cutoff=4.0, n_max=4, l_max=3, species=["H", "C", "N", "O"], pooling="sum")
X = soap.transform(molecules)
print(f"{len(X)} molecules, {X.shape[1]} features; the first is {soap.get_feature_names_out()[0]}")

chosen = farthest_points(X, 20)
others = np.setdiff1d(np.arange(len(X)), chosen)
print("trained on", ", ".join(names[k] for k in chosen))

# In a pipeline the descriptor is a step like any other: clone, GridSearchCV and so on know it.
model = make_pipeline(soap, Ridge(alpha=0.01))
model.fit([molecules[k] for k in chosen], heats[chosen])
errors = model.predict([molecules[k] for k in others]) - heats[others]
guess = heats[chosen].mean() - heats[others]
print(f"mean absolute error of the {len(others)} others: {np.abs(errors).mean():.1f} kcal/mol,")
print(f"{np.abs(guess).mean():.1f} with the mean of those trained on in the place of the model")
