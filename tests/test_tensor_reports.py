# SPDX-License-Identifier: BSD-3-Clause
"""Reports and learning curves of vectors and tensors: plots by component, errors by λ and in %."""

import copy
from types import SimpleNamespace

import numpy as np
import pytest

from potential.model.targets import Target
from potential.reports.learning_curve import curve_figures, format_curve, target_table
from potential.reports.page import Page
from potential.reports.report import add_targets
from potential.scores.properties import component_groups, property_errors, shown_groups
from potential.structures.structure import Structure
from potential.tensors.spherical import cartesian

DIPOLE = Target("dipole", "e*Å", False, basis=0, rank=1)
ALPHA = Target("alpha", "", False, basis=0, rank=2)
SHIELDING = Target("cs", "ppm", True, basis=0, rank=2, symmetric=False)
BETA = Target("beta", "", False, basis=0, rank=3)
CHARGE = Target("charge", "e", True)


def test_components_alike_in_size_are_plotted_together():
    names = [["x", "y", "z"]]
    assert [list(own) for own in component_groups(DIPOLE)] == names
    names = [["xx", "yy", "zz"], ["xy", "xz", "yz"]]
    assert [list(own) for own in component_groups(ALPHA)] == names
    names[1] = ["xy", "xz", "yx", "yz", "zx", "zy"]
    assert [list(own) for own in component_groups(SHIELDING)] == names
    of_beta = [sorted(own) for own in component_groups(BETA)]
    assert of_beta == [
        ["xxx", "yyy", "zzz"],
        ["xxy", "xxz", "xyy", "xzz", "yyz", "yzz"],
        ["xyz"],
    ]
    assert component_groups(CHARGE) == []


@pytest.mark.parametrize("target", [ALPHA, SHIELDING, BETA], ids=lambda own: own.name)
def test_components_are_at_their_places(target):
    T = np.random.default_rng(0).normal(size=target.shape)
    for own in component_groups(target):
        for name, place in own.items():
            assert T.ravel()[place] == T[tuple("xyz".index(axis) for axis in name)]


def structures_and_predictions(targets, n=6, seed=0):
    """Labels, and predictions that are off by a tenth, or by as much as the label in λ = 2."""
    rng, structures, predictions = np.random.default_rng(seed), [], []
    for k in range(n):
        labels, found = {}, {}
        for own in targets:
            B = cartesian(own.rank, own.symmetric)
            t = rng.normal(size=(2, B.shape[1]) if own.per_atom else B.shape[1])
            error = 0.1 * t
            error[..., -5:] = t[..., -5:] if own.rank == 2 else error[..., -5:]
            labels[own.name] = t @ B.T
            shape = (2, *own.shape) if own.per_atom else own.shape
            found[own.name] = np.reshape((t + error) @ B.T, shape)
        structures.append(
            Structure(
                np.array([1, 8]),
                np.eye(3)[:2],
                np.zeros((3, 3)),
                np.zeros(3, dtype=bool),
                targets=labels,
                config_type="even" if k % 2 == 0 else "odd",
                source=f"f#{k}",
            )
        )
        predictions.append(SimpleNamespace(properties=found))
    return structures, predictions


def test_errors_are_in_percent_of_each_part():
    both = DIPOLE, ALPHA, SHIELDING
    errors = property_errors(both, *structures_and_predictions(both, n=400))
    assert set(errors["cs"]) == {"all", "lambda=0", "lambda=1 pseudo", "lambda=2", "H", "O"}
    assert set(errors["dipole"]) == {"all", "even", "odd"}
    assert errors["dipole"]["all"].percent == pytest.approx(10)
    for name in ("alpha", "cs"):
        assert errors[name]["lambda=2"].percent == pytest.approx(100)
        assert errors[name]["lambda=0"].percent == pytest.approx(10, rel=0.02)
    assert errors["cs"]["lambda=1 pseudo"].percent == pytest.approx(10)


def test_a_single_kind_of_structure_is_not_shown_twice():
    assert list(shown_groups({"all": 1, "lambda=0": 2, "lambda=2": 3, "even": 4})) == [
        "all",
        "lambda=0",
        "lambda=2",
    ]
    assert list(shown_groups({"all": 1, "even": 2, "odd": 3})) == ["all", "even", "odd"]


def test_a_report_plots_components_of_all_targets():
    targets = DIPOLE, ALPHA, SHIELDING
    page = Page("report")
    add_targets(page, SimpleNamespace(targets=targets), *structures_and_predictions(targets))
    html = page.html()
    for caption in (
        "dipole, x, y, z: 18 values",
        "alpha, xx, yy, zz: 18 values",
        "alpha, xy, xz, yz: 18 values",
        "cs, xy, xz, yx, yz, zx, zy: 72 values",
        "lambda=1 pseudo",
    ):
        assert caption in html


def line(*mean):
    return {"mean": list(mean), "standard_error": [0.0] * len(mean), "slope": -0.5, "values": []}


CURVE = {
    "sizes": [4, 8],
    "repeats": 1,
    "n_test": 3,
    "held_out": False,
    "errors": {},
    "target_units": {"alpha": "a.u."},
    "target_errors": {
        "alpha": {
            of: {"rmse": line(0.4 * k, None), "mae": line(0.2 * k, 0.1 * k)}
            for k, of in enumerate(("all", "lambda=0", "lambda=2", "water"), 1)
        }
    },
    "target_deviations": {"alpha": {"all": 2.0, "lambda=0": 4.0, "lambda=2": 1.0, "water": 2.0}},
}


def test_a_curve_of_a_tensor_is_in_percent_of_the_deviation_too():
    head, rows = target_table(CURVE, "alpha")
    assert head[:4] == ["structures", "all RMSE, a.u.", "all MAE, a.u.", "all RMSE, %"]
    assert not [name for name in head if "water" in name]
    percents = [rows[0][k] for k, name in enumerate(head) if name.endswith("%")]
    assert percents == ["20", "20", "120"]
    assert rows[1][3] == "-"
    assert "lambda=2 RMSE, %" in format_curve(CURVE)
    ((fig, _),) = curve_figures(CURVE)
    axes = fig.axes[0]
    assert axes.get_ylabel() == "error of alpha (% of deviation)"
    heights = [own.lines[0].get_ydata()[0] for own in axes.containers]
    np.testing.assert_allclose(heights, [20, 20, 120])


def test_a_curve_without_deviations_is_read_as_before():
    older = copy.deepcopy(CURVE)
    del older["target_deviations"]
    head, _ = target_table(older, "alpha")
    assert not [name for name in head if name.endswith("%")]
    ((fig, _),) = curve_figures(older)
    assert fig.axes[0].get_ylabel() == "error of alpha (a.u.)"
