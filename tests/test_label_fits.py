# SPDX-License-Identifier: BSD-3-Clause
"""Fits to labels that are masked, weighted or of slabs: every way of fitting does the same."""

import json
from dataclasses import replace

import numpy as np
import pytest
from ase.build import fcc111
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator
from ase.filters import FrechetCellFilter
from ase.optimize import BFGS
from models import structure_rows
from scipy.stats import multivariate_normal
from training_data import emt_frames, small_settings, write_frames

from potential import SoapGprCalculator
from potential.cli import main
from potential.errors import SoapGprError
from potential.model.evaluation import evaluate_structures
from potential.scores import metrics
from potential.settings.file import parse_settings
from potential.structures.digests import structure_digest
from potential.structures.structure import structure_from_atoms
from potential.training.estimate import n_labels
from potential.training.fitting import fit
from potential.training.regression import StreamingQR, solve
from potential.training.rows import weighted_rows
from potential.validation.cross_validation import FoldFactors
from potential.validation.learning_curve import learning_curve
from potential.validation.marginal_likelihood import log_marginal_likelihood
from potential.validation.row_store import prepare, read_data

NOISE = {
    "energy_per_atom": 0.004,
    "force": 0.08,
    "virial_per_atom": 0.03,
    "config_type": {"odd": {"force": 0.2}},
}


def marked(n, seed=1):
    """Frames of which some have masks, sigmas by atom and component, and weights."""
    frames = emt_frames(n, seed=seed)
    first, second, third, fourth, fifth = frames[:5]
    for atoms in (first, second):
        atoms.arrays["force_mask"] = np.arange(8) % 3 == 0
    second.arrays["force_atom_sigma"] = np.linspace(0.05, 0.5, 8)
    third.arrays["force_component_sigma"] = np.linspace(0.05, 0.5, 24).reshape(8, 3)
    third.arrays["force_component_sigma"][0] = np.inf
    third.info["virial_component_sigma"] = np.full(9, 0.3) + 0.2 * np.eye(3).ravel()
    fourth.info |= {"config_weight": 0.25, "config_forces_weight": 2.0}
    fifth.info |= {"config_weight": 4.0, "config_stress_weight": 0.0, "force_sigma": 0.1}
    return frames


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    folder = tmp_path_factory.mktemp("marked")
    train = write_frames(folder / "train.xyz", marked(11))
    test = write_frames(folder / "test.xyz", marked(5, seed=2))
    return parse_settings(small_settings(train, [test], n_sparse=12) | {"noise": NOISE})


@pytest.fixture(scope="module")
def prepared(settings):
    return prepare(settings, read_data(settings))


def twin_sigmas(s, noise):
    """Expected error of every label by the rules of docs/fit_toml.md, inf for no label."""
    levels = noise.config_type.get(s.config_type, noise.default)
    sigmas = [np.inf if s.energy is None else s.sigma_energy or levels.energy_per_atom * 8**0.5]
    sigmas[0] /= s.weight_energy**0.5
    for i in range(8):
        for x in range(3):
            own = s.sigma_force if np.ndim(s.sigma_force) == 0 else s.sigma_force[i, x]
            sigma = (own or levels.force) / s.weight_force**0.5
            sigmas.append(np.inf if np.isnan(s.forces[i, x]) else sigma)
    for x, y in ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1)):
        own = s.sigma_virial if np.ndim(s.sigma_virial) == 0 else s.sigma_virial[x, y]
        sigma = own or levels.virial_per_atom * 8**0.5
        sigmas.append(np.inf if s.virial is None else sigma / s.weight_virial**0.5)
    return np.array(sigmas)


