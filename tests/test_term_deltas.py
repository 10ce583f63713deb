# SPDX-License-Identifier: BSD-3-Clause
"""δ of all terms from one set of rows (docs/theory.md eq. 13i, 13j), against fits with those δ."""

import copy
from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import approx_fprime
from training_data import emt_frames, small_settings, write_frames

from potential.cli import main
from potential.errors import SoapGprError
from potential.model.evaluation import evaluate_structures
from potential.reports.tuning import delta_lines
from potential.settings.file import load_settings, parse_settings
from potential.settings.toml_text import toml_text
from potential.training.fitting import fit
from potential.validation import cross_validation
from potential.validation.cross_validation import FoldFactors
from potential.validation.marginal_likelihood import MarginalLikelihood, maximum_likelihood
from potential.validation.row_store import prepare, read_data
from potential.validation.search_space import parse_tune
from potential.validation.tuning import Trial, Tuning, tune

PAIR = {"kind": "pair", "cutoff": 4.0, "n_sparse": 6, "delta": 0.3}


@pytest.fixture(scope="module")
def values(tmp_path_factory):
    """Two SOAP terms and a pair term; labels of all kinds."""
    path = write_frames(tmp_path_factory.mktemp("deltas") / "train.xyz", emt_frames(12, seed=1))
    values = small_settings(path, n_sparse=10)
    short = values["terms"][0] | {"cutoff": 3.2, "n_sparse": 6, "delta": 0.5}
    return values | {"terms": [*values["terms"], short, PAIR], "solver": {"jitter": 1e-7}}


@pytest.fixture(scope="module")
def factors(values):
    settings = parse_settings(values)
    return FoldFactors(prepare(settings, read_data(settings)), 3)


@pytest.fixture(scope="module")
def rows_made():
    """How often rows of a structure were made in the searches of this file."""
    return []


@pytest.fixture(scope="module")
def found(values, rows_made):
    """Searches by marginal likelihood and by cross-validation."""
    made = cross_validation.extended_rows

    def counted(*args):
        rows_made.append(1)
        return made(*args)

    cross_validation.extended_rows = counted
    try:
        return {
            how: tune(values | {"tune": {"folds": 3, "delta": how}})
            for how in ("marginal_likelihood", "cross_validation")
        }
    finally:
        cross_validation.extended_rows = made


@pytest.mark.parametrize("jitter", [1e-10, 1e-4])
def test_likelihood_derivatives_are_those_of_finite_differences(factors, jitter):
    settings = factors.prepared.settings
    settings = replace(settings, solver=replace(settings.solver, jitter=jitter))
    likelihood = MarginalLikelihood(factors, settings)
    x = np.array([0.3, -0.2, 0.5, 0.7, -0.4, 1.1])

    def value(x):
        return likelihood(x[:3], x[3:])[0]

    slopes = likelihood(x[:3], x[3:])[1]
    np.testing.assert_allclose(slopes, approx_fprime(x, value, 1e-6), rtol=1e-4, atol=1e-3)


def test_likelihood_is_that_of_scaled_columns(factors):
    scales = np.array([2.0, 0.1, 30.0])
    terms = [
        replace(term, delta=term.delta * np.sqrt(x))
        for term, x in zip(factors.prepared.settings.terms, scales, strict=True)
    ]
    scaled = replace(factors.prepared.settings, terms=tuple(terms))
    zero = np.zeros(3)
    found = MarginalLikelihood(factors, scaled)(zero, np.log(scales))[0]
    expected = MarginalLikelihood(factors.with_delta(scaled), scaled)(zero)[0]
    assert found == pytest.approx(expected, rel=1e-9)


def test_one_set_of_rows_serves_a_whole_search(found, rows_made):
    assert len(rows_made) == 2 * 12  # two searches, twelve structures


@pytest.mark.parametrize("how", ["marginal_likelihood", "cross_validation"])
def test_a_refit_with_the_deltas_found_has_the_same_errors(values, found, how):
    best = found[how].trials[1]
    again = copy.deepcopy(values)
    for t, term in enumerate(again["terms"]):
        term["delta"] = best.delta[f"terms.{t}.delta"]
    again["tune"] = {"folds": 3, "method": "grid", "search": {"solver.jitter": [1e-7]}}
    expected = tune(again).trials[0]
    assert best.rmse == pytest.approx(expected.rmse, rel=1e-8)
    assert best.log_likelihood == pytest.approx(expected.log_likelihood, rel=1e-8)


