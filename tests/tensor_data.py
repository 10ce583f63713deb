# SPDX-License-Identifier: BSD-3-Clause
"""Frames with vectors and tensors as labels: what a random model says of them."""

import functools

import numpy as np
from models import random_model, random_structure
from tensor_models import TARGETS, with_tensors

DIPOLE = {
    "name": "dipole",
    "key": "mu",
    "kind": "vector",
    "per_atom": False,
    "noise": 0.01,
    "n_sparse": 20,
    "n_features": 60,
}
ALPHA = DIPOLE | {"name": "alpha", "key": "polarizability", "kind": "tensor"}
SHIELDING = ALPHA | {"name": "cs", "key": "shielding", "per_atom": True, "symmetric": False}
BETA = ALPHA | {"name": "beta", "key": "hyper", "rank": 3, "extensive": False}
KEYS = {"dipole": "mu", "alpha": "polarizability", "shielding": "shielding", "beta": "hyper"}
TERM = {"kind": "soap", "cutoff": 3.5, "n_max": 4, "l_max": 3, "n_sparse": 20, "zeta": 2}


def tensor_settings(*targets, **more):
    return {"terms": [TERM], "targets": list(targets), **more}


@functools.cache
def _source():
    return with_tensors(random_model(seed=3), TARGETS, zeta=2)


def tensor_frames(n, seed=0):
    """Random cells of H and O with the labels of all four targets of ``TARGETS``."""
    rng = np.random.default_rng(seed)
    frames = []
    for k in range(n):
        atoms = random_structure([8, 1, 1, 8, 1], seed=int(rng.integers(1 << 30)))
        found = _source().evaluate(atoms).properties
        for name, key in KEYS.items():
            if name == "shielding":
                atoms.arrays[key] = found[name].reshape(len(atoms), 9)
            else:
                atoms.info[key] = found[name].ravel()
        atoms.info["config_type"] = "even" if k % 2 == 0 else "odd"
        frames.append(atoms)
    return frames
