# SPDX-License-Identifier: BSD-3-Clause
"""All runs of all samplers in one generation; each is done when its folder says so."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

import ase
import numpy as np

from potential.active_learning.frames import SOURCE, source_of
from potential.active_learning.physical import EVENTS, fault
from potential.active_learning.sample.ipi import remove_socket
from potential.active_learning.sample.sampler import Sampled, Sampler, Task
from potential.active_learning.state import Generation, write_json
from potential.runtime.progress import Progress, silent
from potential.scores.predictions import write_frames
from potential.structures.read import read_frames

MOST_SEED = 900_000_000  # of LAMMPS
_RECORD, _FRAMES = "run.json", "frames.xyz"


def sample(
    samplers: Sequence[Sampler],
    generation: Generation,
    model: Path,
    *,
    seed: int,
    distance: float,
    taken: Collection[str],
    say: Callable[[str], None],
    progress: Progress = silent,
) -> dict[str, Any]:
    """Run what has not run yet; returns the numbers of structures and events.

    distance: Å, of ``physical.fault``; taken: names of structures of files that were selected.
    """
    counts: Counter[str] = Counter()
    n_frames = 0
    runs = [(s, own, run) for s, own in enumerate(samplers) for run in range(own.n_runs)]
    for s, sampler, run in progress(runs, "runs"):
        folder = generation.samples / f"{s + 1}_{sampler.kind}" / f"run_{run:03d}"
        if not (folder / _RECORD).exists():
            _clear(folder)
            own = _seed(seed, generation.number, s, run)
            found = sampler.run(Task(run, folder, model, own, taken))
            name = f"generation {generation.number}, {sampler.kind} {s + 1}, run {run}"
            _keep(found, folder, name, distance)
            if found.said:
                say(f"{name}: {found.said}")
        record = json.loads((folder / _RECORD).read_text("utf-8"))
        counts.update(record["events"])
        n_frames += record["structures"]
    events = {name: counts[name] for name in EVENTS if counts[name]}
    return {"structures": n_frames, "events": events}


def sampled_frames(generation: Generation, beads: Collection[str]) -> list[tuple[ase.Atoms, str]]:
    """All structures that were sampled and are physical, with their sources."""
    found = []
    for path in sorted(generation.samples.glob(f"*/run_*/{_FRAMES}")):
        if path.stat().st_size:
            found += [(atoms, source_of(atoms)) for atoms, _ in read_frames([str(path)], beads)]
    return found


def _keep(found: Sampled, folder: Path, name: str, distance: float) -> None:
    """Write the structures that are physical, then the record, with which the run is done."""
    sources = found.sources or [f"{name}, structure {k}" for k in range(len(found.frames))]
    events, kept = Counter(found.events), []
    for atoms, source in zip(found.frames, sources, strict=True):
        wrong = fault(atoms, distance)
        if wrong:
            events[wrong] += 1
        else:
            atoms.info[SOURCE] = source
            kept.append(atoms)
    write_frames(folder / _FRAMES, kept)
    record = {"structures": len(kept), "events": dict(events), "said": found.said}
    write_json(folder / _RECORD, record)


def _clear(folder: Path) -> None:
    """An empty folder, where a run may have been ended."""
    remove_socket(folder)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)


def _seed(*numbers: int) -> int:
    return int(np.random.SeedSequence(numbers).generate_state(1)[0]) % MOST_SEED + 1
