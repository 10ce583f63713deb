# SPDX-License-Identifier: BSD-3-Clause
"""Lattice constant, elastic constants and vacancy formation energy of Si, Cu and Li.

From the models that zuo.py saved, beside what the density-functional frames themselves give: the
Elastic frames are cells of the crystal with given strains and frozen ions, so that the same fit of
energy against strain goes through their energies and through the model's energies of the same
cells. Relaxed constants and the vacancy have no reference in the data.

  python benchmarks/accuracy/zuo.py --models models
  python benchmarks/accuracy/properties.py models
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import ase.io
import numpy as np
from ase.build import bulk
from ase.calculators.calculator import Calculator
from ase.optimize import FIRE
from ase.units import GPa
from common import add_output_option, describe, emit, machine, table
from scipy.optimize import minimize_scalar
from zuo import DATA

from potential import Model
from potential.model.calculator import SoapGprCalculator

# structure, lattice constant to start from (Å), repeats of the cubic cell for the vacancy
CRYSTALS = {"Si": ("diamond", 5.47, 3), "Cu": ("fcc", 3.62, 3), "Li": ("bcc", 3.43, 4)}
LARGEST_STRAIN = 0.05  # of the Elastic frames that are fitted
VERIFIED_STRESS = ("Si",)  # sets whose stresses of the Elastic frames agree with dE/dstrain
STEP = 0.002  # strain of the finite differences, without --step
FORCE = 1e-3  # eV/Å, where a relaxation stops


def main() -> None:
    arguments = _arguments()
    elements = {}
    for element in arguments.elements:
        calculator = SoapGprCalculator(Model.load(arguments.models / f"{element}.sgpr"))
        elements[element] = from_crystal(element, calculator, arguments.step)
        elements[element] |= from_frames(element, calculator, arguments.data)
        print(_table(element, elements[element]), end="\n\n", file=sys.stderr, flush=True)
    information = machine(["scipy"])
    text = [describe(information), *(_table(name, result) for name, result in elements.items())]
    units = {"a": "Å", "C": "GPa", "vacancy": "eV"}
    result = {"benchmark": "accuracy/properties", "machine": information, "units": units}
    emit("\n\n".join(text), result | {"elements": elements}, arguments.json)


def from_crystal(element: str, calculator: Calculator, step: float) -> dict:
    """The model's own crystal: energies minimised, ions relaxed."""
    structure, guess, repeats = CRYSTALS[element]

    def energy(a: float) -> float:
        atoms = bulk(element, structure, a=a, cubic=True)
        atoms.calc = calculator
        return atoms.get_potential_energy() / len(atoms)

    a = minimize_scalar(energy, bounds=(0.95 * guess, 1.05 * guess), options={"xatol": 1e-6}).x
    cell = bulk(element, structure, a=a, cubic=True)
    c = elastic(cell, calculator, step, relax=structure == "diamond")
    return {
        "model": {"a": a, "c11": c[0, 0], "c12": c[0, 1], "c44": c[3, 3]},
        "vacancy": vacancy(cell.repeat(repeats), calculator),
        "vacancy_cell": len(cell) * repeats**3 - 1,
    }


def elastic(cell: ase.Atoms, calculator: Calculator, step: float, relax: bool) -> np.ndarray:
    """Columns 1 and 4 of the matrix of elastic constants, GPa, by central differences of stress."""
    constants = np.zeros((6, 6))
    for mode, (i, j) in ((0, (0, 0)), (3, (1, 2))):
        stress = []
        for sign in (1, -1):
            strain = np.zeros((3, 3))
            strain[i, j] += 0.5 * sign * step
            strain[j, i] += 0.5 * sign * step
            atoms = cell.copy()
            atoms.set_cell(atoms.cell.array @ (np.eye(3) + strain), scale_atoms=True)
            atoms.calc = calculator
            if relax:
                FIRE(atoms, logfile=None).run(fmax=0.1 * FORCE, steps=1000)
            stress.append(atoms.get_stress())
        constants[:, mode] = (stress[0] - stress[1]) / (2 * step) / GPa
    constants[0, 1] = constants[1, 0]
    return constants


