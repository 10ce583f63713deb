# SPDX-License-Identifier: BSD-3-Clause
"""Cutoff function, radial scaling, radial bases and radial integrals against independent values."""

from itertools import pairwise

import numpy as np
import pytest
import slow_twin
from scipy.integrate import quad
from scipy.special import gamma, ive, spherical_in

from potential.basis import bessel, jets
from potential.basis.cutoff import CUTOFF_FUNCTIONS, CutoffFunction
from potential.basis.gto import GtoBasis
from potential.basis.laplacian import LaplacianBasis, spherical_bessel_zeros
from potential.basis.radial_integral import GrowingIntegral, RadialIntegral
from potential.basis.radial_scaling import RadialScaling
from potential.errors import SoapGprError

CUTOFF, WIDTH, L_MAX = 5.0, 0.5, 6


def assert_jet_is_consistent(function, r, h=1e-4, tolerance=1e-7):
    """Derivatives of jet function(r) against five-point central differences of the values."""
    f = [function(r + k * h) for k in (-2, -1, 0, 1, 2)]
    for order in (1, 2):
        lower = [jet[order - 1] for jet in f]
        slope = (lower[0] - 8 * lower[1] + 8 * lower[3] - lower[4]) / (12 * h)
        scale = max(np.abs(slope).max(), 1e-3)
        assert np.abs(f[2][order] - slope).max() < tolerance * scale


@pytest.mark.parametrize("kind", CUTOFF_FUNCTIONS)
def test_cutoff_falls_from_one_to_zero(kind):
    f_c = CutoffFunction(CUTOFF, WIDTH, kind)
    r = np.array([0.0, 4.4, 4.5, 4.75, 5.0, 5.1])
    assert f_c(r) == pytest.approx([1, 1, 1, 0.5, 0, 0], abs=1e-15)
    r = np.linspace(4.45, 5.05, 200)
    assert (np.diff(f_c(r)) <= 0).all()
    assert f_c(r) == pytest.approx(slow_twin.cutoff_function(r, CUTOFF, WIDTH, kind), abs=1e-14)


@pytest.mark.parametrize("kind", CUTOFF_FUNCTIONS)
def test_cutoff_derivatives_match_finite_differences(kind):
    r = np.linspace(4.51, 4.99, 33)
    assert_jet_is_consistent(CutoffFunction(CUTOFF, WIDTH, kind).taper, r)


@pytest.mark.parametrize(("kind", "half"), [("cosine", 0.5 * (np.pi / WIDTH) ** 2), ("smooth", 0)])
def test_cutoff_ends_are_exact(kind, half):
    ends = CutoffFunction(CUTOFF, WIDTH, kind).taper(np.array([CUTOFF - WIDTH, CUTOFF]))
    assert ends[:2, 1].tolist() == [0.0, 0.0]
    assert ends[0, 0] == 1.0
    assert abs(ends[1, 0]) < 1e-14
    assert ends[2] == pytest.approx([-half, half], abs=1e-14)


def test_smooth_cutoff_has_no_kink_in_any_derivative():
    """Differences of order k over steps h fall as h^k at the ends, for k up to 5; those of the
    cosine stay as large as its second derivative jumps."""
    h = 2e-3
    for end in (CUTOFF - WIDTH, CUTOFF):
        r = end + h * np.arange(-3, 4)
        values = CutoffFunction(CUTOFF, WIDTH, "smooth")(r)
        assert np.abs(np.diff(values, 2)).max() < 1e-30 + 1e-15 * (end < CUTOFF)
        kinked = CutoffFunction(CUTOFF, WIDTH, "cosine")(r)
        assert np.abs(np.diff(kinked, 2)).max() > 0.4 * h**2 * (np.pi / WIDTH) ** 2


@pytest.mark.parametrize("exponent", [0, 1, 2, 2.5, 7])
def test_scaling_derivatives_match_finite_differences(exponent):
    scaling = RadialScaling(scale=2.0, rate=1.5, exponent=exponent)
    r = np.linspace(0.05, 5.0, 41)
    assert scaling(r)[0] == pytest.approx(1.5 / (1.5 + (r / 2.0) ** exponent) if exponent else 1.0)
    assert_jet_is_consistent(scaling, r)
    assert np.isfinite(scaling(np.zeros(1))).all()
    assert scaling(np.zeros(1))[0, 0] == 1.0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rate": 0.0}, "diverges at r = 0"),
        ({"rate": -1.0}, "rate must be positive"),
        ({"scale": 0.0}, "scale must be positive"),
        ({"exponent": 1.5}, "exponent must be 0, 1 or at least 2"),
        ({"exponent": -3}, "exponent must be 0, 1 or at least 2"),
        ({"rate": "large"}, "rate must be a finite number"),
    ],
)
def test_scaling_refuses_bad_parameters(change, message):
    with pytest.raises(SoapGprError, match=message):
        RadialScaling(**{"scale": 2.0, "rate": 1.0, "exponent": 4} | change)


