# SPDX-License-Identifier: BSD-3-Clause
"""Messages of the i-PI socket protocol, as bytes.

Every message starts with 12 upper-case characters padded with spaces. Numbers are little-endian
int32 and float64. What follows the header (n = batch size, N = number of atoms):

=========== =====================================================================================
INIT        int32 bead, int32 length, text "key : value, ..."; ``batch_size : n`` with n > 1
            switches to the batched framing
POSDATA     single: cell (3,3), inverse cell (3,3), int32 N, positions (N,3)
            batched: int32 N, n × (cell, inverse cell), n × positions
FORCEREADY  single: energy, int32 N, forces (N,3), virial (3,3), int32 length, extras text
            batched: n energies, int32 N, n × forces, n × virials, n × (int32 length, text)
=========== =====================================================================================

bohr and hartree; cell vectors are columns; virial = −dE/dε. STATUS, GETFORCE, EXIT and the
answers NEEDINIT, READY, HAVEDATA have no payload. Source: i-PI 3.3.1, ipi/interfaces/sockets.py.
"""

import numpy as np

from potential.errors import SoapGprError

HEADER_LENGTH = 12
# i-PI sends a line of text with INIT, and as many structures at once as it has beads at most.
LONGEST_TEXT = 2**20  # bytes
LARGEST_BATCH = 10_000
LONGEST_MESSAGE = 2**31 - 1  # bytes


def header(name: str) -> bytes:
    """The 12 bytes that announce message ``name``."""
    return name.ljust(HEADER_LENGTH).encode("ascii")


STATUS, INIT, POSDATA, GETFORCE, EXIT = map(
    header, ("STATUS", "INIT", "POSDATA", "GETFORCE", "EXIT")
)
NEEDINIT, READY, HAVEDATA, FORCEREADY = map(header, ("NEEDINIT", "READY", "HAVEDATA", "FORCEREADY"))


class ConnectionClosedError(SoapGprError):
    """The server went away."""


def read_exact(sock, buffer) -> None:
    """Fill ``buffer`` (any writable object with the buffer protocol) from the socket.

    TCP and UNIX sockets hand over bytes in arbitrary pieces, so this loops until the last one.
    Raises ConnectionClosedError when the server closes first.
    """
    view = memoryview(buffer).cast("B")
    received = 0
    while received < len(view):
        try:
            count = sock.recv_into(view[received:])
        except OSError as error:
            raise ConnectionClosedError(
                f"the connection to i-PI broke ({error.strerror})"
            ) from error
        if count == 0:
            raise ConnectionClosedError(
                "i-PI closed the connection"
                + (
                    f" in the middle of a message ({received} of {len(view)} bytes)"
                    * bool(received)
                )
                + " without saying EXIT: look for an error at the end of i-PI's output"
            )
        received += count


def send_all(sock, data) -> None:
    """Send all bytes of ``data``; raises ConnectionClosedError when the server is gone."""
    try:
        sock.sendall(data)
    except OSError as error:
        raise ConnectionClosedError(
            f"i-PI is gone: a reply could not be sent ({error.strerror})"
        ) from error


def parse_init(text: str) -> dict[str, str]:
    """Parameters of the INIT text: ``" a : 1, batch_size:4"`` → {"a": "1", "batch_size": "4"}."""
    pairs = (item.partition(":") for item in text.strip(" {}").split(","))
    return {key.strip(): value.strip() for key, colon, value in pairs if colon}


def text_length(data: bytes | bytearray) -> int:
    """The length of the INIT text, from its four bytes; SoapGprError when it is absurd."""
    length = int.from_bytes(data, "little", signed=True)
    if not 0 <= length <= LONGEST_TEXT:
        raise SoapGprError(
            f"i-PI announced an INIT text of {length} bytes; expected 0 to {LONGEST_TEXT}"
        )
    return length


def batch_size(text: str, n_atoms: int) -> int:
    """The number of structures in each message, from the INIT text; SoapGprError when absurd."""
    value = parse_init(text).get("batch_size", "1")
    if not (value.isdecimal() and len(value) < 10 and 1 <= int(value) <= LARGEST_BATCH):
        raise SoapGprError(
            f"i-PI announced batch_size {value[:40]!r}; expected 1 to {LARGEST_BATCH}"
        )
    size = int(value) * 24 * (n_atoms + 6)
    if size > LONGEST_MESSAGE:
        raise SoapGprError(
            f"i-PI announced batch_size {value} of {n_atoms} atoms, messages of "
            f"{size / 2**30:.1f} GiB; expected less than 2 GiB"
        )
    return int(value)


class Posdata:
    """The payload of POSDATA, in memory that is reused at every step.

    Attributes
    ----------
    head : writable bytes; what both framings send before anything that depends on N (148 bytes)
    tail : writable bytes; the rest
    n_atoms : () int32 view, the number of atoms as sent
    cells : (n, 3, 3) float64 view, bohr, vectors as columns
    positions : (n, N, 3) float64 view, bohr
    """

    HEAD_LENGTH = 148

    def __init__(self, n_atoms: int, batch_size: int = 1):
        cells = ("cells", "<f8", (batch_size, 2, 3, 3))
        count = ("n_atoms", "<i4")
        fields = [count, cells] if batch_size > 1 else [cells, count]
        dtype = np.dtype([*fields, ("positions", "<f8", (batch_size, n_atoms, 3))])
        data = memoryview(bytearray(dtype.itemsize))
        record = np.ndarray((), dtype, buffer=data)
        self.head, self.tail = data[: self.HEAD_LENGTH], data[self.HEAD_LENGTH :]
        self.n_atoms = record["n_atoms"]
        self.cells = record["cells"][:, 0]
        self.positions = record["positions"]


class Forceready:
    """The FORCEREADY message without extras, in memory that is reused at every step.

    Attributes
    ----------
    energies : (n,) float64 view, hartree
    forces : (n, N, 3) float64 view, hartree/bohr
    virials : (n, 3, 3) float64 view, hartree, −dE/dε
    """

    def __init__(self, n_atoms: int, batch_size: int = 1):
        dtype = np.dtype(
            [
                ("header", f"S{HEADER_LENGTH}"),
                ("energies", "<f8", (batch_size,)),
                ("n_atoms", "<i4"),
                ("forces", "<f8", (batch_size, n_atoms, 3)),
                ("virials", "<f8", (batch_size, 3, 3)),
            ]
        )
        self._data = bytearray(dtype.itemsize)
        record = np.ndarray((), dtype, buffer=self._data)
        record["header"] = FORCEREADY
        record["n_atoms"] = n_atoms
        self.energies = record["energies"]
        self.forces = record["forces"]
        self.virials = record["virials"]

    def message(self, extras: list[bytes]) -> bytes:
        """The whole message, with one ASCII text (may be empty) per structure at its end."""
        texts = (len(text).to_bytes(4, "little") + text for text in extras)
        return b"".join((self._data, *texts))
