# SPDX-License-Identifier: BSD-3-Clause
"""Sparse-point selection: against slow twins, duplicates, seeds, order of the input."""

import numpy as np
import pytest

from potential.errors import SoapGprError
from potential.selection import (
    cur_points,
    farthest_points,
    kmeans_points,
    leverage_points,
    random_points,
    select,
)
from potential.selection.rows import distinct

METHODS = ("fps", "cur", "leverage", "random", "kmeans")
POINTS = (farthest_points, cur_points, leverage_points, random_points, kmeans_points)


def features(n=200, d=12, seed=1):
    X = np.abs(np.random.default_rng(seed).standard_normal((n, d)))
    return X / np.linalg.norm(X, axis=1, keepdims=True)


@pytest.mark.parametrize("method", METHODS)
def test_choice_is_distinct_and_of_the_asked_size(method):
    chosen = select(features(), 30, method, zeta=2)
    assert chosen.shape == (30,) and len(set(chosen)) == 30


@pytest.mark.parametrize("method", METHODS)
def test_same_seed_same_choice_in_any_order(method):
    X = features()
    shuffle = np.random.default_rng(5).permutation(len(X))
    first = select(X, 25, method, zeta=2, seed=3)
    second = select(X[shuffle], 25, method, zeta=2, seed=3)
    assert np.array_equal(first, shuffle[second])


@pytest.mark.parametrize("method", ("fps", "leverage", "random"))
def test_other_seed_other_choice(method):
    X = features()
    assert set(select(X, 25, method, seed=0)) != set(select(X, 25, method, seed=1))


@pytest.mark.parametrize("method", METHODS)
def test_duplicates_are_never_chosen(method):
    X = features(40)
    repeated = np.concatenate([X, X + 1e-9, X[::-1]])
    chosen = select(repeated, 60, method, zeta=2)
    assert len(chosen) == 40
    picked = repeated[chosen]
    distance = np.linalg.norm(picked[:, None] - picked[None], axis=2) + np.eye(40)
    assert distance.min() > 1e-6


def test_distinct_keeps_one_of_each():
    X = features(50)
    kept = distinct(np.concatenate([X, X, X]))
    assert len(kept) == 50 and set(kept % 50) == set(range(50))


def test_fps_equals_slow_twin():
    X = features(80)
    zeta = 3
    chosen = select(X, 20, "fps", zeta=zeta)
    K = (X @ X.T) ** zeta
    distance = np.diag(K)[:, None] + np.diag(K)[None] - 2 * K
    for step in range(1, 20):
        nearest = distance[:, chosen[:step]].min(axis=1)
        assert chosen[step] == np.argmax(nearest)


def test_cur_equals_greedy_deflation_of_the_kernel():
    X = features(60)
    residual = (X @ X.T) ** 3
    for index in select(X, 20, "cur", zeta=3):
        diagonal = np.diag(residual)
        assert diagonal[index] > diagonal.max() - 1e-10
        residual = residual - np.outer(residual[:, index], residual[index]) / residual[index, index]


KERNELS = [(1, 0.0), (3, 0.4), (1.5, 0.0), (2.5, 30.0)]


@pytest.mark.parametrize("zeta, offset", KERNELS)
@pytest.mark.parametrize("size", [1e-3, 1.0, 40.0])
def test_features_of_any_length_are_chosen_by_their_kernel(zeta, offset, size):
    """docs/theory.md eq. (17), (18) with the kernel of eq. (7b)."""
    lengths = size * np.random.default_rng(7).uniform(0.2, 1.0, (60, 1))
    X = features(60) * lengths
    offset *= size**2
    K = (X @ X.T + offset) ** zeta
    K /= K.max()
    options = {"zeta": zeta, "offset": offset, "normalized": False}
    chosen = select(X, 15, "fps", **options)
    distance = np.diag(K)[:, None] + np.diag(K)[None] - 2 * K
    for step in range(1, 15):
        nearest = distance[:, chosen[:step]].min(axis=1)
        assert nearest[chosen[step]] > nearest.max() - 1e-12
    if not isinstance(zeta, int):
        return  # such a matrix may have negative eigenvalues, and settings refuse it for CUR
    residual = K
    for index in select(X, 15, "cur", **options):
        diagonal = np.diag(residual)
        assert diagonal[index] > diagonal.max() - 1e-10
        residual = residual - np.outer(residual[:, index], residual[index]) / residual[index, index]


