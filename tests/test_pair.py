# SPDX-License-Identifier: BSD-3-Clause
"""Pair terms and fixed pair potentials: slow twins, finite differences, known potentials."""

import numpy as np
import pytest
from ase.calculators.singlepoint import SinglePointCalculator
from body_order import (
    assert_forces_are_derivatives,
    assert_rows_are_the_evaluation,
    evaluate,
    structures,
    weights_of,
)
from models import body_order_model, random_structure
from slow_twin import cutoff_function
from training_data import emt_frames, small_settings, write_frames

from potential.errors import SoapGprError
from potential.settings import BaselineSettings, ZblSettings
from potential.structures.label_table import VOIGT
from potential.structures.neighbors import neighbor_list
from potential.terms import TrainingModel, build_model
from potential.terms.baseline import fixed_terms
from potential.terms.clusters import pairs
from potential.terms.pair_table import read_pair_table
from potential.training.fitting import fit
from potential.training.provenance import summary

pytestmark = pytest.mark.check


def twin_fitted(model, t, p, r):
    """V(r) of eq. (20), one distance and one function of a pair term."""
    term, points = model.terms[t], model.sparse_points(t)[p]
    weights = model.arrays[f"term{t}.weights.{p}"]
    k = np.exp(-((r - points) ** 2) / (2 * term["length_scale"] ** 2))
    factor = cutoff_function(r, term["cutoff"], term["cutoff_width"], term["cutoff_function"])
    return term["delta"] ** 2 * factor * k @ weights


def twin_zbl(z_a, z_b, r, inner, outer):
    """Eq. (21): Ziegler, Biersack and Littmark's potential, switched off from inner to outer."""
    x = r / (0.46850 / (z_a**0.23 + z_b**0.23))
    phi = 0.18175 * np.exp(-3.19980 * x) + 0.50986 * np.exp(-0.94229 * x)
    phi += 0.28022 * np.exp(-0.40290 * x) + 0.02817 * np.exp(-0.20162 * x)
    u = np.clip((r - inner) / (outer - inner), 0, 1)
    return 14.399645 * z_a * z_b / r * phi * (1 - 10 * u**3 + 15 * u**4 - 6 * u**5)


def twin_energies(model, atoms):
    """Per atom, e0 included: every pair in a loop. The fitted term is the first, ZBL the second."""
    neighbors = neighbor_list(atoms.positions, atoms.cell.array, atoms.pbc, model.cutoff)
    energies = np.array([model.e0[z] for z in atoms.numbers])
    places = [(model.species[a], model.species[b]) for a, b in pairs(len(model.species))]
    for i, z in enumerate(atoms.numbers):
        for k in range(neighbors.offset[i], neighbors.offset[i + 1]):
            other = atoms.numbers[int(neighbors.neighbor[k])]
            r = np.linalg.norm(neighbors.r_ij[k])
            p = places.index((min(z, other), max(z, other)))
            energies[i] += 0.5 * (twin_fitted(model, 0, p, r) + twin_zbl(z, other, r, 1.2, 2.5))
    return energies


