# SPDX-License-Identifier: BSD-3-Clause
"""Fits with triplet terms: Stillinger and Weber's potential recovered term by term."""

import ase
import numpy as np
import pytest
from stillinger_weber import energy, frames, three_body, trimer, two_body
from training_data import emt_frames, write_frames

from potential.errors import SoapGprError
from potential.settings import LabelKeys, TripletTermSettings
from potential.settings.file import parse_settings
from potential.structures.read import read_structures
from potential.terms import triplet_points
from potential.terms.clusters import triplet_names
from potential.terms.fixed_triplet import fixed_triplet_draft
from potential.terms.triplet import TripletTerm, interpolate
from potential.training.estimate import estimate
from potential.training.fitting import fit
from potential.training.provenance import summary

SHARP = {"energy_per_atom": 1e-4, "force": 1e-3, "virial_per_atom": 1e-3}
PAIR = {"kind": "pair", "cutoff": 3.77, "cutoff_width": 1.0, "length_scale": 0.5, "n_sparse": 25}
TRIPLET = {"kind": "triplet", "cutoff": 3.77, "cutoff_width": 1.0, "n_sparse": 150, "delta": 2.0}


@pytest.fixture(scope="module")
def silicon(tmp_path_factory):
    folder = tmp_path_factory.mktemp("silicon")
    return write_frames(folder / "train.xyz", frames(10))


def settings(train, terms, **others):
    baseline = {"isolated_atom_energies": {"Si": 0.0}}
    return {
        "data": {"train": [train]},
        "terms": terms,
        "noise": SHARP,
        "baseline": baseline,
        **others,
    }


def without_pairs(potential, atoms):
    """Energy of a trimer less that of its three dimers: what is left is due to three bodies."""
    return potential(atoms) - sum(potential(atoms[pair]) for pair in ([0, 1], [0, 2], [1, 2]))


def test_two_and_three_body_energies_are_recovered(silicon):
    """A dimer has no triplets, and a trimer less its dimers no pairs: both are identifiable, unlike
    the function of a single corner of a trimer, all of whose corners come together."""
    result = fit(settings(silicon, [PAIR, TRIPLET]), progress=False)

    def fitted(atoms):
        return result.model.evaluate(atoms.numbers, atoms.positions, forces=False).energy

    def reference(atoms):
        return energy(atoms.positions, None, False)

    r = np.linspace(2.05, 3.7, 30)
    dimers = [fitted(ase.Atoms("Si2", positions=[[0, 0, 0], [x, 0, 0]])) for x in r]
    np.testing.assert_allclose(dimers, two_body(r), atol=0.01)
    rng = np.random.default_rng(5)
    trimers = [trimer(*rng.uniform(2.2, 3.1, 2), rng.uniform(-1, 0.3)) for _ in range(100)]
    found = np.array([without_pairs(fitted, atoms) for atoms in trimers])
    expected = np.array([without_pairs(reference, atoms) for atoms in trimers])
    assert np.sqrt(np.mean((found - expected) ** 2)) < 0.01
    assert np.sqrt(np.mean(expected**2)) > 0.15
    # a chain: its ends are out of each other's reach, so that its one angle is G itself
    for r_ij, r_ik in ((2.2, 2.2), (2.3, 2.6)):
        angle = without_pairs(fitted, trimer(r_ij, r_ik, -0.9))
        assert angle == pytest.approx(float(three_body(r_ij, r_ik, -0.9)), abs=0.02)
    assert "Si-Si-Si 150 (triplet, cutoff 3.77 Å" in summary(result.model)


def test_pairs_triplets_and_soap_are_fitted_together(silicon):
    soap = {"kind": "soap", "cutoff": 3.77, "n_max": 3, "l_max": 2, "n_sparse": 10, "delta": 0.1}
    alone = fit(settings(silicon, [PAIR]), progress=False)
    both = fit(settings(silicon, [PAIR, TRIPLET]), progress=False)
    result = fit(settings(silicon, [PAIR, TRIPLET, soap]), progress=False)
    rmse = [run.train_errors["all"]["force"].rmse for run in (alone, both, result)]
    assert rmse[1] < 0.1 * rmse[0] and rmse[2] < rmse[1]
    assert [term["kind"] for term in result.model.terms] == ["pair", "triplet", "soap"]
    assert result.model.n_weights == 25 + 150 + 10


def test_sparse_points_do_not_depend_on_the_order_of_structures(tmp_path):
    train = write_frames(tmp_path / "train.xyz", emt_frames(4))
    structures = read_structures([train], LabelKeys())
    options = TripletTermSettings(n_sparse=20)
    one, _ = TripletTerm.draft(options, (29, 79), structures)
    other, _ = TripletTerm.draft(options, (29, 79), structures[::-1])
    for p, name in enumerate(triplet_names((29, 79))):
        np.testing.assert_array_equal(one["sparse_points"][p], other["sparse_points"][p])
        assert len(one["sparse_points"][p]) == 20, name
    # neighbours of one species: the shorter distance first
    assert np.all(np.diff(one["sparse_points"][0][:, :2]) >= 0)


