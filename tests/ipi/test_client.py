# SPDX-License-Identifier: BSD-3-Clause
"""The client against a scripted server that writes i-PI's bytes by hand."""

import tracemalloc
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import event, given
from hypothesis import strategies as st
from mutations import spliced, splices

from ipi_driver.evaluation import Evaluator
from ipi_driver.protocol import ConnectionClosedError
from potential.errors import SoapGprError

BOHR = 1.8897261
HARTREE = 0.036749326
FORCE = 0.019446904


def geometry(atoms):
    """Cell, inverse cell (vectors as columns) and positions as i-PI holds them."""
    h = np.ascontiguousarray(atoms.cell.array.T) * BOHR
    return h.tobytes() + np.linalg.inv(h).tobytes(), (atoms.positions * BOHR).tobytes()


def posdata(atoms):
    cells, positions = geometry(atoms)
    return b"POSDATA     " + cells + np.int32(len(atoms)).tobytes() + positions


def assert_reply(server, atoms, model):
    expected = model.evaluate(atoms.numbers, atoms.positions, atoms.cell.array, atoms.pbc)
    assert server.read(12) == b"FORCEREADY  "
    assert server.numbers() == pytest.approx(expected.energy * HARTREE, rel=1e-13)
    assert server.integer() == len(atoms)
    np.testing.assert_allclose(server.numbers(len(atoms), 3), expected.forces * FORCE, atol=1e-13)
    np.testing.assert_allclose(server.numbers(3, 3), expected.virial * HARTREE, atol=1e-13)
    server.read(server.integer())


@pytest.mark.parametrize("piecewise", [False, True])
def test_merged_posdata_getforce_is_answered(serve, water, model, piecewise):
    server = serve()
    server.initialize()
    for _ in range(3):
        water.rattle(0.1, rng=np.random.default_rng(1))
        server.send(posdata(water), b"GETFORCE    ", piecewise=piecewise)
        assert_reply(server, water, model)
        assert server.status() == b"READY       "
    server.send(b"EXIT        ")
    assert server.join() is None
    assert server.client.evaluations == 3
    assert server.sock.recv(1) == b""


def test_status_between_posdata_and_getforce_is_havedata(serve, water, model):
    server = serve()
    server.initialize()
    server.send(posdata(water))
    assert server.status() == b"HAVEDATA    "
    server.send(b"GETFORCE    ")
    assert_reply(server, water, model)
    assert server.status() == b"READY       "


def test_second_init_is_accepted(serve, water, model):
    server = serve()
    server.initialize()
    server.send(b"INIT        ", np.int32(3), np.int32(0))
    server.send(posdata(water), b"GETFORCE    ")
    assert_reply(server, water, model)


def test_batched_framing_is_answered(serve, water, model):
    server = serve()
    server.initialize(" key : value , batch_size:3")
    frames = [water.copy() for _ in range(3)]
    for i, frame in enumerate(frames):
        frame.rattle(0.1, seed=i)
        frame.set_cell(frame.cell.array * (1 + 0.02 * i), scale_atoms=True)
    cells, positions = zip(*(geometry(frame) for frame in frames), strict=True)
    payload = (b"POSDATA     ", np.int32(3), *cells, *positions, b"GETFORCE    ")
    for _ in range(2):
        server.send(*payload)
        expected = [model.evaluate(f.numbers, f.positions, f.cell.array, f.pbc) for f in frames]
        assert server.read(12) == b"FORCEREADY  "
        np.testing.assert_allclose(server.numbers(3), [e.energy * HARTREE for e in expected])
        assert server.integer() == 3
        np.testing.assert_allclose(
            server.numbers(3, 3, 3), [e.forces * FORCE for e in expected], atol=1e-13
        )
        np.testing.assert_allclose(
            server.numbers(3, 3, 3), [e.virial * HARTREE for e in expected], atol=1e-13
        )
        for _ in range(3):
            server.read(server.integer())
    assert server.status() == b"READY       "
    server.send(b"EXIT        ")
    assert server.join() is None
    assert server.client.evaluations == 6


def test_required_batch_without_batch_size_is_an_error(serve):
    server = serve(require_batch=True)
    assert server.status() == b"NEEDINIT    "
    server.send(b"INIT        ", np.int32(0), np.int32(1), b" ")
    assert "<batch_size>" in str(server.join())


def test_wrong_batch_size_is_an_error(serve):
    server = serve()
    server.send(b"INIT        ", np.int32(0), np.int32(13), b"batch_size:-4")
    assert "'-4'" in str(server.join())


@pytest.mark.parametrize("length", [-1, -(2**31), 2**31 - 1, 2**20 + 1])
def test_absurd_length_of_the_init_text_is_refused_at_once(serve, length):
    server = serve()
    tracemalloc.start()
    server.send(b"INIT        ", np.int32(0), np.int32(length))
    assert f"INIT text of {length} bytes; expected 0 to 1048576" in str(server.join())
    assert tracemalloc.get_traced_memory()[1] < 10**6
    tracemalloc.stop()


