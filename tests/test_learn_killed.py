# SPDX-License-Identifier: BSD-3-Clause
"""A loop that is killed goes on where it was: nothing is labelled twice and nothing lost."""

import sys
from collections import Counter

import ase.io
import numpy as np
import pytest
from killed import learn
from loops import LOOP, POOL, states, write_loop

from potential.model import Model

CALCULATOR = """\
from pathlib import Path
from ase.calculators.emt import EMT
class Counting(EMT):
    '''Writes down the energy of whatever it calculates.'''
    def calculate(self, atoms, *args):
        super().calculate(atoms, *args)
        with open(Path(__file__).with_name("asked.txt"), "a") as stream:
            print(f"{self.results['energy']:.6f}", file=stream)
"""
FACTOR = 'refit = "factor"\n'
LABEL = '[label]\nkind = "calculator"\ncalculator = "counting:Counting"\n'
SAMPLERS = POOL + '[[samplers]]\nkind = "random"\nstructures = ["train.xyz"]\nruns = 2\n'


def prepared(folder):
    folder.mkdir()
    (folder / "counting.py").write_text(CALCULATOR)
    return write_loop(folder, loop=LOOP + FACTOR, samplers=SAMPLERS, label=LABEL)


def asked(folder):
    return Counter((folder / "asked.txt").read_text().split())


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The folder of a loop that was not killed."""
    folder = tmp_path_factory.mktemp("whole") / "whole"
    assert learn(prepared(folder)) == 0
    assert set(asked(folder).values()) == {1} and len(asked(folder)) == 3
    return folder


def until_done(path, **when):
    """How often the loop was killed and started again."""
    n = 0
    while (code := learn(path, **when)) != 0:
        assert code == -9
        n += 1
    return n


def assert_same(folder, whole):
    """The labels, the models and the records of both loops are the same."""
    for generation in (0, 1):
        name = f"loop/generation_{generation:03d}/model.sgpr"
        first, second = Model.load(folder / name), Model.load(whole / name)
        for key, array in first.arrays.items():
            assert np.array_equal(array, second.arrays[key]), key
    own, other = (ase.io.read(f / "loop/generation_001/labelled.xyz", ":") for f in (folder, whole))
    assert own == other
    for a, b in zip(states(folder), states(whole), strict=True):
        assert a["sample"] == b["sample"] and a["select"] == b["select"]
        assert a["report"] == b["report"]


@pytest.mark.check
def test_loop_that_is_killed_after_every_other_file_labels_everything_once(tmp_path, whole):
    folder = tmp_path / "killed"
    n = until_done(prepared(folder), after=2)
    assert n > 8, "there are so many files"
    assert asked(folder) == asked(whole)
    assert_same(folder, whole)


def test_loop_that_is_killed_before_every_third_file_loses_nothing(tmp_path, whole):
    folder = tmp_path / "killed"
    n = until_done(prepared(folder), before=3)
    assert n > 8
    # what was calculated and not yet in its place is calculated again, once
    assert asked(folder).keys() == asked(whole).keys() and max(asked(folder).values()) <= 2
    assert_same(folder, whole)


SCRIPT = """\
import os, signal, sys
from pathlib import Path
import ase.io
from ase.calculators.emt import EMT
(atoms,) = ase.io.read(sys.argv[1], ":")
with open("asked.txt", "a") as stream:
    print(atoms.info["selected_from"], file=stream)
if len(Path("asked.txt").read_text().splitlines()) == 2:
    loop = os.getppid()
    if Path(f"/proc/{loop}/comm").read_text().strip() in ("sh", "dash", "bash"):
        loop = int(Path(f"/proc/{loop}/stat").read_text().split()[3])
    os.kill(loop, signal.SIGKILL)
atoms.calc = EMT()
atoms.get_stress()
ase.io.write(sys.argv[2], atoms, format="extxyz")
"""


def test_command_that_outlives_its_loop_is_waited_for(tmp_path):
    (tmp_path / "label.py").write_text(SCRIPT)
    label = f'kind = "command"\ncommand = "{sys.executable} label.py {{input}} {{output}}"\n'
    path = write_loop(tmp_path, label="[label]\n" + label)
    assert learn(path) == -9
    assert learn(path) == 0
    assert set(Counter((tmp_path / "asked.txt").read_text().splitlines()).values()) == {1}
    assert states(tmp_path)[1]["label"]["labels"] == 3