@pytest.mark.parametrize("name", structures())
def test_energies_equal_the_slow_twin(name):
    model, atoms = body_order_model(soap=False, triplets=False), structures()[name]
    expected = twin_energies(model, atoms)
    np.testing.assert_allclose(evaluate(model, atoms).energies, expected, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("name", structures())
@pytest.mark.parametrize("soap", [True, False])
def test_rows_times_weights_and_baseline_are_the_evaluation(name, soap):
    assert_rows_are_the_evaluation(body_order_model(soap=soap), structures()[name])


@pytest.mark.parametrize("name", structures())
def test_forces_and_virial_are_derivatives(name):
    assert_forces_are_derivatives(body_order_model(), structures()[name])


def test_refitting_a_loaded_model_gives_the_same_splines():
    model = body_order_model()
    loaded = TrainingModel.from_bytes(model.to_bytes())
    weights = weights_of(model)
    again = loaded.with_weights(weights)
    for name, array in model.arrays.items():
        np.testing.assert_array_equal(again.arrays[name], array, err_msg=name)
    doubled = loaded.with_weights(2 * weights)
    np.testing.assert_allclose(doubled.arrays["term1.table.0"], 2 * model.arrays["term1.table.0"])
    np.testing.assert_array_equal(doubled.arrays["term2.table.0"], model.arrays["term2.table.0"])


def test_sparse_kernel_has_no_cutoff_and_one_block_for_each_pair():
    model = body_order_model(soap=False, triplets=False)
    K, points = model.kernel_matrix(), model.sparse_points(0)
    assert K.shape == (18, 18)
    expected = 25.0 * np.exp(-((points[1][2] - points[1][4]) ** 2) / (2 * 0.5**2))
    assert K[6 + 2, 6 + 4] == pytest.approx(expected)
    assert np.all(K[:6, 6:] == 0)


def zbl_model(numbers=(14,), **distances):
    baseline = BaselineSettings(zbl=ZblSettings(**distances))
    return build_model(numbers, np.zeros(len(numbers)), fixed_terms(baseline, numbers))


def dimer(model, r, numbers=(14, 14)):
    found = model.evaluate(numbers, [[0, 0, 0], [0, 0, r]])
    return found.energy, found.forces[1, 2]


@pytest.mark.parametrize("numbers", [(1, 1), (1, 8), (14, 14), (79, 82)])
def test_zbl_is_exact_from_contact_to_the_end(numbers):
    model = zbl_model(tuple(sorted(set(numbers))), inner=0.7, outer=1.9)
    for r in np.linspace(0.05, 2.0, 391):
        assert dimer(model, r, numbers)[0] == pytest.approx(
            twin_zbl(*numbers, r, 0.7, 1.9), rel=1e-8, abs=1e-9
        )
    assert dimer(model, 1.9, numbers) == (0.0, 0.0)


def test_zbl_stays_finite_and_repulsive_to_nothing():
    model = zbl_model()
    found = [dimer(model, r) for r in (1e-9, 1e-4, 0.01, 0.03, 0.0499, 0.0501, 0.1)]
    energies, forces = np.transpose(found)
    assert np.all(np.isfinite(found)) and np.all(np.diff(energies) < 0) and np.all(forces > 0)


def test_zbl_by_element_ends_below_the_bond():
    model = zbl_model((8, 14))
    ends = [segments[-1][1] for segments in model.terms[0]["segments"]]
    np.testing.assert_allclose(ends, 0.7 * np.array([1.32, 1.77, 2.22]))
    assert model.cutoff == max(ends)


def write_table(path, r, values, pair="Si Si"):
    rows = "\n".join(f"{x:.8f} {v:.12f}" for x, v in zip(r, values, strict=True))
    path.write_text(f"# made for a test\n# {pair}\n{rows}\n")
    return str(path)


def test_pair_table_goes_through_its_points(tmp_path):
    r = np.linspace(0.8, 3.0, 45)
    values = np.exp(-2 * r) * (3 - r) ** 3
    baseline = BaselineSettings(pair_table=write_table(tmp_path / "t.txt", r, values))
    model = build_model([8, 14], np.zeros(2), fixed_terms(baseline, [8, 14]))
    found = [dimer(model, x)[0] for x in r]
    np.testing.assert_allclose(found, values, atol=1e-9)
    first = [dimer(model, x)[0] for x in (0.2, 0.4, 0.6)]
    assert np.diff(first, 2) == pytest.approx(0, abs=1e-12) and np.all(np.diff(first) < 0)
    assert dimer(model, 1.5, (8, 14)) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0.5 1\n", "expected a line such as '# Si Si' before"),
        ("# Si Si\n0.5 x\n", "expected two numbers"),
        ("# Si Si\n1 2\n2 1\n3 0\n", "fewer than four rows"),
        ("# Si Si\n1 2\n2 1\n3 0.5\n4 0.1\n", "at the last distance, expected 0"),
        ("# Si Si\n1 2\n2 1\n4 0.5\n5 0\n", "equally spaced"),
        ("# Si Si\n0 2\n1 1\n2 0.5\n3 0\n", "equally spaced"),
    ],
)
def test_bad_pair_tables_are_one_sentence(tmp_path, text, message):
    (tmp_path / "t.txt").write_text(text)
    with pytest.raises(SoapGprError, match=message):
        read_pair_table(tmp_path / "t.txt")


def morse(r, depth=1.5, steep=1.6, r_0=2.4, cutoff=4.5):
    """Shifted so that energy and force end at the cutoff."""

    def value(x):
        return depth * ((1 - np.exp(-steep * (x - r_0))) ** 2 - 1)

    slope = (value(cutoff + 1e-5) - value(cutoff - 1e-5)) / 2e-5
    return np.where(r < cutoff, value(r) - value(cutoff) - slope * (r - cutoff), 0.0)


