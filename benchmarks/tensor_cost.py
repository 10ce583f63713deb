# SPDX-License-Identifier: BSD-3-Clause
"""What a dipole and a polarizability of every step add to a potential of water, in LAMMPS and for
i-PI's client, on one core.

The potential is that of examples/water; vectors and tensors have the default sizes, on either of
its terms, and labels without meaning: sizes are what costs. Runs take turns; ratios are of pairs.

  python benchmarks/tensor_cost.py
  python benchmarks/tensor_cost.py --rounds 9 --json cost.json
"""

from __future__ import annotations

import argparse
import tempfile
import tomllib
from pathlib import Path

from common import (
    add_output_option,
    alternate,
    describe,
    emit,
    interval,
    machine,
    pin_to_one_core,
    ratios,
    table,
)

pin_to_one_core()

import ase.io  # noqa: E402
import numpy as np  # noqa: E402
from lmp import last_loop  # noqa: E402

from ipi_driver.evaluation import Evaluator  # noqa: E402
from ipi_driver.units import BOHR_PER_ANGSTROM  # noqa: E402
from potential import fit  # noqa: E402
from potential.model import Model  # noqa: E402
from potential.settings.target_tensors import N_FEATURES  # noqa: E402

WATER = Path(__file__).resolve().parents[1] / "examples" / "water"
POTENTIAL, BOTH = "potential", "potential, dipole and polarizability"
FORCES = "potential and Born effective charges"
SCRIPT = """\
units metal
read_data atoms.data
mass 1 15.999
mass 2 1.008
pair_style soap/gpr
pair_coeff * * {model}.sgpr O H
velocity all create 300 4711
fix nve all nve
timestep 0.0001
{values}
thermo 1000000
run 1
run {steps}
"""
EVERY_STEP = """\
compute all all pair soap/gpr
fix values all ave/time 1 1 1 c_all[*] file values.txt
"""


def models(arguments: argparse.Namespace) -> dict[str, Model]:
    """The potential alone, and with both targets on each of these terms with each of these ζ."""
    with (WATER / "fit.toml").open("rb") as file:
        settings = tomllib.load(file)
    del settings["data"]
    # weights cost the same whatever they are, and rows of energies are made at once
    settings["noise"] = {"force": float("inf"), "virial_per_atom": float("inf")}
    frames = ase.io.read(WATER / "train.xyz", ":")
    rng = np.random.default_rng(0)
    for atoms in frames:
        atoms.info |= {"mu": rng.normal(size=3), "alpha": rng.normal(size=(3, 3))}
        atoms.info["alpha"] += atoms.info["alpha"].T
    own = {"per_atom": False, "noise": 0.1, "unit": "a.u."}
    found = {POTENTIAL: fit(settings, train=frames, progress=False).model}
    for term in arguments.terms:
        for zeta in arguments.zetas:
            more = own | {"terms": [term], "zeta": zeta, "n_features": arguments.features}
            targets = [
                more | {"name": "dipole", "key": "mu", "kind": "vector"},
                more | {"name": "polarizability", "key": "alpha", "kind": "tensor"},
            ]
            key = f"{BOTH}, term {term}, zeta {zeta}"
            found[key] = fit(settings | {"targets": targets}, train=frames, progress=False).model
    return found


def in_lammps(found: dict[str, Model], rounds: int, steps: int) -> dict[str, list[float]]:
    """Loop times of molecular dynamics of 192 atoms."""
    times: dict[str, list[float]] = {name: [] for name in found}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        start = ase.io.read(WATER / "start.xyz").repeat((2, 1, 1))
        options = {"format": "lammps-data", "units": "metal", "specorder": ["O", "H"]}
        ase.io.write(folder / "atoms.data", start, **options)
        for k, own in enumerate(found.values()):
            own.save(folder / f"m{k}.sgpr")
        for _ in range(rounds):
            for k, own in enumerate(found):
                values = "" if own == POTENTIAL else EVERY_STEP
                script = SCRIPT.format(model=f"m{k}", values=values, steps=steps)
                times[own].append(last_loop(folder, script).seconds)
    return times


def in_client(found: dict[str, Model], seconds: float) -> dict[str, list[float]]:
    """What i-PI's client does for each request: evaluation, units and JSON."""
    atoms = ase.io.read(WATER / "start.xyz").repeat((2, 1, 1))
    forces, virial = np.empty((len(atoms), 3)), np.empty((3, 3))
    cell = atoms.cell.array.T * BOHR_PER_ANGSTROM
    positions = atoms.positions * BOHR_PER_ANGSTROM

    def request(evaluator: Evaluator):
        return lambda: evaluator.evaluate(cell, positions, forces, virial)

    functions = {name: request(Evaluator(own, atoms)) for name, own in found.items()}
    last = list(found)[-1]
    functions[FORCES] = request(Evaluator(found[last], atoms, derivatives=["dipole"]))
    return alternate(functions, seconds)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--terms", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--zetas", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--features", type=int, default=N_FEATURES, help="of each λ")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--seconds", type=float, default=30.0, help="of the client")
    add_output_option(parser)
    arguments = parser.parse_args()
    found = models(arguments)
    results = {
        "LAMMPS": in_lammps(found, arguments.rounds, arguments.steps),
        "i-PI's client": in_client(found, arguments.seconds),
    }
    rows, values = [], {}
    for where, times in results.items():
        for name, own in times.items():
            if name == POTENTIAL:
                continue
            ratio = ratios(own, times[POTENTIAL])
            values.setdefault(where, {})[name] = ratio
            rows.append([where, name, ratio["median"], interval(ratio["quartiles"])])
    information = machine(["lammps", "ipi"])
    text = table(["", "time over that of the potential", "median", "quartiles"], rows)
    result = {"benchmark": "tensor_cost", "machine": information, "ratios": values}
    emit(f"{describe(information)}\n\n{text}", result, arguments.json)


if __name__ == "__main__":
    main()
