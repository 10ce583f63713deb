# SPDX-License-Identifier: BSD-3-Clause
"""Our models: variants of fit.toml, fitted in a process of their own, and how they are timed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import ase
from frames import Frames
from lammps_style import LammpsStyle
from sets import settings_of
from zuo import run_settings

from potential import _core
from potential.model import Model


def train(frames: Frames, variant: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Test errors, seconds and memory of a fit; the model is kept in the folder."""
    found = run_settings(frames.name, settings_of(frames.name, dict(variant), frames.files), folder)
    return {
        "test": {key: found["test"][key] for key in ("energy_mae", "force_mae")},
        "cpu_seconds": found["seconds"]["cpu"],
        "peak_mib": found["peak_mib"],
        "warnings": found["warnings"],
    }


def calls(frames: Frames, folder: Path, cell: ase.Atoms) -> dict[str, Callable[[], Any]]:
    """One evaluation of energy, forces and virial: in LAMMPS, as that of its other pair styles, and
    by itself, as ``soap-gpr benchmark`` and the search of settings count it."""
    file = folder / f"{frames.name}.sgpr"
    model = Model.load(file)
    environments, evaluator = model.environments(cell), _core.Evaluator(model.core, 1)
    lines = ["pair_style soap/gpr", f"pair_coeff * * {file} {' '.join(frames.species)}"]
    style = LammpsStyle(lines, frames.species)
    return {
        "us_per_atom": style.call(cell),
        "us_per_atom_alone": lambda: evaluator.evaluate(environments, True),
    }