@pytest.mark.parametrize("n_max", [1, 2, 8, 12])
def test_gto_is_orthonormal(n_max):
    basis = GtoBasis(CUTOFF - WIDTH, n_max)
    x, w = np.polynomial.legendre.leggauss(600)
    x, w = 15.0 * (x + 1.0), 15.0 * w
    r_n = basis.functions(0, x)
    assert (r_n * w * x**2) @ r_n.T == pytest.approx(np.eye(n_max), abs=1e-12)


def test_gto_is_the_lowdin_combination():
    # S^{-1/2} by diagonalising the analytic overlap Γ((p+1)/2) / (2 a^((p+1)/2)), p = n + k + 2.
    n_max, radius = 5, 4.5
    basis = GtoBasis(radius, n_max)
    n = np.arange(n_max)
    sigma = radius * np.array([1.0, 1.0, 2**0.5, 3**0.5, 2.0]) / n_max
    half = 0.5 * (n[:, None] + n + 3)
    a = 0.5 * (1 / sigma[:, None] ** 2 + 1 / sigma**2)
    overlap = 0.5 * gamma(half) / a**half
    norm = np.sqrt(np.diag(overlap))
    eigenvalues, vectors = np.linalg.eigh(overlap / np.outer(norm, norm))
    x = np.linspace(0.0, 8.0, 50)
    primitives = x ** n[:, None] * np.exp(-0.5 * (x / sigma[:, None]) ** 2) / norm[:, None]
    expected = (vectors / np.sqrt(eigenvalues)) @ vectors.T @ primitives
    assert basis.functions(3, x) == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize("l", [0, 1, 4])
def test_laplacian_is_orthonormal_and_vanishes_at_cutoff(l):
    basis = LaplacianBasis(CUTOFF, 8, L_MAX)
    x, w = np.polynomial.legendre.leggauss(200)
    x, w = 0.5 * CUTOFF * (x + 1.0), 0.5 * CUTOFF * w
    r_n = basis.functions(l, x)
    assert (r_n * w * x**2) @ r_n.T == pytest.approx(np.eye(basis.n_channels(l)), abs=1e-12)
    assert np.abs(basis.functions(l, np.array([CUTOFF]))).max() < 1e-12


def test_laplacian_channels_follow_the_eigenvalue_limit():
    basis = LaplacianBasis(CUTOFF, 8, L_MAX)
    assert [basis.n_channels(l) for l in range(L_MAX + 1)] == [8, 7, 7, 6, 6, 5, 5]
    zeros = spherical_bessel_zeros(2, 10.0)
    assert zeros[0] == pytest.approx([np.pi, 2 * np.pi, 3 * np.pi])
    assert zeros[1] == pytest.approx([4.493409457909064, 7.725251836937707])
    assert zeros[2] == pytest.approx([5.763459196894550, 9.095011330476355])


def test_laplacian_refuses_l_without_functions():
    with pytest.raises(SoapGprError, match="no radial function beyond l = 2"):
        LaplacianBasis(CUTOFF, 2, 6)


@pytest.mark.parametrize("basis", [GtoBasis(4.5, 6), LaplacianBasis(5.0, 6, 4)], ids=["gto", "lap"])
def test_derivatives_of_radial_functions_match_finite_differences(basis):
    assert_jet_is_consistent(
        lambda r: np.stack([basis.functions(3, r, k) for k in range(3)]), np.linspace(0.1, 4.9, 50)
    )
    ends = np.array([0.0, 1e-7])
    for k in range(3):
        at_zero = basis.functions(1, ends, k)
        assert at_zero[:, 0] == pytest.approx(at_zero[:, 1], abs=1e-5)


def test_bessel_matches_scipy_over_the_whole_range():
    z = np.concatenate([[0.0], np.geomspace(1e-8, 5e3, 300), [0.00999, 0.01, 0.01001]])
    values = bessel.scaled_spherical_in(10, z)
    assert values[:, 0].tolist() == [1.0] + [0.0] * 10
    for l in range(11):
        expected = np.sqrt(0.5 * np.pi / z[1:]) * ive(l + 0.5, z[1:])
        assert values[l, 1:] == pytest.approx(expected, rel=2e-13, abs=1e-300)


def test_bessel_derivatives_match_scipy():
    z = np.linspace(0.1, 20.0, 50)
    values = bessel.scaled_spherical_in(8, z)
    first = bessel.derivative(values)
    second = bessel.derivative(first)
    for l in range(7):
        i, di = spherical_in(l, z), spherical_in(l, z, derivative=True)
        ddi = (1 + l * (l + 1) / z**2) * i - 2 / z * di
        assert first[l] == pytest.approx(np.exp(-z) * di, rel=1e-11)
        assert second[l] == pytest.approx(np.exp(-z) * ddi, rel=1e-9)


