# SPDX-License-Identifier: BSD-3-Clause
"""Noise levels that the fit finds, against the dense likelihood and noise that was added."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.linalg import cholesky, solve_triangular
from scipy.optimize import minimize
from training_data import emt_frames, small_settings, write_frames

from potential.errors import SoapGprError
from potential.model.evaluation import evaluate_structures
from potential.runtime.ranks import Ranks
from potential.settings import NoiseSettings
from potential.settings.file import as_settings, parse_settings
from potential.structures.label_table import to_rows
from potential.structures.read import read_structures
from potential.structures.structure import structure_from_atoms
from potential.training.accumulation import accumulate
from potential.training.auto_noise import LEAST_LABELS, found_noise, level_groups
from potential.training.choice import choose
from potential.training.fitting import fit
from potential.training.label_groups import label_rows
from potential.training.noise import row_sigmas
from potential.training.provenance import summary
from potential.training.rows import weighted_rows

SILICON = Path(__file__).parents[2] / "shared" / "data" / "mlearn_Si" / "train.xyz"
BY_TYPE = {"config_type": {"odd": "auto"}}


def auto(keys=("energy_per_atom", "force", "virial_per_atom"), **others):
    return dict.fromkeys(keys, "auto") | others


def likelihood(choice, structures, noise, delta):
    """log N(y; 0, delta² A K⁻¹ Aᵀ + Λ), but for n log 2π / 2, of all labels in one matrix."""
    settings = as_settings({"noise": noise}, data_required=False)
    parts = [weighted_rows(choice.model, s, settings) for s in structures]
    A, y = (np.concatenate(own) for own in zip(*parts, strict=True))
    sigma = np.concatenate([row_sigmas(settings.noise, s) for s in structures])
    K = choice.model.kernel_matrix()
    K += settings.solver.jitter * np.mean(np.diag(K)) * np.eye(len(K))
    L = cholesky(delta**2 * A @ np.linalg.solve(K, A.T) + np.eye(len(y)), lower=True)
    misfit = solve_triangular(L, y, lower=True)
    return (
        -0.5 * misfit @ misfit - np.log(np.diag(L)).sum() - np.log(sigma[np.isfinite(sigma)]).sum()
    )


def found_in(settings, structures):
    """Levels found for structures, with the choice of sparse points."""
    settings = as_settings(settings, data_required=False)
    start = replace(settings, noise=settings.noise.start)
    choice, groups = choose(start, structures), level_groups(settings, structures)
    parts = accumulate(choice, structures, start, Ranks(), groups=groups)
    return found_noise(groups, parts, choice.model, start), choice


def test_factor_is_that_of_the_dense_likelihood():
    """Of real frames, of which no model with few sparse points is right."""
    if not SILICON.exists():
        pytest.skip(f"no reference data at {SILICON}")
    structures = read_structures([f"{SILICON}@::80"])
    settings = {"terms": [{"n_max": 4, "l_max": 3, "zeta": 2, "n_sparse": 30}], "noise": "auto"}
    found, choice = found_in(settings, structures)

    def negative(x):
        levels = dict(zip(auto(), np.exp(x[0]) * np.array([0.002, 0.05, 0.02]), strict=True))
        return -likelihood(choice, structures, levels, np.exp(x[1]))

    scale, delta = np.exp(minimize(negative, [0.0, 0.0], method="Nelder-Mead").x)
    assert found.scales == pytest.approx([scale], rel=5e-3)
    assert found.delta == pytest.approx(delta, rel=0.03)
    assert found.noise.default.force == pytest.approx(0.05 * scale, rel=5e-3)
    assert found.record["noise"][0]["residual_per_label"] == pytest.approx(1.0, abs=0.1)


def test_factors_of_a_config_type_and_of_one_label_are_those_of_the_dense_likelihood():
    structures = [structure_from_atoms(atoms) for atoms in emt_frames(8, seed=2)]
    noise = {"energy_per_atom": 0.003, "force": "auto", "config_type": {"odd": {"force": "auto"}}}
    settings = {"terms": small_settings("")["terms"], "noise": noise}
    found, choice = found_in(settings, structures)

    def negative(x):
        default, odd = (0.05 * np.exp(x[:2])).tolist()
        levels = {
            "energy_per_atom": 0.003,
            "force": default,
            "config_type": {"odd": {"force": odd}},
        }
        return -likelihood(choice, structures, levels, np.exp(x[2]))

    *expected, delta = np.exp(minimize(negative, np.zeros(3), method="Nelder-Mead").x)
    assert found.scales == pytest.approx(expected, rel=0.02)
    assert found.delta == pytest.approx(delta, rel=0.05)
    assert found.noise.default.energy_per_atom == 0.003
    assert found.noise.config_type["odd"].force == pytest.approx(0.05 * expected[1], rel=0.02)


@pytest.fixture(scope="module")
def noisy():
    """Structures with labels of a model of few sparse points and known errors: twice the defaults,
    and six times in config_type odd."""
    settings = as_settings({"terms": small_settings("", n_sparse=6)["terms"]}, data_required=False)
    structures = [structure_from_atoms(atoms) for atoms in emt_frames(30, seed=3)]
    model, rng = choose(settings, structures).model, np.random.default_rng(0)
    K = model.kernel_matrix()
    weights = 0.05 * np.linalg.solve(np.linalg.cholesky(K).T, rng.standard_normal(len(K)))
    exact = evaluate_structures(model.with_weights(weights), structures)

    def labelled(s, e):
        factor = 6.0 if s.config_type == "odd" else 2.0
        error = factor * row_sigmas(NoiseSettings(), s) * rng.standard_normal(7 + 3 * len(s))
        labels = to_rows(len(s), e.energy, e.forces, e.virial) + error
        virial = np.zeros((3, 3))
        virial[(0, 1, 2, 1, 0, 0), (0, 1, 2, 2, 2, 1)] = labels[-6:]
        virial[(0, 1, 2, 2, 2, 1), (0, 1, 2, 1, 0, 0)] = labels[-6:]
        forces = labels[1:-6].reshape(-1, 3)
        return replace(s, energy=float(labels[0]), forces=forces, virial=virial)

    return [labelled(s, e) for s, e in zip(structures, exact, strict=True)]


def test_noise_that_was_added_is_found(noisy):
    settings = {"terms": small_settings("", n_sparse=6)["terms"], "noise": auto(**BY_TYPE)}
    found, _ = found_in(settings, noisy)
    assert found.scales == pytest.approx([2.0, 6.0], rel=0.1)
    assert [own["config_type"] for own in found.record["noise"]] == [None, "odd"]
    assert [own["labels"] for own in found.record["noise"]] == [15 * 31, 15 * 31]


def test_levels_given_and_labels_with_sigmas_of_their_own_stay(noisy):
    noise = {"force": "auto", "virial_per_atom": np.inf, "config_type": {"odd": {"force": 0.3}}}
    own = [replace(s, sigma_force=0.2) if k < 4 else s for k, s in enumerate(noisy)]
    settings = {"terms": small_settings("", n_sparse=6)["terms"], "noise": noise}
    found, _ = found_in(settings, own)
    assert found.record["noise"][0]["labels"] == 24 * 13
    assert found.noise.config_type["odd"].force == 0.3
    assert found.noise.default.energy_per_atom == 0.002 and np.isinf(
        found.noise.default.virial_per_atom
    )
    assert found.noise.default.force == pytest.approx(0.1, rel=0.1)


def test_few_labels_have_the_factor_of_noise_or_the_default_in_words(noisy):
    few = [replace(s, forces=None, virial=None) for s in noisy]
    settings = {"terms": small_settings("", n_sparse=6)["terms"], "noise": auto(**BY_TYPE)}
    some = [s for s in few if s.config_type == "even"] + few[1:8:2]
    found, _ = found_in(settings, some)
    assert found.scales[0] == found.scales[1] and found.record["noise"][0]["labels"] == 19
    assert "found 4 labels" in found.warnings[0]
    assert "at the factor of [noise]" in found.warnings[0]
    assert "labels look like noise alone" in found.warnings[1]  # they are, at six times the default
    found, _ = found_in(settings, few[:1])
    assert found.scales == [1.0] and found.noise.default.energy_per_atom == 0.002
    assert f"found 1 labels, expected at least {LEAST_LABELS}" in found.warnings[0]


def test_labels_that_are_reproduced_end_the_search_in_words():
    """Of crystals at rest all forces are zero, whatever the weights are."""
    structures = []
    for atoms in emt_frames(4):
        atoms = atoms.copy()
        atoms.set_scaled_positions(np.round(4 * atoms.get_scaled_positions()) / 4)
        structures.append(replace(structure_from_atoms(atoms), forces=np.zeros((len(atoms), 3))))
    settings = {"terms": small_settings("")["terms"], "noise": "auto"}
    found, _ = found_in(settings, structures)
    assert "least levels" in found.warnings[0] and "reproduces" in found.warnings[0]
    assert found.noise.default.force == pytest.approx(5e-5, rel=0.02)


def test_no_labels_whose_level_is_open_is_a_warning(tmp_path):
    frames = emt_frames(3, labels=("energy",))
    for atoms in frames:
        atoms.info["energy_sigma"] = 0.01
    settings = small_settings(write_frames(tmp_path / "train.xyz", frames)) | {"noise": "auto"}
    result = fit(settings, progress=False)
    assert any("whose level it could be" in warning for warning in result.warnings)
    assert "noise" not in result.provenance


@pytest.mark.parametrize(
    ("noise", "message"),
    [
        ("automatic", r'noise: found "automatic", expected a table or "auto"'),
        ({"force": "automatic"}, r'force: found "automatic", expected a number.*or "auto"'),
        ({"config_type": {"odd": "all"}}, r'odd: found "all", expected a table or "auto"'),
    ],
)
def test_other_words_are_refused(noise, message):
    with pytest.raises(SoapGprError, match=message):
        parse_settings({"noise": noise}, data_required=False)


def test_settings_keep_the_word_and_have_numbers_to_start_from():
    settings = parse_settings({"noise": "auto"}, data_required=False)
    assert settings.noise.is_auto and settings.noise.start == NoiseSettings()
    assert settings.to_dict()["noise"]["default"] == auto()
    by_type = parse_settings({"noise": BY_TYPE}, data_required=False).noise
    assert by_type.is_auto and by_type.default.force == 0.05
    structure = structure_from_atoms(emt_frames(1)[0])
    with pytest.raises(SoapGprError, match='found "auto", expected a number here'):
        list(label_rows(structure, settings.noise))


def test_residual_per_label_is_one_and_the_weights_are_those_of_another_delta(tmp_path):
    """The fit has found / delta in the place of levels; with delta itself it is the same."""
    test = [structure_from_atoms(atoms) for atoms in emt_frames(3, seed=7)]
    settings = small_settings(write_frames(tmp_path / "train.xyz", emt_frames(12)))
    result = fit(settings | {"noise": "auto"}, progress=False)
    record = result.model.metadata["provenance"]
    assert record["residual_per_label"] == pytest.approx(1.0, abs=2e-3)
    assert result.model.metadata["settings"]["noise"]["default"] == auto()
    term = settings["terms"][0] | {"delta": record["delta_factor"]}
    scaled = settings | {"terms": [term], "noise": record["noise"][0]["levels"]}
    given = fit(scaled, progress=False)
    assert given.provenance["residual_per_label"] == pytest.approx(1.0, abs=2e-3)
    one, two = (evaluate_structures(own.model, test) for own in (result, given))
    for first, second in zip(one, two, strict=True):
        np.testing.assert_allclose(first.forces, second.forces, atol=1e-4)
    assert summary(result.model).count("times the delta of all terms") == 1
