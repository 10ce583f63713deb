# SPDX-License-Identifier: BSD-3-Clause
"""GAP by QUIP's gap_fit with the settings of Zuo et al., evaluated through quippy."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import ase
import numpy as np
from ase.neighborlist import neighbor_list
from quip_potential import gap_fit_command

# Of the sets' gap.xml, J. Phys. Chem. A 124, 731 (2020); Si has 1000 sparse points there, Cu and Li
# 4000: here all have as many as our models.
CUTOFFS = {"Si": 5.4, "Cu": 4.1, "Li": 4.8}
OTHERS = 5.0
N_MAX = L_MAX = 8
N_SPARSE = 1000
SIGMA = "0.01 0.05 0.01 1"
SHARE_OF_MEMORY = 0.7


def settings_of(name: str) -> dict[str, Any]:
    """Of the soap descriptor."""
    return {
        "cutoff": CUTOFFS.get(name, OTHERS),
        "cutoff_transition_width": 0.5,
        "atom_sigma": 0.5,
        "n_max": N_MAX,
        "l_max": L_MAX,
        "zeta": 4,
        "delta": 1.0,
        "covariance_type": "dot_product",
        "sparse_method": "cur_points",
        "n_sparse": N_SPARSE,
    }


def command(settings: Mapping[str, Any], folder: Path, train: Path) -> list[str]:
    """The fit as a command to be run in the folder, with the frames copied there."""
    shutil.copy(train, folder / "train.xyz")
    descriptor = "soap " + " ".join(f"{key}={value}" for key, value in settings.items())
    labels = {"energy": "energy", "force": "forces", "virial": "none"}
    return gap_fit_command(descriptor, labels, SIGMA, "e0_method=average")


def reason_against(
    settings: Mapping[str, Any], species: Sequence[str], frames: Sequence[ase.Atoms]
) -> str | None:
    """Why gap_fit cannot be run on these frames: it keeps the gradients of all their features."""
    channels = len(species) * N_MAX
    n_features = (L_MAX + 1) * channels * (channels + 1) // 2 + 1
    pairs = sum(len(neighbor_list("i", frame, settings["cutoff"])) + len(frame) for frame in frames)
    needed = 3 * 8 * pairs * n_features
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if needed <= SHARE_OF_MEMORY * memory:
        return None
    return (
        f"gap_fit would keep {needed / 2**30:.0f} GiB of feature gradients, "
        f"the machine has {memory / 2**30:.0f} GiB"
    )


class Quip:
    """A GAP through quippy; its neighbour list is made at each evaluation."""

    def __init__(self, folder: Path):
        from quippy.potential import Potential

        self._potential = Potential("IP GAP", param_filename=str(folder / "gap.xml"))
        self._potential.calculation_always_required = True

    def predict(self, atoms: ase.Atoms) -> tuple[float, np.ndarray]:
        """Energy in eV and forces (N, 3) in eV/Å."""
        self._potential.calculate(atoms, ["energy", "forces"])
        results = self._potential.results
        return float(results["energy"]), np.array(results["forces"])

    def call(self, atoms: ase.Atoms) -> Callable[[], None]:
        """One evaluation of energy, forces and virial."""
        return lambda: self._potential.calculate(atoms, ["energy", "forces", "stress"])
