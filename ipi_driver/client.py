# SPDX-License-Identifier: BSD-3-Clause
"""The client: connects to i-PI and answers its requests until it says EXIT."""

import contextlib
import socket
import time
from pathlib import Path

from ipi_driver import protocol
from ipi_driver.evaluation import Evaluator
from potential.errors import SoapGprError

DEFAULT_PREFIX = "/tmp/ipi_"
DEFAULT_TIMEOUT = 60.0
LONGEST_ATTEMPT = 60.0  # seconds; sockets cannot wait for ever
GOODBYE = 10.0  # seconds to wait for a server that says nothing any more


def connect_unix(name: str, prefix: str = DEFAULT_PREFIX, timeout: float = DEFAULT_TIMEOUT):
    """Connect to the UNIX socket ``prefix + name``; see ``_connect``."""
    path = prefix + name

    def attempt(sock):
        sock.connect(path)

    def explain(error):
        if isinstance(error, ConnectionRefusedError) and Path(path).exists():
            return (
                "the file exists but no server listens: a leftover to delete if i-PI is not running"
            )
        if isinstance(error, FileNotFoundError):
            return (
                'no such file: is i-PI running, with <ffsocket mode="unix"> '
                f"and <address>{name}</address>?"
            )
        return str(error)

    return _connect(socket.AF_UNIX, attempt, f"UNIX socket {path}", explain, timeout)


def connect_tcp(host: str, port: int, timeout: float = DEFAULT_TIMEOUT):
    """Connect to ``host:port``; see ``_connect``."""
    try:
        # i-PI listens on IPv4 only.
        address = socket.getaddrinfo(host, port, socket.AF_INET, socket.SOCK_STREAM)[0][4]
    except OSError as error:
        raise SoapGprError(
            f"host {host} cannot be resolved to an IPv4 address ({error.strerror})"
        ) from error

    def attempt(sock):
        # The protocol is many small messages: waiting to fill packets would cost 40 ms a step.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        sock.connect(address)

    def explain(error):
        if isinstance(error, ConnectionRefusedError):
            return (
                'no server listens: is i-PI running, with <ffsocket mode="inet"> '
                f"and <port>{port}</port>?"
            )
        return str(error)

    return _connect(socket.AF_INET, attempt, f"{host} port {port}", explain, timeout)


def _connect(family, attempt, where, explain, timeout):
    """Try until the server is up; the pauses grow from 20 ms to 1 s.

    Returns a blocking socket; raises SoapGprError when ``timeout`` seconds were not enough.
    """
    deadline = time.monotonic() + timeout
    pause = 0.02
    while True:
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.settimeout(min(max(deadline - time.monotonic(), 0.1), LONGEST_ATTEMPT))
            attempt(sock)
            sock.settimeout(None)
            return sock
        except OSError as error:
            sock.close()
            # "AF_UNIX path too long" has no errno and no second chance.
            if error.errno is None and not isinstance(error, TimeoutError):
                raise SoapGprError(f"cannot connect to {where}: {error}") from error
            if time.monotonic() + pause > deadline:
                raise SoapGprError(
                    f"no connection to {where} within {timeout:g} s: {explain(error)}"
                ) from error
        except BaseException:
            sock.close()
            raise
        time.sleep(pause)
        pause = min(1.5 * pause, 1.0)