def test_rows_are_those_of_labels_one_by_one(settings, prepared):
    model = prepared.model
    for s in prepared.train:
        sigmas = twin_sigmas(s, settings.noise)
        rows, targets = weighted_rows(model, s, settings)
        used = np.isfinite(sigmas)
        expected = (structure_rows(model, s, True) / sigmas[:, None])[used]
        np.testing.assert_allclose(rows, expected, rtol=1e-12)
        e0 = sum(model.e0[int(z)] for z in s.numbers)
        assert targets[0] == pytest.approx((s.energy - e0) / sigmas[0], rel=1e-12)
        forces = s.forces.ravel()[used[1:25]] / sigmas[1:25][used[1:25]]
        np.testing.assert_allclose(targets[1 : 1 + len(forces)], forces, rtol=1e-12)
        assert n_labels(settings, s) == len(targets) == used.sum()


def test_masked_labels_count_nowhere(settings):
    result = fit(settings, progress=False)
    masked, infinite = 2 * 9, 3
    for key, n in (("train", 11), ("test", 5)):
        assert result.provenance[key]["force_components"] == 24 * n - masked
        assert result.provenance[key]["virials"] == n - 1
    assert result.provenance["fitted_labels"] == 11 + 24 * 11 - masked - infinite + 6 * 10
    assert result.train_errors["all"]["force"].count == 24 * 11 - masked
    assert result.train_errors["all"]["virial"].count == 6 * 10


def test_masked_forces_do_not_matter_at_all(tmp_path):
    """A wrong force that is masked changes no error, and is found in no check."""
    rmse = []
    for wrong in (0.0, 5.0):
        frames = emt_frames(8, seed=3)
        for atoms in frames:
            atoms.arrays["force_mask"] = np.arange(8) == 2
            atoms.calc.results["forces"][2] += wrong
        path = write_frames(tmp_path / f"{wrong}.xyz", frames)
        result = fit(small_settings(path, n_sparse=10), progress=False)
        assert result.warnings == []
        rmse.append(result.train_errors["all"]["force"].rmse)
    assert rmse[0] == pytest.approx(rmse[1], rel=1e-6)


def forces_of(result):
    return np.concatenate([e.forces for e in evaluate_structures(result.model, result.test)])


def test_factors_hold_the_same_rows(settings, tmp_path):
    plain, factor = fit(settings, progress=False), tmp_path / "fit.factor"
    np.testing.assert_allclose(
        forces_of(fit(settings, progress=False, factor=factor)), forces_of(plain), atol=1e-8
    )
    louder = replace(settings.noise.default, force=0.3)
    other = replace(settings, noise=replace(settings.noise, default=louder))
    again = fit(other, progress=False, factor=factor)
    np.testing.assert_allclose(forces_of(again), forces_of(fit(other, progress=False)), atol=1e-8)


def test_digest_sees_masks_sigmas_and_weights():
    frames = [structure_from_atoms(atoms) for atoms in (*marked(5), emt_frames(1, seed=1)[0])]
    frames += [replace(frames[-1], sigma_force=x) for x in (0.5, np.full((8, 3), 0.5))]
    frames += [replace(frames[-1], **{f"weight_{x}": 2.0}) for x in ("energy", "force", "virial")]
    assert len({structure_digest(s) for s in frames}) == len(frames)


def test_cross_validation_equals_refits(settings, prepared):
    factors = FoldFactors(prepared, 3, seed=4)
    held_out, predictions = [], []
    for fold in range(3):
        parts = list(zip(prepared.train, factors.part, strict=True))
        rest = [s for s, k in parts if k != fold]
        model = prepared.model.with_arrays({"e0": prepared.e0(rest)})
        qr = StreamingQR(model.n_weights)
        for s in rest:
            qr.add(*weighted_rows(model, s, settings))
        weights = solve(qr.triangle(), prepared.K_MM, settings.solver.jitter).weights
        own = [s for s, k in parts if k == fold]
        for s in own:  # inf: in no fit, and so in no fold
            infinite = np.isinf(1.0 if s.sigma_force is None else s.sigma_force)
            held_out.append(replace(s, forces=np.where(infinite, np.nan, s.forces)))
        predictions += evaluate_structures(model.with_weights(weights), own)
    expected = metrics.errors(held_out, predictions)[metrics.ALL]
    result = factors.cross_validate(settings)
    assert result.counts == {label: expected[label].count for label in result.counts}
    for label, rmse in result.rmse.items():
        assert rmse == pytest.approx(expected[label].rmse, rel=1e-8), label


