# SPDX-License-Identifier: BSD-3-Clause
"""Processes made by fork after threads in their parent. A hang ends only the script."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from models import random_model
from training_data import emt_frames, write_frames

SCRIPT = """
import multiprocessing as mp, os, sys, threading
from concurrent.futures import ProcessPoolExecutor

import ase.io
sys.path.insert(0, {tests!r})
from training_data import small_settings
from potential import SoapGprCalculator, fit

frames = ase.io.read("frames.xyz", ":")
shared = SoapGprCalculator("model.sgpr", n_threads=2)


def energy(k):
    calculator = shared if k % 2 else SoapGprCalculator("model.sgpr", n_threads=2)
    atoms = frames[k].repeat(3)
    atoms.calc = calculator
    return atoms.get_potential_energy() + atoms.get_forces()[0, 0]


def fitted(_):
    return fit(small_settings("frames.xyz"), progress=False).model.n_weights


def grandchild(k):
    with mp.get_context("fork").Pool(1) as pool:
        return pool.apply(energy, (k,))


def put(queue, k):
    queue.put((k, energy(k)))


def numbers(method, how, function=energy):
    context = mp.get_context(method)
    if how == "pool":
        with context.Pool(2) as pool:
            return pool.map(function, range(4))
    if how == "executor":
        with ProcessPoolExecutor(2, mp_context=context) as pool:
            return list(pool.map(function, range(4)))
    queue = context.Queue()
    processes = [context.Process(target=put, args=(queue, k)) for k in range(4)]
    for process in processes:
        process.start()
    found = dict(queue.get() for _ in processes)
    for process in processes:
        process.join()
    return [found[k] for k in range(4)]


if __name__ == "__main__":
    first, method, how, what = sys.argv[1:]
    if first == "evaluation":
        energy(0), energy(1)
    if first == "thread":  # the threads are those of another thread than the one that forks
        thread = threading.Thread(target=energy, args=(1,))
        thread.start()
        thread.join()
    if first == "fit":
        fitted(0)
    result = numbers(method, how, globals()[what])
    if first != "nothing":
        energy(1)  # the parent still has its threads
    print(*map(repr, map(float, result)))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fork")
    random_model(species=(29, 79)).save(folder / "model.sgpr")
    write_frames(folder / "frames.xyz", emt_frames(6, seed=1))
    (folder / "script.py").write_text(SCRIPT.format(tests=str(Path(__file__).parent)))
    return folder


def run(folder, *arguments):
    command = [sys.executable, "script.py", *arguments]
    # ends a true hang, and nothing else
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    return [float(value) for value in done.stdout.split()]


@pytest.fixture(scope="module")
def expected(folder):
    return run(folder, "evaluation", "spawn", "pool", "energy")


@pytest.mark.parametrize("how", ["pool", "executor", "process"])
def test_forked_children_of_a_parent_with_threads_evaluate(folder, expected, how):
    assert len(set(expected)) == 4
    np.testing.assert_allclose(run(folder, "evaluation", "fork", how, "energy"), expected, 1e-12)


@pytest.mark.parametrize("first", ["nothing", "thread", "fit"])
def test_forked_children_evaluate_after_other_beginnings(folder, expected, first):
    np.testing.assert_allclose(run(folder, first, "fork", "pool", "energy"), expected, 1e-12)


def test_children_of_forked_children_evaluate(folder, expected):
    found = run(folder, "evaluation", "fork", "executor", "grandchild")
    np.testing.assert_allclose(found, expected, 1e-12)


@pytest.mark.parametrize("first", ["evaluation", "fit"])
def test_forked_children_fit(folder, first):
    found = run(folder, first, "fork", "pool", "fitted")
    assert found == run(folder, "nothing", "spawn", "pool", "fitted")
