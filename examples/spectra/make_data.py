# SPDX-License-Identifier: BSD-3-Clause
"""Make train.xyz and test.xyz: small water clusters labelled with B3LYP/aug-cc-pVDZ (PySCF).

    pip install pyscf tblite
    python make_data.py            # everything, about an hour on one core
    python make_data.py built      # round 0: molecules and pairs, trajectories of GFN2-xTB
    python make_data.py own 1      # round 1 or 2: frames and beads of the potential fitted before
    python make_data.py minimum    # of the trimer: trimer.xyz and its modes in harmonic.json
    python make_data.py split      # write train.xyz and test.xyz

Rounds 0 and 1 give the training data, round 2, of other seeds, the test set. Every stage labels
what it made and skips what is there, so that an interrupted run goes on with the same command.
Intermediate files go to --work (default ./spectra_work). Seeds are fixed; only the order of
floating-point sums makes two runs differ.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.io import read, write
from ase.optimize import BFGS

from potential import SoapGprCalculator

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "water"))

import clusters  # noqa: E402
import electronic  # noqa: E402
import harmonic  # noqa: E402
import sampling  # noqa: E402
from make_reference import report, store, tag, usable  # noqa: E402
from runs import run  # noqa: E402

ROUNDS = (1, 2)
NAMES = {1: "monomer", 2: "dimer", 3: "trimer"}


@dataclass(frozen=True)
class Trajectory:
    """One trajectory; all its frames go to the same side of the split."""

    round: int  # 0: GFN2-xTB
    molecules: int
    temperature: float  # K
    frames: int
    beads: int = 1

    @property
    def name(self) -> str:
        kind = "xtb" if self.round == 0 else f"{self.beads}beads"
        return f"r{self.round}_{NAMES[self.molecules]}_{kind}_{self.temperature:.0f}K"

    @property
    def seed(self) -> int:
        """A fixed number made from the name (Python's hash differs between runs)."""
        return int.from_bytes(self.name.encode(), "little") % 899_981 + 1000


PLAN = (
    *(Trajectory(0, 2, t, 18) for t in (150, 300)),
    *(Trajectory(0, 3, t, 12) for t in (100, 200, 300, 400)),
    *(Trajectory(1, 3, t, 12, beads=16) for t in (200, 300)),
    *(Trajectory(1, 3, t, 4) for t in (200, 400)),
    Trajectory(1, 2, 200, 8, beads=16),
    Trajectory(2, 3, 200, 5, beads=32),
    Trajectory(2, 3, 200, 6),
)
EVERY = {True: 100, False: 400}  # steps between two frames, of beads and of classical nuclei


def built(work: Path) -> None:
    """Round 0: nothing here needs the potential."""
    for name, frames in clusters.built().items():
        store(work, f"r0_{name}", tag(frames, name, round=0, source="built"))
    for item in (item for item in PLAN if item.round == 0):
        if (work / "candidates" / f"{item.name}.xyz").exists():
            continue
        report(f"sampling {item.name}")
        rng = np.random.default_rng(item.seed)
        start = clusters.ring(item.molecules, rng)
        frames = list(clusters.trajectory(start, item.temperature, item.frames, rng))
        store_of(work, item, frames, "xtb")
    label(work)


def own(work: Path, round_: int) -> None:
    """Frames of the potential that was fitted to the rounds before."""
    model = fit(work, round_)
    for item in (item for item in PLAN if item.round == round_):
        if (work / "candidates" / f"{item.name}.xyz").exists():
            continue
        report(f"sampling {item.name}")
        start = clusters.ring(item.molecules, np.random.default_rng(item.seed))
        start.set_cell([clusters.BOX] * 3)
        every = EVERY[item.beads > 1]
        folder = work / "runs" / item.name
        folder.mkdir(parents=True, exist_ok=True)
        found = sampling.ipi_pimd(
            folder,
            start,
            model,
            beads=item.beads,
            temperature=item.temperature,
            seed=item.seed,
            steps=every * item.frames * 5 // 4,
            every=every,
        )
        # the first fifth is equilibration
        frames = [Atoms(f.symbols, f.positions) for f in found[-item.frames :]]
        store_of(work, item, frames, "beads" if item.beads > 1 else "classical")
    label(work)


def store_of(work: Path, item: Trajectory, frames: list[Atoms], source: str) -> None:
    info = {"round": item.round, "source": source, "temperature": item.temperature}
    store(work, item.name, tag(frames, NAMES[item.molecules], **info))


def label(work: Path) -> None:
    """Label every candidate frame that has no label yet."""
    (work / "labelled").mkdir(parents=True, exist_ok=True)
    for path in sorted((work / "candidates").glob("*.xyz")):
        labelled = work / "labelled" / path.name
        sampling.label_file(path, labelled, labeller=electronic.label, progress=report)


def labelled_frames(work: Path, rounds: range) -> list[Atoms]:
    """Frames of some rounds that teach what MD needs."""
    files = [path for k in rounds for path in sorted((work / "labelled").glob(f"r{k}_*.xyz"))]
    return usable(files)


def fit(work: Path, round_: int) -> Path:
    """Fit fit.toml's potential, without targets, to all frames of earlier rounds."""
    folder = work / f"fit{round_}"
    model = folder / "water.sgpr"
    if not model.exists():
        folder.mkdir(parents=True, exist_ok=True)
        write(folder / "train.xyz", labelled_frames(work, range(round_)), format="extxyz")
        text = (HERE / "fit.toml").read_text().replace('test = ["test.xyz"]', "")
        (folder / "fit.toml").write_text(text.split("[[targets]]")[0])
        report(f"fitting the potential of round {round_}")
        run({folder / "fit.log": ["soap-gpr", "fit", "fit.toml", "-o", model.name]})
    return model


def minimum(work: Path) -> None:
    """Write trimer.xyz, the ring's minimum, and its harmonic modes next to this script.

    The potential of the training data finds it first, and has the Hessian of the last steps.
    """
    path = HERE / "trimer.xyz"
    if not (work / "candidates" / "h_trimer.xyz").exists():
        atoms = relaxed(fit(work, max(ROUNDS)))
        write(path, atoms, format="extxyz", columns=["symbols", "positions"])
        report("minimum of the trimer found")
        frames = harmonic.displaced(read(path))
        store(work, "h_trimer", tag(frames, "trimer", source="displaced"))
    label(work)
    results = [
        (frame.get_forces(), frame.get_dipole_moment(), frame.info["polarizability"])
        for frame in read(work / "labelled" / "h_trimer.xyz", ":")
    ]
    modes = harmonic.modes(read(path), results)
    (HERE / "harmonic.json").write_text(json.dumps(modes, indent=1) + "\n")


def relaxed(model: Path) -> Atoms:
    """The minimum of the labels, from that of the model."""
    atoms = clusters.ring(3, np.random.default_rng(3))
    atoms.calc = SoapGprCalculator(str(model))
    BFGS(atoms, logfile=None).run(fmax=1e-3)
    none = np.zeros(3), np.zeros((3, 3))
    results = []
    for moved in harmonic.displaced(atoms):
        moved.calc = atoms.calc
        results.append((moved.get_forces(), *none))
    hessian, *_ = harmonic.derivatives(results)
    atoms.calc = None
    found = harmonic.minimum(
        atoms, lambda own: electronic.forces_of(electronic.ground_state(own)), hessian
    )
    found.positions = np.round(found.positions, electronic.DECIMALS)
    found.set_cell([clusters.BOX] * 3)
    return found


def split(work: Path) -> None:
    """Write train.xyz and test.xyz next to this script."""
    for name, rounds in (("train.xyz", range(max(ROUNDS))), ("test.xyz", range(2, 3))):
        frames = labelled_frames(work, rounds)
        for frame in frames:  # nine numbers, xx xy xz yx ..., as most codes write it
            alpha = np.round(frame.info.pop("polarizability"), 6)
            frame.info["polarizability"] = np.ravel(alpha)
        write(HERE / name, frames, format="extxyz")
        report(f"{name}: {len(frames)} frames, {(HERE / name).stat().st_size / 1e6:.2f} MB")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "stage", nargs="?", default="all", choices=["all", "built", "own", "minimum", "split"]
    )
    parser.add_argument("round", nargs="?", type=int, choices=ROUNDS, help="for `own`")
    parser.add_argument("--work", type=Path, default=HERE / "spectra_work")
    options = parser.parse_args(arguments)
    work = options.work.resolve()
    if options.stage == "own" and options.round is None:
        parser.error("own needs the round: 1 or 2")
    if options.stage in ("all", "built"):
        built(work)
    for round_ in ROUNDS if options.stage == "all" else [options.round]:
        if options.stage in ("all", "own"):
            own(work, round_)
    if options.stage in ("all", "minimum"):
        minimum(work)
    if options.stage in ("all", "split"):
        split(work)
    return 0


if __name__ == "__main__":
    sys.exit(main())
