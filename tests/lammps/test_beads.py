# SPDX-License-Identifier: BSD-3-Clause
"""Names of beads in pair_coeff."""

import ase
import numpy as np
import pytest
from coarse import coarse_frames
from lammps_runs import assert_agrees, measure
from training_data import small_settings

from potential import fit

NAMES = ("MW", "MW", "PO") * 9
PAIR = "pair_style soap/gpr\npair_coeff * * model.sgpr MW PO"


@pytest.fixture(scope="module")
def coarse():
    settings = small_settings("unused", n_sparse=30)
    settings["data"] = {"beads": ["MW", "PO"]}
    return fit(settings, train=coarse_frames(4, NAMES), progress=False).model


def as_types(frame):
    """O for MW and H for PO, which write_data and setup know as types 1 and 2."""
    numbers = np.where(frame.arrays["bead"] == "MW", 8, 1)
    return ase.Atoms(numbers, frame.positions, cell=frame.cell, pbc=True)


@pytest.mark.parametrize("ranks", [1, 2, 4])
def test_beads_agree_with_python(tmp_path, coarse, ranks):
    frame = coarse_frames(1, NAMES, seed=1)[0]
    measured = measure(tmp_path, coarse, as_types(frame), ranks=ranks, pair=PAIR)
    assert_agrees(measured, coarse.evaluate(frame))
    assert "atom types: 1 = MW, 2 = PO" in measured.output


def test_unknown_bead_is_refused_with_those_known(tmp_path, coarse):
    frame = as_types(coarse_frames(1, NAMES)[0])
    with pytest.raises(AssertionError, match=r"to 'OIL', which is not .*knows: MW PO"):
        measure(tmp_path, coarse, frame, pair=PAIR.replace("PO", "OIL"))
