# SPDX-License-Identifier: BSD-3-Clause
"""Checkpoints and stored factors of fits with [[targets]] give the models of ordinary fits."""

import sys

import numpy as np
import pytest
from interrupting import Interrupting
from targets import HALF, SITE, labelled, target_settings, target_toml
from test_fit_ranks import run_fit, run_in
from training_data import write_frames

from potential import Model, SoapGprError, fit
from potential.runtime.ranks import Ranks
from potential.runtime.state_file import read_state, write_state
from potential.settings.file import as_settings
from potential.structures.digests import fingerprint
from potential.terms import TrainingModel
from potential.training.target_problem import TargetProblem
from potential.training.targets import fit_targets

BARE = {"labels": ()}


@pytest.fixture(scope="module")
def train():
    return labelled(10, seed=1)


@pytest.fixture(scope="module")
def bare():
    """Frames with labels of targets alone."""
    return labelled(8, seed=1, labels=())


def settings(site=None, **tables):
    """A fit of both kinds of targets, the first with other keys."""
    return target_settings(SITE | (site or {}), HALF, n_sparse=12) | tables


def assert_same(found, expected, rtol=0.0):
    """Arrays of the models, to rounding where rtol allows for it."""
    assert found.arrays.keys() == expected.arrays.keys()
    for name, array in expected.arrays.items():
        scale = np.abs(array).max(initial=0) if rtol else 0.0
        np.testing.assert_allclose(found.arrays[name], array, rtol=0, atol=rtol * scale)


def assert_predicts_the_same(found, expected, frames):
    """Weights are less sure than what they say."""
    for atoms in frames:
        own, other = (m.evaluate(atoms).properties for m in (found, expected))
        np.testing.assert_allclose(own["site"], other["site"], atol=1e-6)
        assert own["average"] == pytest.approx(other["average"], abs=1e-6)


def fail(*arguments):
    raise AssertionError("rows were made again")


def interrupt(monkeypatch, frames, file, after):
    monkeypatch.setattr(Interrupting, "left", after)
    monkeypatch.setattr("potential.training.targets.StreamingQR", Interrupting)
    with pytest.raises(KeyboardInterrupt):
        fit(settings(), train=frames, progress=False, checkpoint=file)
    monkeypatch.undo()
    return read_state(f"{file}.targets", "checkpoint")[0]["n_done"]


def test_fit_goes_on_where_its_targets_were_interrupted(train, monkeypatch, tmp_path):
    file, expected = tmp_path / "state", fit(settings(), train=train, progress=False).model
    assert interrupt(monkeypatch, train, file, 13) == 5  # two species and the mean: three rows
    assert read_state(file, "checkpoint")[0]["n_done"] == 10
    monkeypatch.setattr("potential.training.choice.choose", fail)
    monkeypatch.setattr("potential.training.accumulation.weighted_rows", fail)
    made = []
    kernels = TargetProblem.kernels
    monkeypatch.setattr(
        TargetProblem, "kernels", lambda self, s: made.append(s) or kernels(self, s)
    )
    result = fit(settings(), train=train, progress=False, checkpoint=file)
    assert len(made) == 5
    assert_same(result.model, expected)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["state", "state.targets"]
    result.checkpoint.remove()
    assert not list(tmp_path.iterdir())


def test_fit_of_targets_alone_goes_on(bare, monkeypatch, tmp_path):
    file, expected = tmp_path / "state", fit(settings(), train=bare, progress=False)
    assert interrupt(monkeypatch, bare, file, 4) == 2
    monkeypatch.setattr("potential.training.choice.choose", fail)
    result = fit(settings(), train=bare, progress=False, checkpoint=file)
    assert_same(result.model, expected.model)
    assert result.warnings == expected.warnings and not file.exists()


def test_checkpoint_is_of_the_noise_of_targets(bare, monkeypatch, tmp_path):
    file = tmp_path / "state"
    interrupt(monkeypatch, bare, file, 4)
    with pytest.raises(SoapGprError, match="found the checkpoint of a fit with other settings"):
        fit(settings({"noise": 0.1}), train=bare, progress=False, checkpoint=file)
    renamed = fit(settings({"unit": "Hartree"}), train=bare, progress=False, checkpoint=file)
    assert renamed.model.targets[0].unit == "Hartree"


OTHER = {"noise": {"Cu": 0.1, "Au": 0.05}, "scale": 0.3, "mean": "zero"}


def test_other_noise_scale_and_mean_need_no_rows(train, monkeypatch, tmp_path):
    factor, solver = tmp_path / "factor", {"jitter": 1e-9}
    first = fit(settings(), train=train, progress=False, factor=factor)
    assert_predicts_the_same(first.model, fit(settings(), train=train, progress=False).model, train)
    expected = fit(settings(OTHER, solver=solver), train=train, progress=False)
    monkeypatch.setattr(TrainingModel, "rows", fail)
    monkeypatch.setattr(TargetProblem, "kernels", fail)
    found = fit(settings(OTHER, solver=solver), train=train, progress=False, factor=factor)
    assert_predicts_the_same(found.model, expected.model, train)
    assert found.provenance["targets"] == expected.provenance["targets"]
    changes = found.model.evaluate(train[0]).properties["site"]
    assert np.abs(changes - first.model.evaluate(train[0]).properties["site"]).max() > 1e-4


