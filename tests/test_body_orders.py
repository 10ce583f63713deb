# SPDX-License-Identifier: BSD-3-Clause
"""Radial spectra and bispectra against slow twins, and everything that models of them promise."""

import itertools
from dataclasses import replace
from pathlib import Path

import ase
import ase.io
import numpy as np
import pytest
import slow_twin
from alchemical import alchemical_model
from body_order import assert_forces_are_derivatives, assert_rows_are_the_evaluation, structures
from models import derivative_model, kernel_model, random_structure
from scipy.spatial.transform import Rotation
from training_data import emt_frames, small_settings, write_frames

from potential import SoapDescriptor, SoapGprError, _core
from potential.settings import SoapTermSettings
from potential.settings.file import load_settings
from potential.terms.columns import n_columns
from potential.terms.features import density_coefficients, features
from potential.terms.soap import MOST_PRODUCTS, SoapTerm, columns_of
from potential.training.fitting import fit

RADIAL = {"representation": "radial_spectrum"}
CUBIC = {"representation": "bispectrum"}
BOTH = CUBIC | {"parity": "both"}
KINDS = {"radial": RADIAL, "even": CUBIC, "both parities": BOTH}


@pytest.fixture(scope="module", params=list(KINDS))
def kind(request):
    return KINDS[request.param]


@pytest.fixture(scope="module")
def crystal():
    return structures()["smaller than the cutoff"]


def wigner(l, rotation):
    """D (2l + 1, 2l + 1) of real harmonics: Y(R x) = D Y(x)."""
    x = np.random.default_rng(0).normal(size=(4 * l + 4, 3))
    turned = slow_twin.spherical_harmonics(l, rotation.apply(x))
    return np.linalg.lstsq(slow_twin.spherical_harmonics(l, x), turned, rcond=None)[0].T


@pytest.mark.parametrize("ls", [(0, 0, 0), (1, 1, 1), (1, 2, 2), (2, 3, 4), (3, 3, 5), (2, 3, 5)])
def test_coupled_products_turn_like_harmonics(ls):
    """Which, with orthonormality, leaves only the sign of the coefficients open."""
    C = _core.clebsch_gordan(*ls)
    gram = np.einsum("abc,abd->cd", C, C)
    np.testing.assert_allclose(gram, np.eye(2 * ls[2] + 1), atol=1e-13)
    first, second, third = (wigner(l, Rotation.from_rotvec([0.4, -1.1, 0.7])) for l in ls)
    turned = np.einsum("abc,ad,be->dec", C, first, second)
    np.testing.assert_allclose(turned, np.einsum("def,cf->dec", C, third), atol=1e-12)


def test_products_of_vectors_are_their_scalar_and_cross_product():
    a, b = np.array([[0.3, -1.2, 0.8], [1.1, 0.2, 0.5]])  # x, y, z; components run y, z, x
    coupled = [
        np.einsum("abc,a,b->c", _core.clebsch_gordan(1, 1, l), np.roll(a, -1), np.roll(b, -1))
        for l in (0, 1)
    ]
    np.testing.assert_allclose(abs(coupled[0]), abs(a @ b) / np.sqrt(3), atol=1e-14)
    cross = np.roll(np.cross(a, b), -1) / np.sqrt(2)
    assert min(abs(coupled[1] - cross).max(), abs(coupled[1] + cross).max()) < 1e-14


def test_coefficients_of_large_l_are_orthonormal():
    C = _core.clebsch_gordan(20, 18, 9)
    np.testing.assert_allclose(np.einsum("abc,abd->cd", C, C), np.eye(19), atol=1e-12)


@pytest.mark.parametrize("ls", [(1, 1, 3), (2, 0, 1), (-1, 0, 0), (31, 31, 0)])
def test_other_couplings_are_refused(ls):
    with pytest.raises(SoapGprError, match="no such Clebsch-Gordan coefficients"):
        _core.clebsch_gordan(*ls)


