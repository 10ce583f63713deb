# SPDX-License-Identifier: BSD-3-Clause
"""A compressed model: the same energies, forces and virials within the tolerance."""

import re

import ase.io
import numpy as np
import pytest
from kernel_targets import with_kernel_target
from models import body_order_model, random_model, random_structure, structure_rows
from numerical import numerical_forces, numerical_virial
from targets import ALL_KINDS, BY_COLUMN, with_targets
from uncertain import with_members, with_target_members

from potential import Model, SoapGprError
from potential.cli import main
from potential.model.compression import compress
from potential.model.deviations import deviation
from potential.model.evaluation import evaluate_structures
from potential.structures.structure import structure_from_atoms


def frames(n=3):
    return [random_structure([8, 1, 1] * 6, seed=40 + k) for k in range(n)]


def structures():
    return [structure_from_atoms(atoms) for atoms in frames()]


def many_points(zeta=3, n_terms=1):
    return random_model(n_sparse=60, zeta=zeta, n_terms=n_terms, n_max=3, l_max=2, weight=0.1)


@pytest.fixture(scope="module")
def model():
    return many_points(n_terms=2)


@pytest.fixture(scope="module")
def smaller(model):
    return compress(model, structures(), 1e-3)


def test_forces_agree_within_the_tolerance(model, smaller):
    before, after = (evaluate_structures(m, structures()) for m in (model, smaller.model))
    measured = deviation(structures(), before, after)
    assert measured == smaller.deviation
    assert 0 < measured.force_rms < measured.force <= 1e-3
    assert measured.energy_per_atom < 1e-3 and measured.virial_per_atom < 1e-2


def test_fewer_dimensions_and_multiplications(smaller):
    assert smaller.ranks and all(after < before for before, after in smaller.ranks.values())
    assert smaller.costs[1] < smaller.costs[0]


def test_tighter_tolerance_keeps_more(model, smaller):
    tight = compress(model, structures(), 1e-6)
    assert tight.deviation.force <= 1e-6
    assert tight.costs[1] > smaller.costs[1]


def test_forces_and_virial_are_derivatives(smaller):
    atoms, model = frames()[0], smaller.model
    geometry = atoms.numbers, atoms.positions, atoms.cell.array, atoms.pbc

    def energy(positions, cell):
        return model.evaluate(atoms.numbers, positions, cell, atoms.pbc).energy

    found = model.evaluate(*geometry)
    cell = atoms.cell.array
    expected = numerical_forces(lambda positions: energy(positions, cell), atoms.positions)
    np.testing.assert_allclose(found.forces, expected, atol=1e-6)
    expected = numerical_virial(energy, atoms.positions, cell)
    np.testing.assert_allclose(found.virial, expected, atol=1e-5)


def assert_targets_equal(found, expected):
    for name, values in expected.properties.items():
        atol = 1e-12 * np.nanmax(np.abs(values))
        np.testing.assert_allclose(found.properties[name], values, rtol=1e-12, atol=atol)


@pytest.mark.parametrize("zeta", [1, 2, 3])
@pytest.mark.parametrize("n_sparse", [3, 60])
def test_any_projection_is_the_model_with_mapped_points(zeta, n_sparse):
    """y_m·(P p̂) = (Pᵀ y_m)·p̂, for kernels of every form, of energies and of targets."""
    model = with_targets(random_model(n_sparse=n_sparse, zeta=zeta, n_max=3, l_max=2))
    rng = np.random.default_rng(0)
    projections, mapped = {}, {}
    for a, points in model.sparse_points(0).items():
        P, Y = rng.normal(size=(7, points.shape[1])), rng.normal(size=(n_sparse, 7))
        projections |= {f"term0.projection.{a}": P, f"term0.sparse_points.{a}": Y}
        mapped[f"term0.sparse_points.{a}"] = Y @ P
    for atoms in frames(1):
        rows, expected = (
            structure_rows(model.with_arrays(m), atoms) for m in (projections, mapped)
        )
        atol = 1e-12 * np.abs(expected).max()
        np.testing.assert_allclose(rows, expected, rtol=0, atol=atol)
        geometry = atoms.numbers, atoms.positions, atoms.cell.array, atoms.pbc
        a = model.with_arrays(projections).evaluate(*geometry)
        b = model.with_arrays(mapped).evaluate(*geometry)
        scale = np.abs(b.forces).max()
        np.testing.assert_allclose(a.energies, b.energies, rtol=1e-12, atol=1e-12 * scale)
        np.testing.assert_allclose(a.forces, b.forces, rtol=0, atol=1e-12 * scale)
        np.testing.assert_allclose(a.virials, b.virials, rtol=0, atol=1e-11 * scale)
        assert_targets_equal(a, b)
        without = model.with_arrays(projections).evaluate(*geometry, forces=False)
        np.testing.assert_allclose(without.energies, a.energies, rtol=1e-12)
        assert_targets_equal(without, b)


