# SPDX-License-Identifier: BSD-3-Clause
"""Runs of LAMMPS."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import ase
import ase.io
import numpy as np

from potential.active_learning.physical import HALTED, STOPPED
from potential.active_learning.sample.dynamics import Input, require_program, temperature_of
from potential.active_learning.sample.programs import reason, run_together
from potential.active_learning.sample.sampler import Known, Sampled, Sampler, Starts, Task
from potential.active_learning.settings import LammpsSettings
from potential.errors import SoapGprError
from potential.schema import Place
from potential.structures.structure import symbol

MODEL, DATA, SEED, OUTPUT = "model", "data", "seed", "output"
_DUMP, _LOG = "frames.dump", "lammps.log"
_ITEM, _ATOMS = "ITEM: TIMESTEP", "ITEM: NUMBER OF ATOMS"


class LammpsSampler(Sampler):
    """A script of LAMMPS, which gets its files, seed and temperature as variables."""

    kind = "lammps"

    def __init__(self, settings: LammpsSettings, place: Place, known: Known):
        self._settings = settings
        self._input = Input(settings, place, (MODEL, DATA, OUTPUT))
        other = sorted({*settings.species} - set(map(symbol, known.species)))
        if other:
            raise place.at("species").says(
                f"found {', '.join(other)}, expected species of the model: "
                + ", ".join(map(symbol, sorted(known.species)))
            )
        self._place = place
        self._starts = Starts(settings.structures, known.only(settings.species), place)
        self._lmp = require_program("lmp", "lammps", place)
        self._mpiexec = require_program("mpiexec", "lammps", place) if settings.ranks > 1 else None
        self.n_runs = settings.runs

    def run(self, task: Task) -> Sampled:
        rng = np.random.default_rng(task.seed)
        start = self._starts.draw(rng)
        write_data(task.folder / "start.data", start, self._settings.species)
        values = {
            MODEL: str(task.model.resolve()),
            DATA: "start.data",
            SEED: str(task.seed),
            OUTPUT: _DUMP,
        } | temperature_of(self._settings, task.run)
        command = [self._lmp, "-in", str(self._input.path.resolve()), "-log", "none", "-nocite"]
        for name, value in values.items():
            command += ["-var", name, value]
        if self._mpiexec:
            command = [self._mpiexec, "-n", str(self._settings.ranks), *command]
        log = task.folder / _LOG
        code = run_together({log: command})[log]
        place, dump = self._place.at("input"), task.folder / _DUMP
        with place.naming():
            frames = read_dump(dump, self._settings.species)
        why = reason(log) if code else ""
        if not frames and (code or not dump.exists()):  # one may skip all frames
            why = why or "its script has to write the dump ${output}"
            raise place.says(f"{self._input.path}: LAMMPS wrote no structure: {why} ({log})")
        for atoms in frames:
            atoms.info |= start.info
        if code:
            return Sampled(frames, events=[STOPPED], said=f"{log}: {why}")
        halted = "Fix halt condition" in log.read_text(errors="replace")
        return Sampled(frames, events=[HALTED] if halted else [])


def write_data(path: Path, atoms: ase.Atoms, species: Sequence[str]) -> None:
    """LAMMPS data file of atom_style atomic with a type for each of the species, in this order."""
    ase.io.write(path, atoms, format="lammps-data", specorder=list(species), masses=True)


def read_dump(path: Path, species: Sequence[str]) -> list[ase.Atoms]:
    """The whole frames of a dump that may end amid one; bare.

    Raises SoapGprError for a file of another format and for frames that lack types or positions.
    """
    if not path.exists():
        return []
    frames = list[ase.Atoms]()
    before, *parts = path.read_text(errors="replace").split(_ITEM)
    if before.strip() and not parts:
        raise SoapGprError(f"{path}: found no text of LAMMPS' dump custom or atom, expected it")
    for part in filter(_is_whole, parts):
        text = io.StringIO(_ITEM + part)
        try:
            frames += ase.io.read(text, ":", format="lammps-dump-text", specorder=list(species))
        except Exception as error:  # of ASE's reader: columns that it needs and misses
            raise SoapGprError(f"{path}: ASE cannot read it: {error}") from None
    return [
        ase.Atoms([symbol(z) for z in own.numbers], own.positions, cell=own.cell, pbc=own.pbc)
        for own in frames
    ]


def _is_whole(part: str) -> bool:
    """Whether a frame has the lines of all of its atoms."""
    lines = part.splitlines()
    if _ATOMS not in lines or not part.endswith("\n"):
        return False
    n = lines.index(_ATOMS) + 1
    begin = next((k for k, line in enumerate(lines) if line.startswith("ITEM: ATOMS")), len(lines))
    return n < len(lines) and len(lines) - begin - 1 == int(lines[n])
