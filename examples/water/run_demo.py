# SPDX-License-Identifier: BSD-3-Clause
"""The demo: fit a model of water, test it, run it in LAMMPS and in i-PI, write one report.

    python examples/water/run_demo.py            (what `make demo` does after installing)

Everything it writes goes to the folder demo/: the model, logs, trajectories and report.html.
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
from collections.abc import Callable
from os.path import relpath
from pathlib import Path

import demo_ipi as ipi
import demo_lammps as lammps
import numpy as np
from demo_analysis import drift
from demo_liquid import KELVIN, Liquid, nuclei
from demo_process import DemoError, Progress, require_progress, run

from potential.errors import SoapGprError

HERE = Path(__file__).resolve().parent
ELEMENTS = {1: "O", 2: "H"}  # of the LAMMPS types in start.data

# Steps, set so that two free cores need less than three minutes for all three runs, and
# how many steps lie between two frames.
NVT, NVT_EVERY = 20_000, 40  # 10 ps
NVE, NVE_EVERY = 20_000, 40  # 5 ps
PIMD, PIMD_EVERY = 4_000, 10  # 1 ps
LIMIT = 300  # seconds after which a run stops early, in good order
LARGEST_DRIFT = 0.1  # meV/atom/ps at constant energy
EQUILIBRATION = 0.25  # of each trajectory is left out

MODEL, START = "water.sgpr", "pimd_start.xyz"


class Demo:
    """The steps in their order, with their times and the commands that repeat them."""

    def __init__(self, folder: Path, fraction: float):
        self.folder = folder
        self.fraction = fraction
        self.commands: dict[str, list[str]] = {}
        self.seconds: dict[str, float] = {}

    def fit(self, progress: Progress) -> str:
        self._soap_gpr("fit", ["fit", self._input("fit.toml"), "-o", MODEL], progress)
        size = (self.folder / MODEL).stat().st_size / 1e6
        return f"demo model: {self.folder / MODEL}, {size:.1f} MB"

    def use(self, model: Path) -> None:
        """Take a model that exists instead of fitting one."""
        self.commands["fit"] = []
        if model.resolve() != (self.folder / MODEL).resolve():
            shutil.copyfile(model, self.folder / MODEL)

    def test(self, progress: Progress) -> str:
        errors = "test_errors.json"
        command = ["evaluate", MODEL, self._input("test.xyz"), "--json", errors]
        self._soap_gpr("test", command, progress)
        of_all = json.loads((self.folder / errors).read_text())["errors"]["all"]
        energy, force = (1e3 * of_all[label]["rmse"] for label in ("energy", "force"))
        return f"RMSE on test data: energy {energy:.2f} meV/atom, force {force:.1f} meV/Å"

    def nvt(self, progress: Progress) -> str:
        variables = {"data": self._input("start.data"), "dump": "nvt.dump", "restart": "nvt.data"}
        result = self._lammps("nvt", NVT, NVT_EVERY, variables, progress)
        return f"{result.time[-1]:.1f} ps, {result.microseconds:.0f} µs per atom and step"

    def nve(self, progress: Progress) -> str:
        result = self._lammps("nve", NVE, NVE_EVERY, {"data": "nvt.data"}, progress)
        line = drift(result.time, result.thermo["TotEng"], result.atoms)
        if abs(line.slope) > LARGEST_DRIFT:
            raise DemoError(
                f"the total energy drifts by {line.slope:+.3f} meV/atom/ps; expected less than "
                f"{LARGEST_DRIFT}"
            )
        return f"{result.time[-1]:.1f} ps, energy drift {line.slope:+.4f} meV/atom/ps"

    def pimd(self, progress: Progress) -> str:
        types, positions, lengths = lammps.read_dump(self.folder / "nvt.dump")
        ipi.write_start(self.folder / START, _symbols(types), positions[-1], lengths)
        steps = self._steps(PIMD)
        source = self.folder / "pimd.xml"
        ipi.write_input(source, steps=steps, stride=PIMD_EVERY, start=START, limit=LIMIT)
        self.commands["pimd"] = ipi.commands(source.name, MODEL, START)
        wall = ipi.run_ipi(self.folder, source.name, MODEL, START, progress)
        self.seconds["pimd dynamics"] = wall
        result = ipi.read_run(self.folder, wall)
        require_progress("i-PI", result.steps, steps)
        time_ps = result.properties["time"][-1]
        return f"{time_ps:.2f} ps, {result.microseconds:.0f} µs per atom, bead and step"

    def report(self, _: Progress) -> str:
        from demo_report import Results, write_report

        nvt, nve = (lammps.read_log(self.folder / f"{name}.log") for name in ("nvt", "nve"))
        pimd = ipi.read_run(self.folder, self.seconds["pimd dynamics"])
        results = Results(
            model=self.folder / MODEL,
            test_data=HERE / "test.xyz",
            nvt=nvt,
            nve=nve,
            pimd=pimd,
            liquid=self._liquid(nvt, pimd),
            drift=drift(nve.time, nve.thermo["TotEng"], nve.atoms),
            seconds=self.seconds,
            commands=self.commands,
        )
        write_report(results, self.folder / "report.html", self.folder / "report.png")
        return f"{self.folder / 'report.html'}"

    def _liquid(self, nvt: lammps.LammpsRun, pimd: ipi.IpiRun) -> Liquid:
        types, positions, lengths = lammps.read_dump(self.folder / "nvt.dump")
        classical = _settled(positions)[:, None]
        temperature = float(_settled(nvt.thermo["Temp"]).mean())
        properties = {name: _settled(values) for name, values in pimd.properties.items()}
        return Liquid(
            nuclei(
                classical,
                np.array(_symbols(types)),
                lengths,
                temperature=temperature,
                kinetic=1.5 * KELVIN * temperature,
            ),
            nuclei(
                _settled(pimd.frames),
                np.array(pimd.symbols),
                lengths,
                temperature=float(properties["temperature"].mean()),
                kinetic=float(properties["kinetic_cv"].mean()) / len(pimd.symbols),
            ),
        )

    def _soap_gpr(self, name: str, arguments: list[str], progress: Progress) -> None:
        """Training and testing use all cores, and have their own progress bars on a terminal."""
        command = ["soap-gpr", *arguments]
        self.commands[name] = [shlex.join(command)]
        threads = {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", str(_cores()))}
        bar = sys.stderr.isatty()
        quiet = Progress(terminal=False, every=float("inf")) if bar else progress
        run(command, self.folder, f"{name}.log", quiet, variables=threads, show_errors=bar)

    def _lammps(
        self, name: str, steps: int, every: int, variables: dict[str, str], progress: Progress
    ) -> lammps.LammpsRun:
        settings = {"model": MODEL, "steps": self._steps(steps), "every": every, "limit": LIMIT}
        command = lammps.lammps_command(f"{name}.in", self.folder, variables | settings)
        self.commands[name] = [shlex.join(command)]
        return lammps.run_lammps(command, self.folder, f"{name}.log", self._steps(steps), progress)

    def _steps(self, steps: int) -> int:
        return max(40, round(self.fraction * steps))

    def _input(self, name: str) -> str:
        """A file beside this one, as seen from the demo's folder."""
        if not (HERE / name).exists():
            raise DemoError(f"{HERE / name} is missing; expected the demo's input")
        return relpath(HERE / name, self.folder)