@pytest.fixture(scope="module")
def with_all_targets():
    return with_targets(many_points())


@pytest.fixture(scope="module")
def smaller_with_targets(with_all_targets):
    return compress(with_all_targets, structures(), 1e-3, target_tolerance=1e-2)


@pytest.mark.parametrize("potential", [True, False])
def test_members_of_targets_are_kept(potential):
    model = with_target_members(with_targets(many_points(), potential=potential))
    found = compress(model, structures(), 1e-1, target_tolerance=0.3)
    assert found.ranks and found.model.uncertainty == model.uncertainty
    before, after = (errors_of_targets(m) for m in (model, found.model))
    kept = found.model.metadata["provenance"]["compression"]["target_spread_deviation"]
    assert kept.keys() == found.target_spreads.keys() == before[0].keys()
    assert (found.spread is not None) == potential
    for name, own in found.target_spreads.items():
        sigma, change = (
            np.concatenate([np.ravel(x) for x in values])
            for values in (
                [one[name] for one in before],
                [b[name] - a[name] for a, b in zip(before, after, strict=True)],
            )
        )
        assert own.largest == pytest.approx(np.nanmax(np.abs(change)), abs=1e-12)
        assert own.predicted_rms == pytest.approx(np.sqrt(np.nanmean(sigma**2)))
        assert 0 < own.rms < 0.3 * own.predicted_rms


def errors_of_targets(model):
    """By structures and names."""
    own = [model.evaluate(s, uncertainty=("targets",)).uncertainty for s in structures()]
    return [one.properties_uncertainty for one in own]


def test_targets_agree_within_their_tolerance(with_all_targets, smaller_with_targets):
    found = smaller_with_targets
    assert found.ranks and found.deviation.force <= 1e-3 and len(found.targets) == 4
    before, after = (evaluate_structures(m, structures()) for m in (with_all_targets, found.model))
    for h, target in enumerate(ALL_KINDS):
        name = target.name
        pairs = [
            (a.properties[name], b.properties[name]) for a, b in zip(after, before, strict=True)
        ]
        change = np.abs(np.concatenate([np.ravel(a - b) for a, b in pairs]))
        assert found.targets[name].largest == pytest.approx(np.nanmax(change))
        mu = with_all_targets.arrays[f"target{h}.mean"]
        species = [with_all_targets.species_indices(s.numbers) for s in structures()]
        left = np.concatenate(
            [
                np.ravel(b - target.value(mu[own], own, {}))
                for (_, b), own in zip(pairs, species, strict=True)
            ]
        )
        spread = np.sqrt(np.nanmean(left**2))
        assert found.targets[name].relative == pytest.approx(np.nanmax(change) / spread)
        assert found.targets[name].relative <= 1e-2


def test_each_tolerance_binds(with_all_targets, smaller_with_targets):
    tight = compress(with_all_targets, structures(), 1e-3, target_tolerance=3e-4)
    assert tight.costs[1] > smaller_with_targets.costs[1]
    assert max(own.relative for own in tight.targets.values()) <= 3e-4


def test_targets_alone_are_compressed_by_their_own_tolerance():
    model = with_targets(many_points(), ALL_KINDS[:2], potential=False)
    found = compress(model, structures(), target_tolerance=1e-3)
    assert found.deviation is None and not found.model.has_potential
    assert set(found.model.metadata["provenance"]["compression"]) == {
        "target_tolerance",
        "target_deviation",
    }
    assert 0 < max(own.relative for own in found.targets.values()) <= 1e-3


def test_targets_of_kernels_between_structures_stay_as_they_are():
    model = with_kernel_target(many_points(), pooling="features")
    found = compress(model, structures(), 1e-3)
    assert found.ranks and found.targets["gap"].relative < 1e-12
    for atoms in frames():
        values = (m.evaluate(atoms).properties["gap"] for m in (model, found.model))
        assert next(values) == pytest.approx(next(values), rel=1e-12)


def test_record_and_file_survive(smaller, tmp_path):
    smaller.model.save(tmp_path / "small.sgpr")
    loaded = Model.load(tmp_path / "small.sgpr")
    record = loaded.metadata["provenance"]["compression"]
    assert record["tolerance"] == 1e-3
    assert record["deviation"]["force"] == smaller.deviation.force
    assert loaded.compressed


