# SPDX-License-Identifier: BSD-3-Clause
"""Fits on several MPI ranks, and fits that are interrupted, give the model of an ordinary fit."""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from ase.calculators.singlepoint import SinglePointCalculator
from interrupting import Interrupting
from patience import HANG
from training_data import emt_frames, small_settings, small_toml, write_frames

from potential.cli import main
from potential.errors import SoapGprError
from potential.model import Model
from potential.runtime.progress import silent
from potential.runtime.ranks import Ranks, world
from potential.runtime.state_file import read_state
from potential.settings.file import as_settings
from potential.structures.read import read_structures
from potential.training import checkpoint as checkpoint_module
from potential.training.choice import Choice, common_choice
from potential.training.estimate import estimate
from potential.training.fitting import fit

BIN = Path(sys.executable).parent
SETTINGS = small_toml(40)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ranks")
    write_frames(folder / "train.xyz", emt_frames(21, seed=1))
    write_frames(folder / "test.xyz", emt_frames(5, seed=2))
    (folder / "fit.toml").write_text(SETTINGS)
    return folder


@pytest.fixture(scope="module")
def reference(folder):
    return fit(folder / "fit.toml", progress=False).model


def run_fit(folder, *options, ranks=1, settings="fit.toml"):
    """A finished ``soap-gpr fit`` on so many ranks."""
    return run_in(folder, BIN / "soap-gpr", "fit", settings, *options, ranks=ranks)


def run_in(folder, *command, ranks):
    """A finished command on so many ranks."""
    launcher = [BIN / "mpirun", "-n", str(ranks)] if ranks > 1 else []
    return subprocess.run(
        [*launcher, *command],
        cwd=folder,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=HANG,
    )


def largest_difference(first, second, folder):
    """Of forces and energies on the test frames, relative to the largest."""
    worst = 0.0
    for s in read_structures([str(folder / "test.xyz")]):
        one, two = (m.evaluate(s.numbers, s.positions, s.cell, s.pbc) for m in (first, second))
        worst = max(
            worst,
            np.abs(one.forces - two.forces).max() / np.abs(one.forces).max(),
            np.abs(one.energies - two.energies).max() / np.abs(one.energies).max(),
        )
    return worst


@pytest.mark.parametrize("ranks", (2, 4))
def test_any_number_of_ranks_gives_the_same_model(folder, reference, ranks):
    done = run_fit(folder, "-o", f"{ranks}.sgpr", ranks=ranks)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Training data") == 1
    model = Model.load(folder / f"{ranks}.sgpr")
    assert model.metadata["provenance"]["ranks"] == ranks
    assert largest_difference(reference, model, folder) < 1e-8


def test_two_ranks_share_a_basis_of_derivatives(folder):
    settings = SETTINGS.replace("n_sparse = 40", 'n_sparse = 72\nsparse_basis = "derivatives"')
    (folder / "derivatives.toml").write_text(settings)
    one = fit(folder / "derivatives.toml", progress=False).model
    done = run_fit(folder, "-o", "derivatives.sgpr", ranks=2, settings="derivatives.toml")
    assert done.returncode == 0, done.stderr
    two = Model.load(folder / "derivatives.sgpr")
    assert largest_difference(one, two, folder) < 1e-7


def test_an_error_of_one_rank_ends_all_of_them_with_one_sentence(folder):
    (folder / "wrong.toml").write_text(SETTINGS.replace("train.xyz", "missing.xyz"))
    done = run_fit(folder, "-o", "wrong.sgpr", ranks=2, settings="wrong.toml")
    assert done.returncode == 1
    assert done.stderr.count("missing.xyz: found nothing, expected an existing file") == 1
    assert "Traceback" not in done.stderr and not (folder / "wrong.sgpr").exists()


def test_an_error_that_one_rank_alone_knows_of_ends_all_of_them(folder, tmp_path):
    script = tmp_path / "fails.py"
    script.write_text(
        "import os, sys\nfrom potential.cli import main\n"
        "from potential.training import accumulation\n"
        "def fails(*arguments, **options): raise MemoryError\n"
        "if os.environ['PMI_RANK'] == '0': accumulation.merge = fails\n"
        "sys.exit(main(['fit', 'fit.toml', '-o', 'fails.sgpr']))\n"
    )
    done = run_in(folder, sys.executable, script, ranks=2)
    assert done.returncode != 0 and "rank 0: MemoryError" in done.stderr


