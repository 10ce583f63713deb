# SPDX-License-Identifier: BSD-3-Clause
"""Fits with [uncertainty]: what is in the model, and that ways to fit do not matter."""

import copy
import json
from dataclasses import replace

import numpy as np
import pytest
from interrupting import Interrupting
from test_fit_ranks import run_fit
from training_data import emt_frames, small_settings, write_fit, write_frames

from potential.cli import main
from potential.errors import SoapGprError
from potential.model import TRIANGLE, Model
from potential.model.evaluation import evaluate_structures
from potential.settings.toml_text import toml_text
from potential.terms import TrainingModel
from potential.training.estimate import estimate
from potential.training.fitting import fit
from potential.training.refit import refit
from potential.training.residuals import MOST_ATOMS
from potential.uncertainty import ProjectedProcess

COMMITTEE = {"committee": 4, "variance": False, "n_blocks": 5}
TERMS = [
    dict(cutoff=4.0, n_max=3, l_max=2, zeta=2, n_sparse=12),
    dict(kind="pair", cutoff=4.0, n_sparse=6),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("uncertain")
    write_frames(folder / "train.xyz", emt_frames(20, seed=1))
    write_frames(folder / "test.xyz", emt_frames(6, seed=2))
    return folder


def settings_in(folder, **uncertainty):
    settings = small_settings(str(folder / "train.xyz"), [str(folder / "test.xyz")])
    return settings | {"terms": TERMS, "uncertainty": COMMITTEE | uncertainty}


@pytest.fixture(scope="module")
def result(folder):
    return fit(settings_in(folder), progress=False)


def spreads(result):
    """Member deviations of the energies of the test structures (n, C), eV."""
    found = []
    model = TrainingModel(result.model.to_bytes())
    for structure in result.test:
        rows, begin = model.atom_rows(model.environments(structure)).sum(axis=0), 0
        total = 0.0
        for t in range(len(model.terms)):
            for a, points in model.sparse_points(t).items():
                own = rows[begin : begin + len(points)]
                begin += len(points)
                weights = model.arrays.get(f"members.term{t}.weights.{a}")
                total = total + (0.0 if weights is None else weights @ own)
        found.append(total)
    return np.array(found)


def test_committee_is_in_the_model_and_is_the_fit_on_average(folder, result):
    own = result.model.uncertainty
    assert own.n_members == 4 and own.variance is None and own.committee.energy > 0
    for name, array in result.model.arrays.items():
        if name.startswith("members."):
            assert array.shape[0] == 4
            assert np.abs(array.sum(axis=0)).max() <= 1e-9 * max(1.0, np.abs(array).max())
    assert TRIANGLE not in result.model.arrays
    plain = fit(
        {k: v for k, v in settings_in(folder).items() if k != "uncertainty"}, progress=False
    )
    assert plain.model.uncertainty is None and "uncertainty" not in plain.provenance
    assert "uncertainty" not in plain.model.metadata["settings"]
    one, two = (evaluate_structures(own.model, result.test) for own in (result, plain))
    for a, b in zip(one, two, strict=True):
        np.testing.assert_allclose(a.forces, b.forces, atol=1e-7)


@pytest.fixture(scope="module")
def with_variance(folder):
    """A fit with all measures."""
    return fit(settings_in(folder, variance=True), progress=False)


def test_variances_in_a_run_are_those_of_the_process(with_variance):
    model, structure = with_variance.model, with_variance.test[0]
    process = ProjectedProcess(model)
    found, expected = (
        model.evaluate(structure, uncertainty=("variance",)).uncertainty,
        process.evaluate(structure),
    )
    np.testing.assert_allclose(found.variances, expected.atoms, rtol=1e-6)
    np.testing.assert_allclose(found.rigidities, expected.rigidities, rtol=1e-6)
    assert expected.forces.shape == (8, 3) and (expected.forces > 0).all()


def test_grades_of_training_environments_reach_one_and_no_more(with_variance):
    model = with_variance.model
    found = [
        (s.numbers, model.evaluate(s, uncertainty=("variance",)).uncertainty.grades)
        for s in with_variance.train
    ]
    numbers, grades = (np.concatenate(own) for own in zip(*found, strict=True))
    for z in model.species:
        assert grades[numbers == z].max() == pytest.approx(1.0, rel=1e-6)


def test_record_of_all_measures(with_variance):
    quality = with_variance.provenance["uncertainty"]["quality"]["train"]
    assert set(quality) == {"committee", "variance", "rigidity"}
    assert quality["variance"]["energy"]["count"] == 20
    assert quality["variance"]["force"]["count"] == 20 * MOST_ATOMS * 3
    own = with_variance.model.uncertainty
    assert own.rigidity.force == quality["rigidity"]["force"]["scale"]
    assert TRIANGLE in with_variance.model.arrays


def test_two_ranks_make_the_same_measures(folder, with_variance, tmp_path):
    settings = tmp_path / "fit.toml"
    settings.write_text(toml_text(settings_in(folder, variance=True)))
    done = run_fit(tmp_path, "-o", "two.sgpr", "--checkpoint", "state", ranks=2)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("left-out blocks") == 6
    two = replace(with_variance, model=Model.load(tmp_path / "two.sgpr"))
    np.testing.assert_allclose(spreads(two), spreads(with_variance), atol=1e-6)
    one, two = with_variance.model.uncertainty, two.model.uncertainty
    for measure in ("committee", "variance", "rigidity"):
        found, expected = getattr(two, measure), getattr(one, measure)
        assert found.energy == pytest.approx(expected.energy, rel=1e-5)
        assert found.force == pytest.approx(expected.force, rel=1e-5)
    np.testing.assert_allclose(two.edges, one.edges, rtol=1e-5)


def test_record_has_scales_and_qualities(result):
    record = result.provenance["uncertainty"]
    assert record["blocks"] == 5 and record["kind"] == "structure"
    quality = record["quality"]
    assert quality["train"]["committee"]["energy"]["count"] == 20
    assert quality["train"]["committee"]["force"]["count"] == 20 * 24
    assert quality["test"]["committee"]["force"]["count"] == 6 * 24
    scale = result.model.uncertainty.committee.force
    assert quality["test"]["committee"]["force"]["scale"] == scale
    assert json.loads(json.dumps(record)) == record
    assert result.provenance["seconds"]["uncertainty"] >= 0


def test_order_of_structures_plays_no_part(folder, result):
    frames = emt_frames(20, seed=1)
    settings = settings_in(folder)
    settings["data"] = {"train": [write_frames(folder / "turned.xyz", frames[::-1])]}
    settings["data"]["test"] = [str(folder / "test.xyz")]
    again = fit(settings, progress=False)
    np.testing.assert_allclose(spreads(again), spreads(result), atol=1e-7)
    assert again.model.uncertainty.committee.force == pytest.approx(
        result.model.uncertainty.committee.force, rel=1e-6
    )


def test_interrupted_fit_goes_on_to_the_same_committee(folder, result, monkeypatch, tmp_path):
    file = tmp_path / "fit.checkpoint"
    monkeypatch.setattr(Interrupting, "left", 8)
    monkeypatch.setattr("potential.training.accumulation.StreamingQR", Interrupting)
    with pytest.raises(KeyboardInterrupt):
        fit(settings_in(folder), progress=False, checkpoint=file)
    monkeypatch.undo()
    again = fit(settings_in(folder), progress=False, checkpoint=file)
    assert again.model.arrays.keys() == result.model.arrays.keys()
    for name, array in result.model.arrays.items():
        assert np.array_equal(array, again.model.arrays[name]), name
    with pytest.raises(SoapGprError, match="found the checkpoint of a fit with other settings"):
        monkeypatch.setattr(Interrupting, "left", 8)
        fit(settings_in(folder, n_blocks=6), progress=False, checkpoint=file)


def test_factor_gives_the_same_committee_and_takes_more_structures(folder, result, tmp_path):
    file = tmp_path / "fit.factor"
    settings = settings_in(folder)
    first = fit(settings, progress=False, factor=file)
    np.testing.assert_allclose(spreads(first), spreads(result), atol=1e-6)
    again = fit(settings, progress=False, factor=file)
    np.testing.assert_allclose(spreads(again), spreads(first), atol=1e-9)
    more = copy.deepcopy(settings)
    frames = emt_frames(20, seed=1) + emt_frames(5, seed=8)
    more["data"]["train"] = [write_frames(folder / "more.xyz", frames)]
    more["noise"] = {"force": 0.1}
    added = fit(more, progress=False, factor=file)
    assert added.provenance["uncertainty"]["quality"]["train"]["committee"]["energy"]["count"] == 25
    assert np.abs(spreads(added) - spreads(first)).max() > 1e-6
    without = fit(
        {k: v for k, v in more.items() if k != "uncertainty"}, progress=False, factor=file
    )
    assert without.model.uncertainty is None
    with pytest.raises(
        SoapGprError, match='found a factor of 5 blocks by "structure", expected th'
    ):
        fit(settings | {"uncertainty": {"committee": 4, "n_blocks": 6}}, factor=file)


def test_factor_without_blocks_is_refused(folder, tmp_path):
    settings = settings_in(folder)
    file = tmp_path / "fit.factor"
    fit({k: v for k, v in settings.items() if k != "uncertainty"}, progress=False, factor=file)
    with pytest.raises(
        SoapGprError, match=r"found a factor of no blocks, expected those of \[unce"
    ):
        fit(settings, progress=False, factor=file)


def test_two_ranks_make_the_same_committee_from_a_factor(folder, result, tmp_path):
    settings = tmp_path / "fit.toml"
    settings.write_text(toml_text(settings_in(folder)))
    done = run_fit(tmp_path, "-o", "two.sgpr", "--factor", "fit.factor", ranks=2)
    assert done.returncode == 0, done.stderr
    two = replace(result, model=Model.load(tmp_path / "two.sgpr"))
    np.testing.assert_allclose(spreads(two), spreads(result), atol=1e-6)


def test_config_types_left_out_together(folder):
    frames = emt_frames(20, seed=1)
    for k, atoms in enumerate(frames):
        atoms.info["config_type"] = "abcde"[k % 5]
    settings = settings_in(folder, blocks="config_type")
    settings["data"] = {"train": [write_frames(folder / "types.xyz", frames)]}
    made = fit(settings, progress=False)
    assert made.provenance["uncertainty"]["kind"] == "config_type"
    points = made.provenance["uncertainty"]["points"]
    assert points["data"] == "train"
    assert set(points["measures"]["committee"]["energy"]["config_type"]) == set("abcde")


def test_energies_alone_give_their_scale_to_forces(folder):
    settings = settings_in(folder)
    settings["noise"] = {"force": float("inf"), "virial_per_atom": float("inf")}
    made = fit(settings, progress=False)
    own = made.model.uncertainty.committee
    assert own.energy == own.force
    assert any("too few components of forces were fitted" in text for text in made.warnings)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"committee": 3}, r"\[uncertainty\] committee: found 3, expected 0, or 4 members at lea"),
        ({"committee": float("nan")}, r"committee: found nan, expected an integer from 0 to 256"),
        ({"committee": 0}, r"\[uncertainty\] found neither a committee nor variance = true"),
        ({"n_blocks": 21}, r"n_blocks: found 20 different structures to fit, expected at least 21"),
        ({"n_blocks": 3}, r"n_blocks: found 3, expected an integer from 4 to 256"),
        ({"blocks": "config_type"}, r"found 2 config_types to fit, expected at least 5"),
        ({"blocks": "trajectory"}, r'found "trajectory", expected one of "structure", "config_'),
        ({"members": 4}, r"unknown key 'members'"),
    ],
)
def test_wrong_settings_are_one_sentence(folder, changes, message):
    with pytest.raises(SoapGprError, match=message) as caught:
        fit(settings_in(folder, **changes), progress=False)
    assert "\n" not in str(caught.value)


