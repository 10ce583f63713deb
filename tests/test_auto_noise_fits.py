# SPDX-License-Identifier: BSD-3-Clause
"""Fits that find their noise levels: from files, on ranks, with measures, at every size."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from interrupting import Interrupting
from patience import HANG
from training_data import emt_frames, small_toml, write_fit

from potential.cli import main
from potential.errors import SoapGprError
from potential.model import Model
from potential.model.evaluation import evaluate_structures
from potential.settings.file import load_settings
from potential.structures.read import read_structures
from potential.training.estimate import estimate
from potential.training.fitting import fit
from potential.validation.learning_curve import learning_curve
from potential.validation.search_space import as_tune
from potential.validation.tuning import tune

BIN = Path(sys.executable).parent
NOISE = '[noise]\nenergy_per_atom = 0.003\nforce = "auto"\nconfig_type.odd = "auto"\n'


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("auto")
    write_fit(folder, small_toml(20) + NOISE, emt_frames(14, seed=1), emt_frames(4, seed=2))
    (folder / "all.toml").write_text('noise = "auto"\n' + small_toml(20))
    return folder


@pytest.fixture(scope="module")
def reference(folder):
    return fit(folder / "fit.toml", progress=False)


def levels(result):
    provenance = getattr(result, "provenance", None) or result.metadata["provenance"]
    return [own["levels"] for own in provenance["noise"]]


def same(first, second, folder, atol=1e-6):
    test = read_structures([str(folder / "test.xyz")])
    one, two = (evaluate_structures(model, test) for model in (first, second))
    return all(np.allclose(a.forces, b.forces, atol=atol) for a, b in zip(one, two, strict=True))


def test_factor_finds_the_same_levels_and_others_for_more_structures(folder, reference, tmp_path):
    result = fit(folder / "fit.toml", progress=False, factor=tmp_path / "factor")
    assert levels(result) == levels(reference)
    assert same(result.model, reference.model, folder)
    write_fit(tmp_path, small_toml(20) + NOISE, emt_frames(20, seed=1), emt_frames(4, seed=2))
    more = fit(tmp_path / "fit.toml", progress=False, factor=tmp_path / "factor")
    assert [own["labels"] for own in more.provenance["noise"]] == [240, 10 * 31]
    assert levels(more) != levels(reference)


def test_interrupted_fit_goes_on_to_the_same_levels(folder, reference, monkeypatch, tmp_path):
    file = tmp_path / "checkpoint"
    monkeypatch.setattr(Interrupting, "left", 8)
    monkeypatch.setattr("potential.training.accumulation.StreamingQR", Interrupting)
    with pytest.raises(KeyboardInterrupt):
        fit(folder / "fit.toml", progress=False, checkpoint=file)
    monkeypatch.undo()
    again = fit(folder / "fit.toml", progress=False, checkpoint=file)
    assert levels(again) == levels(reference)
    for name, array in reference.model.arrays.items():
        assert np.array_equal(array, again.model.arrays[name]), name
    (tmp_path / "fit.toml").write_text(small_toml(20))
    for name in ("train.xyz", "test.xyz"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    with pytest.raises(SoapGprError, match="found the checkpoint of a fit with other settings"):
        monkeypatch.setattr(Interrupting, "left", -1)
        monkeypatch.setattr("potential.training.checkpoint.INTERVAL", 0.0)
        fit(folder / "fit.toml", progress=False, checkpoint=file)
        fit(tmp_path / "fit.toml", progress=False, checkpoint=file)


def test_two_ranks_find_the_same_levels(folder, reference):
    done = subprocess.run(
        [BIN / "mpirun", "-n", "2", BIN / "soap-gpr", "fit", "fit.toml", "-o", "two.sgpr"],
        cwd=folder,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=HANG,
    )
    assert done.returncode == 0, done.stderr
    model = Model.load(folder / "two.sgpr")
    for one, two in zip(levels(model), levels(reference), strict=True):
        assert one == pytest.approx(two, rel=1e-3)
    assert same(model, reference.model, folder, atol=1e-4)


def test_measures_of_uncertainty_stand_on_the_levels_that_were_found(folder, tmp_path):
    own = "[uncertainty]\ncommittee = 4\nvariance = true\nn_blocks = 4\n"
    (folder / "measured.toml").write_text(small_toml(20) + NOISE + own)
    result = fit(folder / "measured.toml", progress=False)
    plain = fit(folder / "fit.toml", progress=False)
    assert levels(result) == levels(plain)
    assert same(result.model, plain.model, folder)
    quality = result.provenance["uncertainty"]["quality"]
    assert quality["train"]["variance"]["force"]["scale"] > 0
    again = fit(folder / "measured.toml", progress=False, factor=tmp_path / "factor")
    assert same(again.model, plain.model, folder)


def test_dry_run_and_info_name_the_levels(folder, capsys):
    text = estimate(folder / "fit.toml")
    assert "[noise] force; [noise.config_type.odd] energy_per_atom, force, virial_per_atom" in text
    assert main(["fit", str(folder / "all.toml"), "-o", str(folder / "all.sgpr")]) == 0
    assert "residual per label 1.00" in capsys.readouterr().out
    assert main(["info", str(folder / "all.sgpr")]) == 0
    out = capsys.readouterr().out
    assert "Noise          energy_per_atom 0.00" in out and f"found from {14 * 31} labels" in out


def test_learning_curve_finds_levels_at_every_size(folder):
    settings = load_settings(folder / "all.toml")
    curve = learning_curve(settings, [4, 14], repeats=2)
    found = curve.noise["force"]
    assert np.isfinite(found[0]).all() and np.isfinite(found[1, 0])
    assert len(set(found[np.isfinite(found)].tolist())) == 3
    whole = fit(settings, progress=False)
    assert found[1, 0] == pytest.approx(levels(whole)[0]["force"], rel=2e-3)
    error = whole.test_errors["all"]["force"].rmse
    assert curve.errors["force"]["rmse"][1, 0] == pytest.approx(error, rel=1e-3)
    assert len(curve.to_dict()["noise"]["force"]) == 2


def test_search_finds_levels_for_every_trial_or_refuses_the_word(folder):
    search = '[tune]\nmethod = "grid"\nfolds = 2\n[tune.search]\n"solver.jitter" = [1e-9]\n'
    (folder / "tune.toml").write_text(small_toml(20) + NOISE + search)
    with pytest.raises(SoapGprError, match=r'\[noise\]: found "auto", expected numbers'):
        as_tune(folder / "tune.toml")
    likely = search.replace("folds = 2", 'folds = 2\nnoise = "marginal_likelihood"')
    (folder / "tune.toml").write_text(small_toml(20) + NOISE + likely)
    trial = tune(folder / "tune.toml").trials[0]
    assert trial.error == "" and trial.noise["force"] != 0.05
