# SPDX-License-Identifier: BSD-3-Clause
"""Training time and memory of soap-gpr and of QUIP's gap_fit, and how ours grow.

Both get the same frames of silicon with energies, forces and virials, the same descriptor, sigmas
and number of sparse points, one core and one thread, each in a process of its own; times and peak
memory are those that the system reports for that process. Then soap-gpr alone on 1, 2, 4 and 8
times the data, and on two MPI ranks if mpi4py and mpirun are there.

  python benchmarks/compare_training.py                 # about ten minutes, half of it gap_fit
  python benchmarks/compare_training.py --quick         # one minute
  python benchmarks/compare_training.py --parts growth ranks
"""

from common import (
    add_output_option,
    all_cores,
    beside,
    describe,
    emit,
    machine,
    pin_to_one_core,
    table,
)

pin_to_one_core()

import argparse  # noqa: E402
import os  # noqa: E402
import re  # noqa: E402
import subprocess  # noqa: E402
import sys  # noqa: E402
import tempfile  # noqa: E402
import time  # noqa: E402
from dataclasses import asdict, dataclass  # noqa: E402
from importlib.util import find_spec  # noqa: E402
from pathlib import Path  # noqa: E402

import ase.io  # noqa: E402
import numpy as np  # noqa: E402
from ase.build import bulk  # noqa: E402
from ase.calculators.morse import MorsePotential  # noqa: E402
from quip_potential import gap_fit_command  # noqa: E402

PARTS = ("gap_fit", "growth", "ranks")
MEBIBYTE = 2**20


@dataclass(frozen=True)
class Case:
    """Sizes of the three parts."""

    frames: int = 50
    n_sparse: int = 1000
    growth_frames: int = 50  # times 1, 2, 4, 8
    growth_sparse: int = 2000
    n_max: int = 8
    l_max: int = 6
    zeta: int = 4
    cutoff: float = 5.0
    cutoff_width: float = 1.0
    atom_sigma: float = 0.5


QUICK = Case(frames=10, n_sparse=100, growth_frames=5, growth_sparse=300)


def main() -> None:
    arguments = _arguments()
    case = QUICK if arguments.quick else Case()
    parts = {"gap_fit": compare, "growth": grow, "ranks": compare_ranks}
    result = {"benchmark": "compare_training", "case": asdict(case), "quick": arguments.quick}
    result["machine"] = machine(["quippy-ase", "mpi4py", "mpich"])
    text = [describe(result["machine"])]
    with tempfile.TemporaryDirectory() as folder:
        for name in arguments.parts:
            result[name] = parts[name](case, Path(folder))
            text.append(_text(name, result[name], case))
            print(text[-1], end="\n\n", file=sys.stderr, flush=True)
    emit("\n\n".join(text), result, arguments.json)


def compare(case: Case, folder: Path) -> list[dict]:
    """gap_fit and soap-gpr on the same file."""
    _write_frames(folder / "train.xyz", case.frames)
    ours = measure("soap-gpr fit", _fit_command(folder, case, case.n_sparse, "cur"), folder)
    quip = measure("gap_fit (quippy-ase)", _gap_command(case), folder)
    found = re.search(r"dft_virial\) found: *(\d+)", (folder / "output.txt").read_text())
    if not found or int(found.group(1)) != 6 * case.frames:
        raise SystemExit("gap_fit did not read all virials: the comparison would not be fair")
    for row in (ours, quip):
        row["frames"] = case.frames
    return [ours, quip]


def grow(case: Case, folder: Path) -> list[dict]:
    """soap-gpr with a fixed number of sparse points on more and more data."""
    rows = []
    for factor in (1, 2, 4, 8):
        count = factor * case.growth_frames
        _write_frames(folder / "train.xyz", count)
        command = _fit_command(folder, case, case.growth_sparse)
        rows.append(measure(f"{count} frames", command, folder) | {"frames": count})
    return rows


def compare_ranks(case: Case, folder: Path) -> list[dict]:
    """The same fit by one process on one core and by two MPI ranks on two."""
    mpirun = beside("mpirun")
    if not (mpirun and find_spec("mpi4py")):
        return []
    _write_frames(folder / "train.xyz", case.growth_frames * 8)
    command = _fit_command(folder, case, case.growth_sparse)
    one = measure("1 process", command, folder)
    with all_cores():
        if len(os.sched_getaffinity(0)) < 2:
            return []
        two = measure("2 MPI ranks", [mpirun, "-n", "2", *command], folder)
    for row in (one, two):
        row["frames"] = 8 * case.growth_frames
    return [one, two]


