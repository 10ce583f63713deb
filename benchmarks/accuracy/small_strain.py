# SPDX-License-Identifier: BSD-3-Clause
"""C11 of silicon with frozen ions against the size of the strain, for several cutoffs.

At each strain two figures that must agree as the strain goes to zero: the second difference of the
energy, and the central difference of the stress. A cutoff just beyond a shell of neighbours makes
the curvature depend on the strain, unless neighbours fade out slowly and smoothly. Spread is the
largest difference between the values of a row, of the energy's and of the stress', relative to
their mean; deviation the largest of the stress from a difference quotient of the energy.

  python benchmarks/accuracy/small_strain.py
  python benchmarks/accuracy/small_strain.py --cutoffs 5.5 6.0 --variant smooth
"""

import argparse
import sys
import tempfile
import tomllib
from collections.abc import Callable
from itertools import product
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import ase
import ase.io
import numpy as np
from ase.build import bulk
from ase.calculators.calculator import Calculator
from ase.units import GPa
from common import COSINE, add_output_option, describe, emit, machine, table
from zuo import DATA, HERE, run_settings, settings_of

from potential import Model
from potential.model.calculator import SoapGprCalculator

EDGE = 5.469  # Å, of the unstrained Elastic frame
DEGREE = 6  # of the polynomial through the DFT energies
# Energy per volume and its derivative by the strain along one edge, eV/Å³.
State = Callable[[float], tuple[float, float]]
STRAINS = (0.002, 0.01, 0.02, 0.05)
CUTOFFS = [5.0, 5.25, 5.5, 5.75, 6.0, 6.25, 6.5, 6.75, 7.0]
# file of settings, and of the term
VARIANTS = {
    "smooth": ("default.toml", {}),
    "cosine": ("default.toml", COSINE),
    "cosine, stress of Elastic": ("elastic_stress.toml", COSINE),
}
STEP = 1e-4  # strain of the difference quotient that checks the stress


def main() -> None:
    arguments = _arguments()
    results = {"DFT, polynomial": curvatures(dft(arguments.data / "mlearn_Si"))}
    for name, cutoff in product(arguments.variant, arguments.cutoffs):
        file, term = VARIANTS[name]
        settings = settings_of("Si", tomllib.loads((HERE / file).read_text()), arguments.data)
        settings["terms"] = [term | {"cutoff": cutoff}]
        with tempfile.TemporaryDirectory() as folder:
            errors = run_settings("Si", settings, Path(folder))["test"]
            calculator = SoapGprCalculator(Model.load(Path(folder) / "Si.sgpr"))
        results[f"{name}, {cutoff:g} Å"] = curvatures(of_model(calculator)) | {"test": errors}
        print(f"{name}, {cutoff:g} Å", file=sys.stderr, flush=True)
    rows = [
        [
            name,
            *(f"{e:.1f}, {s:.1f}" for e, s in result["c11"].values()),
            ", ".join(f"{spread:.1f}" for spread in result["spread"]),
            result["deviation"],
        ]
        for name, result in results.items()
    ]
    head = ["C11 GPa, energy, stress", *(f"strain {strain}" for strain in STRAINS)]
    head += ["spread %", "deviation GPa"]
    information = machine(["scipy"])
    result = {"benchmark": "accuracy/small_strain", "machine": information, "variants": results}
    emit(f"{describe(information)}\n\n{table(head, rows)}", result, arguments.json)


def dft(folder: Path) -> State:
    """Of a polynomial through the DFT energies of the cells strained along one edge."""
    files = [folder / "train.xyz", folder / "test.xyz"]
    frames = [a for file in files for a in ase.io.read(file, ":")]
    strains, energies = [], []
    for atoms in frames:
        own = np.sort(atoms.cell.lengths() / (2 * EDGE) - 1)  # two cells along each edge
        others = own[np.argsort(np.abs(own))[:2]]
        right = np.allclose(atoms.cell.angles(), 90, atol=1e-3)
        if atoms.info["config_type"] == "Elastic" and right and np.abs(others).max() < 1e-3:
            strains.append(own[np.argmax(np.abs(own))])
            energies.append(atoms.get_potential_energy() / len(atoms) / (EDGE**3 / 8))
    energy = np.polynomial.Polynomial.fit(strains, energies, DEGREE)
    return lambda strain: (energy(strain), energy.deriv()(strain))


def of_model(calculator: Calculator) -> State:
    cell = bulk("Si", "diamond", a=EDGE, cubic=True)
    volume = cell.get_volume()

    def state(strain: float) -> tuple[float, float]:
        atoms = ase.Atoms(cell)
        atoms.set_cell(cell.cell.array @ np.diag([1.0 + strain, 1.0, 1.0]), scale_atoms=True)
        atoms.calc = calculator
        # dE/dstrain = stress · volume / (1 + strain) = stress · volume of the unstrained cell
        return atoms.get_potential_energy() / volume, float(atoms.get_stress()[0])

    return state


def curvatures(state: State) -> dict:
    """C11 (GPa) from energies and from stresses at each of STRAINS; largest error of a stress."""
    c11, deviation = {}, 0.0
    middle = state(0.0)[0]
    for strain in STRAINS:
        plus, minus = state(strain), state(-strain)
        energy = (plus[0] - 2 * middle + minus[0]) / strain**2 / GPa
        c11[strain] = energy, (plus[1] - minus[1]) / (2 * strain) / GPa
        slope = (state(strain + STEP)[0] - state(strain - STEP)[0]) / (2 * STEP)
        deviation = max(deviation, abs(slope - plus[1]) / GPa)
    values = np.array(list(c11.values()))
    spread = (100 * np.ptp(values, axis=0) / values.mean(axis=0)).tolist()
    return {"c11": c11, "spread": spread, "deviation": deviation}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cutoffs", nargs="+", type=float, default=CUTOFFS, help="Å")
    parser.add_argument("--variant", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    parser.add_argument("--data", type=Path, default=DATA)
    add_output_option(parser)
    return parser.parse_args()


if __name__ == "__main__":
    main()
