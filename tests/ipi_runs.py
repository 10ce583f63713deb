# SPDX-License-Identifier: BSD-3-Clause
"""Real i-PI processes on small inputs, and the comparison of all they write with a model."""

import contextlib
import itertools
import os
import shutil
import socket
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
from patience import HANG

from ipi_driver.client import Client, connect_tcp, connect_unix
from potential.structures.beads import species_of


def find_program(name):
    """Path of a program beside this Python or on PATH, or None."""
    return shutil.which(name, path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")


PREFIX = "/tmp/soap-gpr-test-"
NESTED = "/tmp/ipi_"  # of sockets in another force field, whatever sockets_prefix says
INPUT = """
<simulation verbosity="low" floatformat="%26.17e" sockets_prefix="{prefix}">
  <output prefix="out">
    <properties stride="1" filename="properties">[ step, conserved, {columns} ]</properties>
    <trajectory stride="1" filename="pos" format="bin">positions{{angstrom}}</trajectory>
    <trajectory stride="1" filename="for" format="bin">forces{{ev/ang}}</trajectory>
    {outputs}
  </output>
  <total_steps>{steps}</total_steps>
  <prng><seed>7</seed></prng>
  {forcefield}
  <system>
    <initialize nbeads="{beads}">
      <file mode="xyz" units="angstrom">start.xyz</file>
      <cell mode="manual" units="angstrom">{cell}</cell>{masses}
      <velocities mode="thermal" units="kelvin">300</velocities>
    </initialize>
    <forces><force forcefield="model"/></forces>
    {motion}
    <ensemble><temperature units="kelvin">300</temperature></ensemble>
  </system>
</simulation>
"""


NVE = """<motion mode="dynamics">
      <dynamics mode="nve"><timestep units="femtosecond">0.25</timestep></dynamics>
    </motion>"""


class Run:
    """One i-PI process in a folder of its own; a context manager that leaves nothing behind."""

    _count = itertools.count()

    def __init__(
        self,
        folder,
        atoms,
        beads=1,
        steps=4,
        mode="unix",
        options="",
        forcefield=None,  # with ADDRESS in the place of one, and with "-base" after it of another
        outputs="",
        motion=NVE,
    ):
        self.folder, self.atoms, self.beads, self.steps = folder, atoms, beads, steps
        self.mode = mode
        self.name = f"{os.getpid()}-{next(self._count)}"
        self.port = _free_port()
        address = self.name if mode == "unix" else "localhost"
        forcefield = (forcefield or "").replace("ADDRESS", self.name) or (
            f'<ffsocket name="model" mode="{mode}" pbc="False"><address>{address}</address>'
            f"<port>{self.port}</port>{options}</ffsocket>"
        )
        columns = [f"pot_component(0;{b}){{electronvolt}}" for b in range(beads)]
        columns += [f"vir_component(0;{b}){{ev/ang3}}" for b in range(beads)]
        (folder / "input.xml").write_text(
            INPUT.format(
                prefix=PREFIX,
                columns=", ".join(columns),
                steps=steps,
                beads=beads,
                forcefield=forcefield,
                outputs=outputs,
                motion=motion,
                cell=np.array2string(atoms.cell.array.T.ravel(), separator=", ", precision=17),
                masses=_masses(atoms),
            )
        )
        names = atoms.arrays.get("bead", atoms.symbols)
        rows = (
            f"{name} {x:.17g} {y:.17g} {z:.17g}"
            for name, (x, y, z) in zip(names, atoms.positions, strict=True)
        )
        (folder / "start.xyz").write_text("\n".join([str(len(atoms)), "", *rows, ""]))

    def __enter__(self):
        self.log = (self.folder / "i-pi.log").open("w+")
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        self.process = subprocess.Popen(
            [find_program("i-pi"), "input.xml"],
            cwd=self.folder,
            env=environment,
            stdout=self.log,
            stderr=subprocess.STDOUT,
        )
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.log.close()
        for left in (PREFIX + self.name, *(NESTED + self.name + own for own in ("", "-base"))):
            Path(left).unlink(missing_ok=True)

    def connect(self, prefix=PREFIX, suffix=""):
        if self.mode == "unix":
            return connect_unix(self.name + suffix, prefix, HANG)
        return connect_tcp("localhost", self.port, HANG)

    def wait(self):
        """Wait for the end; i-PI must have succeeded."""
        code = self.process.wait(HANG)
        assert code == 0, (self.folder / "i-pi.log").read_text()[-3000:]

    def assert_agrees(self, model, rtol=1e-9):
        """Every energy, force and virial in i-PI's files equals the model's."""
        properties = np.loadtxt(self.folder / "out.properties", ndmin=2)
        assert len(properties) == self.steps + 1
        cell, volume = self.atoms.cell.array, self.atoms.cell.volume
        for b in range(self.beads):
            positions = read_binary(self.folder / f"out.pos_{b}.bin", self.steps + 1)
            forces = read_binary(self.folder / f"out.for_{b}.bin", self.steps + 1)
            assert np.abs(np.diff(positions, axis=0)).max() > 1e-4, "the atoms must move"
            for step in range(self.steps + 1):
                expected = model.evaluate(species_of(self.atoms), positions[step], cell, True)
                assert_close(properties[step, 2 + b], expected.energy, rtol)
                assert_close(forces[step], expected.forces, rtol)
                first = 2 + self.beads + 6 * b
                virial = expected.virial[[0, 1, 2, 0, 0, 1], [0, 1, 2, 1, 2, 2]]
                # i-PI's own table of units has eight digits, and its V another unit of length.
                found = properties[step, first : first + 6] * _PRESSURE * volume
                assert_close(found, virial, rtol)


def _masses(atoms):
    """The line about masses, which i-PI lacks where the names are no elements."""
    if "bead" not in atoms.arrays:
        return ""
    values = ", ".join(f"{mass:.17g}" for mass in atoms.get_masses())
    return f'\n      <masses mode="manual" units="dalton">[{values}]</masses>'


# i-PI prints virial/V in its ev/ang3, which is not its electronvolt over its angstrom cubed.
_PRESSURE = 0.0054456877 / (0.036749326 / 1.8897261**3)


def assert_close(found, expected, rtol):
    """The largest difference is at most ``rtol`` of the largest value."""
    assert np.abs(found - expected).max() <= rtol * np.abs(expected).max()


def _free_port():
    with socket.socket() as sock:
        sock.bind(("localhost", 0))
        return sock.getsockname()[1]


def read_binary(path, n_frames):
    """(n_frames, N, 3) of i-PI's binary trajectory; frames have equal lengths."""
    data = path.read_bytes()
    assert len(data) % n_frames == 0
    frames = [
        data[i : i + len(data) // n_frames] for i in range(0, len(data), len(data) // n_frames)
    ]
    n_atoms = int(np.frombuffer(frames[0], "<i8", 1, 72)[0])
    return np.array([np.frombuffer(f, "<f8", 3 * n_atoms, 80).reshape(-1, 3) for f in frames])


@contextlib.contextmanager
def client_threads(run, evaluators, prefix=PREFIX, suffix=""):
    """Serve ``run`` by clients in threads; afterwards they must have ended without an error.

    prefix, suffix: what stands around the name of the run in the address."""
    errors, clients = [], []

    def serve(evaluator):
        try:
            clients.append(Client(run.connect(prefix, suffix), evaluator))
            clients[-1].run()
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=serve, args=(e,), daemon=True) for e in evaluators]
    for thread in threads:
        thread.start()
    yield clients
    for thread in threads:
        thread.join(HANG)
        assert not thread.is_alive()
    assert errors == []
