# SPDX-License-Identifier: BSD-3-Clause
"""The same series in every form of file that ``soap-gpr spectrum`` reads."""

import numpy as np
from ase import Atoms
from ase.io import write

LOG = """LAMMPS (22 Jul 2025 - Update 4)
units metal
Setting up Verlet run ...
  Unit style    : metal
  Current step  : {first}
  Time step     : 0.0005
Per MPI rank memory allocation (min/avg/max) = 3.1 | 3.1 | 3.1 Mbytes
"""
TAIL = "Loop time of 0.1 on 1 procs for 10 steps with 32 atoms\n"


def names_of(values):
    return [f"c_gap[{k + 1}]" for k in range(values.shape[1])]


def write_array(path, values):
    np.save(path, values)


def write_text(path, values):
    np.savetxt(path, values, "%.17g")


def write_averages(path, values, stride=4):
    """As ``fix ave/time`` of LAMMPS."""
    head = "# Time-averaged data for fix mu\n# TimeStep " + " ".join(names_of(values)) + "\n"
    path.write_text(head + "".join(_rows(values, stride)))


def write_log(path, values, stride=4):
    """As two runs of LAMMPS, of which the second repeats the last step of the first."""
    rows, half = _rows(values, stride, " -3.5"), len(values) // 2
    head = "   Step          PotEng     " + " ".join(names_of(values)) + "\n"
    first = [LOG, head, *rows[:half], "WARNING: something\n", rows[half], TAIL]
    text = "".join([*first, LOG, head, *rows[half:], TAIL])
    path.write_text(text.replace("{first}", "0"))


def write_extras(path, values, stride=4):
    """As i-PI."""
    lines = (
        f" #EXTRAS(dipole)# Step:  {stride * k:10d} \n" + "  ".join(f"{x:.17e}" for x in row) + "\n"
        for k, row in enumerate(values)
    )
    path.write_text("".join(lines))


def write_frames(path, values, name="dipole", step=None):
    """As ``soap-gpr evaluate -o``; step: the name of their steps."""
    shape = (3,) if values.shape[1] == 3 else (3, 3)
    frames = []
    for k, row in enumerate(values):
        frames.append(Atoms("OH", [[0, 0, 0], [0, 0, 1.0 + 0.001 * k]], cell=[5, 5, 5], pbc=True))
        frames[-1].info[name] = row.reshape(shape)
        if step:
            frames[-1].info[step] = 4 * k
    write(path, frames, format="extxyz")


def _rows(values, stride, more=""):
    return [
        f"{stride * k}{more} " + " ".join(f"{x:.17g}" for x in row) + "\n"
        for k, row in enumerate(values)
    ]
