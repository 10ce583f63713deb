# SPDX-License-Identifier: BSD-3-Clause
"""Fits of frames that are given in Python equal fits from files of the same frames."""

import subprocess
import sys
from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.calculators.emt import EMT
from patience import HANG
from training_data import emt_frames, small_settings, write_frames

from potential.errors import SoapGprError
from potential.model import Model
from potential.settings import DataSettings, FitSettings, SoapTermSettings
from potential.settings.file import load_settings
from potential.training.fitting import fit

BIN = Path(sys.executable).parent
TERM = "[[terms]]\ncutoff = 4.0\nn_max = 4\nl_max = 3\nzeta = 2\nn_sparse = 40\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Files of frames, and settings with and without [data]."""
    folder = tmp_path_factory.mktemp("frames")
    write_frames(folder / "train.xyz", emt_frames(12, seed=1))
    write_frames(folder / "test.xyz", emt_frames(4, seed=2))
    data = '[data]\ntrain = ["train.xyz"]\ntest = ["test.xyz"]\n'
    (folder / "files.toml").write_text(data + TERM)
    (folder / "frames.toml").write_text(TERM)
    return folder


@pytest.fixture(scope="module")
def frames(folder):
    """Frames as the files have them, train and test."""
    return [ase.io.read(folder / name, ":") for name in ("train.xyz", "test.xyz")]


@pytest.fixture(scope="module")
def from_files(folder):
    return fit(folder / "files.toml", progress=False)


def assert_same_arrays(first, second):
    assert first.arrays.keys() == second.arrays.keys()
    for name, array in first.arrays.items():
        np.testing.assert_array_equal(array, second.arrays[name], err_msg=name)


def test_frames_give_the_model_of_their_files_bit_for_bit(folder, frames, from_files):
    train, test = frames
    found = fit(folder / "frames.toml", train=train, test=iter(test), progress=False)
    assert_same_arrays(found.model, from_files.model)
    assert found.test_errors == from_files.test_errors
    assert found.train_errors == from_files.train_errors
    assert [s.source for s in found.test] == ["test[0]", "test[1]", "test[2]", "test[3]"]
    assert found.warnings == from_files.warnings


def test_the_record_says_that_frames_were_given(folder, frames, tmp_path):
    train, test = frames
    model = fit(load_settings(folder / "files.toml"), train=train, test=test, progress=False).model
    model.save(tmp_path / "m.sgpr")
    metadata = Model.load(tmp_path / "m.sgpr").metadata
    assert list(metadata["provenance"]["sha256"]) == ["train[0:12]", "test[0:4]"]
    assert metadata["settings"]["data"]["train"] == metadata["settings"]["data"]["test"] == []
    first = fit(folder / "frames.toml", train=train, progress=False).provenance["sha256"]
    train[0].info["energy"] = train[0].calc.results.pop("energy") + 1.0
    other = fit(folder / "frames.toml", train=train, progress=False).provenance["sha256"]
    train[0].calc.results["energy"] = train[0].info.pop("energy") - 1.0
    assert first.keys() == other.keys() and first != other


def test_files_that_frames_stand_in_for_are_named(folder, frames):
    train, _ = frames
    result = fit(folder / "files.toml", train=train[:6], progress=False)
    name = folder / "train.xyz"
    assert f"[data] train: {name} not read, as frames were given" in result.warnings
    assert len(result.train) == 6 and len(result.test) == 4  # test from its file


def test_keys_are_those_of_files(folder, frames):
    train = [atoms.copy() for atoms in frames[0]]
    for atoms, original in zip(train, frames[0], strict=True):
        atoms.info["dft_energy"] = original.get_potential_energy()
        atoms.arrays["dft_forces"] = original.get_forces()
    settings = small_settings("", n_sparse=10)
    settings["data"] = {"energy_key": "dft_energy", "forces_key": "dft_forces"}
    result = fit(settings, train=train, progress=False)
    assert result.provenance["labels"]["energy"] == ["dft_energy"]
    assert result.provenance["fitted_labels"] == 12 * 25
    settings["data"]["energy_key"] = "dft_enrgy"
    with pytest.raises(SoapGprError, match=r"^train: no frame has 'dft_enrgy'; names found: con"):
        fit(settings, train=train, progress=False)


