# SPDX-License-Identifier: BSD-3-Clause
"""Tables of a SOAP term: layout, spline error, continuity, central atom, settings."""

from dataclasses import replace

import numpy as np
import pytest
from slow_twin import cutoff_function

from potential.basis import SoapBasis, evaluate, tabulate
from potential.basis.laplacian import spherical_bessel_zeros
from potential.basis.radial_integral import RadialIntegral
from potential.errors import SoapGprError
from potential.schema import read

CASES = {
    "gto": SoapBasis(),
    "cosine": SoapBasis(cutoff_width=0.5, cutoff_function="cosine"),
    "gto_fine": SoapBasis(n_max=12, l_max=8, atom_sigma=0.3, cutoff=6.0),
    "laplacian": SoapBasis(basis="laplacian"),
    "scaled": SoapBasis(radial_scaling={"scale": 2.0, "rate": 1.0, "exponent": 7}),
    "all_taper": SoapBasis(basis="laplacian", cutoff=4.0, cutoff_width=4.0),
    "narrow_taper": SoapBasis(cutoff_width=0.05, cutoff_function="cosine"),
    "one_function": SoapBasis(n_max=1, l_max=0),
    "smooth": SoapBasis(basis="laplacian", max_eigenvalue=6.0),
    "points": SoapBasis(n_max=6, l_max=4, atom_sigma=0),
    "smooth_points": SoapBasis(basis="laplacian", max_eigenvalue=4.0, atom_sigma=0),
    "growing": SoapBasis(n_max=5, l_max=4, atom_sigma=0.3, atom_sigma_growth=0.15),
    "growing_laplacian": SoapBasis(basis="laplacian", n_max=5, l_max=3, atom_sigma_growth=0.1),
}


def exact(basis, sigma, r):
    """S (n, C_a) without any spline: by quadrature, one distance after the other where widths
    grow; the radial functions themselves for points."""
    radial, ls = basis.radial_basis(), range(basis.largest_l + 1)
    if sigma == 0:
        values = np.concatenate([radial.functions(l, r) for l in ls]).T
    elif basis.atom_sigma_growth:
        own = [
            RadialIntegral(radial, ls[-1], sigma + basis.atom_sigma_growth * one, basis.cutoff)
            for one in r
        ]
        values = np.concatenate(
            [integral(np.array([one]))[0] for integral, one in zip(own, r, strict=True)]
        )
    else:
        values = RadialIntegral(radial, ls[-1], sigma, basis.cutoff)(r)[0]
    own = basis.cutoff, basis.f_c().width, basis.cutoff_function
    values = values * cutoff_function(r, *own)[:, None]
    scaling = basis.scaling()
    return values if scaling is None else values * scaling(r)[0][:, None]


@pytest.mark.parametrize("name", CASES)
def test_spline_error_is_below_1e_10(name):
    basis = CASES[name]
    tables = tabulate(basis, [14])
    joint, cutoff = basis.cutoff - basis.f_c().width, basis.cutoff
    near_ends = np.concatenate([k + np.geomspace(1e-9, 0.02, 30) for k in (0.0, joint)])
    n = 100 if basis.atom_sigma_growth else 2000
    r = np.concatenate([np.random.default_rng(1).uniform(0, cutoff, n), near_ends])
    r = np.concatenate([r, joint - near_ends[:30], cutoff - near_ends[:30]])
    r = r[(r >= 0) & (r < cutoff)]
    expected = exact(basis, basis.sigma(14), r)
    error = np.abs(evaluate(tables, 0, r) - expected)
    assert error.max() < 1e-10 * np.abs(expected).max()


