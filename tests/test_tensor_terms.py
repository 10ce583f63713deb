# SPDX-License-Identifier: BSD-3-Clause
"""Vectors and tensors on all forms of the density and its features: rows of training contracted
with the weights are what the core says, values turn with the structure, gradients are derivatives.
"""

import ase
import numpy as np
import pytest
from numerical import numerical_forces
from scipy.spatial.transform import Rotation
from tensor_data import ALPHA, DIPOLE, SHIELDING, TERM, tensor_frames, tensor_settings
from test_tensors import turned

from potential import fit
from potential.settings.file import as_settings
from potential.structures.read import labelled
from potential.terms import TrainingModel
from potential.training.target_problem import TargetProblem

OWN = [own | {"n_sparse": 15, "n_features": 30} for own in (DIPOLE, ALPHA, SHIELDING)]
CUBIC = [own | {"zeta": 3} for own in OWN]
LINEAR = [own | {"zeta": 1} for own in OWN]
FORMS = {
    "shared": ({"centers": "shared"}, OWN),
    "alchemical": ({"alchemy": {"dimensions": 2}, "centers": "alchemical"}, CUBIC),
    "mapped": ({"alchemy": {"dimensions": 2}}, OWN),
    "contracted": ({"contraction": {"n_channels": 5}}, OWN),
    "selected": ({"feature_selection": {"n_features": 30}}, CUBIC),
    "recoupled": ({"feature_selection": {"n_features": 30, "recouple": True}}, OWN),
    "by species": ({"feature_selection": {"n_features": 30, "per_species": True}}, OWN),
    "as they are": ({"normalize": False}, OWN),
    "laplacian": ({"basis": "laplacian"}, LINEAR),
}


@pytest.fixture(scope="module")
def frames():
    return tensor_frames(12, seed=1)


@pytest.fixture(scope="module", params=list(FORMS))
def fitted(request, frames):
    term, targets = FORMS[request.param]
    settings = tensor_settings(*targets) | {"terms": [TERM | term]}
    return settings, fit(settings, train=frames, progress=False).model


def test_rows_of_training_are_what_the_core_evaluates(fitted, frames):
    settings, model = fitted
    own = TrainingModel.from_bytes(model.to_bytes())
    read = as_settings(settings, data_required=False)
    labels = [target.label for target in read.targets]
    found = [(atoms, "frame") for atoms in frames[:3]]
    structures = labelled(found, "frames", targets=labels).structures
    problem = TargetProblem(own, read)
    for structure in structures:
        found = model.evaluate(structure).properties
        for group, rows in zip(problem.groups, problem.rows(structure), strict=True):
            h, part = read.targets.index(group.target), group.part
            k = group.parts_of_target.index(part)
            names = [f"target{h}.part{k}.weights.{a}" for a in group.own_sets]
            w = np.concatenate([own.arrays[name].ravel() for name in names])
            values = rows.K @ w + rows.C @ own.arrays[f"target{h}.mean"]
            t = group.spherical(found[group.name].reshape(-1, 3**group.target.n_indices))
            expected = t[rows.atoms[:: part.size]].ravel() if len(rows.atoms) else t.ravel()
            np.testing.assert_allclose(values, expected, atol=1e-9 * max(1, np.abs(t).max()))


def test_values_turn_with_the_structure(fitted, frames):
    _, model = fitted
    Q = -Rotation.random(rng=np.random.default_rng(1)).as_matrix()
    atoms = frames[0]
    other = ase.Atoms(atoms.numbers, atoms.positions @ Q.T, cell=atoms.cell @ Q.T, pbc=atoms.pbc)
    before, after = (model.evaluate(own).properties for own in (atoms, other))
    for name, rank in (("dipole", 1), ("alpha", 2), ("cs", 2)):
        expected = turned(before[name], Q, rank)
        np.testing.assert_allclose(after[name], expected, atol=1e-10 * np.abs(expected).max())


@pytest.mark.parametrize(("name", "index"), [("dipole", (2,)), ("alpha", (0, 1))])
def test_gradients_equal_finite_differences(fitted, frames, name, index):
    _, model = fitted
    atoms = frames[0]

    def value(positions):
        own = atoms.copy()
        own.positions = positions
        return model.evaluate(own, forces=False).properties[name][index]

    found = model.gradients(name, atoms).positions[(slice(None), slice(None), *index)]
    expected = -numerical_forces(value, atoms.positions)
    np.testing.assert_allclose(found, expected, atol=1e-6 * np.abs(found).max())
