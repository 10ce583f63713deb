# SPDX-License-Identifier: BSD-3-Clause
"""Functions of triplets that are summed over their sparse points at run time."""

import numpy as np
import pytest
from body_order import assert_forces_are_derivatives, structures
from models import process_model
from slow_twin import shifted_cosine

from potential.terms.clusters import triplets


def shape(kernel, d):
    if kernel == "ard_se":
        return np.exp(-0.5 * d**2)
    return np.maximum(1 - d, 0) ** 4 * (4 * d + 1)


def twin(model, p, r_ij, r_ik, r_jk):
    """G of eq. (22g) as it is written."""
    total = 0.0
    for n, own in enumerate(model.terms[0]["processes"]):
        if own["function"] != p:
            continue
        distances = r_ij, r_ik, r_jk
        numbers = [distances[k] for k in own["order"]]
        if own["angle"]:
            numbers = [r_ij + r_ik, (r_ij - r_ik) ** 2, r_jk]
        u = np.array(numbers) / own["length_scales"]
        points = model.arrays[f"term0.process.{n}.points"]
        weights = model.arrays[f"term0.process.{n}.weights"]
        value = weights @ shape(own["kernel"], np.linalg.norm(u[:, None] - points, axis=0))
        if own["permutations"]:
            lengths = [np.linalg.norm(u[order] - u) for order in own["permutations"]]
            value /= np.sqrt(sum(shape(own["kernel"], length) for length in lengths))
        total += value + own["constant"]
    return total


@pytest.mark.parametrize("numbers", [[1, 8, 8], [1, 1, 8], [8, 8, 8]])
def test_energies_of_a_trimer_are_the_sum_over_sparse_points(numbers):
    model = process_model()
    positions = np.array([[0, 0, 0], [1.2, 0.3, 0.1], [-0.4, 1.1, 0.9]])
    functions = triplets(2)
    expected = -np.array(numbers, dtype=float)
    for i in range(3):
        j, k = [n for n in range(3) if n != i]
        if numbers[j] > numbers[k]:
            j, k = k, j
        p = functions.index(tuple(model.species.index(numbers[n]) for n in (i, j, k)))
        r_ij, r_ik, r_jk = (
            np.linalg.norm(positions[b] - positions[a]) for a, b in ((i, j), (i, k), (j, k))
        )
        factor = shifted_cosine(r_ij, 3.0, 0.8) * shifted_cosine(r_ik, 3.0, 0.8)
        expected[i] += factor * twin(model, p, r_ij, r_ik, r_jk)
    found = model.evaluate(numbers, positions).energies
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", structures())
def test_forces_and_virial_are_derivatives(name):
    assert_forces_are_derivatives(process_model(), structures()[name])