def coefficients(model, atoms):
    """Channels by name, for every atom: {(species, n, l): c (2l + 1,)}."""
    entry = model.terms[0]
    found = []
    for row in density_coefficients(model, 0, atoms):
        own, at = {}, 0
        for l, size in enumerate(entry["n_channels"]):
            c = row[at : at + (2 * l + 1) * size].reshape(2 * l + 1, size)
            at += c.size
            for a, begin in enumerate(entry["channel_begin"]):
                for q in range(begin[l], entry["channel_end"][a][l]):
                    own[model.species[a], q - begin[l], l] = c[:, q]
        found.append(own)
    return found


def twin_column(column, c):
    """A feature of c by the name of its column, docs/theory.md eq. (5b), (5d)."""
    if len(column) == 2:
        return c[*column, 0][0]
    names = [column[3 * k : 3 * k + 3] for k in range(3)]
    l1, l2, l3 = (name[2] for name in names)
    orders = len(set(itertools.permutations(names)))
    C = _core.clebsch_gordan(l1, l2, l3)
    p = np.einsum("abc,a,b,c->", C, *(c[name] for name in names))
    return np.sqrt(orders / (2 * l3 + 1)) * p


def test_features_are_the_sums_that_their_columns_name(kind, crystal):
    model = kernel_model(normalize=False, **kind)
    columns = list(columns_of(model.terms[0], model.species))
    assert len(columns) == n_columns(model.terms[0]) == len(set(columns))
    expected = [[twin_column(own, c) for own in columns] for c in coefficients(model, crystal)]
    found = features(model, 0, crystal)
    np.testing.assert_allclose(found, expected, atol=1e-13 * np.abs(expected).max())
    assert np.abs(found).max(axis=0).min() > 0  # columns that are always zero are left out


