# SPDX-License-Identifier: BSD-3-Clause
"""Weights on derivatives of the kernel: finite differences, the full GP on forces, whole fits."""

import numpy as np
import pytest
from models import derivative_model, random_structure, structure_rows
from numerical import numerical_forces, numerical_virial
from training_data import emt_frames, small_settings, write_frames

from potential.errors import SoapGprError
from potential.model import TRIANGLE, Model
from potential.structures.label_table import VOIGT
from potential.structures.structure import structure_from_atoms
from potential.terms import TrainingModel
from potential.terms.features import features
from potential.terms.gradients import polarisation
from potential.training.estimate import estimate
from potential.training.fitting import fit
from potential.training.provenance import summary
from potential.training.regression import StreamingQR, solve
from potential.uncertainty import ProjectedProcess

TRICLINIC = [[5.1, 0, 0], [1.3, 4.4, 0], [-1, 1, 5]]
SMALL = [[2.9, 0, 0], [0.7, 2.6, 0], [-0.4, 0.5, 3.1]]  # smaller than the cutoff


def sparse_structures():
    return [
        random_structure([8, 1, 1, 8], seed=1, cell=TRICLINIC),
        random_structure([8, 1, 1], seed=2, pbc=False),
        random_structure([8, 1], seed=3, cell=SMALL),
    ]


def targets():
    return {
        "triclinic": random_structure([8] * 3 + [1] * 5, seed=4, cell=TRICLINIC),
        "smaller than the cutoff": random_structure([8, 1, 1], seed=5, cell=SMALL),
        "molecule": random_structure([8, 8, 1], seed=6, pbc=False),
    }


def evaluate(model, atoms):
    return model.evaluate(atoms.numbers, atoms.positions, atoms.cell.array, atoms.pbc)


def structure_kernel(model, A, B):
    """Σ_i Σ_m δ² (p̂_i·p̂_m)^ζ over the atoms of two structures, of equal species."""
    term = model.terms[0]
    k = (features(model, 0, A) @ features(model, 0, B).T) ** term["zeta"]
    return term["delta"] ** 2 * k[A.numbers[:, None] == B.numbers].sum()


def displaced(atoms, positions):
    other = atoms.copy()
    other.positions = positions
    return other


@pytest.mark.parametrize("zeta", [1, 2, 3, 4])
def test_functions_are_derivatives_of_the_kernel(zeta):
    model, atoms = derivative_model(sparse_structures(), zeta), targets()["triclinic"]
    expected = np.concatenate(
        [
            -numerical_forces(
                lambda r, A=A: structure_kernel(model, atoms, displaced(A, r)), A.positions
            ).ravel()
            for A in sparse_structures()
        ]
    )
    found = structure_rows(model, structure_from_atoms(atoms))
    np.testing.assert_allclose(found[0], expected, rtol=1e-7, atol=1e-8)
    energy = structure_rows(model, structure_from_atoms(atoms), gradients=False)
    np.testing.assert_allclose(energy[0], found[0], atol=1e-12)


@pytest.mark.parametrize("name", targets())
@pytest.mark.parametrize("zeta", [1, 2, 3, 4, 7])
def test_rows_times_weights_are_the_compiled_model(name, zeta):
    rows_are_the_compiled_model(derivative_model(sparse_structures(), zeta), targets()[name])


def test_rows_of_selected_features_are_the_compiled_model():
    selection = {"features": [0, 3, 4, 17, 17, 40], "feature_scale": [1.0, 0.5, 2.0, 1.0, 0.3, 1.0]}
    model = derivative_model(sparse_structures(), **selection)
    rows_are_the_compiled_model(model, targets()["triclinic"])


def rows_are_the_compiled_model(model, atoms):
    weights = np.random.default_rng(0).normal(size=model.n_weights)
    evaluation = evaluate(Model(model.with_weights(weights).to_bytes()), atoms)
    virial = evaluation.virial[VOIGT]
    expected = np.concatenate([[evaluation.energy], evaluation.forces.ravel(), virial])
    found = structure_rows(model, structure_from_atoms(atoms)) @ weights
    np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-11)


def test_forces_and_virial_of_the_compiled_model_are_derivatives():
    model, atoms = derivative_model(sparse_structures()), targets()["triclinic"]
    model = model.with_weights(np.random.default_rng(0).normal(size=model.n_weights))

    def energy(positions, cell=atoms.cell.array):
        return model.evaluate(atoms.numbers, positions, cell, atoms.pbc, forces=False).energy

    found = evaluate(model, atoms)
    np.testing.assert_allclose(found.forces, numerical_forces(energy, atoms.positions), atol=1e-6)
    virial = numerical_virial(energy, atoms.positions, atoms.cell.array)
    np.testing.assert_allclose(found.virial, virial, atol=1e-6)


def test_kernel_matrix_is_the_mixed_second_derivative_and_leaves_translations_out():
    structures = sparse_structures()
    model = derivative_model(structures, zeta=2)
    K = model.kernel_matrix()
    np.testing.assert_allclose(K, K.T)
    A, B = structures[0], structures[1]
    step = 1e-3

    def shifted(atoms, k, x, h):
        positions = atoms.positions.copy()
        positions[k, x] += h
        return displaced(atoms, positions)

    mixed = sum(
        s * t * structure_kernel(model, shifted(A, 2, 1, s * step), shifted(B, 1, 2, t * step))
        for s in (-1, 1)
        for t in (-1, 1)
    ) / (4 * step**2)
    assert K[3 * 2 + 1, 3 * (4 + 1) + 2] == pytest.approx(mixed, rel=1e-4)
    translation = np.zeros(len(K))
    translation[0:12:3] = 1.0
    assert np.abs(K @ translation).max() < 1e-12 * np.abs(K).max()
    assert np.linalg.eigvalsh(K)[0] > -1e-12 * np.trace(K)


