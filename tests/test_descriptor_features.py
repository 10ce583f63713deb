# SPDX-License-Identifier: BSD-3-Clause
"""Descriptors that compute some of their columns, and those of beads."""

import numpy as np
import pytest
from ase.build import molecule
from coarse import BEADS, coarse_frames
from training_data import emt_frames

from potential import SoapDescriptor, SoapGprError, SymmetryFunctions, environment_kernel, fit
from potential.selection.columns import choose_columns

SMALL = {"cutoff": 3.0, "n_max": 3, "l_max": 2}
NAMES = ("MW", "MW", "PO") * 9


def water(**parameters):
    return SoapDescriptor(species=["H", "O"], **SMALL, **parameters)


@pytest.mark.parametrize(
    "make",
    [
        lambda **more: water(normalize=False, **more),
        lambda **more: water(normalize=False, representation="bispectrum", **more),
        lambda **more: SymmetryFunctions(species=["H", "O"], cutoff=3.0, **more),
    ],
    ids=["power spectrum", "bispectrum", "symmetry functions"],
)
def test_some_columns_are_those_of_all(make):
    frames = [molecule("H2O"), molecule("H2O2")]
    full = make()
    X, slopes = full(frames, gradients=True)
    kept = [7, 2, 11, 3]
    names = full.get_feature_names_out()[kept]
    for features in (kept, list(names), np.array(kept), [7, names[1], 11, names[3]]):
        some = make(features=features)
        found, gradients = some(frames, gradients=True)
        np.testing.assert_allclose(found, X[:, kept], atol=1e-13)
        np.testing.assert_allclose(gradients.positions, slopes.positions[..., kept], atol=1e-12)
        np.testing.assert_allclose(gradients.strain, slopes.strain[..., kept], atol=1e-12)
        np.testing.assert_array_equal(some.get_feature_names_out(), names)
        assert some.columns() == [full.columns()[k] for k in kept]


def test_rows_have_unit_length_after_the_choice():
    X, some = water()(molecule("H2O")), water(features=[0, 5, 8])(molecule("H2O"))
    kept = X[:, [0, 5, 8]]
    np.testing.assert_allclose(some, kept / np.linalg.norm(kept, axis=1)[:, None], atol=1e-13)


def test_the_selection_of_a_fit_is_that_of_its_term():
    frames, wanted = emt_frames(4), {"n_features": 12}
    term = SMALL | {"n_sparse": 8, "feature_selection": wanted}
    model = fit({"data": {}, "terms": [term]}, train=frames, progress=False).model
    soap = SoapDescriptor(**SMALL, features=model.arrays["term0.features"]).fit(frames)
    X = soap(frames)
    points = model.arrays["term0.sparse_points.0"]
    distances = np.linalg.norm(points[:, None] - X[None], axis=2).min(axis=1)
    np.testing.assert_allclose(distances, 0.0, atol=1e-12)


def test_columns_chosen_by_a_user_make_a_transformer():
    frames = [molecule(name) for name in ("H2O", "H2O2", "H2")]
    kept = choose_columns(water()(frames), n=4).chosen
    some = water(features=kept)
    assert some.fit_transform(frames).shape == (3, 4)
    assert some.set_params(features=None)(frames).shape[1] == 63
    assert "features=" in repr(water(features=[1, 2]))


@pytest.mark.parametrize(
    "features, message",
    [
        ([], r"features: found \[\], expected a list of places or names"),
        (5, "features: found 5, expected a list of places or names"),
        ("H n=0", "features: found 'H n=0', expected a list"),
        ([0, 1.5], "features: found 1.5, expected a place or a name"),
        ([0, True], "features: found True, expected a place or a name"),
        ([0, 300], "features: found 300, expected places from 0 to 62, or names of columns"),
        ([0, -1], "features: found -1, expected places"),
        ([3, 3], "found one that is there twice"),
        (["H n=0 H n=0 l=0", 0], "found one that is there twice"),
        (["H n=0 H n=0 l=9"], "expected places from 0 to 62, or names of columns"),
    ],
)
def test_features_of_no_use_are_one_sentence(features, message):
    with pytest.raises(SoapGprError, match=message):
        water(features=features)(molecule("H2O"))


def test_beads_are_species():
    frames = coarse_frames(2, NAMES)
    soap = SoapDescriptor(cutoff=4.0, n_max=3, l_max=2, beads=BEADS).fit(frames)
    X, found = soap(frames), soap.compute(frames)
    assert X.shape == (54, 63) and soap.get_feature_names_out()[0] == "MW n=0 MW n=0 l=0"
    again = SoapDescriptor(cutoff=4.0, n_max=3, l_max=2, beads=BEADS, species=["PO", "MW"])
    np.testing.assert_array_equal(again(frames), X)
    K = environment_kernel(found, zeta=2)
    assert (K[0, 2], K[0, 1] > 0) == (0.0, True)  # of two species, and of one
    acsf = SymmetryFunctions(cutoff=4.0, g2=[[0.5, 0.0]], beads=BEADS).fit(frames)
    assert list(acsf.get_feature_names_out()) == ["MW G2 0.5 0", "PO G2 0.5 0"]


@pytest.mark.parametrize(
    "parameters, message",
    [
        ({}, "structure 0: found MW, expected chemical elements, or what `beads` names"),
        ({"beads": ["MW"]}, "structure 0: found PO, expected chemical elements"),
        ({"beads": ["MW", "PO"], "species": ["MW"]}, "structure 0: found PO, expected only MW"),
        ({"species": ["MW"]}, "species: found 'MW', expected symbols or atomic numbers"),
        ({"beads": ["MW"], "species": ["PO"]}, "species: found 'PO', .* or MW"),
        ({"beads": "MW"}, "beads: found 'MW', expected a list of different names"),
        ({"beads": ["MW", "MW"]}, "beads: found .*, expected a list of different names"),
        ({"beads": ["W"]}, "beads: found .*, expected a list of different names"),
    ],
)
def test_beads_of_no_use_are_one_sentence(parameters, message):
    frames = coarse_frames(1, NAMES)
    with pytest.raises(SoapGprError, match=message):
        SoapDescriptor(cutoff=4.0, n_max=3, l_max=2, **parameters).fit(frames)(frames)
