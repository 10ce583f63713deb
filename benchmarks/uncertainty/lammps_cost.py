# SPDX-License-Identifier: BSD-3-Clause
"""What measures of errors cost in LAMMPS: loop times of molecular dynamics with them over those of
the same run without, on one core.

The runs take turns; ratios are of pairs. Members and triangles are random: their sizes are what
costs.

  python benchmarks/uncertainty/lammps_cost.py
  python benchmarks/uncertainty/lammps_cost.py --zeta 4 --sparse 2000 --rounds 9
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import ase.io
from common import (
    add_output_option,
    describe,
    emit,
    interval,
    machine,
    ratios,
    table,
)
from cost import with_uncertainty
from lmp import last_loop
from systems import Size, crystal, random_model

CASES = {
    "without": "",
    "energies of members, every step": "fix u all pair 1 soap/gpr energy_uncertainty 1",
    "forces of members, every 50 steps": "fix u all pair 50 soap/gpr force_uncertainty 1",
    "variance, every step": "fix u all pair 1 soap/gpr grade 1",
}
SCRIPT = """\
units metal
read_data atoms.data
mass 1 28.0855
mass 2 72.63
pair_style soap/gpr
pair_coeff * * model.sgpr Si Ge
velocity all create 300 4711
fix nve all nve
timestep 0.0001
thermo 1000000
{case}
run 1
run {steps}
"""


def main() -> None:
    arguments = _arguments()
    results, rows = [], []
    for zeta in arguments.zeta:
        times: dict[str, list[float]] = {case: [] for case in CASES}
        with tempfile.TemporaryDirectory() as folder:
            prepare(Path(folder), zeta, arguments)
            for _ in range(arguments.rounds):
                for case, lines in CASES.items():
                    script = SCRIPT.format(case=lines, steps=arguments.steps)
                    times[case].append(last_loop(Path(folder), script).seconds)
        found = {case: ratios(own, times["without"]) for case, own in times.items()}
        results.append({"zeta": zeta, "n_sparse": arguments.sparse, "ratios": found})
        rows += [
            [f"zeta {zeta}: {case}", own["median"], interval(own["quartiles"])]
            for case, own in found.items()
            if case != "without"
        ]
    information = machine(["lammps"])
    result = {"benchmark": "uncertainty/lammps_cost", "machine": information, "results": results}
    text = table(["loop time over that without", "median", "quartiles"], rows)
    emit(f"{describe(information)}\n\n{text}", result, arguments.json)


def prepare(folder: Path, zeta: int, arguments: argparse.Namespace) -> None:
    """Writes a crystal and the model."""
    atoms = crystal("SiGe", arguments.atoms)
    options = {"format": "lammps-data", "units": "metal", "specorder": ["Si", "Ge"]}
    ase.io.write(folder / "atoms.data", atoms, **options)
    size = Size(species="SiGe", zeta=zeta, n_sparse=arguments.sparse)
    with_uncertainty(random_model(size), arguments.members).save(folder / "model.sgpr")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--zeta", type=int, nargs="+", default=[4, 2, 1])
    parser.add_argument("--sparse", type=int, default=1000, help="of each species")
    parser.add_argument("--members", type=int, default=16)
    parser.add_argument("--atoms", type=int, default=512)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=7)
    add_output_option(parser)
    return parser.parse_args()


if __name__ == "__main__":
    main()