def test_force_labels_alone_give_the_full_gaussian_process_on_forces():
    """All training coordinates as basis: posterior mean K_*F (K_FF + σ²)⁻¹ F, whatever the size of
    the null space."""
    train = [random_structure([8, 1, 1, 8], seed=s, cell=TRICLINIC) for s in range(4)]
    model, test = derivative_model(train, zeta=2), targets()["triclinic"]
    rng, sigma = np.random.default_rng(0), 0.1
    forces = [rng.normal(size=(4, 3)) for _ in train]
    forces = np.concatenate([f - f.mean(axis=0) for f in forces]).ravel()
    K_FF = np.zeros((48, 48))
    for p, A in enumerate(train):  # by finite differences of rows: the oracle's own K
        rows = structure_rows(model, structure_from_atoms(A))
        K_FF[12 * p : 12 * (p + 1)] = -rows[1:-6]
    alpha = np.linalg.solve(K_FF + sigma**2 * np.eye(48), forces)
    rows = structure_rows(model, structure_from_atoms(test))
    expected = -rows @ alpha  # f = -dE/dx, so cov(E, f_b) = -∂k/∂x_b
    qr = StreamingQR(48)
    for A, own in zip(train, forces.reshape(4, 12), strict=True):
        qr.add(structure_rows(model, structure_from_atoms(A))[1:-6] / sigma, own / sigma)
    weights = solve(qr.triangle(), model.kernel_matrix(), jitter=1e-12).weights
    np.testing.assert_allclose(rows @ weights, expected, rtol=1e-6, atol=1e-8)
    assert np.abs(expected).max() > 1e-2


@pytest.mark.parametrize("zeta", [1, 2, 3, 4, 5, 8, 32])
def test_polarisation_is_exact_with_zeta_nodes(zeta):
    nodes, factors, last = polarisation(zeta)
    assert len(nodes) + bool(last) == zeta
    s, t = np.cos(np.linspace(0, 1.5, 20)), np.sin(np.linspace(0, 1.5, 20))
    found = factors @ (s + np.multiply.outer(nodes, t)) ** zeta + last * t**zeta
    np.testing.assert_allclose(found, zeta * s ** (zeta - 1) * t, atol=1e-13 * zeta)


def test_fit_beside_other_terms_keeps_what_a_refit_needs(tmp_path):
    train = write_frames(tmp_path / "train.xyz", emt_frames(12))
    test = write_frames(tmp_path / "test.xyz", emt_frames(6, seed=1))
    settings = small_settings(train, [test], sparse_basis="derivatives", n_sparse=130)
    settings["terms"].append({"kind": "pair", "cutoff": 4.0, "n_sparse": 8})
    factor = tmp_path / "factor.npz"
    result = fit(settings, progress=False, factor=factor)
    assert result.provenance["sparse_points"][0] == {"structures": 5, "coordinates": 120}
    assert result.model.n_weights == 120 + 3 * 8
    assert "structures 5, coordinates 120 (soap, derivatives, cutoff 4 Å" in summary(result.model)
    errors = result.test_errors["all"]
    assert errors["force"].rmse < 0.1 and errors["energy"].rmse < 0.02
    settings["noise"] = {"force": 0.01}
    again = fit(settings, progress=False, factor=factor)  # no new rows
    plain = fit(settings, progress=False, checkpoint=tmp_path / "checkpoint.npz")
    atoms = targets_of_emt()
    expected = evaluate(plain.model, atoms)
    found = evaluate(again.model, atoms)
    np.testing.assert_allclose(found.forces, expected.forces, atol=1e-6)
    assert np.abs(evaluate(result.model, atoms).forces - expected.forces).max() > 1e-4
    loaded = TrainingModel(plain.model.to_bytes())
    assert loaded.n_weights == 144 and loaded.kernel_matrix().shape == (144, 144)
    assert "Weights        at most 154" in estimate(settings)
    with_triangle = plain.model.with_arrays({TRIANGLE: np.eye(145)})
    with pytest.raises(SoapGprError, match='sparse_basis = "derivatives" in the model'):
        ProjectedProcess(with_triangle)


def targets_of_emt():
    return emt_frames(1, seed=7)[0]


def test_choice_does_not_depend_on_the_order_of_structures(tmp_path):
    frames = emt_frames(8)
    models = []
    for k, own in enumerate((frames, frames[::-1])):
        train = write_frames(tmp_path / f"train{k}.xyz", own)
        settings = small_settings(train, sparse_basis="derivatives", n_sparse=72)
        models.append(fit(settings, progress=False).model)
    for name, array in models[0].arrays.items():
        np.testing.assert_array_equal(models[1].arrays[name], array, err_msg=name)


def test_settings_that_cannot_be_are_one_sentence(tmp_path):
    train = write_frames(tmp_path / "train.xyz", emt_frames(3))
    derivatives = {"sparse_basis": "derivatives"}
    with pytest.raises(SoapGprError, match="n_sparse: found 20, expected at least 24, the coord"):
        fit(small_settings(train, n_sparse=20, **derivatives), progress=False)
    with pytest.raises(SoapGprError, match="found a table by species, expected one number"):
        fit(small_settings(train, n_sparse={"Cu": 20, "Au": 10}, **derivatives), progress=False)
    settings = small_settings(train, n_sparse=24, **derivatives) | {"solver": {"jitter": 0}}
    with pytest.raises(SoapGprError, match="singular at jitter = 0"):
        fit(settings, progress=False)
