# SPDX-License-Identifier: BSD-3-Clause
"""Training on published reference sets, reduced to what a test may take; see also benchmarks/."""

from pathlib import Path

import pytest

from potential.training.fitting import fit

DATA = Path(__file__).parents[2] / "shared" / "data"
needs_shared = pytest.mark.skipif(not DATA.is_dir(), reason=f"no reference data at {DATA}")


def errors(name, noise, every, **term):
    """Test errors of a fit to every n-th training structure of one of the mlearn sets."""
    folder = DATA / f"mlearn_{name}"
    settings = {
        "data": {"train": [f"{folder}/train.xyz@::{every}"], "test": [f"{folder}/test.xyz"]},
        "terms": [term],
        "noise": noise,
    }
    return fit(settings, progress=False).test_errors["all"]


@needs_shared
def test_copper_is_learnt_from_energies_and_forces():
    # The stress of this set is not that of the energies (README of the set): leave it out.
    found = errors("Cu", {"virial_per_atom": float("inf")}, every=5, cutoff=4.1, n_sparse=100)
    assert found["energy"].mae < 2e-3 and found["force"].mae < 0.06


@needs_shared
def test_silicon_stress_is_learnt_with_the_right_sign():
    found = errors("Si", {}, every=8, n_sparse=100)
    assert found["energy"].mae < 0.02 and found["force"].mae < 0.2
    assert found["stress"].mae < 0.5 / 160.2  # 0.5 GPa; references reach 10 GPa