@pytest.mark.parametrize("name", CASES)
def test_layout_follows_the_contract(name):
    basis, species = CASES[name], [1, 8]
    tables = tabulate(basis, species)
    n_l = [basis.radial_basis().n_channels(l) for l in range(basis.largest_l + 1)]
    n_knots = sum(n + 1 for _, _, n in tables["segments"])
    assert tables["n_channels"] == [2 * n for n in n_l]
    for a in range(2):
        assert tables["channel_begin"][a] == [a * n for n in n_l]
        assert tables["channel_end"][a] == [(a + 1) * n for n in n_l]
        assert tables["tables"][a].shape == (n_knots, 3, sum(n_l))
        assert tables["tables"][a].flags.c_contiguous
        assert tables["tables"][a].dtype == np.float64
        assert tables["central"][a].shape == (2 * n_l[0],)
    ends = [0.0] + [end for _, end, _ in tables["segments"]]
    assert [begin for begin, _, _ in tables["segments"]] == ends[:-1]
    assert ends[-1] == basis.cutoff
    if name == "all_taper":
        assert len(tables["segments"]) == 1
    else:
        assert ends[1] == basis.cutoff - basis.f_c().width


def test_value_and_slope_are_continuous_and_curvature_of_a_cosine_jumps_at_the_joint():
    basis = CASES["cosine"]
    tables = tabulate(basis, [14])
    (begin, joint, n_below), (_, end, n_above) = tables["segments"]
    table = tables["tables"][0]
    h = np.array([(joint - begin) / n_below, (end - joint) / n_above])
    last, first = table[n_below], table[n_below + 1]
    assert last[0] == pytest.approx(first[0], rel=1e-14)
    assert last[1] / h[0] == pytest.approx(first[1] / h[1], rel=1e-12)
    jump = first[2] / h[1] ** 2 - last[2] / h[0] ** 2
    assert jump == pytest.approx(-0.5 * (np.pi / basis.cutoff_width) ** 2 * last[0], rel=1e-10)


def test_table_vanishes_smoothly_at_the_cutoff():
    tables = tabulate(CASES["gto"], [14])
    assert (tables["tables"][0][-1, :2] == 0).all()
    assert (evaluate(tables, 0, [6.0, 7.0]) == 0).all()


@pytest.mark.parametrize("name", ["gto", "smooth_points", "points", "growing"])
def test_spline_is_twice_continuous_at_knots_and_derivatives_match_differences(name):
    tables = tabulate(CASES[name], [14])
    begin, end, n = tables["segments"][0]
    knots = np.linspace(begin, end, n + 1)[1:-1]
    for order in range(3):
        below = evaluate(tables, 0, knots - 1e-9, order)
        above = evaluate(tables, 0, knots + 1e-9, order)
        assert below == pytest.approx(above, abs=1e-6 * np.abs(above).max())
    r, step = np.random.default_rng(0).uniform(0.01, 4.99, 200), 1e-5
    slope = (evaluate(tables, 0, r + step) - evaluate(tables, 0, r - step)) / (2 * step)
    assert evaluate(tables, 0, r, 1) == pytest.approx(slope, abs=1e-7 * np.abs(slope).max())


def test_tolerance_decides_the_number_of_intervals():
    coarse = tabulate(CASES["gto"], [14], tolerance=1e-6)
    fine = tabulate(CASES["gto"], [14], tolerance=1e-12)
    assert coarse["segments"][0][2] < 40 < fine["segments"][0][2] < 400


def test_central_weight_feeds_the_own_channels_only():
    basis = SoapBasis(n_max=4, l_max=2, central_weight=0.7, atom_sigma={"O": 0.5, "H": 0.3})
    tables = tabulate(basis, [1, 8])
    for a, sigma in enumerate([0.3, 0.5]):
        at_zero = exact(basis, sigma, np.zeros(1))[0, :4]
        expected = np.zeros(8)
        expected[4 * a : 4 * a + 4] = 0.7 * at_zero / np.sqrt(4 * np.pi)
        assert tables["central"][a] == pytest.approx(expected, rel=1e-13)
        assert tables["central"][a] / 0.7 * np.sqrt(4 * np.pi) == pytest.approx(
            np.concatenate([(a == s) * evaluate(tables, a, [0.0])[0, :4] for s in range(2)])
        )