def test_predictions_of_a_refit_are_those_of_scaled_rows(values, factors):
    settings = maximum_likelihood(factors, factors.prepared.settings, noise=False, delta=True)
    scaled = factors.with_delta(settings)
    e0 = scaled.prepared.model.arrays["e0"]
    triangles = [R for _, R in scaled.weighted(settings.noise)]
    weights = scaled.prepared.solve(triangles, e0, settings.solver.jitter).weights
    result = fit(settings, progress=False)
    again = evaluate_structures(result.model, result.train[:3])
    own = result.model.with_weights(weights)
    for a, b in zip(evaluate_structures(own, result.train[:3]), again, strict=True):
        np.testing.assert_allclose(a.forces, b.forces, atol=1e-8)
        assert a.energy == pytest.approx(b.energy, abs=1e-8)


def test_each_way_is_best_at_what_it_looks_for(found):
    likely, smallest = (found[how].trials for how in ("marginal_likelihood", "cross_validation"))
    assert likely[1].log_likelihood > likely[0].log_likelihood + 10
    assert likely[1].log_likelihood > smallest[1].log_likelihood
    assert smallest[1].value < smallest[0].value and smallest[1].value <= 1.001 * likely[1].value
    assert likely[0].delta == smallest[0].delta == {}


def test_no_other_deltas_nearby_are_more_likely(factors, found):
    settings = found["marginal_likelihood"].settings.start
    deltas = found["marginal_likelihood"].trials[1].delta.values()
    ratios = [d / term.delta for d, term in zip(deltas, settings.terms, strict=True)]
    best, likelihood = 2 * np.log(ratios), MarginalLikelihood(factors, settings)
    top = likelihood(np.zeros(3), best)[0]
    for t in range(3):
        for step in (-0.4, 0.4):
            assert likelihood(np.zeros(3), best + step * np.eye(3)[t])[0] < top


def test_noise_and_deltas_are_found_together(values, found):
    both = {"folds": 3, "delta": "marginal_likelihood", "noise": "marginal_likelihood"}
    trials = tune(values | {"tune": both}).trials
    assert trials[1].log_likelihood > found["marginal_likelihood"].trials[1].log_likelihood
    assert trials[1].log_likelihood > trials[0].log_likelihood
    assert trials[0].noise and trials[1].noise and trials[1].delta


def test_command_prints_and_writes_the_deltas(values, tmp_path, capsys):
    search = {"folds": 3, "method": "grid", "delta": "marginal_likelihood"}
    search["search"] = {"terms.0.zeta": [3]}
    text = toml_text(values | {"tune": search})
    (tmp_path / "fit.toml").write_text(text)
    arguments = ["tune", f"{tmp_path}/fit.toml", "-o", f"{tmp_path}/best.toml"]
    assert main([*arguments, "--report", f"{tmp_path}/tune.html"]) == 0
    out = capsys.readouterr().out
    assert out.count("\n[[terms]]") == 3 and out.count("\ndelta = ") == 3
    best = load_settings(tmp_path / "best.toml")
    for term in best.terms:
        assert f"\ndelta = {term.delta:.4g}" in out
    assert best.terms[0].zeta == 3 and "terms.2.delta" in out
    assert "delta of all terms" in (tmp_path / "tune.html").read_text()


def test_a_term_that_the_data_do_not_ask_for_is_named(values):
    settings = parse_tune(values | {"tune": {"delta": "marginal_likelihood"}}, "fit.toml")
    delta = {"terms.0.delta": 1.0, "terms.1.delta": 0.0005, "terms.2.delta": 0.3}
    text = delta_lines(Tuning(settings, [Trial(1, {}, {"combined": 1.0}, delta=delta)]))
    marked = [line for line in text.splitlines() if "do not ask" in line]
    assert marked == ["delta = 0.0005  # a thousandth of the start: the data do not ask for it"]


def test_deltas_that_cannot_be_fitted_are_passed_over(values, monkeypatch):
    evaluated = cross_validation.FoldFactors.cross_validate

    def fails_for_large(self, settings):
        if settings.terms[0].delta > 1.5:
            raise SoapGprError("the kernel matrix is singular")
        return evaluated(self, settings)

    monkeypatch.setattr(cross_validation.FoldFactors, "cross_validate", fails_for_large)
    monkeypatch.setattr("potential.validation.deltas._EVALUATIONS", 4)
    best = tune(values | {"tune": {"folds": 3, "delta": "cross_validation"}}).best
    assert best.value is not None and best.delta.get("terms.0.delta", 1.0) <= 1.5


def test_deltas_are_searched_in_one_way(values):
    search = {"delta": "cross_validation", "search": {"terms.0.delta": [1.0, 2.0]}}
    with pytest.raises(SoapGprError, match=r"finds the delta of all terms, expected no terms.0"):
        tune(values | {"tune": search})
    with pytest.raises(SoapGprError, match="did you mean 'cross_validation'"):
        tune(values | {"tune": {"delta": "crossvalidation"}})
    with pytest.raises(SoapGprError, match="no trial could be evaluated"):
        _ = Tuning(parse_tune(values | {"tune": {"delta": "cross_validation"}}, "f")).best_settings