def test_likelihood_equals_that_of_the_dense_gaussian(settings, prepared):
    parts = [weighted_rows(prepared.model, s, settings) for s in prepared.train]
    A, y = (np.concatenate([part[k] for part in parts]) for k in range(2))
    K = prepared.model.kernel_matrix()
    K += settings.solver.jitter * np.mean(np.diag(K)) * np.eye(len(K))
    covariance = A @ np.linalg.solve(K, A.T) + np.eye(len(y))
    dense = multivariate_normal(cov=0.5 * (covariance + covariance.T)).logpdf(y)
    sigmas = np.concatenate([twin_sigmas(s, settings.noise) for s in prepared.train])
    dense -= np.log(sigmas[np.isfinite(sigmas)]).sum()
    found = log_marginal_likelihood(FoldFactors(prepared, 2), settings)
    assert found == pytest.approx(dense, rel=1e-8)


def test_learning_curve_ends_at_the_errors_of_the_fit(settings):
    curve = learning_curve(settings, [5, 11], repeats=1)
    expected = fit(settings, progress=False).test_errors["all"]
    for label, of_label in curve.errors.items():
        assert of_label["rmse"][-1, 0] == pytest.approx(expected[label].rmse, rel=1e-7)


def slabs(n):
    frames = []
    for k in range(n):
        atoms = fcc111("Cu", (2, 2, 3), a=3.6 + 0.05 * k, vacuum=6)
        atoms.info.clear()
        atoms.rattle(0.05, seed=k)
        atoms.pbc = [True, True, False]
        atoms.calc = EMT()
        results = {"energy": atoms.get_potential_energy(), "forces": atoms.get_forces()}
        atoms.calc = SinglePointCalculator(atoms, stress=atoms.get_stress(), **results)
        frames.append(atoms)
    return frames


def test_slabs_are_fitted_to_their_stress_and_relax_in_plane(tmp_path, capsys):
    frames = slabs(8)
    path = write_frames(tmp_path / "slab.xyz", frames)
    settings = small_settings(path, cutoff=4.5, n_sparse=30)
    settings["data"]["stress_key"] = "stress"
    result = fit(settings, progress=False)
    assert result.provenance["train"]["virials"] == 8
    assert result.train_errors["all"]["stress"].count == 48
    result.model.save(tmp_path / "slab.sgpr")
    calculator = SoapGprCalculator(result.model)
    for atoms in frames:
        reference = atoms.get_stress()
        atoms.calc = calculator
        np.testing.assert_allclose(atoms.get_stress(), reference, atol=1e-3)
        np.testing.assert_allclose(atoms.get_stresses().sum(axis=0), atoms.get_stress(), atol=1e-9)
    atoms = frames[4]
    height = atoms.cell[2, 2]
    relaxed = BFGS(FrechetCellFilter(atoms, mask=[1, 1, 0, 0, 0, 1]), logfile=None)
    assert relaxed.run(fmax=0.01, steps=100)
    assert np.abs(atoms.get_stress()[[0, 1, 5]]).max() < 1e-4 and atoms.cell[2, 2] == height
    out = str(tmp_path / "predicted.xyz")
    assert main(["evaluate", str(tmp_path / "slab.sgpr"), path, "-o", out]) == 0
    assert "stress" in capsys.readouterr().out
    assert "stress=" in (tmp_path / "predicted.xyz").read_text()


