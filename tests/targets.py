# SPDX-License-Identifier: BSD-3-Clause
"""Models with targets of all kinds, on random weights, and frames with such labels."""

import numpy as np
from ase.calculators.emt import EMT
from training_data import emt_frames, small_settings, small_toml

from potential.model.targets import Target

ALL_KINDS = (
    Target("charge", "e", per_atom=True),
    Target("shielding", "ppm", per_atom=True, species=(1,)),
    Target("volume", "Å^3", per_atom=False, extensive=True),
    Target("gap", "eV", per_atom=False, extensive=False),
)
WEIGHTED = (
    *ALL_KINDS[:2],
    Target("volume", "Å^3", per_atom=False, extensive=True, weights=(0.0, 1.5)),
    Target("gap", "eV", per_atom=False, extensive=False, weights=(0.3, 2.0)),
)
BY_COLUMN = (
    Target("volume", "Å^3", per_atom=False, extensive=True, weights="part"),
    Target("gap", "eV", per_atom=False, extensive=False, weights="part"),
)
SITE = {"name": "site", "key": "site_energy", "unit": "eV", "noise": 0.01}
TOTAL = {"name": "total", "key": "sum", "unit": "eV", "per_atom": False, "noise": 0.02}
AVERAGE = {"name": "average", "key": "mean", "per_atom": False, "extensive": False, "noise": 0.005}
HALF = AVERAGE | {"weights": {"Cu": 0.5}}


def has_environments(term):
    """Whether targets may have weights for a term of a model."""
    return "zeta" in term or term["kind"] == "product"


def with_targets(model, targets=ALL_KINDS, potential=True, seed=0):
    """The model with these targets of all its terms of features: weights and means are N(0, 1)."""
    rng = np.random.default_rng(seed)
    arrays = {}
    for h in range(len(targets)):
        arrays[f"target{h}.mean"] = rng.normal(size=len(model.species))
        for t, term in enumerate(model.terms):
            for a, points in model.sparse_points(t).items() if has_environments(term) else ():
                arrays[f"target{h}.term{t}.weights.{a}"] = rng.normal(size=len(points))
    return model.with_targets(targets, arrays, potential=potential)


def labelled(n, seed, labels=("energy", "forces")):
    """Frames with energies of sites, their sum and their mean as further labels."""
    frames = emt_frames(n, seed, labels)
    for atoms in frames:
        energies = EMT().get_potential_energies(atoms)
        atoms.arrays["site_energy"] = energies
        atoms.arrays["two"] = np.stack([energies, -energies], axis=1)
        atoms.info |= {"sum": energies.sum(), "mean": energies.mean()}
        if not labels:
            atoms.calc = None
    return frames


def target_settings(*targets, **term):
    """Settings of a small fit with these [[targets]]."""
    own = {"terms": small_settings("")["terms"], "targets": list(targets)}
    own["terms"][0] |= {"n_sparse": 20, **term}
    return own


def target_toml(n_sparse):
    """A fit.toml of a potential and two targets of ``labelled`` frames."""
    return f"""\
{small_toml(n_sparse)}[[targets]]
name = "site"
key = "site_energy"
unit = "eV"
noise = 0.01
[[targets]]
name = "average"
key = "mean"
per_atom = false
extensive = false
noise = 0.005
"""
