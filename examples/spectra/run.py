# SPDX-License-Identifier: BSD-3-Clause
"""Infrared and Raman spectra of a water trimer with classical and with quantum nuclei.

  python examples/spectra/run.py                     # the figure in docs
  python examples/spectra/run.py --trajectories 8    # smaller errors
  python examples/spectra/run.py --fraction 0.2     # shorter, with lines five times as wide

Fits a potential with dipoles and polarizabilities to train.xyz, runs classical and thermostatted
ring-polymer MD in i-PI, and draws the spectra of both. Everything is in --folder; ended at any
point, the same command goes on. Writes spectra.svg there, beside columns and JSON of each spectrum.
"""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path

import ase.io
from figure import plot, read_spectra, table
from trajectories import FEMTOSECONDS, HERE, NAME, DemoError, Trajectory

SOAP_GPR = str(Path(sys.executable).parent / "soap-gpr")
MODEL = "water.sgpr"
EQUILIBRATION = {"classical": 1.0, "trpmd": 0.5}  # ps
MANY = 30  # words of a command that is shown in full
RESOLUTION = 40.0  # cm⁻¹, of trajectories at full length; shorter ones resolve less
LENGTH = {"classical": 20.0, "trpmd": 5.0}  # ps of a trajectory at full length


def main() -> None:
    asked = arguments()
    asked.folder.mkdir(parents=True, exist_ok=True)
    require_same(asked)
    cluster = ase.io.read(HERE / "trimer.xyz")
    try:
        fitted(asked.folder)
        found = ran(asked, cluster)
    except DemoError as error:
        sys.exit(f"run.py: {error}")
    for method, trajectories in found.items():
        spectra(asked.folder, method, trajectories, RESOLUTION / min(1.0, asked.fraction))
    spectra_of = read_spectra(asked.folder, list(found))
    harmonic = json.loads((HERE / "harmonic.json").read_text())
    plot(spectra_of, harmonic, asked.folder / "spectra.svg")
    print(table(spectra_of, harmonic))
    print(f"wrote {asked.folder / 'spectra.svg'}")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, default=Path("spectra_run"))
    parser.add_argument(
        "--fraction", type=float, default=1.0, help="of the length of each trajectory"
    )
    parser.add_argument("--trajectories", type=int, default=2, help="of each method")
    parser.add_argument("--beads", type=int, default=32, help="of the ring polymer")
    parser.add_argument("--temperature", type=float, default=200.0, help="K")
    parser.add_argument("--workers", type=int, default=2, help="trajectories at a time")
    return parser.parse_args()


def require_same(asked: argparse.Namespace) -> None:
    """End when the folder has trajectories of other options."""
    record = asked.folder / "options.json"
    own = {name: getattr(asked, name) for name in ("fraction", "beads", "temperature")}
    if not record.exists():
        record.write_text(json.dumps(own) + "\n")
    found = json.loads(record.read_text())
    if found != own:
        said = " ".join(f"--{name} {value}" for name, value in found.items())
        sys.exit(f"run.py: {asked.folder} was begun with {said}; take these or another --folder")


def fitted(folder: Path) -> None:
    """The model and its errors on test.xyz, unless they are there."""
    if not (folder / MODEL).exists():
        soap_gpr("fit", HERE / "fit.toml", "-o", folder / MODEL)
    soap_gpr("evaluate", folder / MODEL, HERE / "test.xyz", "--json", folder / "errors.json")


def ran(asked: argparse.Namespace, cluster: ase.Atoms) -> dict[str, list[Trajectory]]:
    """All trajectories, by method; each is said when it is done."""
    found = {
        method: [
            Trajectory(
                folder=asked.folder / f"{method}_{k}",
                beads=beads,
                seed=1000 + k,
                temperature=asked.temperature,
                equilibration=EQUILIBRATION[method] * asked.fraction,
                length=LENGTH[method] * asked.fraction,
            )
            for k in range(asked.trajectories)
        ]
        for method, beads in (("classical", 1), ("trpmd", asked.beads))
    }

    def run(trajectory: Trajectory) -> None:
        trajectory.run(asked.folder / MODEL, cluster)
        print(f"{trajectory.folder.name}: {trajectory.length:g} ps", flush=True)

    with ThreadPoolExecutor(asked.workers) as workers:
        list(workers.map(run, chain.from_iterable(zip(*found.values(), strict=True))))
    return found


def spectra(folder: Path, method: str, trajectories: list[Trajectory], resolution: float) -> None:
    """Both spectra of one method, from the extras of all its trajectories and beads."""
    first = trajectories[0]
    for kind, series in (("infrared", "dipole"), ("raman", "polarizability")):
        files = [f for own in trajectories for f in sorted(own.folder.glob(f"{NAME}.{series}_*"))]
        soap_gpr(
            *("spectrum", kind, *files),
            *("--beads", first.beads, "--unit", "a.u.", "--timestep", FEMTOSECONDS),
            *("--temperature", first.temperature, "--resolution", resolution),
            *("--json", folder / f"{method}_{kind}.json", "-o", folder / f"{method}_{kind}.txt"),
        )


def soap_gpr(*command: object) -> None:
    """Run soap-gpr; its output goes on the screen."""
    words = [str(word) for word in command]
    said = words if len(words) < MANY else [*words[:4], "..."]
    print("soap-gpr", shlex.join(said), flush=True)
    if subprocess.run([SOAP_GPR, *words]).returncode:
        sys.exit(f"run.py: soap-gpr {shlex.join(said)}: ended with an error, see above")


if __name__ == "__main__":
    main()