def vacancy(crystal: ase.Atoms, calculator: Calculator) -> float:
    """E(N - 1 atoms, relaxed at the crystal's cell) - (N - 1)/N E(N), eV."""
    crystal.calc = calculator
    per_atom = crystal.get_potential_energy() / len(crystal)
    defect = crystal.copy()
    del defect[len(defect) // 2]
    defect.rattle(0.01, seed=0)  # off the saddle point of full symmetry
    defect.calc = calculator
    FIRE(defect, logfile=None).run(fmax=10 * FORCE, steps=1000)
    return float(defect.get_potential_energy() - len(defect) * per_atom)


def from_frames(element: str, calculator: Calculator, data: Path) -> dict:
    """The same fits to the energies and stresses of the Elastic frames, of DFT and of the model."""
    frames = ase.io.read(data / f"mlearn_{element}" / "train.xyz", ":")
    frames = [frame for frame in frames if frame.info["config_type"] == "Elastic"]
    ground = min(frames, key=_distortion)
    strains = np.array([green_lagrange(ground, frame) for frame in frames])
    volume = ground.get_volume() / len(ground)
    result = {}
    for name, calc in (("dft", None), ("model_frames", calculator)):
        energies, stresses = labels(frames, calc)
        result[name] = energy_fit(strains, energies, volume)
        if element in VERIFIED_STRESS:
            result[name] |= {"c12": stress_fit(strains, stresses)}
    cubic = len(bulk(element, CRYSTALS[element][0], cubic=True, a=1.0))
    result["dft"]["a"] = (volume * cubic) ** (1 / 3)
    return result


def labels(frames: list[ase.Atoms], calculator: Calculator | None) -> tuple[np.ndarray, np.ndarray]:
    """Energies (n,) eV/atom and stresses (n, 6) eV/Å³: those of the file, or of the calculator."""
    energies, stresses = [], []
    for frame in frames:
        atoms = frame
        if calculator is not None:
            atoms = ase.Atoms(frame.symbols, frame.positions, cell=frame.cell, pbc=True)
            atoms.calc = calculator
        energies.append(atoms.get_potential_energy() / len(atoms))
        stresses.append(atoms.get_stress())
    return np.array(energies), np.array(stresses)


def _distortion(frame: ase.Atoms) -> float:
    """How far a cell is from a cube; the frame with the least is the unstrained crystal."""
    return float(np.ptp(frame.cell.lengths()) + np.abs(frame.cell.angles() - 90.0).sum())


def green_lagrange(reference: ase.Atoms, frame: ase.Atoms) -> np.ndarray:
    """Strain of the frame's cell against the reference's: (6,), Voigt, shears doubled."""
    gradient = np.linalg.solve(reference.cell.array, frame.cell.array)
    eta = 0.5 * (gradient @ gradient.T - np.eye(3))
    return np.array([eta[0, 0], eta[1, 1], eta[2, 2], 2 * eta[1, 2], 2 * eta[0, 2], 2 * eta[0, 1]])


def energy_fit(strains: np.ndarray, energies: np.ndarray, volume: float) -> dict:
    """C11, C44 (GPa) and the pressure at no strain by least squares of E/V over the strains.

    strains: (n, 6); energies: (n,) eV/atom; volume: Å³/atom. The frames strain one axis or one
    angle at a time, which tells nothing about C12; axes need a third-order term.
    """
    used = np.abs(strains).max(axis=1) <= LARGEST_STRAIN
    axes, angles = strains[used, :3], strains[used, 3:]
    matrix = np.column_stack(
        [
            np.ones(used.sum()),
            -axes.sum(axis=1),
            0.5 * (axes**2).sum(axis=1),
            0.5 * (angles**2).sum(axis=1),
            (axes**3).sum(axis=1),
        ]
    )
    target = energies[used] / volume
    solution = np.linalg.lstsq(matrix, target, rcond=None)[0]
    residual = (target - matrix @ solution) * volume
    return {
        "pressure": solution[1] / GPa,
        "c11": solution[2] / GPa,
        "c12": None,
        "c44": solution[3] / GPa,
        "n_frames": int(used.sum()),
        "residual": 1e3 * float(np.sqrt(np.mean(residual**2))),
    }


def stress_fit(strains: np.ndarray, stresses: np.ndarray) -> float:
    """C12 in GPa: slope of the stresses across a strained axis."""
    used = np.abs(strains).max(axis=1) <= LARGEST_STRAIN
    axes = strains[used, :3]
    matrix = np.column_stack([np.ones(used.sum()), axes, axes**2])
    slopes = np.linalg.lstsq(matrix, stresses[used, :3], rcond=None)[0][1:4]
    return float((slopes.sum() - np.trace(slopes)) / 6 / GPa)


def _table(element: str, result: dict) -> str:
    names = {
        "dft": "DFT, energies of the Elastic frames, ions frozen",
        "model_frames": "soap-gpr, the same cells and fit",
        "model": "soap-gpr, own crystal, ions relaxed",
    }
    rows = []
    for key, name in names.items():
        values = result[key]
        rows.append([name, f"{values['a']:.3f}" if "a" in values else None])
        rows[-1] += [values[c] for c in ("c11", "c12", "c44")]
        rows[-1] += [values.get(key) for key in ("pressure", "residual", "n_frames")]
    head = [element, "a Å", "C11 GPa", "C12", "C44", "pressure", "residual meV/atom", "frames"]
    energy = f"vacancy {result['vacancy']:.2f} eV with {result['vacancy_cell']} atoms, no reference"
    return f"{table(head, rows)}\n{energy}"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("models", type=Path, help="folder with Si.sgpr, Cu.sgpr, Li.sgpr")
    parser.add_argument("--elements", nargs="+", choices=CRYSTALS, default=list(CRYSTALS))
    parser.add_argument("--step", type=float, default=STEP, help="strain of the differences")
    parser.add_argument("--data", type=Path, default=DATA)
    add_output_option(parser)
    return parser.parse_args()


if __name__ == "__main__":
    main()