def test_commands_say_what_they_read(tmp_path, capsys):
    frames = emt_frames(6)
    for atoms in frames:
        atoms.calc.results["free_energy"] = atoms.calc.results["energy"] - 0.8
        atoms.info["dipole"] = np.ones(3)
    path, model = write_frames(tmp_path / "a.xyz", frames), str(tmp_path / "m.sgpr")
    words = ("'free_energy', whose derivatives", "frames carry 'dipole': not used")
    result = fit(small_settings(path, [path], n_sparse=5), progress=False)
    for word in words:
        assert sum(word in warning for warning in result.warnings) == 1
    assert result.provenance["labels"]["energy"] == ["free_energy", "energy"]
    result.model.save(model)
    assert main(["check", path, "--strict"]) == 0
    out = capsys.readouterr().out
    assert "nothing odd" in out and all(word in out for word in words)
    assert main(["check", path, "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["notes"]) == 2
    for command in (["evaluate", model, path], ["report", model, path, "-o", f"{tmp_path}/r.html"]):
        assert main(command) == 0
        error = capsys.readouterr().err
        assert all(word in error for word in words)


def test_evaluation_reads_the_energies_of_training(tmp_path, capsys):
    """Frames with energies alone would give 'energy', which is not what the model was fitted to."""
    frames = emt_frames(6)
    for atoms in frames:
        atoms.calc.results["free_energy"] = atoms.calc.results["energy"] - 0.8
    path, model = write_frames(tmp_path / "a.xyz", frames), str(tmp_path / "m.sgpr")
    fit(small_settings(path, n_sparse=40), progress=False).model.save(model)
    for atoms in frames:
        del atoms.calc.results["forces"], atoms.calc.results["stress"]
    energies = write_frames(tmp_path / "b.xyz", frames)
    rmse = []
    for options in ([], ["--energy-key", "energy"]):
        assert main(["evaluate", model, energies, "--json", "-", *options]) == 0
        rmse.append(json.loads(capsys.readouterr().out)["errors"]["all"]["energy"]["rmse"])
    assert rmse[0] < 0.02 and rmse[1] == pytest.approx(0.1, abs=0.02)


def test_bad_labels_are_one_sentence_and_no_file(tmp_path, capsys):
    frames = emt_frames(4)
    frames[2].calc.results["forces"][3, 1] = 1e200
    path = write_frames(tmp_path / "a.xyz", frames)
    settings = tmp_path / "fit.toml"
    settings.write_text(f'[data]\ntrain = ["{path}"]\n')
    for line in (["fit", str(settings), "-o", str(tmp_path / "m.sgpr")], ["check", path]):
        assert main(line) == 1
        error = capsys.readouterr().err
        assert "a.xyz#2: forces: found 1e+200 eV/Å" in error and error.count("\n") == 1
    assert not (tmp_path / "m.sgpr").exists()


@pytest.mark.parametrize(
    ("tables", "words"),
    [
        (
            {"noise": {"force": 1e-200}},
            r"force: found 1e-200, expected a number >= 1e-10",
        ),
        (
            {"baseline": {"isolated_atom_energies": {"Cu": 1e200, "Au": 0}}},
            r"isolated_atom_energies\.Cu: found 1e\+200, expected an energy in eV, at most 1e\+08",
        ),
        ({"baseline": {"pair_table": "table.txt"}}, r"a\.xyz#\d: found .* from \[baseline\]"),
    ],
)
def test_settings_of_absurd_size_are_refused(tmp_path, monkeypatch, tables, words):
    """Each of them made a model whose errors are inf, or that of one label alone."""
    monkeypatch.chdir(tmp_path)
    r = np.linspace(0.5, 4.0, 50)
    table = [f"{x:.6f} {1e200 * (4 - x) ** 3:.6e}" for x in r]
    (tmp_path / "table.txt").write_text("\n".join(["# Cu Cu", *table]) + "\n")
    path = write_frames(tmp_path / "a.xyz", emt_frames(4))
    with pytest.raises(SoapGprError, match=words):
        fit(small_settings(path, n_sparse=5) | tables, progress=False)
