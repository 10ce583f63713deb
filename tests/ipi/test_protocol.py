# SPDX-License-Identifier: BSD-3-Clause
import socket
import threading

import numpy as np
import pytest

from ipi_driver import protocol
from ipi_driver.protocol import ConnectionClosedError, Forceready, Posdata


@pytest.fixture
def pair():
    ends = socket.socketpair()
    yield ends
    for end in ends:
        end.close()


def test_headers_are_twelve_padded_bytes():
    assert protocol.header("EXIT") == b"EXIT        "
    assert protocol.FORCEREADY == b"FORCEREADY  "


def test_read_exact_waits_for_the_last_byte(pair):
    ours, theirs = pair
    data = np.random.default_rng(0).bytes(300_000)
    writer = threading.Thread(
        target=lambda: [theirs.sendall(data[i : i + 7001]) for i in range(0, len(data), 7001)]
    )
    writer.start()
    buffer = bytearray(len(data))
    protocol.read_exact(ours, buffer)
    writer.join()
    assert buffer == data


def test_read_exact_of_nothing_returns_at_once(pair):
    protocol.read_exact(pair[0], bytearray())


def test_read_exact_tells_how_much_was_missing(pair):
    ours, theirs = pair
    theirs.sendall(b"abc")
    theirs.close()
    with pytest.raises(ConnectionClosedError, match="3 of 12 bytes"):
        protocol.read_exact(ours, bytearray(12))


def test_send_all_to_a_closed_server_is_an_error(pair):
    ours, theirs = pair
    theirs.close()
    with pytest.raises(ConnectionClosedError, match="i-PI is gone"):
        protocol.send_all(ours, b"READY       ")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (" ", {}),
        ("", {}),
        ("{}", {}),
        (" batch_size:4", {"batch_size": "4"}),
        (" a : 1 , path: /x:y, batch_size:2", {"a": "1", "path": "/x:y", "batch_size": "2"}),
        ("nothing useful", {}),
    ],
)
def test_parse_init_reads_pairs(text, expected):
    assert protocol.parse_init(text) == expected


@pytest.mark.parametrize("batch_size", [1, 3])
def test_posdata_has_the_layout_of_ipi(batch_size):
    rng = np.random.default_rng(1)
    cells, positions = rng.normal(size=(batch_size, 2, 3, 3)), rng.normal(size=(batch_size, 5, 3))
    count = np.int32(5).tobytes()
    first = [count, cells.tobytes()] if batch_size > 1 else [cells.tobytes(), count]
    wire = b"".join([*first, positions.tobytes()])
    data = Posdata(5, batch_size)
    assert len(data.head) + len(data.tail) == len(wire)
    data.head[:] = wire[: len(data.head)]
    assert data.n_atoms == 5
    data.tail[:] = wire[len(data.head) :]
    np.testing.assert_array_equal(data.cells, cells[:, 0])
    np.testing.assert_array_equal(data.positions, positions)


@pytest.mark.parametrize("batch_size", [1, 2])
def test_forceready_has_the_layout_of_ipi(batch_size):
    rng = np.random.default_rng(2)
    reply = Forceready(4, batch_size)
    reply.energies[:] = rng.normal(size=batch_size)
    reply.forces[:] = rng.normal(size=(batch_size, 4, 3))
    reply.virials[:] = rng.normal(size=(batch_size, 3, 3))
    extras = [b'{"a": 1}', b""][:batch_size]
    numbers = [reply.energies.tobytes(), np.int32(4).tobytes()]
    numbers += [reply.forces.tobytes(), reply.virials.tobytes()]
    texts = [np.int32(len(text)).tobytes() + text for text in extras]
    assert reply.message(extras) == b"".join([b"FORCEREADY  ", *numbers, *texts])