def test_central_weight_is_not_reduced_by_an_all_taper_cutoff():
    assert tabulate(CASES["all_taper"], [14])["central"][0][0] == pytest.approx(
        exact(CASES["all_taper"], 0.5, np.zeros(1))[0, 0] / np.sqrt(4 * np.pi)
    )


def test_zero_central_weight_gives_zero():
    tables = tabulate(SoapBasis(n_max=3, l_max=1, central_weight=0.0), [1, 8])
    assert (tables["central"][0] == 0).all() and (tables["central"][1] == 0).all()


def test_sigma_per_species_equals_separate_tables():
    both = tabulate(SoapBasis(n_max=4, l_max=3, atom_sigma={"H": 0.3, "O": 0.5}), [1, 8])
    r = np.linspace(0, 5, 301)
    for a, (number, sigma) in enumerate([(1, 0.3), (8, 0.5)]):
        alone = tabulate(SoapBasis(n_max=4, l_max=3, atom_sigma=sigma), [number])
        expected = evaluate(alone, 0, r)
        assert evaluate(both, a, r) == pytest.approx(expected, abs=2e-10 * np.abs(expected).max())


def test_points_are_the_limit_of_gaussians_of_integral_one():
    """docs/theory.md eq. (2f), for each species by itself."""
    points = SoapBasis(n_max=4, l_max=3, atom_sigma={"H": 0, "O": 0.5})
    narrow = replace(points, atom_sigma={"H": 0.02, "O": 0.5})
    r = np.linspace(0.8, 4.4, 30)  # terms of order l² σ²/r² are left
    (own, limit) = (tabulate(basis, [1, 8], 1e-8) for basis in (points, narrow))
    expected = evaluate(limit, 0, r) / (2 * np.pi * 0.02**2) ** 1.5
    scale = np.abs(expected).max()
    assert evaluate(own, 0, r) == pytest.approx(expected, abs=0.01 * scale)
    assert evaluate(own, 1, r) == pytest.approx(evaluate(limit, 1, r), abs=1e-7)
    assert own["central"][0][0] == pytest.approx(
        points.radial_basis().functions(0, np.zeros(1))[0, 0] / np.sqrt(4 * np.pi)
    )


def test_largest_eigenvalue_is_the_only_limit():
    basis = CASES["smooth"].radial_basis()
    r_c = CASES["smooth"].cutoff
    for l in range(basis.l_max + 2):
        zeros = spherical_bessel_zeros(l, 30.0)[l]
        expected = int(np.sum((zeros / r_c) ** 2 <= 6.0))
        assert expected == (basis.n_channels(l) if l <= basis.l_max else 0)
    assert CASES["smooth"].largest_l == basis.l_max > 6


def test_keys_that_follow_from_the_largest_eigenvalue_are_refused_in_files():
    for key, value in (("n_max", 8), ("l_max", 6)):
        values = {"basis": "laplacian", "max_eigenvalue": 4.0, key: value}
        with pytest.raises(SoapGprError, match=f"{key}: found {value}, expected nothing with max_"):
            read(SoapBasis, values)


