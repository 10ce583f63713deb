# SPDX-License-Identifier: BSD-3-Clause
"""Memory of an evaluation: only for what is evaluated, bounded, and one sentence when it lacks."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from model_bytes import change_term

from potential import Model, SoapGprError
from potential.terms import build_model

# Evaluates a model in so many MiB of addresses more than the imports take.
LIMITED = """
import resource, sys
from potential.errors import SoapGprError
from potential.model import Model
Model.load(sys.argv[2]).evaluate([29], [[0.0, 0.0, 0.0]])  # libraries and threads take their own
model = Model.load(sys.argv[1])
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
limit = used + (int(sys.argv[3]) << 20)
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
try:
    print(model.evaluate([29, 29], [[0.0, 0.0, 0.0], [2.5, 0.0, 0.0]]).energy)
except SoapGprError as error:
    print("SoapGprError:", error)
"""


def wide_model(n_channels, n_sparse, n_intervals=2, zeta=1):
    """One species, l = 0 alone, of whose channels neighbours feed two; e0 is 1 eV."""
    n_features = n_channels * (n_channels + 1) // 2
    rng = np.random.default_rng(0)
    term = {
        "kind": "soap",
        "cutoff": 3.0,
        "l_max": 0,
        "zeta": zeta,
        "delta": 1.0,
        "normalize": True,
        "n_channels": [n_channels],
        "channel_begin": [[0]],
        "channel_end": [[2]],
        "segments": [[0.0, 3.0, n_intervals]],
        "tables": {0: rng.normal(size=(n_intervals + 1, 3, 2))},
        "central": {0: rng.uniform(0.1, 0.2, n_channels)},
        "sparse_points": {0: rng.uniform(size=(n_sparse, n_features)) / n_features},
        "weights": {0: np.ones(n_sparse)},
    }
    return build_model([29], [1.0], [term])


def evaluate_limited(folder, model, megabytes):
    model.save(folder / "wide.sgpr")
    wide_model(2, 1).save(folder / "small.sgpr")
    command = [sys.executable, "-c", LIMITED, "wide.sgpr", "small.sgpr", str(megabytes)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


needs_proc = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux")


@needs_proc
def test_species_without_sparse_points_need_no_memory(tmp_path):
    # 1540 MB for one block of centres; the long table makes room for the shape of no points
    model = wide_model(1000, 0, n_intervals=20_000)
    assert float(evaluate_limited(tmp_path, model, 32)) == 2.0


@needs_proc
def test_memory_that_lacks_is_one_sentence(tmp_path):
    out = evaluate_limited(tmp_path, wide_model(1000, 1), 64)
    assert out.startswith("SoapGprError: the model needs "), out
    assert "MB for every thread that evaluates it, more than there is" in out


@needs_proc
def test_memory_of_wide_models_is_bounded(tmp_path):
    # 760 MB for a block of 48 centres
    assert np.isfinite(float(evaluate_limited(tmp_path, wide_model(1000, 1), 330)))


def test_wide_models_are_evaluated_in_parts_of_a_block():
    """Dimers far apart: as many centres as a block holds, fewer than the workspace takes."""
    model = wide_model(700, 1)
    dimer = np.array([[0.0, 0.0, 0.0], [2.5, 0.3, 0.0]])
    many = np.concatenate([dimer + np.array([20.0 * k, 0.0, 0.0]) for k in range(30)])
    one, all_ = model.evaluate([29] * 2, dimer), model.evaluate([29] * 60, many)
    np.testing.assert_allclose(all_.energies, np.tile(one.energies, 30), rtol=1e-12)
    np.testing.assert_allclose(all_.forces, np.tile(one.forces, (30, 1)), rtol=1e-10, atol=1e-14)
    assert np.abs(one.forces).max() > 1e-9


def test_more_channels_than_anybody_uses_are_refused():
    with pytest.raises(SoapGprError, match="channels are inconsistent, or too many"):
        Model.from_bytes(change_term(wide_model(2, 1), n_channels=[4500]))