def test_derivatives_are_refused(folder):
    settings = settings_in(folder)
    settings["terms"] = [TERMS[0] | {"sparse_basis": "derivatives"}]
    with pytest.raises(SoapGprError, match='sparse_basis = "derivatives", expected sparse envir'):
        fit(settings, progress=False)


def test_refit_has_no_measures_of_the_old_fit(folder):
    settings = settings_in(folder) | {"solver": {"keep_factor": True}}
    made = refit(fit(settings, progress=False).model, jitter=1e-8)
    assert made.uncertainty is None and "uncertainty" not in made.metadata["provenance"]
    assert not any(name.startswith("members.") for name in made.arrays)


def test_dry_run_says_what_is_asked_for(folder):
    text = estimate(settings_in(folder))
    assert "Uncertainty    committee of 4; 5 blocks by structure, calibration on 20" in text
    with pytest.raises(SoapGprError, match="found 20 different structures"):
        estimate(settings_in(folder, n_blocks=30))


def test_commands_print_and_plot_it(tmp_path, capsys):
    toml = (
        '[data]\ntrain = ["train.xyz"]\ntest = ["test.xyz"]\n[[terms]]\ncutoff = 4.0\nn_max = 3\n'
        "l_max = 2\nn_sparse = 10\n[uncertainty]\ncommittee = 4\nvariance = false\n"
    )
    folder = write_fit(tmp_path, toml, emt_frames(12, seed=1), emt_frames(4, seed=2))
    model = str(folder / "model.sgpr")
    assert main(["fit", str(folder / "fit.toml"), "-o", model]) == 0
    printed = capsys.readouterr().out
    assert "Uncertainty    committee of 4; 12 blocks of structures by structure" in printed
    assert "committee  force   left-out blocks" in printed
    assert main(["info", model]) == 0
    assert "committee  force   left-out blocks" in capsys.readouterr().out
    page = folder / "report.html"
    assert main(["report", model, str(folder / "test.xyz"), "-o", str(page)]) == 0
    text = page.read_text()
    assert "Predicted against actual errors" in text and "component of a force" in text
    assert Model.load(model).uncertainty.n_members == 4