@pytest.mark.parametrize("zeta, offset", KERNELS)
def test_offset_and_power_leave_the_order_of_features_of_unit_length(zeta, offset):
    X = features(80)
    K = (X @ X.T + offset) ** zeta
    chosen = select(X, 20, "fps", zeta=zeta, offset=offset)
    distance = np.diag(K)[:, None] + np.diag(K)[None] - 2 * K
    for step in range(1, 20):
        nearest = distance[:, chosen[:step]].min(axis=1)
        assert nearest[chosen[step]] > nearest.max() - 1e-10 * K.max()


@pytest.mark.parametrize("method", METHODS)
def test_size_of_features_does_not_change_the_choice(method):
    X = features(120) * np.random.default_rng(3).uniform(0.1, 1.0, (120, 1))
    options = {"zeta": 3, "normalized": False, "seed": 2}
    chosen = select(X, 30, method, **options)
    assert len(set(chosen)) == 30
    assert np.array_equal(chosen, select(2.0**-20 * X, 30, method, **options))


def test_cur_represents_the_kernel_better_than_random():
    X = features(300, 20)

    def unexplained(method):
        points = X[select(X, 60, method, zeta=2)]
        k_nm, k_mm = (X @ points.T) ** 2, (points @ points.T) ** 2
        return 300 - np.trace(k_nm @ np.linalg.solve(k_mm + 1e-12 * np.eye(60), k_nm.T))

    assert unexplained("cur") < unexplained("random")


def test_leverage_prefers_the_rare_environment():
    common = features(1, 12)
    X = common + 0.01 * features(500, 12)
    X[77] = 0.0
    X[77, 3] = 1.0
    X /= np.linalg.norm(X, axis=1, keepdims=True)
    found = sum(77 in select(X, 20, "leverage", seed=seed) for seed in range(10))
    assert found > 5  # 20 of 500 without the weights: 0.4


def test_zero_features_do_no_harm():
    X = features(30)
    X[4] = 0.0
    for method in METHODS:
        assert len(select(X, 10, method, zeta=2)) == 10


def test_unknown_method_is_refused():
    with pytest.raises(SoapGprError, match="sparse_method: found 'best'"):
        select(features(), 3, "best")


