# SPDX-License-Identifier: BSD-3-Clause
"""Streaming least squares against dense algebra and scikit-learn."""

import tracemalloc

import numpy as np
import pytest
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF

from potential.errors import SoapGprError
from potential.training.memory import regression_bytes
from potential.training.regression import StreamingQR, merge, solve

pytestmark = pytest.mark.check


def random_problem(n_rows=500, M=30, seed=0):
    rng = np.random.default_rng(seed)
    A, y = rng.normal(size=(n_rows, M)), rng.normal(size=n_rows)
    G = rng.normal(size=(M, 2 * M))
    return A, y, G @ G.T / M


@pytest.mark.parametrize("chunk", [1, 7, 100, 500])
def test_streamed_solution_equals_dense_normal_equations(chunk):
    A, y, K = random_problem()
    stream = StreamingQR(A.shape[1])
    for begin in range(0, len(A), chunk):
        stream.add(A[begin : begin + chunk], y[begin : begin + chunk])
    solution = solve(stream.triangle(), K, jitter=0.0)
    expected = np.linalg.solve(A.T @ A + K, A.T @ y)
    np.testing.assert_allclose(solution.weights, expected, rtol=1e-9, atol=1e-12)
    residual = A @ expected - y
    assert solution.residual == pytest.approx(residual @ residual + expected @ K @ expected)
    assert stream.n_rows == len(A)


def test_memory_does_not_grow_with_the_number_of_rows():
    A, y, _ = random_problem(n_rows=4000, M=20)
    stream = StreamingQR(20)
    for _ in range(5):
        stream.add(A, y)
    assert stream.R.nbytes + stream._buffer.nbytes <= (21 + 1024) * 21 * 8


def test_more_weights_than_rows_is_regular():
    A, y, K = random_problem(n_rows=5)
    stream = StreamingQR(A.shape[1])
    stream.add(A, y)
    expected = np.linalg.solve(A.T @ A + K, A.T @ y)
    np.testing.assert_allclose(solve(stream.triangle(), K, 0.0).weights, expected, rtol=1e-9)


def test_prediction_equals_scikit_learn_when_every_point_is_sparse():
    rng = np.random.default_rng(1)
    x, x_test = rng.uniform(-2, 2, (25, 2)), rng.uniform(-2, 2, (10, 2))
    y, sigma, kernel = np.sin(x[:, 0]) * x[:, 1], 0.1, RBF(1.0)
    reference = GaussianProcessRegressor(kernel, alpha=sigma**2, optimizer=None).fit(x, y)
    K = kernel(x)
    stream = StreamingQR(len(x))
    stream.add(K / sigma, y / sigma)
    weights = solve(stream.triangle(), K, jitter=1e-12).weights
    np.testing.assert_allclose(kernel(x_test, x) @ weights, reference.predict(x_test), atol=1e-7)


def test_singular_kernel_names_the_remedy():
    A, y, _ = random_problem(M=3)
    stream = StreamingQR(3)
    stream.add(A, y)
    with pytest.raises(SoapGprError, match=r"raise \[solver\] jitter"):
        solve(stream.triangle(), -np.ones((3, 3)), jitter=0.0)


def test_memory_stays_below_what_a_fit_asks_for():
    M = 300
    A, y, K = random_problem(n_rows=3000, M=M)
    tracemalloc.start()
    try:
        stream = StreamingQR(M)
        stream.add(A, y)
        triangle = stream.triangle()
        del stream
        solve(triangle, K, 1e-10)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    kernels = 2 * K.nbytes  # made before, here; the kernel matrix is put together from its blocks
    assert peak + kernels < regression_bytes(M, n_atoms=0)


def test_numbers_that_overflow_name_the_remedy():
    with pytest.raises(SoapGprError, match=r"raise the level in \[noise\]"):
        StreamingQR(2).add(np.array([[1.0, np.inf]]), np.array([0.0]))


@pytest.mark.parametrize(
    "R",
    [
        np.zeros((4, 4)),
        np.zeros((4, 4), dtype=np.float32, order="F"),
        np.broadcast_to(np.zeros(1), (4, 4)),
    ],
)
def test_merge_refuses_what_it_could_not_change_in_place(R):
    """Not an assert, which python -O drops: the rows would be lost without a word."""
    with pytest.raises(ValueError, match="Fortran"):
        merge(R, np.ones((2, R.shape[1]), order="F"), dense=True)
