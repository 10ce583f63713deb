# SPDX-License-Identifier: BSD-3-Clause
"""The demo: fit a model of water, test it, run it in LAMMPS and in i-PI, write one report.

    python examples/water/run_demo.py            (what `make demo` does after installing)

Everything it writes goes to the folder demo/: the model, logs, trajectories and report.html. No
run has a time limit. A step that fails leaves out the steps that need it, and no others.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import signal
import sys
import time
from dataclasses import dataclass, field
from os.path import relpath
from pathlib import Path

from ase.io import write
from demo_report import Results, write_report
from liquid import KELVIN, broken, drift, measure
from runs import (
    HERE,
    DemoError,
    Progress,
    Show,
    read_dump,
    read_lammps,
    read_pimd,
    run,
    run_lammps,
    run_pimd,
)

from potential.errors import SoapGprError

# Steps, and how many lie between two frames.
NVT, NVT_EVERY = 6_000, 20  # 3 ps
NVE, NVE_EVERY = 6_000, 20  # 1.5 ps
PIMD, PIMD_EVERY = 1_000, 10  # 0.5 ps
TOLERANCE = 1e-3  # eV/Å: what compression may change of a force
LARGEST_DRIFT = 0.1  # meV/atom/ps at constant energy, of runs long enough to tell
LONG_ENOUGH = 1.0  # ps
EQUILIBRATION = 0.25  # of each trajectory is left out

MODEL, SMALL, START = "water.sgpr", "water_small.sgpr", "pimd_start.xyz"


@dataclass
class Demo:
    """The steps, with their times, the commands that repeat them, and what failed."""

    folder: Path
    fraction: float
    beads: int
    seconds: dict[str, float] = field(default_factory=dict)
    commands: dict[str, list[str]] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    def fit(self, show: Show) -> str:
        self._soap_gpr("fit", ["fit", self._input("fit.toml"), "-o", MODEL], show)
        return f"{self.folder / MODEL}, {(self.folder / MODEL).stat().st_size / 1e6:.1f} MB"

    def test(self, show: Show) -> str:
        errors = "test_errors.json"
        command = ["evaluate", MODEL, self._input("test.xyz"), "--json", errors]
        self._soap_gpr("test", command, show)
        of_all = json.loads((self.folder / errors).read_text())["errors"]["all"]
        energy, force = (1e3 * of_all[label]["rmse"] for label in ("energy", "force"))
        return f"RMSE on test data: energy {energy:.2f} meV/atom, force {force:.1f} meV/Å"

    def compress(self, show: Show) -> str:
        structures = f"{self._input('train.xyz')}@::10"
        command = ["compress", MODEL, structures, "-o", SMALL, "--tolerance", f"{TOLERANCE:g}"]
        self._soap_gpr("compress", command, show)
        if not (self.folder / SMALL).exists():
            return "nothing to gain"
        sizes = [(self.folder / name).stat().st_size / 1e6 for name in (SMALL, MODEL)]
        return f"{sizes[0]:.1f} of {sizes[1]:.1f} MB, forces within {1e3 * TOLERANCE:g} meV/Å"

    def nvt(self, show: Show) -> str:
        variables = {"data": self._input("start.data"), "dump": "nvt.dump", "restart": "nvt.data"}
        self._lammps("nvt", NVT, NVT_EVERY, show, **variables)
        result = read_lammps(self.folder / "nvt.log")
        _require_water([[atoms] for atoms in read_dump(self.folder / "nvt.dump")])
        return f"{result.time[-1]:.1f} ps, {result.microseconds:.0f} µs per atom and step"

    def nve(self, show: Show) -> str:
        self._lammps("nve", NVE, NVE_EVERY, show, data="nvt.data")
        result = read_lammps(self.folder / "nve.log")
        line = drift(result.time, result.columns["TotEng"], result.atoms)
        if result.time[-1] > LONG_ENOUGH and abs(line.slope) > LARGEST_DRIFT:
            raise DemoError(
                f"the total energy drifts by {line.slope:+.3f} meV/atom/ps; expected less than "
                f"{LARGEST_DRIFT}"
            )
        return f"{result.time[-1]:.1f} ps, energy drift {line.slope:+.4f} meV/atom/ps"

    def pimd(self, show: Show) -> str:
        write(self.folder / START, read_dump(self.folder / "nvt.dump")[-1], format="extxyz")
        commands, wall = run_pimd(
            self.folder,
            self._fastest(),
            START,
            show,
            **self._lengths(PIMD, PIMD_EVERY),
            beads=self.beads,
        )
        self.commands["pimd"] = [f"{shlex.join(command)} &" for command in commands]
        self.seconds["pimd dynamics"] = wall
        result, frames = read_pimd(self.folder, wall)
        _require_water(frames)
        return f"{result.time[-1]:.2f} ps, {result.microseconds:.0f} µs per atom, bead and step"

    def report(self, _: Show) -> str:
        results = Results(
            model=self.folder / MODEL,
            test_data=Path(relpath(HERE / "test.xyz")),
            fraction=self.fraction,
            seconds=self.seconds,
            commands=self.commands,
            failed=self.failed,
        )
        if "nvt" in self.commands:
            results.nvt = read_lammps(self.folder / "nvt.log")
            frames = [[atoms] for atoms in read_dump(self.folder / "nvt.dump")]
            kelvin = float(_settled(results.nvt.columns["Temp"]).mean())
            kinetic = 1.5 * KELVIN * kelvin
            results.classical = measure(_settled(frames), temperature=kelvin, kinetic=kinetic)
        if "nve" in self.commands:
            results.nve = read_lammps(self.folder / "nve.log")
            total = results.nve.columns["TotEng"]
            results.drift = drift(results.nve.time, total, results.nve.atoms)
        if "pimd" in self.commands:
            results.pimd, frames = read_pimd(self.folder, self.seconds["pimd dynamics"])
            columns = {name: _settled(values) for name, values in results.pimd.columns.items()}
            results.quantum = measure(
                _settled(frames),
                temperature=float(columns["temperature"].mean()),
                kinetic=float(columns["kinetic_cv"].mean()) / results.pimd.atoms,
            )
        write_report(results, self.folder / "report.html", self.folder / "report.png")
        return f"{self.folder / 'report.html'}"

    def _soap_gpr(self, name: str, arguments: list[str], show: Show) -> None:
        """These use all cores, and have their own progress bars on a terminal."""
        command = ["soap-gpr", *arguments]
        cores = os.environ.get("OMP_NUM_THREADS", str(len(os.sched_getaffinity(0))))
        bar = sys.stderr.isatty()
        show = (lambda _: None) if bar else show
        run({self.folder / f"{name}.log": command}, show, bar=bar, OMP_NUM_THREADS=cores)
        self.commands[name] = [shlex.join(command)]

    def _lammps(self, name: str, steps: int, every: int, show: Show, **variables: str) -> None:
        settings = {"model": self._fastest(), **self._lengths(steps, every)}
        command = run_lammps(
            f"{name}.in", self.folder, f"{name}.log", show, **settings, **variables
        )
        self.commands[name] = [shlex.join(command)]

    def _fastest(self) -> str:
        return SMALL if (self.folder / SMALL).exists() else MODEL

    def _lengths(self, steps: int, every: int) -> dict[str, int]:
        steps = max(10, round(self.fraction * steps))
        return {"steps": steps, "every": min(every, steps // 10)}

    def _input(self, name: str) -> str:
        """A file beside this one, as seen from the demo's folder."""
        if not (HERE / name).exists():
            raise DemoError(f"{HERE / name} is missing; expected the demo's input")
        return relpath(HERE / name, self.folder)