def rotations(degree):
    """Rotations and weights that integrate products of D up to this degree exactly."""
    angles = 2 * np.pi * np.arange(degree + 1) / (degree + 1)
    x, w = np.polynomial.legendre.leggauss(degree // 2 + 1)
    euler = np.array([(a, np.arccos(b), g) for a in angles for b in x for g in angles])
    weights = np.repeat(w / 2 / (degree + 1) ** 2, degree + 1)
    return Rotation.from_euler("ZYZ", euler), np.tile(weights, degree + 1)


@pytest.mark.parametrize(
    ("nu", "kind", "inversions"),
    [(1, RADIAL, (1, -1)), (2, {}, (1, -1)), (3, CUBIC, (1, -1)), (3, BOTH, (1,))],
    ids=["radial", "power spectrum", "even", "both parities"],
)
def test_dot_products_are_integrals_of_powers_of_the_overlap(nu, kind, inversions):
    """∫dR ⟨i|R|m⟩^ν by quadrature; where odd products are left out also over inversions."""
    model = kernel_model(normalize=False, **kind)
    atoms = structures()["molecule"]
    sizes, l_max = model.terms[0]["n_channels"], model.terms[0]["l_max"]
    c = density_coefficients(model, 0, atoms)[:2]
    turns, weights = rotations(nu * l_max)
    overlaps = {sign: np.zeros(len(turns)) for sign in inversions}
    at = 0
    for l, size in enumerate(sizes):
        i, m = c[:, at : at + (2 * l + 1) * size].reshape(2, 2 * l + 1, size)
        at += (2 * l + 1) * size
        D = np.array([wigner(l, turn) for turn in turns])
        for sign in inversions:
            overlaps[sign] += sign**l * np.einsum("Rab,aq,bq->R", D, i, m)
    expected = np.mean([weights @ overlap**nu for overlap in overlaps.values()])
    p = features(model, 0, atoms)
    np.testing.assert_allclose(p[0] @ p[1], expected, rtol=1e-11)


def test_features_do_not_change_under_rotation_and_permutation(kind):
    atoms = random_structure([8, 8, 1, 1, 1], seed=1, pbc=False)
    model = kernel_model(**kind)
    turned = atoms.copy()
    turned.rotate(70, (1, -2, 3))
    np.testing.assert_allclose(features(model, 0, turned), features(model, 0, atoms), atol=1e-10)
    swapped = features(model, 0, atoms[::-1])[::-1]
    np.testing.assert_allclose(swapped, features(model, 0, atoms), atol=1e-12)


def test_inversion_changes_the_sign_of_odd_products_alone():
    atoms = random_structure([8, 8, 1, 1, 1], seed=1, pbc=False)
    mirrored = atoms.copy()
    mirrored.positions *= -1
    model = kernel_model(normalize=False, **BOTH)
    columns = columns_of(model.terms[0], model.species)
    signs = np.array([(-1.0) ** (own.l_1 + own.l_2 + own.l_3) for own in columns])
    p = features(model, 0, atoms)
    assert np.abs(p[:, signs < 0]).max() > 1e-3 * np.abs(p).max()
    np.testing.assert_allclose(features(model, 0, mirrored), signs * p, atol=1e-12)
    even = features(kernel_model(normalize=False, **CUBIC), 0, atoms)
    np.testing.assert_allclose(even, p[:, signs > 0], atol=1e-13)


def test_enantiomers_differ_where_both_parities_are_kept():
    left = ase.Atoms("CHFClBr", [[0, 0, 0], [1, 1, 1], [1, -1, -1], [-1.2, 1.2, -1.2], [-1.4] * 3])
    left.positions[4] *= [1, 1, -1]
    right = left.copy()
    right.positions[:, 0] *= -1
    own = {"species": ["C", "H", "F", "Cl", "Br"], "n_max": 2, "l_max": 2, "cutoff": 4.0}
    found = {}
    for parity in ("even", "both"):
        soap = SoapDescriptor(**own, representation="bispectrum", parity=parity)
        found[parity] = np.linalg.norm(soap(left)[0] - soap(right)[0])
    assert found["even"] < 1e-10
    assert found["both"] > 0.01


METHANE = Path(__file__).parents[2] / "shared/data/methane/degenerate_manifold_minus_plus.extxyz"


@pytest.mark.skipif(not METHANE.is_file(), reason=f"no reference data at {METHANE}")
def test_degenerate_methanes_differ_in_the_bispectrum_alone():
    """Pozdnyakov et al. (2020): nine of the 81 pairs have equal power spectra of the carbon."""
    frames = ase.io.read(METHANE, ":")
    own = {"species": ["C", "H"], "n_max": 4, "l_max": 3, "cutoff": 4.0}
    distances = {}
    for representation in ("power_spectrum", "bispectrum"):
        soap = SoapDescriptor(**own, representation=representation)
        found = soap.compute(frames)
        p = found.values[found.numbers == 6]
        distances[representation] = np.linalg.norm(p[:81] - p[81:], axis=1)
    degenerate = np.arange(81) % 9 == 4
    assert distances["power_spectrum"][degenerate].max() < 1e-7
    assert distances["power_spectrum"][~degenerate].min() > 1e-3
    assert distances["bispectrum"].min() > 1e-3


KERNELS = {
    "zeta 2": {},
    "zeta 1, as they are": {"zeta": 1, "normalize": False, "delta": 0.1},
    "zeta 2.5, selected": {"zeta": 2.5, "selected": True},
    "selected, as they are": {"zeta": 2, "selected": True, "normalize": False, "delta": 0.01},
}


@pytest.fixture(scope="module", params=list(KERNELS))
def model(request, kind):
    return kernel_model(**KERNELS[request.param], **kind)


@pytest.mark.parametrize("name", ["smaller than the cutoff", "molecule", "isolated atom"])
def test_rows_are_the_evaluation(model, name):
    assert_rows_are_the_evaluation(model, structures()[name])


def test_forces_and_virial_are_derivatives(model, crystal):
    assert_forces_are_derivatives(model, crystal)


def test_derivatives_as_functions_are_the_evaluation(crystal):
    """Kernels of derivatives take bispectra like any other features."""
    model = derivative_model([crystal], zeta=2, **CUBIC)
    model = model.with_weights(np.random.default_rng(0).normal(size=model.n_weights))
    assert_forces_are_derivatives(model, crystal)


def test_bispectra_of_pseudo_species_are_the_evaluation(crystal):
    """Channels that every element feeds, and one sparse set for all centres."""
    model = alchemical_model(centers="shared", **BOTH)
    assert_rows_are_the_evaluation(model, crystal)
    assert_forces_are_derivatives(model, crystal)


def test_a_selection_is_that_part_of_all_products(kind, crystal):
    every = kernel_model(normalize=False, **kind)
    some = kernel_model(normalize=False, selected=True, **kind)
    chosen = some.arrays["term0.features"]
    expected = some.arrays["term0.feature_scale"] * features(every, 0, crystal)[:, chosen]
    np.testing.assert_allclose(features(some, 0, crystal), expected, atol=1e-13)


def test_descriptor_names_its_columns_and_has_gradients():
    atoms = structures()["molecule"]
    own = {"species": ["H", "O"], "n_max": 2, "l_max": 1, "cutoff": 3.0}
    soap = SoapDescriptor(**own, representation="bispectrum")
    names = soap.get_feature_names_out()
    assert names[0] == "H n=0 l=0 H n=0 l=0 H n=0 l=0"
    assert names[-1] == "O n=1 l=0 O n=1 l=1 O n=1 l=1"
    values, gradients = soap(atoms, gradients=True)
    assert values.shape == (3, len(names))
    moved = atoms.copy()
    moved.positions[1, 2] += 1e-5
    numerical = (soap(moved)[0] - values[0]) / 1e-5
    pair = np.flatnonzero((gradients.environment == 0) & (gradients.atom == 1))[0]
    np.testing.assert_allclose(gradients.positions[pair, 2], numerical, atol=1e-3)
    radial = SoapDescriptor(**own | {"l_max": 0}, representation="radial_spectrum")
    assert radial.get_feature_names_out().tolist() == ["H n=0", "H n=1", "O n=0", "O n=1"]


FIT = '[data]\ntrain = ["a.xyz"]\n[[terms]]\nkind = "soap"\n'


def read(tmp_path, text):
    path = tmp_path / "fit.toml"
    path.write_text(FIT + text)
    return load_settings(path).terms[0]


def test_radial_spectra_need_no_harmonics(tmp_path):
    assert read(tmp_path, 'representation = "radial_spectrum"').l_max == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('representation = "trispectrum"', 'representation: found "trispectrum", expected'),
        ('representation = "radial_spectrum"\nl_max = 3', "l_max: found 3, expected 0 with"),
        (
            'representation = "radial_spectrum"\nbasis = "laplacian"\nmax_eigenvalue = 9.0',
            "max_eigenvalue: found 9 Å⁻², expected n_max instead, with",
        ),
        ('parity = "both"', 'parity: found "both", expected "even" without'),
        ('parity = "odd"', 'parity: found "odd", expected'),
    ],
)
def test_settings_of_no_use_are_refused(tmp_path, text, message):
    with pytest.raises(SoapGprError) as error:
        read(tmp_path, text)
    assert message in str(error.value)