def morse_frames(n, seed=0, extra=None):
    """Si atoms that Morse pairs hold, plus an extra pair potential; energies, forces, stresses."""
    rng = np.random.default_rng(seed)
    frames = []
    for _ in range(n):
        atoms = random_structure([14] * 12, spacing=rng.uniform(2.2, 2.8), seed=rng.integers(999))
        neighbors = neighbor_list(atoms.positions, atoms.cell.array, True, 4.5)
        r = np.linalg.norm(neighbors.r_ij, axis=1)

        def potential(x):
            return morse(x) + (0 if extra is None else extra(x))

        slope = (potential(r + 1e-5) - potential(r - 1e-5)) / 2e-5
        first = np.repeat(np.arange(12), np.diff(neighbors.offset.astype(int)))
        pull = (slope / r)[:, None] * neighbors.r_ij
        forces = np.zeros((12, 3))
        np.add.at(forces, first, pull)
        stress = 0.5 * np.einsum("ka,kb->ab", pull, neighbors.r_ij) / atoms.get_volume()
        energy = 0.5 * potential(r).sum() - 12 * 3.0
        atoms.calc = SinglePointCalculator(
            atoms, energy=energy, forces=forces, stress=stress[VOIGT]
        )
        frames.append(atoms)
    return frames


SHARP = {"energy_per_atom": 1e-4, "force": 1e-3, "virial_per_atom": 1e-3}
PAIR = {"kind": "pair", "cutoff": 4.5, "cutoff_width": 1.5, "length_scale": 0.7, "delta": 3.0}


def test_pair_potential_is_recovered(tmp_path):
    train = write_frames(tmp_path / "train.xyz", morse_frames(12))
    settings = {"data": {"train": [train]}, "terms": [PAIR | {"n_sparse": 25}], "noise": SHARP}
    settings["baseline"] = {"isolated_atom_energies": {"Si": -3.0}}
    result = fit(settings, progress=False)
    shortest = result.model.sparse_points(0)[0].min()
    r = np.linspace(shortest + 0.05, 4.3, 50)
    found = [dimer(result.model, x)[0] + 6.0 for x in r]
    np.testing.assert_allclose(found, morse(r), atol=0.01)
    assert "Si-Si 25 (pair, cutoff 4.5 Å" in summary(result.model)
    assert result.provenance["sparse_points"] == [{"Si-Si": 25}]


@pytest.mark.parametrize("kind", ["zbl", "table"])
def test_fixed_terms_are_taken_off_and_put_back(tmp_path, kind):
    if kind == "zbl":
        extra = np.vectorize(lambda r: twin_zbl(14, 14, r, 1.8, 3.2))
        baseline = {"zbl": {"inner": 1.8, "outer": 3.2}}
    else:
        grid = np.linspace(0.5, 3.2, 400)

        def extra(r):
            return np.where(r < 3.2, 4 * np.clip(3.2 - r, 0, None) ** 3, 0.0)

        baseline = {"pair_table": write_table(tmp_path / "t.txt", grid, extra(grid))}
    noise = {"noise": SHARP, "terms": [PAIR | {"n_sparse": 25}]}
    plain, more = tmp_path / "plain.xyz", tmp_path / "more.xyz"
    data = {"data": {"train": [write_frames(plain, morse_frames(6))]}}
    without = fit(data | noise, progress=False)
    data = {"data": {"train": [write_frames(more, morse_frames(6, extra=extra))]}}
    result = fit(data | noise | {"baseline": baseline}, progress=False)
    # what is left to fit, e0 included, is the same as without both
    np.testing.assert_allclose(result.model.arrays["e0"], without.model.arrays["e0"], atol=1e-5)
    for r in (2.0, 2.5, 3.0, 3.5):
        expected = dimer(without.model, r)[0] + extra(np.array(r))
        assert dimer(result.model, r)[0] == pytest.approx(expected, abs=2e-3)
    assert "Fixed term" in summary(result.model)


def test_a_repulsion_inside_the_data_is_warned_of(tmp_path):
    train = write_frames(tmp_path / "train.xyz", emt_frames(4))
    settings = small_settings(train, n_sparse=5)
    assert not [
        w for w in fit(settings | {"baseline": {"zbl": {}}}, progress=False).warnings if "zbl" in w
    ]
    found = fit(settings | {"baseline": {"zbl": {"outer": 2.7}}}, progress=False).warnings
    assert any("outer = 2.70 Å of Cu-Au is beyond the shortest distance" in w for w in found)