def _require_water(frames) -> None:
    what = broken(frames)
    if what:
        raise DemoError(f"the water did not stay water: {what}")


def _settled(values):
    """Without the beginning, where the liquid still adapts."""
    return values[int(EQUILIBRATION * len(values)) :]


# name: title, and the steps whose results it needs
STEPS = {
    "fit": ("Fit the model to the reference data", ()),
    "test": ("Errors on test data", ("fit",)),
    "compress": ("Compress the model", ("fit",)),
    "nvt": ("LAMMPS: 300 K on 2 MPI ranks", ("fit",)),
    "nve": ("LAMMPS: constant energy", ("nvt",)),
    "pimd": ("i-PI: path integrals with 2 clients", ("nvt",)),
    "report": ("Report", ()),
}


def run_steps(job: Demo, names: list[str]) -> None:
    """One after the other; what fails is kept in ``job.failed`` and told."""
    for number, name in enumerate(names, 1):
        title, needs = STEPS[name]
        print(f"[{number}/{len(names)}] {title}", flush=True)
        progress = Progress()
        try:
            missing = [other for other in needs if other in job.failed]
            if missing:
                raise DemoError(f"left out, as it needs the step {missing[0]!r}")
            progress.done(getattr(job, name)(progress.update))
        except (DemoError, SoapGprError) as error:
            job.failed[name] = str(error)
        except Exception as error:  # whatever it is, the other steps do not need to know
            job.failed[name] = f"{type(error).__name__}: {error}"
        if name in job.failed:
            progress.done(f"failed: {job.failed[name]}")
        if name != "report":
            job.seconds[name] = progress.seconds
            (job.folder / "steps.json").write_text(json.dumps(vars(job), default=str, indent=1))


def demo(args: argparse.Namespace) -> int:
    """All steps, or with --report-only the last one; the exit code."""
    args.folder.mkdir(parents=True, exist_ok=True)
    job = Demo(args.folder.resolve(), args.fraction, args.beads)
    names = list(STEPS)
    record = job.folder / "steps.json"
    if args.report_only:
        if not record.exists():
            raise DemoError(f"{record} not found; expected the files of an earlier run")
        job = Demo(**json.loads(record.read_text()) | {"folder": job.folder})
        names = ["report"]
    elif args.model:
        names.remove("fit")
        if args.model.resolve() != job.folder / MODEL:
            shutil.copyfile(args.model, job.folder / MODEL)
    if not args.report_only:
        (job.folder / SMALL).unlink(missing_ok=True)
    began = time.monotonic()
    run_steps(job, names)
    if "report" not in job.failed:
        if args.picture:
            shutil.copyfile(job.folder / "report.png", args.picture)
        print(f"Done in {time.monotonic() - began:.0f} s: open {job.folder / 'report.html'}")
    for name, sentence in job.failed.items():
        print(f"run_demo: error: {name}: {sentence}", file=sys.stderr)
    return int(bool(job.failed))


def main() -> int:
    """Exit code 0 ok, 1 when a step failed, 130 interrupted."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, default=Path("demo"), help="default %(default)s")
    parser.add_argument("--model", type=Path, help="run this model (*.sgpr), do not fit one")
    parser.add_argument(
        "--fraction", type=float, default=1.0, help="of the usual lengths (default 1)"
    )
    parser.add_argument("--beads", type=int, default=8, help="of i-PI (default %(default)s)")
    parser.add_argument("--picture", type=Path, metavar="PNG", help="copy the picture there")
    parser.add_argument("--report-only", action="store_true", help="from the files of a run")
    args = parser.parse_args()
    # kill ends the demo as Ctrl-C does, with the programs that it started
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return demo(args)
    except DemoError as error:
        print(f"run_demo: error: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"run_demo: error: {error.filename}: {error.strerror}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nrun_demo: interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
