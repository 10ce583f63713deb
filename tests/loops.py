# SPDX-License-Identifier: BSD-3-Clause
"""Small loops of active learning: copper and gold, labelled by ASE's effective medium theory."""

import functools
import io
import json
from pathlib import Path

import ase.io
from training_data import emt_frames, small_toml

# Tables of few functions: most of the time of so small a fit is spent on them.
TERM = small_toml(20).replace("n_max = 4", "n_max = 2").replace("l_max = 3", "l_max = 1")

POOL = """\
[[samplers]]
kind = "pool"
structures = ["pool.xyz"]
"""
EMT = """\
[label]
kind = "calculator"
calculator = "ase.calculators.emt:EMT"
"""
MOODY = """\
from ase.calculators.emt import EMT
class Moody(EMT):
    '''Fails for structures of an odd number of atoms, or all.'''
    def __init__(self, every=False):
        super().__init__()
        self.every = every
    def calculate(self, atoms, *args):
        if self.every or atoms.symbols.count("Au") == 2:
            raise RuntimeError("no convergence\\nafter 99 steps")
        super().calculate(atoms, *args)
class Mover(EMT):
    def calculate(self, atoms, *args):
        super().calculate(atoms, *args)
        atoms.positions += 1
class Leaver(EMT):
    def calculate(self, atoms, *args):
        raise SystemExit(3)
"""
FILE = """\
[label]
kind = "file"
structures = ["pool.xyz"]
"""
LOOP = """\
[loop]
fit = "fit.toml"
generations = 1
"""
UNCERTAINTY = """\
[uncertainty]
calibration = 4
"""
COMMITTEE = (
    UNCERTAINTY
    + """\
committee = 4
variance = false
"""
)
SELECT = """\
[select]
n = 3
"""


def write_loop(
    folder,
    *,
    loop=LOOP,
    samplers=POOL,
    select=SELECT,
    label=EMT,
    more="",
    n_pool=12,
    fit=UNCERTAINTY,
):
    """loop.toml, fit.toml and their data in a folder; returns the name of the first."""
    for seed, (name, n) in enumerate({"train": 4, "test": 3, "pool": n_pool}.items(), start=1):
        (folder / f"{name}.xyz").write_text(_frames(n, seed))
    (folder / "fit.toml").write_text(TERM + fit)
    path = Path(folder) / "loop.toml"
    path.write_text("\n".join([loop, samplers, select, label, more]))
    return str(path)


@functools.cache
def _frames(n, seed):
    """A file of labelled frames."""
    text = io.StringIO()
    ase.io.write(text, emt_frames(n, seed=seed), format="extxyz")
    return text.getvalue()


def states(folder):
    """The states of all generations of the loop in a folder."""
    paths = sorted(folder.glob("loop/generation_*/state.json"))
    return [json.loads(path.read_text()) for path in paths]