def test_rows_of_a_compressed_model_times_its_weights_are_what_it_predicts(smaller):
    model, atoms = smaller.model, frames()[0]
    weights = np.concatenate(
        [model.arrays[f"term{t}.weights.{a}"] for t in range(2) for a in range(2)]
    )
    found, rows = model.evaluate(atoms), structure_rows(model, atoms)
    forces = (rows @ weights)[1 : 1 + 3 * len(atoms)].reshape(-1, 3)
    np.testing.assert_allclose(forces, found.forces, atol=1e-10 * np.abs(found.forces).max())
    of_atoms = model.atom_rows(model.environments(atoms))
    e0 = model.arrays["e0"][model.species_indices(atoms.numbers)]
    np.testing.assert_allclose(of_atoms @ weights + e0, found.energies, atol=1e-9)


def test_compressed_model_has_no_kernel_matrix_and_is_not_compressed_again(smaller):
    with pytest.raises(SoapGprError, match="compressed for its own weights"):
        smaller.model.kernel_matrix()
    with pytest.raises(SoapGprError, match="compressed already"):
        compress(smaller.model, structures())


def test_linear_and_small_models_have_nothing_to_gain():
    for model in (many_points(zeta=1), random_model(n_sparse=1)):
        with pytest.raises(SoapGprError, match=r"nothing to gain.*keep the model"):
            compress(model, structures())


def test_model_without_soap_is_refused():
    with pytest.raises(SoapGprError, match="found no soap term with weights"):
        compress(body_order_model(soap=False), [], 1e-5)


@pytest.mark.parametrize("rows", [0, 1000])
def test_projection_of_a_wrong_shape_is_refused(model, rows):
    n_features = model.sparse_points(0)[0].shape[1]
    with pytest.raises(SoapGprError, match=r"term0\.projection\.0"):
        model.with_arrays({"term0.projection.0": np.zeros((rows, n_features))})
    with pytest.raises(SoapGprError, match=r"sparse_points\.0' has the unexpected shape"):
        model.with_arrays({"term0.projection.0": np.zeros((2, n_features))})


def test_command_writes_and_reports(model, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with_targets(model, (ALL_KINDS[0], BY_COLUMN[1])).save("model.sgpr")
    written = frames()
    for atoms in written:
        atoms.arrays["part"] = np.arange(1.0, 1.0 + len(atoms))
    ase.io.write("data.xyz", written, format="extxyz")
    words = ["data.xyz", "-o", "small.sgpr"]
    options = ["--tolerance", "1e-3", "--target-tolerance", "1e-2"]
    assert main(["compress", "model.sgpr", *words, *options]) == 0
    printed = capsys.readouterr().out
    assert "dimensions" in printed and "meV/Å (RMS" in printed
    assert re.search(r"charge  \S+ e \(RMS \S+\), 0.00\d+ of its spread about the means", printed)
    assert main(["info", "small.sgpr"]) == 0
    said = capsys.readouterr().out
    assert "forces changed by at most" in said and "charge changed by at most" in said
    assert main(["compress", "small.sgpr", "data.xyz", "-o", "smaller.sgpr"]) == 1
    assert "compressed already" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["compress", "model.sgpr", *words, "--tolerance", "0"])
    ase.io.write("data.xyz", frames(), format="extxyz")
    assert main(["compress", "model.sgpr", *words]) == 1
    assert "data.xyz#0: found no column 'part' of atoms" in capsys.readouterr().err


def test_members_survive_and_what_they_lose_is_measured(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    model = with_members(many_points(), 4)
    model.save("model.sgpr")
    ase.io.write("data.xyz", frames())
    assert main(["compress", "model.sgpr", "data.xyz", "--tolerance", "1e-3", "-o", "m.sgpr"]) == 0
    smaller = Model.load("m.sgpr")
    assert smaller.compressed and smaller.uncertainty == model.uncertainty
    changes, before = [], []
    for atoms in frames():
        own = [m.evaluate(atoms, uncertainty=("forces",)).uncertainty for m in (model, smaller)]
        before.append(own[0].forces_uncertainty)
        changes.append(np.abs(own[1].forces_uncertainty - before[-1]))
    measured = smaller.metadata["provenance"]["compression"]["spread_deviation"]
    assert measured["largest"] == pytest.approx(np.max(changes), rel=1e-6)
    assert measured["predicted_rms"] == pytest.approx(np.sqrt(np.mean(np.square(before))))
    assert 0 < np.max(changes) < 0.01 * np.max(before)
    assert "predicted error by the committee" in capsys.readouterr().out
