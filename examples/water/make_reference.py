# SPDX-License-Identifier: BSD-3-Clause
"""Make train.xyz and test.xyz: water labelled with GFN2-xTB, sampled with its own potential.

    python make_reference.py all            # everything, several hours on one core
    python make_reference.py bootstrap      # round 0: classical water, clusters, close contacts
    python make_reference.py label          # label every candidate that has no label yet
    python make_reference.py sample 1       # fit to rounds < 1, run LAMMPS and i-PI, take frames
    python make_reference.py split          # write train.xyz and test.xyz

`all` is bootstrap, label, then sample and label for rounds 1, 2, 3, then split. Rounds 1 and 2
give training data; round 3 gives the test set: trajectories of the final model. Every stage
skips what is already there, so an interrupted run is continued by giving the command again.
Intermediate files go to --work (default ./reference_work). Seeds are fixed; only the order of
floating-point sums (compiler, CPU) makes two runs differ.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import geometries
import numpy as np
import sampling
from ase import Atoms
from ase.io import read, write
from runs import run

HERE = Path(__file__).resolve().parent
N_MOLECULES = 32
ROUNDS = (1, 2, 3)
FORCE_LIMIT = 40.0  # eV/Å; frames with a larger force teach nothing that MD needs


@dataclass(frozen=True)
class Trajectory:
    """One sampled trajectory; all its frames go to the same side of the split."""

    round: int
    source: str  # "classical" (LAMMPS) or "pimd" (i-PI beads)
    temperature: float  # K
    density: float  # g/cm³
    frames: int
    split: str = "train"

    @property
    def name(self) -> str:
        suffix = "" if self.split == "train" else "_test"
        return f"r{self.round}_{self.source}_{self.temperature:.0f}K_{self.density:.2f}{suffix}"

    @property
    def seed(self) -> int:
        """A fixed number made from the name (Python's hash differs between runs)."""
        return int.from_bytes(self.name.encode(), "little") % 899_981 + 1000


def _plan() -> list[Trajectory]:
    plan = []
    states = [(300, 0.85), (300, 1.0), (300, 1.15), (450, 0.9), (450, 1.0), (450, 1.15)]
    states += [(600, 1.0), (600, 1.2)]
    for round_ in (1, 2):
        plan += [Trajectory(round_, "classical", t, d, 6) for t, d in states]
        plan += [Trajectory(round_, "pimd", 300, d, 12) for d in (1.0, 1.15)]
    tests = [(300, 1.0), (300, 1.1), (450, 0.95), (600, 1.0)]
    plan += [Trajectory(3, "classical", t, d, 8, "test") for t, d in tests]
    plan += [Trajectory(3, "pimd", 300, d, 10, "test") for d in (1.0, 1.1)]
    return plan


PLAN = _plan()
PIMD_BEADS = 16
STEPS_PER_FRAME = {"classical": 600, "pimd": 80}  # of 0.5 fs


def tag(frames: list[Atoms], config_type: str, **info) -> list[Atoms]:
    """Give every frame its config_type and the other per-frame entries."""
    for frame in frames:
        frame.info = {"config_type": config_type, **info}
    return frames


def bootstrap(work: Path) -> None:
    """Round 0 candidates: nothing here needs the potential."""
    rng = np.random.default_rng(2024)
    cluster = {"round": 0, "source": "built"}
    atoms = [Atoms(symbol, positions=[[0, 0, 0]]) for symbol in ("H", "O")]
    store(work, "r0_isolated_atom", tag(atoms, "isolated_atom", **cluster))
    store(work, "r0_monomer", tag(geometries.monomers(60, rng), "monomer", **cluster))
    store(work, "r0_dimer", tag(geometries.dimers(80, rng), "dimer", **cluster))
    squeezed = []
    for temperature in (300, 450, 600):
        for density in (0.85, 1.0, 1.1, 1.25):
            name = f"r0_classical_{temperature}K_{density:.2f}"
            start = geometries.lattice(N_MOLECULES, density, rng)
            info = {"round": 0, "source": "spcfw", "temperature": temperature, "density": density}
            seed = int(rng.integers(1000, 900_000))
            frames = cached(
                work, name, sampling.classical_water, start,
                temperature=temperature, seed=seed, steps=18_000, every=2000,
            )[1:9]  # fmt: skip
            noisy = [geometries.bead_noise(f, rng) for f in frames[4:]]
            # neighbours in time teach much the same: every other frame will do
            store(work, name, tag(frames[:4:2] + noisy[::2], "classical_ff", **info))
            pushed = [geometries.squeezed(f, rng) for f in frames[:2]]
            squeezed += tag(pushed, "close_contact", **info)
    store(work, "r0_close_contact", squeezed)


def cached(work: Path, name: str, sampler, *args, **kwargs) -> list[Atoms]:
    """Run a sampler in its own folder unless its frames are there already; whole molecules."""
    folder = work / "runs" / name
    done = folder / "sampled.xyz"
    if not done.exists():
        folder.mkdir(parents=True, exist_ok=True)
        report(f"sampling {name}")
        frames = [sampling.whole(f) for f in sampler(folder, *args, **kwargs)]
        write(done, frames, format="extxyz")
    return [Atoms(f.symbols, f.positions, cell=f.cell, pbc=f.pbc) for f in read(done, ":")]


def store(work: Path, name: str, frames: list[Atoms]) -> None:
    """Write candidates once; labelling counts on them never changing."""
    path = work / "candidates" / f"{name}.xyz"
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        for frame in frames:
            frame.info["trajectory"] = name
        partial = path.with_suffix(".partial")  # a labelling process may be looking
        write(partial, frames, format="extxyz", columns=["symbols", "positions"])
        partial.rename(path)


def label(work: Path) -> None:
    """Label every candidate frame that has no label yet."""
    (work / "labelled").mkdir(parents=True, exist_ok=True)
    for path in sorted((work / "candidates").glob("*.xyz")):
        sampling.label_file(path, work / "labelled" / path.name, progress=report)


def training_files(work: Path, before_round: int) -> list[Path]:
    """Labelled training trajectories of the rounds before `before_round`."""
    files = sorted((work / "labelled").glob("r*.xyz"))
    return [f for f in files if int(f.name[1]) < before_round and not f.stem.endswith("_test")]


def usable(files: list[Path]) -> list[Atoms]:
    """Frames of these files whose largest force is below FORCE_LIMIT."""
    frames = [frame for file in files for frame in read(file, ":")]
    return [f for f in frames if np.linalg.norm(f.get_forces(), axis=1).max() < FORCE_LIMIT]


def fit(work: Path, round_: int) -> Path:
    """Fit fit.toml's model to all training frames of earlier rounds; returns the model file."""
    folder = work / f"fit{round_}"
    model = folder / "water.sgpr"
    if not model.exists():
        folder.mkdir(exist_ok=True)
        frames = usable(training_files(work, round_))
        write(folder / "train.xyz", frames, format="extxyz")
        text = (HERE / "fit.toml").read_text().replace('test = ["test.xyz"]', "")
        (folder / "fit.toml").write_text(text)
        report(f"fitting the model for round {round_}")
        run({folder / "fit.log": ["soap-gpr", "fit", "fit.toml", "-o", model.name]})
    return model


def sample(work: Path, round_: int) -> None:
    """Run this round's trajectories with the model fitted to the rounds before."""
    model = fit(work, round_)
    for item in (item for item in PLAN if item.round == round_):
        rng = np.random.default_rng(item.seed)
        start = start_frame(work, item, rng)
        every = STEPS_PER_FRAME[item.source]
        # the first fifth of the frames is equilibration and is dropped below
        count = -(-item.frames * 5 // 4)
        run = {"temperature": item.temperature, "seed": item.seed, "every": every}
        run["steps"] = every * count
        if item.source == "pimd":
            frames = cached(
                work, item.name, sampling.ipi_pimd, start, model, beads=PIMD_BEADS, **run
            )
        else:
            frames = cached(work, item.name, sampling.lammps_nvt, start, model, **run)
        info = {"round": round_, "source": item.source}
        info |= {"temperature": item.temperature, "density": item.density}
        every = 2 if item.split == "train" else 1
        store(work, item.name, tag(frames[-item.frames :: every], "liquid", **info))


def start_frame(work: Path, item: Trajectory, rng: np.random.Generator) -> Atoms:
    """A classical-water frame scaled to the trajectory's density, molecules kept rigid."""
    temperature = min((300, 450, 600), key=lambda t: abs(t - item.temperature))
    density = min((0.85, 1.0, 1.1, 1.25), key=lambda d: abs(d - item.density))
    name = f"r0_classical_{temperature}K_{density:.2f}"
    frames = read(work / "runs" / name / "sampled.xyz", ":")
    frame = frames[rng.integers(1, len(frames))]
    scale = geometries.box_length(N_MOLECULES, item.density) / frame.cell.lengths()[0]
    shift = np.repeat(frame.positions[::3] * (scale - 1), 3, axis=0)
    return Atoms(frame.symbols, frame.positions + shift, cell=frame.cell * scale, pbc=True)


def split(work: Path) -> None:
    """Write train.xyz, test.xyz and the starts of the demo's runs next to this script."""
    files = sorted((work / "labelled").glob("r*.xyz"))
    test = [f for f in files if f.stem.endswith("_test")]
    train = [f for f in files if f not in test]
    for name, chosen in (("train.xyz", train), ("test.xyz", test)):
        frames = usable(chosen)
        write(HERE / name, frames, format="extxyz")
        report(f"{name}: {len(frames)} frames, {(HERE / name).stat().st_size / 1e6:.2f} MB")
    start = newest_frame(work, temperature=300, density=1.0)
    sampling.write_data(HERE / "start.data", start)
    write(HERE / "start.xyz", start, format="extxyz")


def newest_frame(work: Path, *, temperature: float, density: float) -> Atoms:
    """The last classical training frame of a state, from the last round that has one."""
    pattern = f"r*_classical_{temperature:.0f}K_{density:.2f}.xyz"
    frame = read(sorted((work / "candidates").glob(pattern))[-1], -1)
    return sampling.whole(frame)


def report(text: str) -> None:
    print(text, flush=True)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("stage", choices=["all", "bootstrap", "label", "sample", "split"])
    parser.add_argument("round", nargs="?", type=int, choices=ROUNDS, help="for `sample`")
    parser.add_argument("--work", type=Path, default=HERE / "reference_work")
    options = parser.parse_args(arguments)
    work = options.work.resolve()
    if options.stage == "sample" and options.round is None:
        parser.error("sample needs the round: 1, 2 or 3")
    if options.stage in ("all", "bootstrap"):
        bootstrap(work)
    if options.stage in ("all", "label"):
        label(work)
    for round_ in ROUNDS if options.stage == "all" else [options.round]:
        if options.stage in ("all", "sample"):
            sample(work, round_)
        if options.stage == "all":
            label(work)
    if options.stage in ("all", "split"):
        split(work)
    return 0


if __name__ == "__main__":
    sys.exit(main())