def test_bispectra_beyond_reason_are_refused():
    settings = SoapTermSettings(representation="bispectrum", n_max=8, l_max=6)
    with pytest.raises(SoapGprError, match=r"representation: found .*bispectrum.*at most 50000"):
        SoapTerm.draft(settings, [1, 6, 8], [])


def test_a_fit_keeps_the_products_that_are_selected(tmp_path):
    """Of those that would be too many to be kept."""
    frames = emt_frames(4)
    train = write_frames(tmp_path / "train.xyz", frames)
    chosen = {"method": "fps", "n_features": 20}
    own = {"n_max": 7, "l_max": 6, "n_sparse": 6, "feature_selection": chosen}
    model = fit(small_settings(train, **CUBIC, **own), progress=False).model
    assert n_columns(model.terms[0]) > MOST_PRODUCTS
    assert model.core.n_features(0) == 20
    assert_forces_are_derivatives(model, frames[0])


def test_both_parities_are_warned_of():
    settings = SoapTermSettings(representation="bispectrum", parity="both", n_max=2, l_max=1)
    draft, warnings = SoapTerm.draft(settings, [1], [])
    assert "energies of mirror images will differ" in warnings[0]
    assert SoapTerm.draft(replace(settings, parity="even"), [1], [])[1] == []
    assert draft["parity"] == "both"