def test_equal_sigma_gives_equal_but_separate_arrays():
    tables = tabulate(SoapBasis(n_max=3, l_max=1), [1, 8])["tables"]
    assert (tables[0] == tables[1]).all()
    assert not np.shares_memory(tables[0], tables[1])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"cutoff": -1.0}, "cutoff: found -1.0, expected a number > 0 and <= 100"),
        ({"cutoff": float("nan")}, "cutoff: found nan"),
        ({"cutoff": "5"}, 'cutoff: found "5", expected a number'),
        ({"cutoff_width": 0.0}, "cutoff_width: found 0.0, expected a number >= 0.001"),
        ({"cutoff_width": 7.0}, "cutoff_width: found 7 Å, expected at most cutoff = 6 Å"),
        ({"cutoff_width": 6.0, "cutoff_function": "cosine"}, "gto basis"),
        ({"cutoff_function": "tanh"}, '"tanh", expected one of "smooth", "cosine"'),
        ({"cutoff": 0.001}, "cutoff: found 0.001 Å, expected at least 0.002 Å"),
        ({"n_max": 0}, "n_max: found 0, expected an integer from 1"),
        ({"n_max": 8.0}, "n_max: found 8.0, expected an integer"),
        ({"l_max": -1}, "l_max: found -1, expected an integer from 0"),
        ({"l_max": True}, "l_max: found True, expected an integer"),
        ({"atom_sigma": 0.005}, r"atom_sigma: found 0.005, expected a number >= 0.01 .* \(or 0\)"),
        ({"atom_sigma": 0, "atom_sigma_growth": 0.1}, "_growth: found 0.1, expected 0 with"),
        ({"atom_sigma": {"H": 0, "O": 1}, "atom_sigma_growth": 0.1}, "_growth: found 0.1"),
        ({"atom_sigma_growth": -0.1}, "atom_sigma_growth: found -0.1, expected a number >= 0"),
        ({"max_eigenvalue": 4.0}, 'expected nothing with basis = "gto"'),
        ({"basis": "laplacian", "max_eigenvalue": 0}, "max_eigenvalue: found 0, expected"),
        (
            {"basis": "laplacian", "max_eigenvalue": 4.0, "n_max": 4},
            "n_max: found 4, expected noth",
        ),
        (
            {"basis": "laplacian", "max_eigenvalue": 4.0, "l_max": 4},
            "l_max: found 4, expected noth",
        ),
        ({"basis": "laplacian", "max_eigenvalue": 0.2}, "found 0.2 .*expected 0.2742 .* to 20.3"),
        ({"basis": "laplacian", "max_eigenvalue": 40}, "found 40 .*expected 0.2742 .* to 20.3"),
        ({"atom_sigma": {"Xx": 0.5}}, "'Xx', expected a chemical symbol"),
        ({"atom_sigma": {"O": -0.5}}, "atom_sigma.O: found -0.5, expected a width in Å"),
        ({"basis": "dvr"}, 'basis: found "dvr", expected one of "gto", "laplacian"'),
        ({"basis": "laplacian", "n_max": 1}, "l_max = 6 is too large"),
        ({"radial_scaling": {"scale": 2, "rate": 0, "exponent": 3}}, "rate: found 0"),
        ({"radial_scaling": {"exponent": 1.5}}, "radial_scaling.exponent must be 0, 1 or at least"),
        ({"radial_scaling": {"power": 3}}, "radial_scaling. unknown key 'power'"),
        ({"radial_scaling": 3.0}, "radial_scaling. found 3.0, expected a table"),
        ({"central_weight": -1}, "central_weight: found -1, expected a number >= 0"),
    ],
)
def test_bad_settings_are_refused_with_the_key(settings, message):
    with pytest.raises(SoapGprError, match=message):
        SoapBasis(**settings)


@pytest.mark.parametrize(
    ("species", "message"),
    [
        ([], "at least one"),
        ([1, 1], "distinct"),
        ([0], "atomic numbers"),
        (["O"], "atomic numbers"),
        ([1, 6], "no entry for C"),
    ],
)
def test_bad_species_are_refused(species, message):
    with pytest.raises(SoapGprError, match=message):
        tabulate(SoapBasis(n_max=2, l_max=0, atom_sigma={"H": 0.5, "O": 0.5}), species)


def test_bad_tolerance_and_impossible_functions_are_refused():
    with pytest.raises(SoapGprError, match="tolerance"):
        tabulate(SoapBasis(), [14], tolerance=1e-16)
    with pytest.raises(SoapGprError, match="vary too fast"):
        steep = {"scale": 0.01, "rate": 1.0, "exponent": 50}
        tabulate(SoapBasis(n_max=1, l_max=0, radial_scaling=steep), [14])
