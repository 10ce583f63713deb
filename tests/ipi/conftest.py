# SPDX-License-Identifier: BSD-3-Clause
"""A model simple enough to trust, structures, and a scripted i-PI."""

import contextlib
import socket
import threading
from types import SimpleNamespace

import ase
import numpy as np
import pytest
from patience import HANG

from ipi_driver import protocol
from ipi_driver.client import Client
from ipi_driver.evaluation import Evaluator


class PairModel:
    """E = Σ_pairs (1 − r²/r_c²)³ · Z_i Z_j / 100 eV by explicit loops over periodic images."""

    cutoff = 3.0
    species = (1, 8)

    @np.errstate(all="ignore")  # of positions out of this world
    def evaluate(self, numbers, positions, cell=None, pbc=False, *, forces=True):
        cell = np.zeros((3, 3)) if cell is None else np.asarray(cell)
        pbc = np.broadcast_to(pbc, 3)
        energy, f, virial = 0.0, np.zeros((len(numbers), 3)), np.zeros((3, 3))
        if pbc.all():
            positions = positions - np.floor(positions @ np.linalg.inv(cell)) @ cell
        reach = np.zeros(3, int)
        for k in np.flatnonzero(pbc):
            reach[k] = 1 + int(np.ceil(self.cutoff * np.linalg.norm(np.linalg.inv(cell)[:, k])))
        images = np.array(list(np.ndindex(*(2 * reach + 1)))) - reach
        charge_products = np.outer(numbers, numbers) / 100
        for shift in images:
            r_ij = positions[None] + shift @ cell - positions[:, None]
            x = (r_ij**2).sum(-1) / self.cutoff**2
            near = (x < 1) & (x > 0)
            energy += 0.5 * (charge_products * (1 - x) ** 3)[near].sum()
            slope = np.where(near, -3 * (1 - x) ** 2 * 2 / self.cutoff**2 * charge_products, 0)
            f_ij = slope[..., None] * r_ij  # dφ/dr_ij; pulls i along r_ij with half + half
            f += f_ij.sum(1)
            virial -= 0.5 * np.einsum("ija,ijb->ab", f_ij, r_ij)
        return SimpleNamespace(energy=energy, forces=f, virial=virial)


@pytest.fixture
def model():
    return PairModel()


@pytest.fixture
def water():
    """Three atoms in a triclinic cell smaller than the cutoff in two directions."""
    return ase.Atoms(
        "OHH",
        positions=[[0.1, 0.2, 0.3], [0.9, 0.4, 0.2], [-0.2, 1.1, 0.5]],
        cell=[[3.4, 0, 0], [0.4, 2.9, 0], [0.3, -0.5, 2.7]],
        pbc=True,
    )


@pytest.fixture
def evaluator(model, water):
    return Evaluator(model, water)


class FakeServer:
    """The server's end of a socket pair whose other end runs a Client in a thread."""

    def __init__(self, evaluator, **options):
        self.sock, theirs = socket.socketpair()
        self.sock.settimeout(HANG)
        self.client = Client(theirs, evaluator, **options)
        self.error = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        try:
            self.client.run()
        except Exception as error:
            self.error = error

    def send(self, *parts, piecewise=False):
        data = b"".join(parts)
        for i in range(0, len(data), 1 if piecewise else len(data)):
            self.sock.sendall(data[i : i + 1] if piecewise else data)

    def read(self, count):
        data = bytearray(count)
        protocol.read_exact(self.sock, data)
        return bytes(data)

    def numbers(self, *shape):
        count = int(np.prod(shape, dtype=int))
        return np.frombuffer(self.read(8 * count), "<f8").reshape(shape)

    def integer(self):
        return int(np.frombuffer(self.read(4), "<i4")[0])

    def status(self):
        self.send(b"STATUS      ")
        return self.read(12)

    def initialize(self, text=" "):
        assert self.status() == b"NEEDINIT    "
        self.send(b"INIT        ", np.int32(0), np.int32(len(text)), text.encode())
        assert self.status() == b"READY       "

    def join(self):
        """Say no more, wait for the client and return the error it ended with, if any."""
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_WR)
        self._thread.join(HANG)
        assert not self._thread.is_alive()
        return self.error

    def close(self):
        self.sock.close()
        self._thread.join(HANG)


@pytest.fixture
def serve(evaluator):
    """Function that starts a FakeServer with the water evaluator."""
    servers = []

    def start(chosen=evaluator, **options):
        servers.append(FakeServer(chosen, **options))
        return servers[-1]

    yield start
    for server in servers:
        server.close()
