# SPDX-License-Identifier: BSD-3-Clause
"""Small GAP potentials, trained by gap_fit in a temporary folder, and what QUIP says of them."""

import functools
import importlib.util
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import ase
import ase.io
import numpy as np
import pytest
from models import random_structure

SOAP = "cutoff=4.0 atom_sigma=0.5 n_max=4 l_max=3 delta=0.5 n_sparse=8 sparse_method=random"
SOAP = f"soap {SOAP} covariance_type=dot_product zeta=4"
PAIR = "distance_2b cutoff=4.0 delta=0.5 theta_uniform=1.0 n_sparse=6 sparse_method=uniform"
PAIR = f"{PAIR} covariance_type=ard_se"
TURBO_KERNEL = "delta=0.5 n_sparse=8 sparse_method=random covariance_type=dot_product zeta=4"
TRIPLET = PAIR.replace("distance_2b cutoff=4.0", "angle_3b cutoff=3.5")
CLUSTERS = TRIPLET.replace("angle_3b", "distance_Nb order=3")


def turbo(n_species=1, **options) -> str:
    """Descriptors for gap_fit, one for each centre; options may hold values per species."""
    known = {
        "l_max": 3,
        "alpha_max": (4, 4),
        "atom_sigma_r": (0.5, 0.5),
        "atom_sigma_t": (0.5, 0.5),
        "rcut_soft": 3.5,
        "rcut_hard": 4.0,
        "basis": "poly3",
    }
    own = (
        known
        | options
        | {"n_species": n_species, "species_Z": (14,) if n_species == 1 else (6, 14)}
    )
    text = " ".join(f"{key}={_listed(value, n_species)}" for key, value in own.items())
    text = f"soap_turbo {text} {TURBO_KERNEL} add_species=F"
    return " : ".join(f"{text} central_index={k + 1}" for k in range(n_species))


def _listed(value, n_species) -> str:
    if not isinstance(value, tuple):
        return str(value)
    return "{{" + " ".join(map(str, value[:n_species])) + "}}"


def gap_fit_program() -> str:
    """Path of gap_fit; skips the test without quippy-ase."""
    pytest.importorskip("quippy", reason="quippy-ase is not installed")
    spec = importlib.util.find_spec("quippy")
    inside = Path(spec.origin).with_name("gap_fit")  # what the script of that name starts
    found = str(inside) if inside.exists() else shutil.which("gap_fit")
    if not found:
        pytest.skip("gap_fit is not installed")
    return found


def quip_potential(xml: Path, arguments="", **options):
    """QUIP's, read once from a file that stays as it is."""
    return _read(str(xml), Path(xml).read_bytes(), arguments, tuple(options.items()))


@functools.lru_cache(maxsize=2)
def _read(xml: str, content: bytes, arguments: str, options: tuple[tuple[str, str], ...]):
    from quippy.potential import Potential

    return Potential(arguments, param_filename=xml, **dict(options))


def train(folder, gap: str, species=(6, 14), extra=(), **files: str) -> Path:
    """gap.xml fitted to random energies of random structures, in train.xyz beside it.

    files: texts that gap_fit reads, by their names without .txt.
    """
    inputs = tuple(files.items())
    for name, content in _trained(gap, tuple(species), tuple(extra), inputs).items():
        (Path(folder) / name).write_bytes(content)
    return Path(folder) / "gap.xml"


@functools.cache
def _trained(
    gap: str,
    species: tuple[int, ...],
    extra: tuple[str, ...],
    inputs: tuple[tuple[str, str], ...],
) -> dict[str, bytes]:
    """The files of a fit by name: many tests share one."""
    program = gap_fit_program()
    rng = np.random.default_rng(0)
    frames = []
    for seed in range(6):
        frame = random_structure(np.repeat(species, 6), spacing=2.2, seed=seed)
        frame.info["dft_energy"] = float(rng.normal(scale=0.1 * len(frame)))
        frames.append(frame)
    e0 = "e0={" + ":".join(f"{ase.data.chemical_symbols[z]}:{-0.1 * z}" for z in species) + "}"
    command = [program, "atoms_filename=train.xyz", f"gap={{{gap}}}", e0]
    command += ["energy_parameter_name=dft_energy", "force_parameter_name=none"]
    command += ["virial_parameter_name=none", "default_sigma={0.01 0.1 0.1 0.0}"]
    command += ["sparse_jitter=1.0e-8", "gp_file=gap.xml", "rnd_seed=1", *extra]
    with tempfile.TemporaryDirectory() as folder:
        ase.io.write(Path(folder) / "train.xyz", frames, format="extxyz")
        for name, text in inputs:
            (Path(folder) / f"{name}.txt").write_text(text)
        one_thread = os.environ | {"OMP_NUM_THREADS": "1"}  # several wait for each other
        done = subprocess.run(command, cwd=folder, env=one_thread, capture_output=True, text=True)
        assert (Path(folder) / "gap.xml").exists(), (done.stdout + done.stderr)[-3000:]
        return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


