# SPDX-License-Identifier: BSD-3-Clause
"""Fits from stored factors equal fits from scratch with the same sparse points."""

import copy
from dataclasses import replace

import ase.io
import numpy as np
import pytest
from ase.calculators.emt import EMT
from training_data import emt_frames, small_settings, write_frames

from potential.errors import SoapGprError
from potential.model.evaluation import evaluate_structures
from potential.runtime.ranks import Ranks
from potential.settings import NoiseSettings, Sigmas
from potential.settings.file import as_settings
from potential.structures.read import read_structures
from potential.structures.structure import structure_from_atoms
from potential.terms import TrainingModel
from potential.training.accumulation import accumulate
from potential.training.choice import choose
from potential.training.factor_store import FactorStore
from potential.training.fitting import fit
from potential.training.parts import Parts
from potential.training.regression import StreamingQR


@pytest.fixture
def problem(tmp_path):
    """Settings over 16 frames, of which one has an expected error of its own, and a factor."""
    frames = emt_frames(16, seed=1)
    frames[3].info["energy_sigma"] = 0.001
    settings = small_settings(write_frames(tmp_path / "train.xyz", frames))
    settings["data"]["test"] = [write_frames(tmp_path / "test.xyz", emt_frames(4, seed=2))]
    factor = tmp_path / "fit.factor"
    first = fit(settings, progress=False, factor=factor)
    return settings, factor, first


def difference(first, second):
    structures = first.test
    one, two = (evaluate_structures(result.model, structures) for result in (first, second))
    forces = max(np.abs(a.forces - b.forces).max() for a, b in zip(one, two, strict=True))
    energies = max(np.abs(a.energies - b.energies).max() for a, b in zip(one, two, strict=True))
    return max(forces, energies)


@pytest.fixture
def no_rows(monkeypatch):
    """Any row that is made is a failure."""

    def fail(*arguments):
        raise AssertionError("rows were made")

    monkeypatch.setattr(TrainingModel, "rows", fail)


def test_first_fit_with_a_factor_is_an_ordinary_fit(problem):
    settings, _, first = problem
    assert difference(fit(settings, progress=False), first) < 1e-8


def test_other_noise_jitter_and_e0_need_no_rows(problem, request):
    settings, factor, first = problem
    other = copy.deepcopy(settings)
    other["noise"] = {"force": 0.2, "config_type": {"odd": {"energy_per_atom": 0.05}}}
    other["baseline"] = {"isolated_atom_energies": {"Cu": 0.3, "Au": -0.2}}
    other["solver"] = {"jitter": 1e-8}
    expected = fit(other, progress=False)
    request.getfixturevalue("no_rows")
    refitted = fit(other, progress=False, factor=factor)
    assert difference(refitted, first) > 1e-3
    assert difference(refitted, expected) < 1e-8
    assert refitted.model.e0 == expected.model.e0
    settings_on_record = refitted.model.metadata["settings"]
    assert settings_on_record["noise"]["default"]["force"] == 0.2
    assert refitted.provenance["fitted_labels"] == expected.provenance["fitted_labels"]


def test_levels_of_a_config_type_without_a_name_count(tmp_path):
    structures = [replace(s, config_type="") for s in map(structure_from_atoms, emt_frames(3))]
    structures[0] = replace(structures[0], sigma_force=0.1)
    settings = as_settings(small_settings("train.xyz", n_sparse=5))
    choice = choose(settings, structures)
    settings = replace(settings, noise=NoiseSettings(Sigmas(0.01, 0.2, 0.05)))
    store = FactorStore(tmp_path / "fit.factor", settings)
    store.add(choice, structures, settings, Ranks())
    found = store.parts(settings, choice.model.arrays["e0"]).triangle()
    expected = accumulate(choice, structures, settings, Ranks()).triangle()
    assert found.n_rows == expected.n_rows
    R, S = found.R, expected.R
    np.testing.assert_allclose(R.T @ R, S.T @ S, rtol=1e-9, atol=1e-9)


def test_labels_are_left_out_by_infinite_noise(problem, no_rows):
    settings, factor, _ = problem
    settings["noise"] = {"virial_per_atom": float("inf")}
    refitted = fit(settings, progress=False, factor=factor)
    assert refitted.provenance["fitted_labels"] == 16 * 25