def measure(name: str, command: list[str], folder: Path) -> dict:
    """Wall and CPU seconds of a command with all its children, and the largest process's memory."""
    with open(folder / "output.txt", "wb") as output:
        start = time.perf_counter()
        child = subprocess.Popen(command, cwd=folder, stdout=output, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        wall = time.perf_counter() - start
    if child.returncode:
        text = (folder / "output.txt").read_text(errors="replace")
        raise SystemExit(f"{name} failed: {' '.join(command)}\n{text[-3000:]}")
    return {
        "name": name,
        "cpu_seconds": usage.ru_utime + usage.ru_stime,
        "wall_seconds": wall,
        "peak_mib": 1024 * usage.ru_maxrss / MEBIBYTE,
        "command": command,
    }


def _write_frames(file: Path, count: int) -> None:
    """Strained, displaced diamond cells of 64 atoms with the labels of a Morse potential.

    Its minimum is at silicon's bond length; what the labels are does not matter for the cost.
    """
    rng, frames = np.random.default_rng(0), []
    for _ in range(count):
        atoms = bulk("Si", "diamond", a=5.43, cubic=True).repeat(2)
        strain = rng.normal(scale=0.02, size=(3, 3))
        atoms.set_cell(atoms.cell.array @ (np.eye(3) + strain), scale_atoms=True)
        atoms.positions += rng.normal(scale=rng.uniform(0.02, 0.2), size=atoms.positions.shape)
        atoms.calc = MorsePotential(epsilon=1.0, rho0=4.0, r0=2.35, rcut1=1.6, rcut2=2.1)
        energy, forces = atoms.get_potential_energy(), atoms.get_forces()
        virial = -atoms.get_volume() * atoms.get_stress(voigt=False)
        atoms.calc = None
        # nine numbers: gap_fit leaves out what ASE writes for a 3×3 array
        atoms.info |= {"dft_energy": energy, "dft_virial": virial.ravel()}
        atoms.arrays["dft_force"] = forces
        frames.append(atoms)
    ase.io.write(file, frames, format="extxyz")


def _fit_command(folder: Path, case: Case, n_sparse: int, method: str = "fps") -> list[str]:
    (folder / "fit.toml").write_text(
        f"""\
[data]
train = "train.xyz"
energy_key = "dft_energy"
forces_key = "dft_force"
virial_key = "dft_virial"
[[terms]]
cutoff = {case.cutoff}
cutoff_width = {case.cutoff_width}
cutoff_function = "cosine"
n_max = {case.n_max}
l_max = {case.l_max}
zeta = {case.zeta}
atom_sigma = {case.atom_sigma}
n_sparse = {n_sparse}
sparse_method = "{method}"
[noise]
energy_per_atom = 0.001
force = 0.05
virial_per_atom = 0.05
"""
    )
    return [sys.executable, "-m", "potential.cli", "fit", "fit.toml", "-o", "model.sgpr"]


def _gap_command(case: Case) -> list[str]:
    soap = (
        f"soap cutoff={case.cutoff} cutoff_transition_width={case.cutoff_width} "
        f"atom_sigma={case.atom_sigma} n_max={case.n_max} l_max={case.l_max} zeta={case.zeta} "
        "delta=1.0 covariance_type=dot_product sparse_method=cur_points "
        f"n_sparse={case.n_sparse}"
    )
    labels = {"energy": "dft_energy", "force": "dft_force", "virial": "dft_virial"}
    return gap_fit_command(soap, labels, "0.001 0.05 0.05 0.0")


def _text(name: str, rows: list[dict], case: Case) -> str:
    if not rows:
        return "two MPI ranks: left out, needs two cores, mpirun and mpi4py (pip install .[mpi])"
    n_sparse = case.n_sparse if name == "gap_fit" else case.growth_sparse
    head = ["", "frames", "CPU s", "wall s", "peak MiB per process", "wall, first = 1"]
    keys, first = ("name", "frames", "cpu_seconds", "wall_seconds", "peak_mib"), rows[0]
    body = [
        [*(row[key] for key in keys), row["wall_seconds"] / first["wall_seconds"]] for row in rows
    ]
    return (
        f"frames of 64 Si atoms, energies, forces and virials; n_max {case.n_max}, "
        f"l_max {case.l_max}, zeta {case.zeta}, {n_sparse} sparse points\n{table(head, body)}"
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--quick", action="store_true", help="small sizes")
    add_output_option(parser)
    return parser.parse_args()


if __name__ == "__main__":
    main()
