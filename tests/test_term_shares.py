# SPDX-License-Identifier: BSD-3-Clause
"""What each term contributes (docs/theory.md eq. 13k, 13l): numbers, record, info and report."""

import numpy as np
import pytest
from body_order import weights_of
from training_data import emt_frames, small_settings, write_frames

from potential import Model
from potential.cli import main
from potential.errors import SoapGprError
from potential.scores.shares import format_shares, term_shares, term_values
from potential.terms import TrainingModel
from potential.training.fitting import fit
from potential.training.provenance import summary
from potential.training.refit import refit

PAIR = {"kind": "pair", "cutoff": 4.0, "n_sparse": 6}
# no two atoms are that near
IDLE = {"kind": "pair", "cutoff": 1.5, "cutoff_width": 0.5, "n_sparse": 2}


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shares")
    train = write_frames(folder / "train.xyz", emt_frames(10, seed=2))
    test = write_frames(folder / "test.xyz", emt_frames(6, seed=3))
    values = small_settings(train, [test], n_sparse=12)
    values["terms"] += [PAIR, IDLE]
    values["baseline"] = {"zbl": {"inner": 1.0, "outer": 3.0}}
    values["solver"] = {"keep_factor": True}
    return fit(values, progress=False)


@pytest.fixture(scope="module")
def shares(fitted):
    return term_shares(term_values(fitted.model, fitted.test))


def one_by_one(model, structures):
    """Energies per atom (n_terms, n) and forces (n_terms, n_components) of each term alone."""
    places = [model.environments(s) for s in structures]
    terms = range(len(model.terms))
    found = [[model.evaluate_environments(own, term=t) for own in places] for t in terms]
    energies = np.array([[e.energy / len(e.energies) for e in own] for own in found])
    return energies, np.array([np.concatenate([e.forces.ravel() for e in own]) for own in found])


def test_parts_add_up_to_the_model(fitted):
    model, structures = fitted.model, fitted.test
    energies, forces = one_by_one(model, structures)
    whole = [model.evaluate(s) for s in structures]
    e0 = [sum(model.e0[int(z)] for z in s.numbers) / len(s) for s in structures]
    found = [e.energy / len(e.energies) for e in whole]
    np.testing.assert_allclose(energies.sum(axis=0) + e0, found, atol=1e-12)
    np.testing.assert_allclose(
        forces.sum(axis=0), np.concatenate([e.forces.ravel() for e in whole]), atol=1e-12
    )


def test_a_fitted_term_is_its_rows_times_its_weights(fitted):
    model, structure = TrainingModel(fitted.model.to_bytes()), fitted.test[0]
    environments, weights = model.environments(structure), weights_of(model)
    begin = 0
    for t, term in enumerate(model.own_terms):
        rows = np.concatenate([np.zeros((31, 0)), *term.row_blocks(environments, True)], axis=1)
        own = rows @ weights[begin : begin + term.n_weights]
        begin += term.n_weights
        if term.n_weights:
            alone = model.evaluate_environments(environments, term=t)
            assert own[0] == pytest.approx(alone.energy, abs=1e-10)
            np.testing.assert_allclose(own[1:25], alone.forces.ravel(), atol=1e-10)


def test_shares_are_covariances_with_the_sum(fitted, shares):
    energies, forces = one_by_one(fitted.model, fitted.test)
    for t, own in enumerate(shares):
        total = energies.sum(axis=0)
        expected = np.cov(energies[t], total)[0, 1] / np.var(total, ddof=1)
        assert own.energy == pytest.approx(expected, rel=1e-8, abs=1e-12)
        of_sum = forces.sum(axis=0)
        assert own.force == pytest.approx(forces[t] @ of_sum / (of_sum @ of_sum), abs=1e-12)
        assert own.energy_spread == pytest.approx(np.std(energies[t]), abs=1e-12)
        assert own.force_spread == pytest.approx(np.sqrt(np.mean(forces[t] ** 2)), abs=1e-12)
    assert sum(own.energy for own in shares) == pytest.approx(1.0)
    assert sum(own.force for own in shares) == pytest.approx(1.0)


def test_idle_terms_are_marked(fitted, shares):
    assert [own.is_weak for own in shares][:3] == [False, False, True]
    record = fitted.model.metadata["provenance"]["term_shares"]
    lines = format_shares(fitted.model, record).splitlines()
    assert "below 0.1 %" in next(line for line in lines if "cutoff 1.5" in line)
    assert "below 0.1 %" not in next(line for line in lines if "pair, cutoff 4" in line)


def test_record_has_the_shares_on_the_test_set(fitted, shares):
    record = fitted.provenance["term_shares"]
    assert record["data"] == "test" and record["structures"] == 6
    assert [own["energy"] for own in record["terms"]] == pytest.approx([s.energy for s in shares])


def test_info_and_report_show_them(fitted, tmp_path, capsys):
    fitted.model.save(tmp_path / "m.sgpr")
    assert main(["info", f"{tmp_path}/m.sgpr"]) == 0
    out = capsys.readouterr().out
    assert "Shares of terms in the variance, on 6 test structures" in out
    assert "1 soap, cutoff 4 Å" in out and "meV/atom" in out
    data = fitted.test[0].source.rpartition("#")[0]
    page = tmp_path / "r.html"
    assert main(["report", f"{tmp_path}/m.sgpr", data, "-o", str(page)]) == 0
    assert "<h2>Terms</h2>" in page.read_text() and "2 pair, cutoff 4 Å" in page.read_text()


def test_one_structure_has_no_variance_of_energies(fitted):
    shares = term_shares(term_values(fitted.model, fitted.test[:1]))
    assert {own.energy for own in shares} == {None}
    assert sum(own.force for own in shares) == pytest.approx(1.0)


def test_one_term_needs_no_shares(fitted):
    alone = fit(small_settings(fitted.train[0].source.rpartition("#")[0]), progress=False)
    assert "term_shares" not in alone.provenance and alone.provenance["seconds"]
    assert "Shares" not in summary(alone.model)


def test_refit_forgets_the_shares_of_other_weights(fitted):
    assert "term_shares" not in refit(fitted.model, jitter=1e-8).metadata["provenance"]


@pytest.mark.parametrize(
    "record, message",
    [
        ({"data": "test"}, "lacks the key structures"),
        ({"data": "test", "structures": 1, "terms": [{}]}, "lacks the key energy_spread"),
        ({"data": 3, "structures": 1, "terms": []}, "found 3, expected a string"),
        (
            {
                "data": "x",
                "structures": 1,
                "terms": [{"energy_spread": 1, "force_spread": 1, "force": "a"}],
            },
            'found "a", expected a number',
        ),
    ],
)
def test_damaged_records_are_one_sentence(fitted, record, message):
    damaged = fitted.model.with_record(provenance={"term_shares": record})
    with pytest.raises(SoapGprError, match=message):
        _ = Model.from_bytes(damaged.to_bytes()).metadata
