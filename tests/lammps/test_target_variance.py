# SPDX-License-Identifier: BSD-3-Clause
"""Variances of targets in LAMMPS: fix pair says what Python says, on any number of ranks."""

import ase
import numpy as np
import pytest
from lammps_runs import run_lammps, setup, write_data
from targets import HALF, SITE, labelled, target_settings

from potential import fit
from potential.errors import SoapGprError
from potential.model.compression import compress
from potential.uncertainty import ProjectedProcess, TargetProcess

TYPES = {29: 1, 79: 2}
NAMES = ("site_uncertainty", "site_rigidity", "site_grade")
VALUES = f"""\
fix u all pair 1 soap/gpr {" ".join(f"{name} 1" for name in NAMES)}
dump out all custom 1 dump.txt id f_u[1] f_u[2] f_u[3]
dump_modify out sort id format float %.17g
run 0
"""


@pytest.fixture(scope="module")
def frames():
    return labelled(12, seed=1)


@pytest.fixture(scope="module")
def atoms(frames):
    """A frame as LAMMPS wants it."""
    turned = ase.Atoms(frames[0].numbers, frames[0].positions, cell=frames[0].cell, pbc=True)
    turned.set_cell(turned.cell.standard_form()[0], scale_atoms=True)
    return turned


@pytest.fixture(scope="module")
def models(frames):
    own = target_settings(SITE, HALF, n_sparse=10, zeta=2)
    own["terms"][0] |= {"n_max": 3, "l_max": 2}
    variance = {"committee": 0, "variance": True, "n_blocks": 4}
    both = {"committee": 4, "variance": True, "n_blocks": 4}
    of = {
        name: fit(own | {"uncertainty": asked}, train=frames, progress=False)
        for name, asked in (("variance", variance), ("both", both))
    }
    plain = of["variance"]
    smaller = compress(plain.model, plain.train[:4], 1.0, target_tolerance=1.0).model
    return {name: own.model for name, own in of.items()} | {"compressed": smaller}


def measured(folder, model, atoms, ranks):
    model.save(folder / "model.sgpr")
    write_data(folder / "atoms.data", atoms, TYPES)
    done = run_lammps(folder, setup(atoms, TYPES) + VALUES, ranks=ranks)
    assert done.returncode == 0, done.stdout
    rows = [row.split() for row in (folder / "dump.txt").read_text().splitlines()[9:]]
    return np.array(rows, dtype=float)[:, 1:]


@pytest.mark.parametrize(
    ("which", "ranks"),
    [("variance", 1), ("variance", 2), ("variance", 4), ("both", 2), ("compressed", 2)],
)
def test_values_are_those_of_python(tmp_path, models, atoms, which, ranks):
    model, atoms = models[which], atoms.repeat((2, 1, 1))
    asked = ("targets_variance", "targets") if which == "both" else ("targets_variance",)
    expected = model.evaluate(atoms, uncertainty=asked).uncertainty.results
    if which == "compressed":  # variances are those of the model as it was
        found = models["variance"].evaluate(atoms, uncertainty=asked).uncertainty.results
        np.testing.assert_allclose(expected["site_uncertainty"], found["site_uncertainty"])
    for found, name in zip(measured(tmp_path, model, atoms, ranks).T, NAMES, strict=True):
        np.testing.assert_allclose(
            found, expected[name], rtol=0, atol=1e-9 * np.abs(expected[name]).max()
        )


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("site_rigidity", "the model has no variance of targets: fit it with [uncertainty] vari"),
        ("average_grade", "LAMMPS has it of targets of atoms alone"),
    ],
)
def test_what_a_model_lacks_is_refused(tmp_path, models, atoms, name, message):
    model = models["variance"].without_uncertainty()
    model.save(tmp_path / "model.sgpr")
    write_data(tmp_path / "atoms.data", atoms, TYPES)
    lines = setup(atoms, TYPES) + f"fix u all pair 1 soap/gpr {name} 1\nrun 0\n"
    done = run_lammps(tmp_path, lines)
    assert done.returncode != 0
    assert f"pair_style soap/gpr has no {name}" in done.stdout and message in done.stdout


def test_process_of_a_compressed_model_is_refused(models):
    for process in (TargetProcess, ProjectedProcess):
        with pytest.raises(SoapGprError, match="found a compressed model, expected the one that"):
            process(models["compressed"])
