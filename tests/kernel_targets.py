# SPDX-License-Identifier: BSD-3-Clause
"""Models with targets of kernels between structures, on random weights, and labelled molecules."""

import numpy as np
from ase.build import molecule
from models import random_structure

from potential.kernels.structures import Structures
from potential.model.structure_targets import KernelTarget, structure_of
from potential.model.targets import Target, TargetKernel

NAMES = ["H2O", "CH4", "C2H6", "CH3OH", "CO2", "HCOOH", "C2H4", "H2CO"]
TERM = {"cutoff": 3.0, "n_max": 3, "l_max": 2}
GAP = {"name": "gap", "key": "homo_lumo", "per_atom": False, "extensive": False, "noise": 0.1}
VOLUME = {"name": "volume", "key": "size", "per_atom": False, "unit": "Å^3", "noise": 0.2}


def molecules(n, seed=0):
    """Displaced molecules with two labels: one that the shortest distance decides, and a sum."""
    frames = []
    for k in range(n):
        atoms = molecule(NAMES[k % len(NAMES)])
        atoms.rattle(0.05, seed=1000 * seed + k)
        distances = atoms.get_all_distances()[np.triu_indices(len(atoms), 1)]
        atoms.info["homo_lumo"] = 5.0 * distances.min() + 0.3 * np.sin(8.0 * distances.max())
        atoms.arrays["counted"] = 1.0 + np.arange(len(atoms)) % 2
        atoms.info["size"] = 4.0 * len(atoms) + np.exp(-distances).sum()
        frames.append(atoms)
    return frames


def settings(*targets, **kernel):
    """Of a fit of targets, the first with this kernel."""
    own = [dict(target) for target in targets]
    own[0]["kernel"] = {"zeta": 2, **kernel}
    return {"terms": [dict(TERM)], "targets": own}


def with_kernel_target(model, extensive=False, potential=True, seed=0, **changes):
    """The model with a target of three random sparse structures; weights and means are N(0, 1)."""
    of = {"term": 0, "pooling": "rematch", "zeta": 2, "centers": "separate", "normalize": True}
    of |= {"gamma": 0.5} if changes.get("pooling", "rematch") == "rematch" else {}
    target = Target("gap", "eV", False, extensive, kernel=TargetKernel(**of | changes))
    rng = np.random.default_rng(seed)
    numbers = list(model.species)
    own = [random_structure(numbers * k, seed=seed + k) for k in (1, 2, 3)]
    environments = map(model.environments, own)
    sparse = Structures.joined(
        [structure_of(model, target.kernel, each, np.ones(len(each))) for each in environments]
    )
    mean, weights = rng.normal(size=len(numbers)), rng.normal(size=3)
    arrays = KernelTarget(target, mean, sparse, weights).arrays(0)
    return model.with_targets([target], arrays, potential=potential)
