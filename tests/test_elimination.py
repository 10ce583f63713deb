# SPDX-License-Identifier: BSD-3-Clause
"""[solver] sparse_tolerance: the fewest sparse points whose errors are no larger."""

from itertools import pairwise

import numpy as np
import pytest
from test_fit_ranks import run_fit
from training_data import emt_frames, small_settings, write_frames

from potential.cli import main
from potential.errors import SoapGprError
from potential.model import Model
from potential.model.evaluation import evaluate_structures
from potential.runtime.progress import silent
from potential.runtime.ranks import Ranks
from potential.settings.file import as_settings
from potential.settings.toml_text import toml_text
from potential.structures.read import read_structures
from potential.terms.prior import prior_factor
from potential.training import uncertainty
from potential.training.accumulation import accumulate
from potential.training.choice import Choice
from potential.training.elimination import (
    fewest,
    left,
    left_out_errors,
    relative_errors,
    sizes,
    stages,
    whole,
)
from potential.training.estimate import estimate
from potential.training.fitting import fit
from potential.training.provenance import summary
from potential.training.regression import StreamingQR, solve, with_prior
from potential.validation.learning_curve import learning_curve
from potential.validation.row_store import NOT_ELIMINATED
from potential.validation.search_space import parse_tune

TERMS = {
    "soap": {},
    "pair": dict(kind="pair", cutoff=4.0, n_sparse=12),
    "triplet": dict(kind="triplet", cutoff=3.5, n_sparse=20),
    "acsf": dict(kind="acsf", cutoff=4.0, n_sparse=30),
    "centers": dict(centers="shared", n_sparse=50),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("elimination")
    write_frames(folder / "train.xyz", emt_frames(18, seed=1))
    write_frames(folder / "test.xyz", emt_frames(6, seed=2))
    (folder / "fit.toml").write_text(toml_text(named(settings_in(folder))))
    return folder


def settings_in(folder, tolerance=0.05, **term):
    settings = small_settings(str(folder / "train.xyz"), [str(folder / "test.xyz")], **term)
    return settings | ({} if tolerance is None else {"solver": {"sparse_tolerance": tolerance}})


def named(settings):
    return settings | {"data": {"train": ["train.xyz"], "test": ["test.xyz"]}}


@pytest.fixture(scope="module")
def every(folder):
    return fit(settings_in(folder, None), progress=False)


@pytest.fixture(scope="module")
def fewer(folder):
    return fit(settings_in(folder), progress=False)


def force_error(result):
    return result.test_errors["all"]["force"].rmse


def forces(model, structures):
    return np.concatenate([own.forces for own in evaluate_structures(model, structures)])


@pytest.fixture(scope="module")
def problem():
    """Rows of four blocks of a problem that has more functions than it needs, and its prior."""
    rng = np.random.default_rng(0)
    x, nodes = rng.uniform(-3, 3, 160), np.sort(rng.uniform(-3, 3, 24))
    A = np.exp(-((x[:, None] - nodes) ** 2))
    y = np.sin(2 * x) + 0.05 * rng.standard_normal(len(x))
    K = np.exp(-((nodes[:, None] - nodes) ** 2))
    return A / 0.05, y / 0.05, prior_factor(K, 1e-8)


def solution(A, y, U):
    """Weights, and the minimum of eq. (13), by lstsq."""
    rows, values = np.vstack([A, U]), np.append(y, np.zeros(len(U)))
    w = np.linalg.lstsq(rows, values, rcond=None)[0]
    return w, np.sum((rows @ w - values) ** 2)


def triangle(A, y):
    qr = StreamingQR(A.shape[1])
    qr.add(A, y)
    return qr.finish()


def test_each_stage_is_the_regression_without_what_went(problem):
    A, y, U = problem
    R = with_prior(triangle(A, y), np.pad(U, ((0, 0), (0, 1))))
    found = list(stages(*whole(R)))
    assert [len(kept) for kept, _ in found] == sizes(24)
    for kept, w in found:
        exact = solution(A[:, kept], y, U[:, kept])[0]
        np.testing.assert_allclose(A[:, kept] @ w, A[:, kept] @ exact, atol=1e-5 * abs(y).max())
    for (before, _), (kept, _) in pairwise(found[:16]):
        rises = [
            solution(A[:, others], y, U[:, others])[1]
            for m in before
            for others in [before[before != m]]
        ]
        gone = before[np.argsort(rises)[: len(before) - len(kept)]]
        assert set(before) - set(kept) == set(gone)


def test_errors_are_of_labels_that_neither_fit_nor_elimination_has_seen(problem):
    A, y, U = problem
    blocks = np.arange(len(y)) % 4
    R = with_prior(triangle(A, y), np.pad(U, ((0, 0), (0, 1))))
    own = [triangle(A[blocks == b], y[blocks == b]) for b in range(4)]
    copies = [block.copy() for block in own]
    found = left_out_errors(R, own, silent)
    for block, copy in zip(own, copies, strict=True):
        np.testing.assert_array_equal(block, copy)
    expected = np.zeros(found.shape)
    for b in range(4):
        seen, unseen = blocks != b, blocks == b
        others = with_prior(triangle(A[seen], y[seen]), np.pad(U, ((0, 0), (0, 1))))
        for k, (kept, _) in enumerate(stages(*whole(others))):
            w = solution(A[seen][:, kept], y[seen], U[:, kept])[0]
            expected[b, k] = np.sum((A[unseen][:, kept] @ w - y[unseen]) ** 2)
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    errors = relative_errors(found)
    np.testing.assert_allclose(errors, np.median(np.sqrt(found / found[:, :1]), axis=0))
    assert errors[0] == 1 and errors[-1] > 1.4
    assert relative_errors(np.array([[0.0, 3.0], [2.0, 2.0]])).tolist() == [1, 1]


def test_the_fewest_come_before_the_first_error_that_is_too_large():
    numbers = [100, 95, 90, 85]
    assert fewest(numbers, [1, 1.005, 1.02, 1.001], 0.01) == 95
    assert fewest(numbers, [1, 0.9, 0.95, 0.99], 0.0) == 95
    assert fewest(numbers, [1, 0.9, 0.7, 0.706], 0.01) == 85
    assert fewest(numbers, [1, 1.2, 1.2, 1.2], 0.1) == 100
    assert sizes(1) == [1] and sizes(1000)[:3] == [1000, 950, 902] and sizes(1000)[-1] <= 50


def test_a_fit_keeps_fewer_points_and_its_errors(every, fewer):
    n, record = fewer.model.n_weights, fewer.provenance["elimination"]
    assert n <= 0.8 * every.model.n_weights == 0.8 * record["weights"][0]
    assert force_error(fewer) < 1.15 * force_error(every)
    errors = dict(zip(record["weights"], record["errors"], strict=True))
    assert errors[n] <= 1.05 and record["errors"][0] == 1 and record["blocks"] == 5
    assert sum(fewer.provenance["sparse_points"][0].values()) == n
    assert f"Elimination    {n} of {record['weights'][0]} sparse points" in summary(fewer.model)


def test_no_sparse_set_loses_all_its_points(folder):
    values = settings_in(folder, 1.0)
    values["terms"] += [TERMS["pair"] | {"delta": 1e-4}, TERMS["triplet"] | {"delta": 1e-4}]
    found = fit(values, progress=False)
    counts = [n for own in found.provenance["sparse_points"] for n in own.values()]
    assert min(counts) == 1 and found.model.n_weights == sum(counts)
    assert f"{sum(counts)} of " in summary(found.model)
    R = with_prior(triangle(np.eye(6), np.arange(6.0)), np.pad(np.eye(6), ((0, 0), (0, 1))))
    keep = left(R, 3, [slice(0, 3), slice(3, 6)])
    assert keep.tolist() == [False, False, True, True, True, True]


def test_a_larger_tolerance_keeps_fewer(folder, fewer):
    strict, loose = (fit(settings_in(folder, t), progress=False) for t in (0.0, 0.5))
    assert strict.model.n_weights >= fewer.model.n_weights > loose.model.n_weights
    assert loose.provenance["elimination"]["errors"] == fewer.provenance["elimination"]["errors"]


@pytest.mark.parametrize("kinds", [["soap", "pair"], ["triplet", "acsf"], ["centers"]])
def test_weights_are_those_of_a_fit_with_the_points_that_are_left(folder, kinds):
    values = settings_in(folder, 0.1)
    values["solver"]["keep_factor"] = True
    values["terms"] = [
        own if "kind" in own else values["terms"][0] | own for own in map(TERMS.get, kinds)
    ]
    found = fit(values, progress=False)
    model, settings = found.model, as_settings(values)
    assert 0 < model.n_weights < found.provenance["elimination"]["weights"][0]
    own = accumulate(Choice(model), found.train, settings, Ranks()).triangle()
    R = model.arrays["triangle"]
    np.testing.assert_allclose(R.T @ R, own.R.T @ own.R, rtol=1e-9, atol=1e-9 * np.sum(R**2))
    other = model.with_weights(solve(own.R, model.kernel_matrix(), 1e-10).weights)
    same = forces(model, found.test)
    np.testing.assert_allclose(forces(other, found.test), same, atol=1e-6 * abs(same).max())


def test_measures_of_uncertainty_are_of_the_points_that_are_left(folder, monkeypatch):
    measures = {"uncertainty": {"committee": 4, "n_blocks": 6}}
    found = fit(settings_in(folder, 0.1) | measures, progress=False)
    assert found.provenance["elimination"]["blocks"] == 6
    variances = [own for name, own in found.model.arrays.items() if "variance" in name]
    assert variances and found.model.n_weights < found.provenance["elimination"]["weights"][0]
    monkeypatch.setattr(uncertainty, "MOST_KEPT", 0)  # rows are made again
    again = fit(settings_in(folder, 0.1) | measures, progress=False)
    one, two = (own.provenance["uncertainty"]["quality"] for own in (found, again))
    assert one["train"].keys() == two["train"].keys()
    for measure, kinds in one["train"].items():
        for kind, quality in kinds.items():
            assert quality["scale"] == pytest.approx(two["train"][measure][kind]["scale"], rel=1e-6)


def test_it_goes_with_levels_that_are_found_and_with_compression(folder):
    values = settings_in(folder, 0.1, n_sparse=60) | {"compress": {"refit": True}}
    found = fit(values | {"noise": "auto"}, progress=False)
    assert found.model.compressed and "noise" in found.provenance
    assert found.model.n_weights < found.provenance["elimination"]["weights"][0]


def test_order_of_structures_plays_no_part(folder, fewer):
    train = [str(folder / f"train.xyz@{part}") for part in ("9:", ":9")]
    values = settings_in(folder)
    values["data"]["train"] = train
    again = fit(values, progress=False)
    assert again.model.n_weights == fewer.model.n_weights
    np.testing.assert_allclose(
        forces(again.model, fewer.test), forces(fewer.model, fewer.test), atol=1e-5
    )


def test_ranks_checkpoints_and_factors_keep_the_same_points(folder, fewer):
    ways = {
        "ranks.sgpr": (2, ()),
        "checkpoint.sgpr": (1, ("--checkpoint", "state.npz")),
        "factor.sgpr": (1, ("--factor", "factor.npz")),
        "again.sgpr": (2, ("--factor", "factor.npz")),
    }
    test = read_structures([str(folder / "test.xyz")])
    for name, (ranks, options) in ways.items():
        done = run_fit(folder, "-o", name, *options, ranks=ranks)
        assert done.returncode == 0, done.stderr
        model = Model.load(folder / name)
        assert model.n_weights == fewer.model.n_weights, name
        np.testing.assert_allclose(forces(model, test), forces(fewer.model, test), atol=1e-5)


def test_a_factor_serves_other_tolerances_and_one_without_blocks_is_refused(folder, tmp_path):
    factor = tmp_path / "factor.npz"
    counts = [
        fit(settings_in(folder, t), progress=False, factor=factor).model.n_weights
        for t in (0.05, 0.5, None)
    ]
    assert counts[1] < counts[0] < counts[2]
    plain = tmp_path / "plain.npz"
    fit(settings_in(folder, None), progress=False, factor=plain)
    with pytest.raises(SoapGprError, match=r"no blocks, expected those of \[solver\] sparse_tol"):
        fit(settings_in(folder), progress=False, factor=plain)


def test_blocks_of_one_table_do_not_serve_the_other(folder, tmp_path):
    """They would make a committee of half of five blocks, whose members are the same."""
    plain = settings_in(folder, None)
    measured = plain | {"uncertainty": {"committee": 4, "variance": False}}
    for first, then in ((settings_in(folder), measured), (measured, settings_in(folder))):
        factor = tmp_path / "other.npz"
        factor.unlink(missing_ok=True)
        fit(first, progress=False, factor=factor)
        with pytest.raises(SoapGprError, match=r"found a factor of \d+ blocks by \"structure\""):
            fit(then, progress=False, factor=factor)


def test_a_record_without_numbers_is_not_shown(fewer):
    record = fewer.model.metadata["provenance"]
    for lists in ({"weights": [], "errors": []}, {"weights": [5], "errors": []}):
        empty = record | {"elimination": record["elimination"] | lists}
        assert "Elimination" not in summary(fewer.model.with_record(provenance=empty))


def test_a_fit_that_is_singular_without_a_block_names_the_key(problem):
    A, y, U = problem
    R = with_prior(triangle(A, y), np.pad(U, ((0, 0), (0, 1))))
    with pytest.raises(SoapGprError, match=r"\[solver\] sparse_tolerance: the fit to some"):
        left_out_errors(R, [2 * triangle(A, y)], silent)


def test_what_is_to_come_and_what_came_is_said(folder, fewer, tmp_path):
    assert "Elimination    the fewest sparse points with 1.05 times" in estimate(
        settings_in(folder)
    )
    fewer.model.save(tmp_path / "fewer.sgpr")
    page = tmp_path / "page.html"
    arguments = [str(tmp_path / "fewer.sgpr"), str(folder / "test.xyz"), "-o", str(page)]
    assert main(["report", *arguments]) == 0
    assert "Number of sparse points" in page.read_text()


def test_errors_of_other_fits_are_said_to_be_of_all_points(folder):
    settings = settings_in(folder, n_sparse=10)
    found = learning_curve(settings, [4, 16], repeats=1)
    assert NOT_ELIMINATED in found.warnings
    for search in ({"solver.sparse_tolerance": [0.01]}, {"solver": [{"sparse_tolerance": 0.01}]}):
        with pytest.raises(SoapGprError, match="errors are those of models with all sparse points"):
            parse_tune(settings | {"tune": {"search": search}}, "fit.toml")


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"solver": {"sparse_tolerance": -0.1}}, "sparse_tolerance: found -0.1, expected a number"),
        ({"solver": {"sparse_tolerance": 1.5}}, "sparse_tolerance: found 1.5, expected a number"),
        ({"solver": {"sparse_tolerance": "auto"}}, 'sparse_tolerance: found "auto", expected'),
        (
            {"terms": [{"sparse_basis": "derivatives", "n_sparse": 24}]},
            'found 0.05 with sparse_basis = "derivatives", expected sparse environments',
        ),
        (
            {"targets": [{"name": "q", "key": "q", "noise": 0.1}]},
            "found 0.05 with [[targets]], expected one of",
        ),
        ({"data": {"train": ["train.xyz@:2"]}}, "found 2 different structures to fit, expected at"),
    ],
)
def test_what_cannot_be_is_one_sentence(folder, monkeypatch, capsys, more, words):
    monkeypatch.chdir(folder)
    (folder / "wrong.toml").write_text(toml_text(named(settings_in(folder)) | more))
    assert main(["fit", "wrong.toml", "-o", "wrong.sgpr"]) == 1
    error = capsys.readouterr().err
    assert words in error and len(error.splitlines()) == 1 and "[solver] sparse_tol" in error
    assert not (folder / "wrong.sgpr").exists()