def test_new_structures_are_added_to_the_old(problem, tmp_path, monkeypatch):
    settings, factor, _ = problem
    train = ase.io.read(settings["data"]["train"][0], ":") + emt_frames(6, seed=9)
    settings["data"]["train"] = [write_frames(tmp_path / "more.xyz", train)]
    settings["solver"] = {"jitter": 1e-9}
    seen = []
    rows = TrainingModel.rows

    def count(model, environments, gradients=True):
        seen.append(environments)
        return rows(model, environments, gradients)

    monkeypatch.setattr(TrainingModel, "rows", count)
    added = fit(settings, progress=False, factor=factor)
    assert len(seen) == 6
    assert added.provenance["fitted_labels"] == 22 * 31
    # from scratch with the old sparse points, which a new choice among 22 frames would not give
    scratch = tmp_path / "scratch.factor"
    fit(
        settings | {"data": settings["data"] | {"train": [str(tmp_path / "train.xyz")]}},
        progress=False,
        factor=scratch,
    )
    seen.clear()
    again = fit(settings, progress=False, factor=scratch)
    assert len(seen) == 6 and difference(added, again) < 1e-10
    structures = read_structures(settings["data"]["train"])
    assert len(structures) == 22


def test_structures_that_are_gone_are_an_error(problem):
    settings, factor, _ = problem
    settings["data"]["train"] = [settings["data"]["train"][0] + "@:10"]
    with pytest.raises(SoapGprError, match=r"found 6 structures that \[data\] train lacks"):
        fit(settings, progress=False, factor=factor)


def test_factor_of_other_terms_and_foreign_files_are_refused(problem):
    settings, factor, _ = problem
    other = copy.deepcopy(settings)
    other["terms"][0]["cutoff"] = 4.1
    with pytest.raises(SoapGprError, match=r"found the factor of a fit with other \[\[terms\]\]"):
        fit(other, progress=False, factor=factor)
    with pytest.raises(SoapGprError, match="expected one of them"):
        fit(settings, progress=False, factor=factor, checkpoint=factor)
    np.save(factor.with_suffix(".npy"), np.zeros(3))
    with pytest.raises(SoapGprError, match="found something else than a factor"):
        fit(settings, progress=False, factor=factor.with_suffix(".npy"))
    factor.write_bytes(b"something else")
    with pytest.raises(SoapGprError, match="found something else than a factor"):
        fit(settings, progress=False, factor=factor)


def test_few_rows_of_the_last_species_alone_are_kept_with_blocks(tmp_path):
    """Their columns are the last ones: all rows of the triangle before are zero."""
    frames = emt_frames(12, seed=1)
    for k, atoms in enumerate(emt_frames(4, seed=3)):
        atoms.symbols[:] = "Au"
        atoms.calc = EMT()
        atoms.get_stress()
        atoms.info["config_type"] = "gold"
        frames.insert(2 * k, atoms)
    settings = small_settings(write_frames(tmp_path / "train.xyz", frames))
    settings["data"]["test"] = [write_frames(tmp_path / "test.xyz", frames[:6])]
    settings["uncertainty"] = {"committee": 4, "variance": False, "n_blocks": 4}
    expected = fit(settings, progress=False)
    for _ in range(2):  # made, and then read
        found = fit(settings, progress=False, factor=tmp_path / "blocks.factor")
        assert difference(found, expected) < 1e-8
        one, two = (own.provenance["residual_per_label"] for own in (found, expected))
        assert one == pytest.approx(two, rel=1e-9)


@pytest.mark.parametrize("dependent", [False, True])
def test_all_that_a_triangle_says_of_few_rows_is_kept(dependent):
    rng = np.random.default_rng(0)
    A = np.zeros((30, 200))
    A[:, 120:] = rng.standard_normal((30, 80))
    if dependent:
        nodes, x = np.sort(rng.uniform(-3, 3, 200)), rng.uniform(-3, 3, 30)
        A = np.exp(-((x[:, None] - nodes) ** 2))
    qr = StreamingQR(200)
    qr.add(A, rng.standard_normal(30))
    R = qr.finish()
    kept = Parts([[R]], [30]).of(0)
    np.testing.assert_allclose(kept.T @ kept, R.T @ R, atol=1e-12 * np.sum(R**2))
    assert len(kept) < 100 and np.array_equal(kept, np.triu(kept))