class Client:
    """State machine of one connection.

    Parameters
    ----------
    sock : connected stream socket; the client closes it
    evaluator : ipi_driver.evaluation.Evaluator
    require_batch : refuse a server that does not announce a batch size

    Attributes
    ----------
    evaluations : number of structures answered so far
    evaluation_seconds : time spent in the model
    """

    def __init__(self, sock, evaluator: Evaluator, require_batch: bool = False):
        self._sock = sock
        self._evaluator = evaluator
        self._require_batch = require_batch
        self._batch_size = 0  # 0 until INIT arrives
        # one text per structure once results wait to be fetched
        self._extras: list[bytes] | None = None
        self._posdata: protocol.Posdata | None = None
        self._forceready: protocol.Forceready | None = None
        self.evaluations = 0
        self.evaluation_seconds = 0.0

    def run(self) -> None:
        """Answer requests until EXIT.

        Raises SoapGprError (protocol.ConnectionClosedError when the server is gone). The connection
        is always closed in a way that i-PI survives.
        """
        handlers = {
            protocol.STATUS: self._status,
            protocol.INIT: self._init,
            protocol.POSDATA: self._positions,
            protocol.GETFORCE: self._send_forces,
        }
        message = bytearray(protocol.HEADER_LENGTH)
        try:
            while True:
                protocol.read_exact(self._sock, message)
                name = bytes(message)
                if name == protocol.EXIT:
                    return
                handler = handlers.get(name)
                if handler is None:
                    raise SoapGprError(
                        f"the server sent {name!r}; expected STATUS, INIT, POSDATA, GETFORCE or "
                        "EXIT: is it really i-PI that listens there?"
                    )
                handler()
        finally:
            self._hang_up()

    def _status(self):
        if self._extras is not None:
            answer = protocol.HAVEDATA
        else:
            answer = protocol.READY if self._batch_size else protocol.NEEDINIT
        protocol.send_all(self._sock, answer)

    def _init(self):
        numbers = bytearray(8)  # bead index, length of the text
        protocol.read_exact(self._sock, numbers)
        text = bytearray(protocol.text_length(numbers[4:]))
        protocol.read_exact(self._sock, text)
        n_atoms = self._evaluator.n_atoms
        batch_size = protocol.batch_size(text.decode("utf-8", "replace"), n_atoms)
        if self._require_batch and batch_size == 1:
            raise SoapGprError(
                "--batch was given but i-PI does not batch; "
                "expected <batch_size> of 2 or more inside <ffsocket>"
            )
        if batch_size != self._batch_size:
            self._batch_size = batch_size
            self._posdata = protocol.Posdata(n_atoms, batch_size)
            self._forceready = protocol.Forceready(n_atoms, batch_size)

    def _positions(self):
        data, reply = self._posdata, self._forceready
        if data is None or reply is None:
            raise SoapGprError("the server sent POSDATA; expected INIT first")
        # A server that passes numbers through shared memory sends names only, so look before
        # waiting for more bytes than ever come.
        protocol.read_exact(self._sock, data.head[:16])
        if b"ipi_shm" in bytes(data.head[:16]):
            raise SoapGprError('i-PI runs <ffsocket mode="shm">; expected mode="unix" or "inet"')
        protocol.read_exact(self._sock, data.head[16:])
        self._evaluator.check_n_atoms(int(data.n_atoms))
        protocol.read_exact(self._sock, data.tail)
        start = time.perf_counter()
        extras_of_all = []
        for i in range(self._batch_size):
            reply.energies[i], extras = self._evaluator.evaluate(
                data.cells[i], data.positions[i], reply.forces[i], reply.virials[i]
            )
            extras_of_all.append(extras)
        self._extras = extras_of_all
        self.evaluations += self._batch_size
        self.evaluation_seconds += time.perf_counter() - start

    def _send_forces(self):
        if self._extras is None or self._forceready is None:
            raise SoapGprError("the server sent GETFORCE; expected POSDATA first")
        protocol.send_all(self._sock, self._forceready.message(self._extras))
        self._extras = None

    def _hang_up(self):
        """Close so that i-PI sees a plain end of the stream.

        Closing with unread bytes (often GETFORCE) resets the connection, and an i-PI that waits
        for forces then dies in its polling thread and hangs for ever. So say goodbye first, and
        read what is still coming.
        """
        with contextlib.suppress(OSError), self._sock as sock:
            sock.shutdown(socket.SHUT_WR)
            sock.settimeout(GOODBYE)
            deadline = time.monotonic() + GOODBYE
            while sock.recv(4096) and time.monotonic() < deadline:
                pass
