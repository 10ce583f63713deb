# SPDX-License-Identifier: BSD-3-Clause
"""Fits with every kernel of docs/theory.md eq. (7b), through fit.toml."""

import json

import numpy as np
import pytest
from training_data import emt_frames, write_frames

from potential import fit
from potential.model import Model
from potential.model.evaluation import evaluate_structures
from potential.settings.file import load_settings
from potential.structures.label_table import VOIGT
from potential.structures.read import read_structures
from potential.terms.kinds import terms_of
from potential.training.accumulation import weighted_rows

KERNELS = {
    "plain": {},
    "of power spectra": {"normalize": False},
    "with an offset": {"offset": 0.3},
    "of any power": {"zeta": 2.5},
    "all of them": {"normalize": False, "offset": 0.1, "zeta": 1.5},
    "by CUR": {"normalize": False, "offset": 0.1, "sparse_method": "cur"},
}
TEXT = """
[data]
train = ["train.xyz"]
[[terms]]
cutoff = 4.0
n_max = 4
l_max = 3
n_sparse = 20
{}
[noise]
energy_per_atom = 0.01
[solver]
jitter = 1e-8
"""


@pytest.mark.parametrize("name", KERNELS)
def test_rows_times_weights_are_what_the_model_predicts(tmp_path, name):
    write_frames(tmp_path / "train.xyz", emt_frames(8, seed=2))
    keys = {"zeta": 2} | KERNELS[name]
    lines = "\n".join(f"{key} = {json.dumps(value)}" for key, value in keys.items())
    (tmp_path / "fit.toml").write_text(TEXT.format(lines))
    result = fit(tmp_path / "fit.toml", progress=False)
    model = Model(result.model.to_bytes())
    (entry,) = model.terms
    assert entry["zeta"] == keys["zeta"] and entry["normalize"] == keys.get("normalize", True)
    assert entry.get("offset", 0) == keys.get("offset", 0)
    (description,) = [term.description for term in terms_of(model)]
    assert ("not normalised" in description) == (not entry["normalize"])
    assert ("offset" in description) == ("offset" in entry)
    stored = model.metadata["settings"]["terms"][0]
    assert keys.items() <= stored.items()

    settings = load_settings(tmp_path / "fit.toml")
    weights = np.concatenate([model.arrays[f"term0.weights.{a}"] for a in (0, 1)])
    structures = read_structures(settings.data.train)
    for structure, found in zip(structures, evaluate_structures(model, structures), strict=True):
        rows, targets = weighted_rows(result.model, structure, settings)
        n, sigma = len(structure), settings.noise.default
        error = [
            [(found.energy - structure.energy) / (sigma.energy_per_atom * np.sqrt(n))],
            (found.forces - structure.forces).ravel() / sigma.force,
            (found.virial - structure.virial)[VOIGT] / (sigma.virial_per_atom * np.sqrt(n)),
        ]
        np.testing.assert_allclose(rows @ weights - targets, np.concatenate(error), atol=1e-5)
    assert result.train_errors["all"]["force"].rmse < 0.2