@pytest.mark.parametrize(
    "value", ["0", "-3", "1e30", "1000000", "10001", "2.0", "", "9" * 5000, "nan", "२ ३"]
)
def test_absurd_batch_size_is_refused_at_once(serve, value):
    server = serve()
    text = f"batch_size : {value}".encode()
    tracemalloc.start()
    server.send(b"INIT        ", np.int32(0), np.int32(len(text)), text)
    error = str(server.join())
    assert f"announced batch_size '{value[:40]}'; expected 1 to 10000" in error
    assert tracemalloc.get_traced_memory()[1] < 10**6
    tracemalloc.stop()


def test_batch_too_large_for_a_message_is_refused(serve, model, water):
    crowd = water * (100, 100, 10)
    server = serve(Evaluator(model, crowd))
    server.send(b"INIT        ", np.int32(0), np.int32(15), b"batch_size:9999")
    assert "9999 of 300000 atoms, messages of 67.0 GiB; expected less" in str(server.join())


@pytest.mark.parametrize("n_atoms", [-1, 0, 2**31 - 1])
def test_absurd_number_of_atoms_is_refused(serve, water, n_atoms):
    server = serve()
    server.initialize()
    server.send(b"POSDATA     ", geometry(water)[0], np.int32(n_atoms))
    assert f"i-PI sent {n_atoms} atoms; expected 3" in str(server.join())


@pytest.mark.parametrize("where", [6, 12, 100, 12 + 144 + 2, 12 + 148 + 30])
def test_server_death_inside_a_message_is_reported(serve, water, where):
    server = serve()
    server.initialize()
    server.send(posdata(water)[:where])
    server.sock.close()
    error = server.join()
    assert isinstance(error, ConnectionClosedError)
    assert "closed the connection" in str(error)


def test_server_death_between_messages_is_reported(serve):
    server = serve()
    server.initialize()
    server.sock.close()
    assert "without saying EXIT" in str(server.join())


def test_server_death_before_reply_is_reported(serve, water):
    server = serve()
    server.initialize()
    server.send(posdata(water), b"GETFORCE    ")
    server.sock.close()
    assert isinstance(server.join(), ConnectionClosedError)


def test_changed_number_of_atoms_is_an_error(serve, water):
    server = serve()
    server.initialize()
    server.send(posdata(water), b"GETFORCE    ")
    server.read(12 + 8 + 4 + 72 + 72 + 4)
    server.send(posdata(water * (2, 1, 1)), b"GETFORCE    ")
    assert "i-PI sent 6 atoms; expected 3" in str(server.join())


@pytest.mark.parametrize(
    ("message", "sentence"),
    [
        (b"HTTP/1.1 400", "HTTP/1.1 400"),
        (b"status      ", "is it really i-PI"),
        (b"POSDATA     ", "expected INIT first"),
        (b"GETFORCE    ", "expected POSDATA first"),
    ],
)
def test_unexpected_message_is_an_error(serve, message, sentence):
    server = serve()
    server.send(message)
    assert sentence in str(server.join())


def test_shared_memory_mode_is_refused(serve):
    server = serve()
    server.initialize()
    names = [f"ipi_shm_123_7_{kind}".encode() for kind in ("pos", "h", "ih", "pot", "force", "vir")]
    server.send(b"POSDATA     ", np.int32(3))
    server.send(*(np.int32(len(name)).tobytes() + name for name in names), b"GETFORCE    ")
    assert 'mode="shm"' in str(server.join())


def test_positions_that_are_not_finite_are_an_error(serve, water):
    server = serve()
    server.initialize()
    water.positions[1, 2] = np.nan
    server.send(posdata(water), b"GETFORCE    ")
    assert "diverged" in str(server.join())


def test_failing_client_ends_the_stream_without_resetting_it(serve, water):
    """With unread bytes left, i-PI would see a reset connection and hang."""
    broken = SimpleNamespace(
        evaluate=lambda *_: SimpleNamespace(
            energy=np.nan, forces=np.zeros((3, 3)), virial=np.zeros((3, 3))
        )
    )
    server = serve(Evaluator(broken, water))
    server.initialize()
    server.send(posdata(water), b"GETFORCE    ", b"STATUS      " * 100)
    assert server.sock.recv(1) == b""
    assert "not finite" in str(server.join())


CONVERSATION = (b"STATUS      ", b"INIT        ", np.int32(0), np.int32(14), b" batch_size: 1")


@given(splice=splices(), shutdown=st.booleans())
def test_wrong_bytes_end_in_a_reply_or_one_sentence(serve, water, splice, shutdown):
    """Whatever a server sends, the client answers, or ends with an error of its own."""
    end = b"EXIT        " if shutdown else b""
    parts = [*CONVERSATION, posdata(water), b"GETFORCE    ", b"STATUS      ", end]
    server = serve()
    server.send(spliced(b"".join(parts), *splice))
    error = server.join()
    server.close()
    event("ended well" if error is None else type(error).__name__)
    assert error is None or (isinstance(error, SoapGprError) and "\n" not in str(error))
