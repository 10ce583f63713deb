# SPDX-License-Identifier: BSD-3-Clause
"""Numbers of threads: where they come from, and what is refused."""

import os
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from models import random_model, random_structure

from potential import SoapGprCalculator, _core
from potential.errors import SoapGprError
from potential.runtime.parallel import local_ranks, ordered_map, thread_count
from potential.scores.benchmark import benchmark
from potential.structures.structure import structure_from_atoms

ABSURD = [0, -1, 1025, 10**30, 2.5, "two", True]


@pytest.mark.parametrize("n_threads", ABSURD)
def test_absurd_numbers_of_threads_are_refused_everywhere(n_threads):
    model, atoms = random_model(), random_structure([8, 1, 1], seed=1)
    structure = structure_from_atoms(atoms)
    sentence = rf"n_threads: found {n_threads}, expected a number of threads, 1 to 1024"
    for call in (
        lambda: SoapGprCalculator(model, n_threads=n_threads),
        lambda: model.evaluate(atoms.numbers, atoms.positions, n_threads=n_threads),
        lambda: list(ordered_map(abs, [1], n_threads)),
        lambda: benchmark(model, structure, [n_threads], 0.0),
    ):
        with pytest.raises(SoapGprError, match=sentence.replace("+", r"\+")):
            call()


def test_core_refuses_no_threads_as_well():
    with pytest.raises(_core.CoreError, match="n_threads: found 0, expected 1 or more"):
        _core.Evaluator(random_model().core, 0)


def test_threads_that_meet_a_new_model_together_see_one_layout():
    atoms = random_structure([8, 1, 1] * 4, seed=1)
    geometry = atoms.numbers, atoms.positions, atoms.cell.array, True
    expected = random_model(n_sparse=40).evaluate(*geometry).forces
    for _ in range(5):
        model = random_model(n_sparse=40)
        start = threading.Barrier(8)

        def evaluate(_, model=model, start=start):
            start.wait()
            return model.evaluate(*geometry).forces

        with ThreadPoolExecutor(8) as pool:
            for forces in pool.map(evaluate, range(8)):
                np.testing.assert_array_equal(forces, expected)


@pytest.mark.parametrize(
    ("value", "expected"), [("3", 3), (" 4,2", 4), ("1024", 1024), ("5 , 1", 5)]
)
def test_first_number_of_the_variable_counts(monkeypatch, value, expected):
    monkeypatch.setenv("OMP_NUM_THREADS", value)
    assert thread_count() == SoapGprCalculator(random_model()).n_threads == expected
    assert thread_count(2) == 2


@pytest.mark.parametrize("value", ["0", "-2", "abc", "10000", "2.0", ",2", "9" * 5000])
def test_absurd_variable_is_refused_by_name(monkeypatch, value):
    monkeypatch.setenv("OMP_NUM_THREADS", value)
    with pytest.raises(SoapGprError, match=r"OMP_NUM_THREADS: found .*, expected a number of thr"):
        SoapGprCalculator(random_model())
    assert SoapGprCalculator(random_model(), n_threads=1).n_threads == 1


@pytest.mark.parametrize("value", ["", "  ", None])
def test_without_the_variable_all_cores_are_taken(monkeypatch, value):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if value is not None:
        monkeypatch.setenv("OMP_NUM_THREADS", value)
    assert thread_count() == max(1, len(os.sched_getaffinity(0)) // local_ranks())


def test_calculator_survives_pickling():
    atoms = random_structure([8, 1, 1], seed=2)
    calculator = SoapGprCalculator(random_model(), n_threads=2)
    atoms.calc = calculator
    energy = atoms.get_potential_energy()
    atoms = atoms.copy()
    atoms.calc = pickle.loads(pickle.dumps(calculator))
    np.testing.assert_allclose(atoms.get_potential_energy(), energy, rtol=1e-14)