def _settled(values: np.ndarray) -> np.ndarray:
    """Without the beginning, where the liquid still adapts."""
    return values[int(EQUILIBRATION * len(values)) :]


def _symbols(types: np.ndarray) -> list[str]:
    return [ELEMENTS[int(kind)] for kind in types]


def _cores() -> int:
    return len(os.sched_getaffinity(0))


def demo(args: argparse.Namespace) -> None:
    """All steps, or with --report-only the last one."""
    args.folder.mkdir(parents=True, exist_ok=True)
    job = Demo(args.folder.resolve(), args.fraction)
    record = job.folder / "steps.json"
    steps: list[tuple[str, str, Callable[[Progress], str]]] = [
        ("fit", "Fit the model to the reference data", job.fit),
        ("test", "Errors on test data", job.test),
        ("nvt", "LAMMPS: 300 K on 2 MPI ranks", job.nvt),
        ("nve", "LAMMPS: constant energy", job.nve),
        ("pimd", "i-PI: path integrals with 2 clients", job.pimd),
        ("report", "Report", job.report),
    ]
    if args.report_only:
        if not record.exists():
            raise DemoError(f"{record} not found; expected the files of an earlier run")
        job.seconds, job.commands = (json.loads(record.read_text())[k] for k in ("s", "c"))
        steps = steps[-1:]
    elif args.model:
        job.use(args.model)
        steps = steps[1:]
    began = time.monotonic()
    for number, (name, title, step) in enumerate(steps, 1):
        print(f"[{number}/{len(steps)}] {title}", flush=True)
        progress = Progress()
        progress.done(step(progress))
        if name != "report":
            job.seconds[name] = progress.seconds
            record.write_text(json.dumps({"s": job.seconds, "c": job.commands}, indent=1))
    if args.picture:
        shutil.copyfile(job.folder / "report.png", args.picture)
    print(f"Done in {time.monotonic() - began:.0f} s: open {job.folder / 'report.html'}")


def main() -> int:
    """Exit code 0 ok, 1 failed, 130 interrupted."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, default=Path("demo"), help="default %(default)s")
    parser.add_argument("--model", type=Path, help="run this model (*.sgpr), do not fit one")
    parser.add_argument(
        "--fraction", type=float, default=1.0, help="of the usual lengths (default 1)"
    )
    parser.add_argument("--picture", type=Path, metavar="PNG", help="copy the picture there")
    parser.add_argument("--report-only", action="store_true", help="from the files of a run")
    args = parser.parse_args()
    # kill ends the demo as Ctrl-C does, with the programs that it started
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        demo(args)
    except (DemoError, SoapGprError) as error:
        print(f"run_demo: error: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"run_demo: error: {error.filename}: {error.strerror}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nrun_demo: interrupted", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