def test_thinning_bounds_the_candidates_and_ignores_their_order(monkeypatch):
    monkeypatch.setattr(triplet_points, "_WAITING", 500)
    points = np.random.default_rng(0).uniform(1, 3, (4000, 3))
    one, other = triplet_points.Thinned(0.25), triplet_points.Thinned(0.25)
    for block in np.split(points, 10):
        one.add(block)
    for block in np.split(points[::-1], 25):
        other.add(block)
    np.testing.assert_array_equal(one.points(), other.points())
    assert 400 < len(one.points()) <= 9**3


def test_kinds_of_triplets_that_are_missing_are_named(silicon):
    structures = read_structures([silicon], LabelKeys())
    _, warnings = TripletTerm.draft(TripletTermSettings(), (8, 14), structures)
    assert warnings == [
        "triplet term: no triplets O-O-O, O-O-Si, Si-O-Si, O-Si-O, O-Si-Si within 4 Å among the "
        "training structures"
    ]
    result = fit(settings(silicon, [TRIPLET | {"n_sparse": 100000}]), progress=False)
    assert any("distinct triplets Si-Si-Si, 100000" in text for text in result.warnings)


def test_dry_run_counts_triplets(silicon):
    text = estimate(settings(silicon, [PAIR, TRIPLET]))
    assert "Weights        at most 175" in text


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"cutoff": 0}, r"cutoff: found 0"),
        ({"cutoff_width": 5.0}, r"cutoff_width: found 5 Å, expected at most cutoff = 3.77 Å"),
        ({"length_scale": 0.1}, r"length_scale: found 0.1 Å, expected at least cutoff / 16"),
        ({"n_sparse": 0}, r"n_sparse: found 0"),
        ({"zeta": 2}, r"unknown key 'zeta'"),
        ({"kind": "tripled"}, r"did you mean 'triplet'"),
    ],
)
def test_bad_settings_are_one_sentence(changes, message):
    with pytest.raises(SoapGprError, match=message):
        parse_settings({"data": {"train": ["x"]}, "terms": [TRIPLET | changes]})


def random_triplets(cutoff, n, seed):
    """Distances (3, n) from an atom to two others within the cutoff, and between these."""
    rng = np.random.default_rng(seed)
    r_ij, r_ik = rng.uniform(0, cutoff, (2, n))
    cosine = rng.uniform(-1, 1, n)
    return np.stack([r_ij, r_ik, np.sqrt(r_ij**2 + r_ik**2 - 2 * r_ij * r_ik * cosine)])


def test_fixed_functions_are_as_exact_as_asked():
    """A kernel in GAP's coordinates, whose axes ask for different resolutions."""
    rng = np.random.default_rng(0)
    points = rng.uniform([4, 0, 2], [7, 2, 5], (20, 3))
    weights = rng.normal(size=20)

    def known(r_ij, r_ik, r_jk):
        x = np.stack([r_ij + r_ik, (r_ij - r_ik) ** 2, r_jk], axis=-1)
        square = (x[:, None] - points) ** 2 / np.array([1.5, 1.0, 2.0]) ** 2
        return np.exp(-0.5 * square.sum(axis=2)) @ weights

    sizes, shown = [], []

    def progress(items, what):
        shown.append(what)
        return items

    for tolerance in (1e-5, 1e-7):
        term = fixed_triplet_draft(
            "g", 3.5, 1.0, (14,), {0: known}, tolerance=tolerance, progress=progress
        )
        probes = random_triplets(3.5, 500, seed=7)
        value = known(*probes)
        error = np.abs(interpolate(term, term["tables"][0], probes) - value).max()
        assert error < 2 * tolerance * np.abs(value).max()
        sizes.append(term["n_intervals"])
    assert sizes[1][0] > 1.5 * sizes[0][0] and sizes[1][0] > 1.2 * sizes[1][1]
    assert shown == 2 * ["triplets, resolution", "triplets, splines"]


def test_splines_of_absurd_size_are_refused(monkeypatch):
    monkeypatch.setattr("potential.terms.fixed_triplet.MAX_BYTES", 1e4)
    with pytest.raises(SoapGprError, match="expected smoother or fewer ones"):
        fixed_triplet_draft("large", 3.0, 1.0, (14,), {0: lambda x, y, z: x * y * z})


def test_functions_that_no_spline_follows_are_refused():
    def rough(r_ij, r_ik, r_jk):
        return np.abs(r_jk - 2.0)

    with pytest.raises(SoapGprError, match="expected a smoother one"):
        fixed_triplet_draft("rough", 3.0, 1.0, (14,), {0: rough})
