# SPDX-License-Identifier: BSD-3-Clause
"""Structures that are changed at random and relaxed with the model."""

from __future__ import annotations

import ase
import numpy as np
from ase.optimize import FIRE

from potential.active_learning.physical import STOPPED
from potential.active_learning.sample.sampler import Known, Sampled, Sampler, Starts, Task
from potential.active_learning.settings import RandomSettings
from potential.errors import SoapGprError
from potential.model import Model
from potential.model.calculator import SoapGprCalculator
from potential.schema import Place

CONVERGED = 0.02  # eV/Å


class RandomSampler(Sampler):
    """Rattled and strained structures, relaxed with the model."""

    kind = "random"

    def __init__(self, settings: RandomSettings, place: Place, known: Known):
        self._settings, self._starts = settings, Starts(settings.structures, known, place)
        flat = next((a for a in self._starts.frames if not a[0].pbc.all()), None)
        if settings.strain and flat:
            raise place.at("strain").says(
                f"found {settings.strain:g} and {flat[1]}, which is not periodic in all "
                "directions, expected 0 for it: a sampler of its own"
            )
        self.n_runs = settings.runs

    def run(self, task: Task) -> Sampled:
        rng = np.random.default_rng(task.seed)
        atoms = changed(self._starts.draw(rng), self._settings.rattle, self._settings.strain, rng)
        if not self._settings.steps:
            return Sampled([atoms])
        return relaxed(atoms, Model.load(task.model), self._settings.steps, self._settings.every)


def changed(atoms: ase.Atoms, rattle: float, strain: float, rng: np.random.Generator) -> ase.Atoms:
    """A copy that is strained, if it is periodic in all directions, and then rattled."""
    atoms = atoms.copy()
    if atoms.pbc.all():
        by = strain * rng.standard_normal((3, 3))
        atoms.set_cell(atoms.cell.array @ (np.eye(3) + 0.5 * (by + by.T)), scale_atoms=True)
    atoms.positions += rattle * rng.standard_normal((len(atoms), 3))
    return atoms


def relaxed(atoms: ase.Atoms, model: Model, steps: int, every: int) -> Sampled:
    """The structure and frames of its relaxation; where the model refuses a geometry it ends."""
    frames = [atoms.copy()]
    atoms.calc = SoapGprCalculator(model, n_threads=1)
    optimizer = FIRE(atoms, logfile=None)
    try:
        for _ in optimizer.irun(fmax=CONVERGED, steps=steps):
            if optimizer.nsteps and optimizer.nsteps % every == 0:
                frames.append(atoms.copy())
    except SoapGprError as error:  # coincident atoms, or such as are not finite
        return Sampled(frames, events=[STOPPED], said=str(error))
    if optimizer.nsteps % every:
        frames.append(atoms.copy())
    return Sampled(frames)
