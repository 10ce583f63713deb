# SPDX-License-Identifier: BSD-3-Clause
"""Time per atom of a model on this machine, by phase."""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import ase
import numpy as np
from ase.build import bulk

from potential import _core
from potential.model import Model
from potential.runtime.parallel import thread_count
from potential.species import LAST_ELEMENT
from potential.structures.beads import atoms_of
from potential.structures.read import read_frames, unlabelled
from potential.structures.structure import Structure, structure_from_atoms, symbol

PHASES = {
    "neighbor_list": "neighbour list",
    "gather": "neighbours within the cutoff",
    "expansion": "density expansion",
    "power_spectrum": "power spectrum",
    "kernel": "kernel",
    "clusters": "pair and triplet terms",
    "power_spectrum_adjoint": "power spectrum, adjoint",
    "expansion_adjoint": "density expansion, adjoint",
    "scatter": "sums of pair forces",
    "rest": "checks, memory",
}
LEAST_ROUNDS = 3
DEFAULT_VOLUME = 10.0  # Å³ per atom, near that of liquid water


def benchmark(
    model: Model, structure: Structure, threads: Sequence[int] = (1,), seconds: float = 5.0
) -> dict[str, Any]:
    """Medians over rounds of about `seconds` altogether, in which the cases take turns.

    Returns n_atoms, neighbors (per atom, within the cutoff), rounds, phases {name: µs/atom} of one
    thread with forces, and runs: per number of threads and with or without forces µs/atom of the
    model alone. Raises SoapGprError for a species that the model does not know.
    """
    cases = [(n, forces) for n in threads for forces in (True, False)]
    evaluators = {n: _core.Evaluator(model.core, thread_count(n)) for n in (1, *threads)}
    environments = model.environments(structure)
    for n, forces in cases:
        evaluators[n].evaluate(environments, forces)
    phases: dict[str, list[float]] = {name: [] for name in PHASES}
    elapsed: dict[tuple[int, bool], list[float]] = {case: [] for case in cases}
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(phases["rest"]) < LEAST_ROUNDS:
        start = time.perf_counter()
        environments = model.environments(structure)
        phases["neighbor_list"].append(time.perf_counter() - start)
        profile = evaluators[1].profile(environments)
        total = profile.pop("elapsed")
        for name, value in {**profile, "rest": total - sum(profile.values())}.items():
            phases[name].append(value)
        for n, forces in cases:
            start = time.perf_counter()
            evaluators[n].evaluate(environments, forces)
            elapsed[n, forces].append(time.perf_counter() - start)
    scale = 1e6 / len(structure)
    return {
        "n_atoms": len(structure),
        "neighbors": environments.n_pairs / len(structure),
        "rounds": len(phases["rest"]),
        "phases": {name: scale * statistics.median(t) for name, t in phases.items()},
        "runs": [
            {"threads": n, "forces": forces, "us_per_atom": scale * statistics.median(t)}
            for (n, forces), t in elapsed.items()
        ],
    }


def first_structure(spec: str, n_atoms: int, beads: Collection[str] = ()) -> Structure:
    """The first frame of a file, repeated until it has n_atoms atoms or more; beads: names of
    species. Raises SoapGprError when it cannot be read."""
    frame, source = read_frames([spec], beads)[0]
    atoms = unlabelled(frame)
    structure_from_atoms(atoms, source=source)  # checks it before it is repeated
    return structure_from_atoms(repeated(atoms, n_atoms), source=source)


def repeated(atoms: ase.Atoms, n_atoms: int) -> ase.Atoms:
    """Repeated along its shortest periodic cell vectors until it has n_atoms atoms or more; what is
    not periodic stays as it is."""
    while len(atoms) < n_atoms and atoms.pbc.any():
        lengths = np.where(atoms.pbc, atoms.cell.lengths(), np.inf)
        copies = np.ones(3, dtype=int)
        copies[np.argmin(lengths)] = 2
        atoms = atoms.repeat(copies)
    return atoms


def made_up_structure(species: Sequence[int], n_atoms: int) -> Structure:
    """Equal shares of the species on a shuffled, displaced grid of n_atoms sites or more, periodic.

    species: atomic numbers. The volume per atom is the mean of those of the elements' crystals,
    where they have one: near enough to the number of neighbours of a condensed phase.
    """
    rng = np.random.default_rng(0)
    side = int(np.ceil(n_atoms ** (1 / 3) - 1e-9))
    grid = np.stack(np.meshgrid(*[np.arange(side)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    length = side * np.mean([_atomic_volume(z) for z in species]) ** (1 / 3)
    positions = (grid + rng.uniform(-0.1, 0.1, grid.shape)) * length / side
    numbers = rng.permutation(np.resize(np.array(species), len(grid)))
    atoms = atoms_of(numbers, positions, cell=length * np.eye(3), pbc=True)
    return structure_from_atoms(atoms, source="made-up structure")


def processor() -> str:
    """The name of the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def format_report(result: dict[str, Any]) -> str:
    """The result of ``benchmark`` for people."""
    phases, runs = result["phases"], result["runs"]
    listing, total = phases["neighbor_list"], sum(phases.values())
    lines = [
        f"{processor()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}",
        f"{result['n_atoms']} atoms, {result['neighbors']:.0f} neighbours each; "
        f"medians of {result['rounds']} rounds",
        "",
        f"{'one thread, with forces':<30s}{'µs/atom':>9s}{'share':>8s}",
    ]
    lines += [
        f"{PHASES[name]:<30s}{value:9.2f}{100 * value / total:6.0f} %"
        for name, value in phases.items()
        if value > 0 or name != "clusters"
    ]
    lines += [
        "",
        f"{'':<30s}{'µs/atom':>9s}{'atoms·steps/s':>15s}{'and neighbour list':>20s}",
    ]
    for run in runs:
        threads = f"{run['threads']} thread{'s' if run['threads'] > 1 else ''}"
        name = f"{threads}, {'with forces' if run['forces'] else 'energy only'}"
        model = run["us_per_atom"]
        lines.append(f"{name:<30s}{model:9.2f}{1e6 / model:15.0f}{1e6 / (model + listing):20.0f}")
    quickest = min(run["us_per_atom"] for run in runs if run["forces"])
    lines += [
        "",
        "ASE and i-PI make a neighbour list at every step (last column), LAMMPS seldom.",
        f"1000 atoms at 1 fs: up to {86.4 / quickest:.3g} ns/day on this machine.",
    ]
    return "\n".join(lines)


def _atomic_volume(number: int) -> float:
    """Å³ per atom of the element's crystal."""
    if number > LAST_ELEMENT:
        return DEFAULT_VOLUME
    try:
        crystal = bulk(symbol(number))
    except (ValueError, RuntimeError, NotImplementedError):
        return DEFAULT_VOLUME
    return crystal.get_volume() / len(crystal)