@pytest.mark.parametrize("labels", [("energy", "forces"), ()])
def test_new_structures_are_added_to_the_old(labels, monkeypatch, tmp_path):
    frames = labelled(9, seed=1, labels=labels)
    factor = tmp_path / "factor"
    fit(settings(), train=frames[:6], progress=False, factor=factor)
    made, kernels = [], TargetProblem.kernels
    monkeypatch.setattr(
        TargetProblem, "kernels", lambda self, s: made.append(s) or kernels(self, s)
    )
    result = fit(settings(), train=frames, progress=False, factor=factor)
    assert len(made) == 3 and result.provenance["targets"][0]["labels"] == 9 * 8
    own, ordered = (
        as_settings(settings(), data_required=False),
        sorted(result.train, key=fingerprint),
    )
    expected = fit_targets(result.model, ordered, own, Ranks(), potential=bool(labels)).model
    assert_predicts_the_same(result.model, expected, frames)
    assert result.model.has_potential == bool(labels)


def test_factor_of_other_targets_is_refused(bare, tmp_path):
    factor = tmp_path / "factor"
    fit(settings(), train=bare, progress=False, factor=factor)
    words = r"found the factor of a fit with other \[\[terms\]\] or \[\[targets\]\]"
    for other in (settings({"species": ["Cu"]}), target_settings(SITE, n_sparse=12)):
        with pytest.raises(SoapGprError, match=words):
            fit(other, train=bare, progress=False, factor=factor)
    changed = [atoms.copy() for atoms in bare]
    changed[0].arrays["site_energy"][0] += 0.1
    with pytest.raises(SoapGprError, match=r"found 1 structures that .* labels differently"):
        fit(settings(), train=changed, progress=False, factor=factor)


@pytest.mark.parametrize(
    "change",
    [
        lambda values, arrays: arrays.pop("T0.0.0"),
        lambda values, arrays: values.pop("targets"),
        lambda values, arrays: values.update(targets=[[7, 0, 0, 3]]),
        lambda values, arrays: values.update(targets=[[0, 5, 0, 3]]),
        lambda values, arrays: arrays.update({"T0.0.0": arrays["T0.0.0"][:-1]}),
    ],
)
def test_damaged_factor_is_one_sentence(bare, tmp_path, change):
    factor = tmp_path / "factor"
    fit(settings(), train=bare[:4], progress=False, factor=factor)
    values, arrays = read_state(factor, "factor")
    change(values, arrays)
    write_state(factor, "factor", values, arrays)
    with pytest.raises(SoapGprError, match="found a damaged factor"):
        fit(settings(), train=bare[:4], progress=False, factor=factor)


STOPPED = """\
import os, signal, sys
from potential.cli import main
from potential.training import targets
class Interrupting(targets.StreamingQR):
    left = 7
    def add(self, rows, labels):
        super().add(rows, labels)
        Interrupting.left -= 1
        if Interrupting.left == 0:
            os.kill(os.getpid(), signal.SIGINT)
targets.StreamingQR = Interrupting
sys.exit(main(["fit", "fit.toml", "-o", "m.sgpr", "--checkpoint", "state"]))
"""


def test_two_ranks_go_on_and_share_a_factor(train, tmp_path):
    write_frames(tmp_path / "train.xyz", train)
    write_frames(tmp_path / "test.xyz", train[:2])
    (tmp_path / "fit.toml").write_text(target_toml(12))
    (tmp_path / "stopped.py").write_text(STOPPED)
    expected = fit(tmp_path / "fit.toml", progress=False).model
    run_in(tmp_path, sys.executable, "stopped.py", ranks=2)
    assert not (tmp_path / "m.sgpr").exists()
    states = sorted(path.name for path in tmp_path.glob("state*"))
    assert states == ["state.0of2", "state.1of2", "state.targets.0of2", "state.targets.1of2"]
    done = [read_state(tmp_path / name, "checkpoint")[0]["n_done"] for name in states]
    assert done[:2] == [5, 5] and all(0 < n < 5 for n in done[2:])
    again = run_fit(tmp_path, "-o", "m.sgpr", "--checkpoint", "state", ranks=2)
    assert again.returncode == 0, again.stderr
    assert not list(tmp_path.glob("state*"))
    assert_predicts_the_same(Model.load(tmp_path / "m.sgpr"), expected, train)
    stored = run_fit(tmp_path, "-o", "f.sgpr", "--factor", "factor", ranks=2)
    assert stored.returncode == 0, stored.stderr
    assert_predicts_the_same(Model.load(tmp_path / "f.sgpr"), expected, train)
    found = fit(tmp_path / "fit.toml", progress=False, factor=tmp_path / "factor").model
    assert_predicts_the_same(found, expected, train)