def radial_integral_by_quad(basis, l, n, sigma, r, upper):
    def integrand(x):
        z = x * r / sigma**2
        i_l = np.sqrt(0.5 * np.pi / z) * ive(l + 0.5, z) if z > 0 else float(l == 0)
        gaussian = np.exp(-0.5 * (x - r) ** 2 / sigma**2)
        return 4 * np.pi * x**2 * basis.functions(l, np.array([x]))[n, 0] * gaussian * i_l

    edges = np.unique(np.clip([0.0, r - 3 * sigma, r, r + 3 * sigma, r + 9 * sigma], 0, upper))
    parts = [
        quad(integrand, a, b, epsabs=1e-14, epsrel=1e-13, limit=200)[0] for a, b in pairwise(edges)
    ]
    return sum(parts)


@pytest.mark.parametrize("name", ["gto", "laplacian"])
@pytest.mark.parametrize("sigma", [0.2, 0.5])
def test_radial_integral_matches_adaptive_quadrature(name, sigma):
    basis, upper = {
        "gto": (GtoBasis(CUTOFF - WIDTH, 8), 12.0),
        "laplacian": (LaplacianBasis(CUTOFF, 8, L_MAX), CUTOFF),
    }[name]
    r = np.array([0.0, 1e-3, 0.7, 2.9, 4.5, 5.0])
    values = RadialIntegral(basis, L_MAX, sigma, CUTOFF)(r)[0]
    scale = np.abs(values).max()
    for l, n in [(0, 0), (0, 3), (1, 2), (3, 4), (6, 0)]:
        column = sum(basis.n_channels(k) for k in range(l)) + n
        for k, distance in enumerate(r):
            expected = radial_integral_by_quad(basis, l, n, sigma, distance, upper)
            assert values[k, column] == pytest.approx(expected, rel=1e-11, abs=1e-13 * scale)


@pytest.mark.parametrize("name", ["gto", "laplacian"])
def test_radial_integral_derivatives_match_finite_differences(name):
    basis = GtoBasis(CUTOFF - WIDTH, 8) if name == "gto" else LaplacianBasis(CUTOFF, 8, L_MAX)
    integral = RadialIntegral(basis, L_MAX, 0.4, CUTOFF)
    assert_jet_is_consistent(integral, np.linspace(0.01, 4.99, 60), h=1e-3, tolerance=1e-8)


@pytest.mark.parametrize("sigma", [0.2, 0.5])
def test_growing_widths_match_quadrature_and_their_derivatives_differences(sigma):
    basis = GtoBasis(CUTOFF - WIDTH, 6)
    integral = GrowingIntegral(basis, 4, sigma, 0.2, CUTOFF)
    for r in (0.0, 0.7, 2.9, 5.0):
        expected = radial_integral_by_quad(basis, 3, 2, sigma + 0.2 * r, r, 12.0)
        scale = np.abs(integral(np.array([r]))[0]).max()
        found = integral(np.array([r]))[0, 0, 3 * 6 + 2]
        assert found == pytest.approx(expected, rel=1e-11, abs=1e-13 * scale)
    assert_jet_is_consistent(integral, np.linspace(0.01, 4.99, 60), h=1e-3, tolerance=1e-8)


def test_no_growth_is_the_same_integral():
    basis, r = GtoBasis(CUTOFF - WIDTH, 4), np.linspace(0, 5, 20)
    plain = RadialIntegral(basis, 3, 0.4, CUTOFF)(r)
    assert GrowingIntegral(basis, 3, 0.4, 0.0, CUTOFF)(r) == pytest.approx(plain, abs=1e-12)


def test_radial_integral_at_zero_has_parity_of_l():
    # R^_nl(r) ~ r^l: value only for l = 0, slope only for l = 1, curvature only for l = 0 and 2.
    value, first, second = RadialIntegral(GtoBasis(4.5, 4), 4, 0.5, CUTOFF)(np.zeros(1))[:, 0]
    of_l = np.repeat(np.arange(5), 4)
    assert np.isfinite([value, first, second]).all()
    assert (value[of_l != 0] == 0).all() and (value[of_l == 0] != 0).all()
    assert (first[of_l != 1] == 0).all() and (first[of_l == 1] != 0).all()
    curved = (of_l == 0) | (of_l == 2)
    assert (second[~curved] == 0).all() and (second[curved] != 0).all()


def test_jet_product_follows_the_product_rule():
    r = np.linspace(0.5, 2.0, 9)
    square, cube = np.stack([r**2, 2 * r, 2 + 0 * r]), np.stack([r**3, 3 * r**2, 6 * r])
    assert jets.multiply(square, cube) == pytest.approx(np.stack([r**5, 5 * r**4, 20 * r**3]))