def test_ranks_without_mpi4py_are_refused(monkeypatch):
    monkeypatch.setenv("PMI_SIZE", "4")
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    with pytest.raises(SoapGprError, match="found 4 MPI ranks and no mpi4py"):
        world()


def test_work_is_shared_by_cost():
    costs = [9.0, 1.0, 1.0, 1.0, 5.0, 4.0, 3.0]
    shares = []
    for rank in range(3):
        ranks = Ranks()
        ranks.rank, ranks.size = rank, 3
        shares.append(ranks.share(costs, lambda cost: cost))
    assert sorted(k for share in shares for k in share) == list(range(7))
    assert max(sum(costs[k] for k in share) for share in shares) == 9.0


def test_interrupted_fit_goes_on_to_the_identical_model(folder, reference, monkeypatch, tmp_path):
    file = tmp_path / "fit.checkpoint"
    monkeypatch.setattr(Interrupting, "left", 8)
    monkeypatch.setattr("potential.training.accumulation.StreamingQR", Interrupting)
    with pytest.raises(KeyboardInterrupt):
        fit(folder / "fit.toml", progress=False, checkpoint=file)
    monkeypatch.undo()
    assert read_state(file, "checkpoint")[0]["n_done"] == 8
    # what is in the file must be used, not computed again
    monkeypatch.setattr("potential.training.choice.choose", None)
    result = fit(folder / "fit.toml", progress=False, checkpoint=file)
    assert result.model.arrays.keys() == reference.arrays.keys()
    for name, array in reference.arrays.items():
        assert np.array_equal(array, result.model.arrays[name]), name
    result.checkpoint.remove()
    assert not file.exists()


def test_killed_fit_goes_on_from_its_last_state(folder, reference, tmp_path):
    """kill -9 while the regression runs, with a state written after every structure.

    The tenth structure never ends, so that there is something left to do whenever the kill comes.
    """
    script = (
        "import itertools, sys, threading\n"
        "from potential.training import accumulation, checkpoint\n"
        "from potential.training.fitting import fit\n"
        "checkpoint.INTERVAL = 0.0\n"
        "rows, count = accumulation.weighted_rows, itertools.count(1)\n"
        "def few(*a): return threading.Event().wait() if next(count) >= 10 else rows(*a)\n"
        "accumulation.weighted_rows = few\n"
        "fit(sys.argv[1], progress=False, checkpoint=sys.argv[2])\n"
    )
    file = tmp_path / "fit.checkpoint"
    # elsewhere than in the checkout, whose folder potential/ would hide the installed package
    command = [sys.executable, "-c", script, folder / "fit.toml", file]
    process = subprocess.Popen(command, cwd=tmp_path)
    try:
        while not file.exists() and process.poll() is None:
            time.sleep(0.05)
    finally:
        process.kill()
        process.wait()
    assert 0 < read_state(file, "checkpoint")[0]["n_done"] < 10
    result = fit(folder / "fit.toml", progress=False, checkpoint=file)
    assert largest_difference(reference, result.model, folder) == 0.0


def test_checkpoints_on_two_ranks(folder, reference):
    done = run_fit(folder, "-o", "c.sgpr", "--checkpoint", "state", ranks=2)
    assert done.returncode == 0, done.stderr
    assert not list(folder.glob("state*"))
    assert largest_difference(reference, Model.load(folder / "c.sgpr"), folder) < 1e-8


def test_checkpoints_stay_until_the_model_is_written(folder, tmp_path):
    script = tmp_path / "full.py"
    script.write_text(
        "import sys\nfrom potential.cli import main\nfrom potential.errors import SoapGprError\n"
        "from potential.model import Model\n"
        "def full(self, path): raise SoapGprError(f'{path}: cannot be written: disk full')\n"
        "Model.save = full\n"
        "sys.exit(main(['fit', 'fit.toml', '-o', 'full.sgpr', '--checkpoint', 'kept']))\n"
    )
    done = run_in(folder, sys.executable, script, ranks=2)
    assert done.returncode == 1
    assert done.stderr.count("full.sgpr: cannot be written: disk full") == 1
    assert sorted(path.name for path in folder.glob("kept*")) == ["kept.0of2", "kept.1of2"]