def test_settings_made_in_python_need_no_data(frames):
    settings = FitSettings(terms=(SoapTermSettings(n_max=3, l_max=2, n_sparse=5),))
    result = fit(settings, train=frames[0], progress=False)
    assert settings.data == DataSettings(()) and result.model.n_weights == 10


@pytest.mark.parametrize(
    "given, message",
    [
        ([], "^train: found no frames, expected a list of ase.Atoms$"),
        (Atoms("Cu"), "^train: found one Atoms, expected a list of ase.Atoms$"),
        ("train.xyz", "^train: found one str, expected a list of ase.Atoms$"),
        (3, "^train: found one int, expected a list of ase.Atoms$"),
        ([Atoms("Cu"), "b.xyz"], r"^train\[1\]: found str, expected ase.Atoms$"),
        ([Atoms("Cu")], "^train: found no energies, forces, virials or stresses; set energy_key"),
    ],
)
def test_what_is_no_list_of_labelled_frames_is_one_sentence(folder, given, message):
    with pytest.raises(SoapGprError, match=message):
        fit(folder / "frames.toml", train=given, progress=False)


def test_errors_name_the_frame(folder, frames):
    train = [atoms.copy() for atoms in frames[0]]
    for atoms, original in zip(train, frames[0], strict=True):
        atoms.info["energy"] = original.get_potential_energy()
    train[3].info["energy"] = np.nan
    with pytest.raises(SoapGprError, match=r"^train\[3\]: energy: found a value that is not fin"):
        fit(folder / "frames.toml", train=train, progress=False)


def test_results_of_a_calculator_from_before_a_move_are_refused(folder):
    (atoms,) = emt_frames(1)
    atoms.calc = EMT()
    atoms.get_forces()
    atoms.rattle(0.1)
    with pytest.raises(SoapGprError, match=r"^train\[0\]: found results .* change of positions"):
        fit(folder / "frames.toml", train=[atoms], progress=False)


def test_without_frames_the_settings_must_name_files(folder, frames):
    with pytest.raises(SoapGprError, match=r"frames\.toml: data: missing, and it has no default"):
        fit(folder / "frames.toml", progress=False)
    with pytest.raises(SoapGprError, match=r"frames\.toml: data: missing, and it has no default"):
        fit(folder / "frames.toml", test=frames[1], progress=False)


@pytest.mark.parametrize("kind", ("checkpoint", "factor"))
def test_frames_go_on_from_a_file_of_the_same_problem(folder, frames, from_files, tmp_path, kind):
    """What is kept is that of structures, wherever they are from."""
    path = tmp_path / kind
    first = fit(folder / "files.toml", progress=False, **{kind: path}).model
    again = fit(
        folder / "frames.toml", train=frames[0], test=frames[1], progress=False, **{kind: path}
    ).model
    assert_same_arrays(first, again)
    assert again.metadata["settings"]["file"] == str(folder / "frames.toml")
    message = {"checkpoint": "found the checkpoint of a fit with", "factor": "found 1 structures"}
    with pytest.raises(SoapGprError, match=message[kind]):
        fit(folder / "frames.toml", train=frames[0][:-1], progress=False, **{kind: path})


def test_the_first_rank_gives_the_frames(folder, from_files, tmp_path):
    script = tmp_path / "ranks.py"
    script.write_text(
        "import ase.io\nfrom mpi4py import MPI\nfrom potential import fit\n"
        "rank = MPI.COMM_WORLD.Get_rank()\n"
        "train, test = [ase.io.read(f'{name}.xyz', ':') for name in ('train', 'test')]\n"
        "if rank: train = test = None\n"
        "result = fit('frames.toml', train=train, test=test, progress=False)\n"
        "result.model.save(f'{rank}.sgpr')\n"
    )
    command = [BIN / "mpirun", "-n", "2", sys.executable, script]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=HANG)
    assert done.returncode == 0, done.stderr
    first, second = (Model.load(folder / f"{rank}.sgpr") for rank in (0, 1))
    assert_same_arrays(first, second)
    assert first.metadata == second.metadata
    for s in from_files.test:
        one, two = (
            m.evaluate(s.numbers, s.positions, s.cell, s.pbc) for m in (first, from_files.model)
        )
        assert np.abs(one.forces - two.forces).max() < 1e-8 * np.abs(two.forces).max()
