# SPDX-License-Identifier: BSD-3-Clause
"""Members of a committee, fits without a block, and blocks (docs/theory.md eq. 25 to 25c)."""

from dataclasses import replace

import numpy as np
import pytest
from training_data import emt_frames, small_settings

from potential.errors import SoapGprError
from potential.runtime.ranks import Ranks
from potential.settings import UncertaintySettings
from potential.settings.file import as_settings
from potential.structures.structure import structure_from_atoms
from potential.terms.prior import prior_factor
from potential.training.accumulation import accumulate
from potential.training.blocks import Blocks, dealt, in_fixed_order
from potential.training.choice import choose
from potential.training.regression import StreamingQR, solve
from potential.training.rows import weighted_rows
from potential.uncertainty.committee import deviations, halves, member_arrays
from potential.uncertainty.whitened import WhitenedBlocks


@pytest.fixture(scope="module")
def problem():
    """Settings, structures, choice, blocks; the triangles of a fit of pairs and environments."""
    settings = small_settings("train.xyz", n_sparse=15)
    settings["terms"].append({"kind": "pair", "cutoff": 4.0, "n_sparse": 8})
    settings["uncertainty"] = {"committee": 4, "n_blocks": 5}
    settings = as_settings(settings)
    structures = [structure_from_atoms(atoms) for atoms in emt_frames(13, seed=4)]
    choice = choose(settings, structures)
    blocks = dealt(settings, structures)
    triangle = accumulate(choice, structures, settings, Ranks(), blocks=blocks).triangle()
    return settings, structures, choice, blocks, triangle


@pytest.fixture(scope="module")
def whitened(problem):
    settings, _, choice, _, triangle = problem
    K = choice.model.kernel_matrix()
    R = triangle.R.copy(order="F")
    solve(R, K, settings.solver.jitter, overwrite=True)
    own = [R_b.copy() for R_b in triangle.blocks]
    return WhitenedBlocks(R, prior_factor(K, settings.solver.jitter), own)


def rows_of(problem, kept):
    """[A y] of the structures of these blocks, over sigma."""
    settings, structures, choice, blocks, _ = problem
    chosen = [s for s in structures if blocks[s] in kept]
    parts = [weighted_rows(choice.model, s, settings) for s in chosen]
    A, y = (np.concatenate(own) for own in zip(*parts, strict=True))
    return A, y


def slow_fit(problem, kept):
    """Weights by the QR decomposition of all rows of these blocks."""
    A, y = rows_of(problem, kept)
    qr = StreamingQR(A.shape[1])
    qr.add(A, y)
    K, jitter = problem[2].model.kernel_matrix(), problem[0].solver.jitter
    return solve(qr.finish(), K, jitter).weights


def assert_same_predictions(problem, found, expected):
    """On all rows: weights themselves are not well determined."""
    A, y = rows_of(problem, range(5))
    np.testing.assert_allclose(A @ found, A @ expected, atol=1e-7 * np.abs(y).max())


def test_triangle_of_all_is_that_of_the_blocks(problem):
    A, y = rows_of(problem, range(5))
    columns = np.column_stack([A, y])
    R = problem[4].R
    np.testing.assert_allclose(R.T @ R, columns.T @ columns, rtol=1e-9, atol=1e-6)
    plain = accumulate(problem[2], problem[1], problem[0], Ranks()).triangle()
    np.testing.assert_allclose(plain.R.T @ plain.R, R.T @ R, rtol=1e-9, atol=1e-6)
    assert plain.n_rows == problem[4].n_rows == len(A) and not plain.blocks


@pytest.mark.parametrize("kept", [(0, 3), (1, 2, 4), range(5)])
def test_members_are_fits_to_the_rows_of_their_blocks(problem, whitened, kept):
    assert_same_predictions(problem, whitened.weights(list(kept)), slow_fit(problem, kept))


def test_fit_without_a_block_knows_its_own_variance(problem, whitened):
    kept = [0, 1, 3, 4]
    weights, T = whitened.without(2)
    assert_same_predictions(problem, weights, slow_fit(problem, kept))
    A, _ = rows_of(problem, kept)
    U = prior_factor(problem[2].model.kernel_matrix(), problem[0].solver.jitter)
    left_out, _ = rows_of(problem, [2])
    R = np.linalg.qr(np.concatenate([A, U]), mode="r")
    expected = np.sum(np.linalg.solve(R.T, left_out.T) ** 2, axis=0)
    np.testing.assert_allclose(np.sum((left_out @ T) ** 2, axis=1), expected, rtol=1e-6)