def test_each_rank_warns_of_a_checkpoint_that_it_cannot_write(folder, tmp_path):
    script = tmp_path / "full.py"
    script.write_text(
        "import sys\nfrom potential.training import checkpoint\nfrom potential.cli import main\n"
        "from potential.errors import SoapGprError\n"
        "def full(path, *arguments):\n"
        "    if path.name == 'none.1of2': raise SoapGprError(f'{path}: cannot be written: full')\n"
        "checkpoint.write_state = full\n"
        "sys.exit(main(['fit', 'fit.toml', '-o', 'warned.sgpr', '--checkpoint', 'none']))\n"
    )
    done = run_in(folder, sys.executable, script, ranks=2)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("warning: none.1of2: cannot be written: full; the fit went on") == 1


def test_dry_run_on_two_ranks_is_said_once(folder):
    for options in ((), ("--factor", "dry.factor"), ("--checkpoint", "dry.checkpoint")):
        done = run_fit(folder, "--dry-run", *options, ranks=2)
        assert done.returncode == 0, done.stderr
        assert done.stdout.count("Training data") == 1 and "of 2 rank(s)" in done.stdout
        assert not list(folder.glob("dry.*"))


def test_checkpoint_of_another_fit_is_refused(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint_module, "INTERVAL", 0.0)
    file = tmp_path / "fit.checkpoint"
    train = str(folder / "train.xyz")
    fit(small_settings(train, n_sparse=5), progress=False, checkpoint=file)
    with pytest.raises(SoapGprError, match="found the checkpoint of a fit with other settings"):
        fit(small_settings(train, n_sparse=6), progress=False, checkpoint=file)
    np.savez(file.with_suffix(".npz"), R=np.zeros(3))
    np.save(file.with_suffix(".npy"), np.zeros(3))
    file.write_bytes(b"something else")
    for foreign in (file, file.with_suffix(".npz"), file.with_suffix(".npy")):
        with pytest.raises(SoapGprError, match="found something else than a checkpoint"):
            fit(small_settings(train, n_sparse=5), progress=False, checkpoint=foreign)


def test_rank_without_a_state_takes_up_the_model_of_another(reference):
    class Second(Ranks):
        """The second of two ranks, of which the first resumes."""

        def __init__(self):
            self.rank, self.size, self._comm = 1, 2, None

        def all_gather(self, value):
            return [True if value is False else Choice(reference, ["few"]), value]

    settings = as_settings(small_settings("train.xyz"))
    found = common_choice(settings, [], Second(), silent)
    assert found.model.to_bytes() == reference.to_bytes() and found.warnings == ["few"]


def test_dry_run_says_rows_memory_and_time_and_writes_nothing(folder, capsys):
    code = main(["fit", str(folder / "fit.toml"), "-o", str(folder / "dry.sgpr"), "--dry-run"])
    assert code == 0 and not (folder / "dry.sgpr").exists()
    text = capsys.readouterr().out
    assert "21 structures, 168 atoms, 651 labels" in text
    assert "at most 80" in text and "MiB on each of 1 rank(s)" in text


def test_dry_run_without_any_environment_is_one_sentence(tmp_path):
    atoms = emt_frames(1)[0][:1]
    atoms.pbc, atoms.calc = False, SinglePointCalculator(atoms, energy=-1.0)
    settings = small_settings(write_frames(tmp_path / "a.xyz", [atoms]), central_weight=0)
    with pytest.raises(SoapGprError, match="found no environment with any neighbour"):
        estimate(settings)


def test_dry_run_counts_labels_that_are_left_out(folder):
    settings = small_settings(str(folder / "train.xyz"))
    settings["noise"] = {"force": float("inf"), "config_type": {"odd": {"energy_per_atom": 0.1}}}
    assert f"{21 * (1 + 6)} labels" in estimate(settings)