def glue(label: str, strength: float, species=(6, 14)) -> str:
    """Glue_params without embedding: slopes at both ends for the heavier species with itself,
    natural ends for the two together."""
    distances = (1.0, 1.4, 2.0, 2.7, 3.6)
    points = "".join(f'<point r="{r}" E="{strength * (3.6 - r) ** 3}"/>' for r in distances)
    nothing = "".join(f'<point X="{k}" Y="0.0"/>' for k in (1, 2, 3))
    density = nothing.replace("X", "a").replace("Y", "rho")
    embedding = nothing.replace("X", "rho").replace("Y", "E")
    types = "".join(
        f'<per_type_data type="{t}" atomic_num="{z}"><density num_points="3" density_y1="0.0"'
        f' density_yn="0.0">{density}</density><potential_density num_points="3">{embedding}'
        "</potential_density></per_type_data>"
        for t, z in enumerate(species[::-1], start=1)
    )
    ends = {(1, 1): f'y1="{-20 * strength}" yn="0.0"', (1, 2): 'y1="1e30" yn="1e30"'}
    pairs = "".join(
        f'<per_pair_data type1="{a}" type2="{b}"><potential_pair num_points="5" {end}>{points}'
        "</potential_pair></per_pair_data>"
        for (a, b), end in ends.items()
    )
    return f'<Glue_params n_types="2" label="{label}">{types}{pairs}</Glue_params>'


def add_glue(xml: Path, species=(6, 14)) -> None:
    """Puts a baseline of pairs beside the potential of a file."""
    text = xml.read_text()
    label = re.search(r'init_args="IP GAP label=(\w+)"', text)[1]
    both = f'init_args="Sum init_args_pot1={{IP Glue}} init_args_pot2={{IP GAP label={label}}}"'
    text = text.replace(f'init_args="IP GAP label={label}"', both)
    part = glue("", 0.1, species).replace("><", ">\n<")  # QUIP cuts long lines
    xml.write_text(text.replace("<GAP_params", f"{part}\n<GAP_params", 1))


def structures(species=(6, 14), isolated=True) -> dict[str, ase.Atoms]:
    """Periodic, tiny-cell, cluster and isolated-atom structures."""
    small = [[2.9, 0, 0], [0.7, 2.8, 0], [-0.4, 0.5, 3.1]]
    a, b = species[0], species[-1]
    found = {
        "periodic": random_structure(np.repeat([a, b], 12), spacing=2.2, seed=11),
        "tiny cell": random_structure([a, b], seed=12, cell=small),
        "cluster": random_structure([a, a, b, b, b], spacing=2.0, seed=13, pbc=False),
        "dimer": ase.Atoms(numbers=[a, b], positions=[[0, 0, 0], [0.3, 0.5, 1.6]]),
    }
    if isolated:
        found["isolated atom"] = ase.Atoms(numbers=[b], positions=[[0, 0, 0]])
    return found


def assert_same(model, xml, atoms: ase.Atoms, energy=1e-8, other=1e-6, label=None) -> None:
    """Energy relative, per-atom energies and forces (eV, eV/Å) and virial as QUIP has them."""
    atoms = atoms.copy()
    if not atoms.pbc.any():
        atoms.cell = [40.0, 40.0, 40.0]  # QUIP wants a cell
    quip = quip_potential(xml, f"xml_label={label}" if label else "")
    quip.calculate(atoms, ["energy", "forces", "stress", "energies"])
    found = model.evaluate(atoms.numbers, atoms.positions, atoms.cell.array, atoms.pbc)
    wanted = quip.results
    scale = max(abs(wanted["energy"]), 0.1 * len(atoms))
    np.testing.assert_allclose(found.energy, wanted["energy"], rtol=0, atol=energy * scale)
    np.testing.assert_allclose(found.energies, wanted["energies"], rtol=0, atol=other)
    np.testing.assert_allclose(found.forces, wanted["forces"], rtol=0, atol=other)
    virial = -wanted["stress"] * atoms.get_volume()
    voigt = found.virial[[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]]
    np.testing.assert_allclose(voigt, virial, rtol=0, atol=other * len(atoms))