@pytest.mark.parametrize(("n_blocks", "n_members"), [(16, 16), (5, 4), (7, 9), (4, 5)])
def test_halves_are_balanced(n_blocks, n_members):
    has = halves(n_blocks, n_members, seed=3)
    assert has.shape == (n_members, n_blocks)
    for sums, most in ((has.sum(axis=0), n_members), (has.sum(axis=1), n_blocks)):
        assert sums.min() >= most // 2 and sums.max() <= -(-most // 2)
    assert np.array_equal(has, halves(n_blocks, n_members, seed=3))
    assert not np.array_equal(has, halves(n_blocks, n_members, seed=4))


def test_members_of_sixteen_blocks_are_all_different():
    has = halves(16, 16, seed=0)
    assert len({tuple(row) for row in has.tolist()}) == 16


def test_member_arrays_are_those_of_models_with_their_weights(problem):
    model = problem[2].model
    own = deviations(np.random.default_rng(0).normal(size=(4, model.n_weights)))
    assert np.abs(own.sum(axis=0)).max() < 1e-12
    arrays = member_arrays(model, own)
    one = model.with_weights(own[2]).arrays
    assert {name.removeprefix("members.") for name in arrays} == {
        *("term0.weights.0", "term0.weights.1"),
        *("term1.table.0", "term1.table.1", "term1.table.2"),
    }
    for name, array in arrays.items():
        assert np.array_equal(array[2], one[name.removeprefix("members.")])


def test_blocks_do_not_depend_on_the_order_and_keep_equal_structures_together():
    structures = [structure_from_atoms(atoms) for atoms in emt_frames(18, seed=5)]
    structures += [replace(structures[3]), replace(structures[3])]
    settings = UncertaintySettings(n_blocks=6)
    one, two = (Blocks.dealt(settings.dealing, own) for own in (structures, structures[::-1]))
    assert one.of == two.of and sum(one.sizes) == 20 and max(one.sizes) - min(one.sizes) <= 1
    assert one[structures[3]] == one[structures[-1]]
    # the first of them in the fixed order are of different blocks
    first = list({s.positions.tobytes(): one[s] for s in in_fixed_order(structures)}.values())[:5]
    assert len(set(first)) == 5
    again = Blocks.from_dict(one.to_dict())
    assert again.of == one.of and again.sizes == one.sizes


def test_more_structures_continue_the_deal():
    structures = [structure_from_atoms(atoms) for atoms in emt_frames(14, seed=5)]
    blocks = Blocks.dealt(UncertaintySettings(n_blocks=4).dealing, structures[:9])
    before = dict(blocks.of)
    blocks.add(structures[9:])
    assert before.items() <= blocks.of.items() and sorted(blocks.sizes) == [3, 3, 4, 4]


def test_config_types_stay_together():
    structures = [
        replace(structure_from_atoms(atoms), config_type=name)
        for atoms, name in zip(emt_frames(14, seed=5), "aaaaabbbccdefa", strict=True)
    ]
    blocks = Blocks.dealt(UncertaintySettings(blocks="config_type").dealing, structures)
    assert (
        blocks.n_blocks == 6 and len({blocks[s] for s in structures if s.config_type == "a"}) == 1
    )
    few = Blocks.dealt(UncertaintySettings(blocks="config_type", n_blocks=4).dealing, structures)
    assert sorted(few.sizes) == [2, 3, 3, 6]  # a, b, c and e, d and f


def test_fewer_structures_than_blocks_are_refused():
    structures = [structure_from_atoms(atoms) for atoms in emt_frames(5)]
    with pytest.raises(SoapGprError, match="found 5 different structures to fit, expected at leas"):
        Blocks.dealt(UncertaintySettings(n_blocks=8).dealing, structures)
    with pytest.raises(SoapGprError, match="found 2 config_types to fit, expected at least 4"):
        Blocks.dealt(UncertaintySettings(blocks="config_type").dealing, structures)
    assert Blocks.dealt(UncertaintySettings().dealing, structures).n_blocks == 5