def test_kmeans_takes_one_of_each_cluster():
    centres = features(8, seed=3)
    near = np.random.default_rng(4).standard_normal((8, 30, centres.shape[1]))
    X = (centres[:, None] + 1e-3 * near).reshape(-1, centres.shape[1])
    chosen = select(X, 8, "kmeans", seed=1)
    assert set(chosen // 30) == set(range(8))
    for k in chosen:
        group = X[k // 30 * 30 : k // 30 * 30 + 30]
        distance = np.linalg.norm(group - group.mean(axis=0), axis=1)
        assert np.argmin(distance) == k % 30


@pytest.mark.parametrize("method", METHODS)
def test_quotas_are_kept_and_the_rest_is_chosen_in_view_of_them(method):
    X = features(200)
    groups = np.array(["common"] * 190 + ["rare"] * 10, dtype=object)
    shuffle = np.random.default_rng(5).permutation(len(X))
    quotas = {"rare": 7}
    chosen = select(X, 25, method, zeta=2, seed=3, groups=groups, quotas=quotas)
    again = select(X[shuffle], 25, method, zeta=2, seed=3, groups=groups[shuffle], quotas=quotas)
    assert len(set(chosen)) == 25
    assert (groups[chosen[:7]] == "rare").all()
    assert np.array_equal(chosen, shuffle[again])


def test_a_quota_takes_no_more_than_there_is():
    groups = np.array(["b"] * 28 + ["a"] * 2, dtype=object)
    chosen = select(features(30), 10, groups=groups, quotas={"a": 5, "b": 3})
    assert len(set(chosen)) == 10 and {28, 29} <= set(chosen)


def test_methods_after_a_quota_equal_their_slow_twins():
    X = features(60)
    groups = np.array(["b"] * 50 + ["a"] * 10, dtype=object)
    chosen = select(X, 20, "fps", groups=groups, quotas={"a": 4})
    for step in range(4, 20):
        distance = np.linalg.norm(X[:, None] - X[chosen[:step]][None], axis=2).min(axis=1)
        assert np.argmax(distance) == chosen[step]
    chosen = select(X, 20, "cur", zeta=2, groups=groups, quotas={"a": 4})
    residual = (X @ X.T) ** 2
    for step, index in enumerate(chosen):
        diagonal = np.diag(residual)
        if step >= 4:
            assert diagonal[index] > diagonal.max() - 1e-10
        residual = residual - np.outer(residual[:, index], residual[index]) / residual[index, index]


@pytest.mark.parametrize("method", METHODS)
def test_quotas_may_take_all_points(method):
    groups = np.array(["b"] * 20 + ["a"] * 10, dtype=object)
    chosen = select(features(30), 5, method, groups=groups, quotas={"a": 5})
    assert len(set(chosen)) == 5 and (groups[chosen] == "a").all()


@pytest.mark.parametrize("points", POINTS)
def test_one_method_alone_chooses_distinct_rows(points):
    X = features(50, 60)
    chosen = points(X, 20)
    assert chosen.shape == (20,) and len(set(chosen)) == 20
    assert np.array_equal(points(X.tolist(), np.int64(20), seed=0), chosen)
    after = points(X, 20, n_taken=30)
    assert len(set(after)) == 20 and after.min() >= 30
    assert sorted(points(X, 50)) == list(range(50))


def test_farthest_points_may_have_any_sign():
    X = np.random.default_rng(0).normal(size=(40, 3))
    chosen = farthest_points(X, 10, seed=2)
    for step in range(1, 10):
        distance = np.linalg.norm(X[:, None] - X[chosen[:step]][None], axis=2).min(axis=1)
        assert np.argmax(distance) == chosen[step]


def test_farthest_points_follow_the_metric_of_a_kernel():
    X = np.random.default_rng(0).normal(size=(40, 3))
    K = (1 + X @ X.T) ** 3
    d2 = np.diag(K)[:, None] + np.diag(K) - 2 * K
    chosen = farthest_points(X, 10, kernel=lambda products: (1 + products) ** 3)
    for step in range(1, 10):
        assert np.argmax(d2[:, chosen[:step]].min(axis=1)) == chosen[step]


@pytest.mark.parametrize("points", POINTS)
@pytest.mark.parametrize(
    ("X", "n", "seed", "message"),
    [
        (np.ones(4), 2, 0, r"^X: found an array of shape \(4,\), expected \(n_rows, n_features\)$"),
        ([[1.0, np.inf]], 1, 0, "^X: found a value that is not finite$"),
        (np.eye(4), 5, 0, "^n: found 5, expected an integer from 1 to 4, the rows of X$"),
        (np.eye(4), 0, 0, "^n: found 0, expected an integer from 1 to 4"),
        (np.eye(4), 2.0, 0, "^n: found 2.0, expected an integer from 1 to 4"),
        (np.eye(4), 2, -1, "^seed: found -1, expected an integer of at least 0$"),
    ],
)
def test_what_cannot_be_chosen_from_is_refused(points, X, n, seed, message):
    with pytest.raises(SoapGprError, match=message):
        points(X, n, seed=seed)
