# SPDX-License-Identifier: BSD-3-Clause
"""A model file through the commands a user types: the client, the PES class, their complaints."""

import contextlib
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import ase.io
import numpy as np
import pytest
from ipi_runs import PREFIX, Run, find_program
from models import body_order_model, random_model
from patience import HANG

from ipi_driver import cli
from ipi_driver.client import connect_unix

needs_ipi = pytest.mark.skipif(find_program("i-pi") is None, reason="i-PI is not installed")
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1"}
PES = Path(cli.__file__).with_name("pes.py")


@pytest.fixture(scope="module")
def soap_model():
    return random_model(weight=0.1)


@pytest.fixture
def folder(tmp_path, soap_model, water):
    """Folder with model.sgpr and template.xyz."""
    soap_model.save(tmp_path / "model.sgpr")
    ase.io.write(tmp_path / "template.xyz", water)
    return tmp_path


def client(folder, *arguments, program=("-m", "ipi_driver")):
    command = [sys.executable, *program, "model.sgpr", "--template", "template.xyz"]
    return subprocess.Popen(
        [*command, *arguments], cwd=folder, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True
    )


def finish(process):
    """Exit code and standard error of a process, which is killed if it does not end."""
    try:
        return process.wait(HANG), process.stderr.read()
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        process.wait()
        process.stderr.close()


@needs_ipi
@pytest.mark.parametrize("mode", ["unix", "inet"])
@pytest.mark.parametrize(("beads", "n_clients"), [(1, 1), (4, 2)])
def test_drive_agrees_with_model(folder, soap_model, water, mode, beads, n_clients):
    water.positions += np.array([[0, 0, 0], [4, -3, 1], [-12, 0, 7]]) @ water.cell.array
    with Run(folder, water, beads=beads, mode=mode) as run:
        where = ["--unix", run.name, "--prefix", PREFIX]
        if mode == "inet":
            where = ["--host", "localhost", "--port", str(run.port)]
        clients = [client(folder, *where) for _ in range(n_clients)]
        ends = [finish(process) for process in clients]
        run.wait()
        for code, errors in ends:
            assert code == 0
            assert "H2O, pbc TTT" in errors
            assert "i-PI said EXIT after" in errors
        run.assert_agrees(soap_model)


@needs_ipi
@pytest.mark.check
def test_drive_agrees_with_a_model_of_pairs_and_triplets(folder, water):
    model = body_order_model()
    model.save(folder / "model.sgpr")
    with Run(folder, water, beads=4) as run:
        code, errors = finish(client(folder, "--unix", run.name, "--prefix", PREFIX))
        assert code == 0, errors
        run.wait()
        run.assert_agrees(model)


@needs_ipi
def test_batched_drive_with_threads_agrees_with_model(folder, soap_model, water):
    with Run(folder, water, beads=4, options="<batch_size>4</batch_size>") as run:
        where = ["--unix", run.name, "--prefix", PREFIX]
        code, errors = finish(client(folder, *where, "--batch", "--threads", "2"))
        assert code == 0, errors
        run.wait()
        run.assert_agrees(soap_model)


@needs_ipi
@pytest.mark.parametrize("options", ["", "<batch_size>2</batch_size>"])
def test_ffdirect_agrees_with_model(folder, soap_model, water, options):
    forcefield = (
        f'<ffdirect name="model"><pes>custom</pes><pes_path>{PES}</pes_path>{options}'
        "<parameters>{model: model.sgpr, template: template.xyz}</parameters></ffdirect>"
    )
    with Run(folder, water, beads=4, forcefield=forcefield) as run:
        run.wait()
        run.assert_agrees(soap_model)


@needs_ipi
def test_pes_class_in_the_driver_of_ipi_agrees_with_model(folder, soap_model, water):
    with Run(folder, water) as run:
        while not Path(PREFIX + run.name).exists():
            assert run.process.poll() is None
            time.sleep(0.05)
        options = ["-u", "-a", run.name, "-S", PREFIX, "-m", "custom", "-P", PES]
        driver = subprocess.Popen(
            [find_program("i-pi-driver-py"), *options, "-o", "model.sgpr,template.xyz"],
            cwd=folder,
            env=ENVIRONMENT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        code, errors = finish(driver)
        assert code == 0, errors
        run.wait()
        run.assert_agrees(soap_model)


@needs_ipi
def test_sigterm_ends_the_client_and_not_the_run(folder, soap_model, water):
    script = (
        "import os, signal, sys\n"
        "from ipi_driver import cli, evaluation\n"
        "evaluate, steps = evaluation.Evaluator.evaluate, iter(range(7))\n"
        "def seven_times(*arguments):\n"
        "    if next(steps, None) is None: os.kill(os.getpid(), signal.SIGTERM)\n"
        "    return evaluate(*arguments)\n"
        "evaluation.Evaluator.evaluate = seven_times\n"
        "sys.exit(cli.main())\n"
    )
    with Run(folder, water, steps=20) as run:
        where = ["--unix", run.name, "--prefix", PREFIX]
        first = client(folder, *where, program=("-c", script))
        code, errors = finish(first)
        assert code == 1
        assert errors.endswith("\nsoap-gpr drive: error: stopped by SIGTERM\n")
        assert finish(client(folder, *where))[0] == 0
        run.wait()
        run.assert_agrees(soap_model)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "expected either --unix NAME or --port N"),
        (["--unix", "a", "--port", "3"], "expected either --unix NAME or --port N"),
        (["--unix", "a", "--host", "h"], "--host was given with --unix"),
        (["--unix", ""], "--unix is empty"),
        (["--port", "70000"], "--port is 70000"),
        (["--unix", "a", "--timeout", "-1"], "--timeout is -1"),
        (["--unix", "a", "--timeout", "nan"], "--timeout is nan"),
        (["--unix", "a", "--threads", "0"], "--threads is 0; expected 1 to 1024"),
        (["--unix", "a", "--threads", "1000000"], "--threads is 1000000; expected 1 to 1024"),
    ],
)
def test_wrong_usage_is_code_2(capsys, arguments, sentence):
    assert cli.main(["m.sgpr", "--template", "t.xyz", *arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith("soap-gpr drive: error: ")
    assert sentence in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--unix", "nobody"], 'is i-PI running, with <ffsocket mode="unix">'),
        (["--unix", "stale"], "a leftover to delete"),
        (["--unix", "x" * 200], "AF_UNIX path too long"),
        (["--port", "1"], 'is i-PI running, with <ffsocket mode="inet">'),
        (["--host", "no.such.host.invalid", "--port", "1"], "cannot be resolved"),
    ],
)
def test_server_that_never_starts_is_code_1(folder, monkeypatch, capsys, arguments, sentence):
    monkeypatch.chdir(folder)
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind("ipi_stale")
    options = ["--prefix", "ipi_", "--timeout", "0.1"]
    assert cli.main(["model.sgpr", "--template", "template.xyz", *options, *arguments]) == 1
    error = capsys.readouterr().err
    assert sentence in error
    assert error.count("\n") == 1


def test_endless_timeout_waits_for_the_server(tmp_path):
    prefix = f"{tmp_path}/"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(prefix + "late")
        threading.Timer(0.1, server.listen).start()
        connect_unix("late", prefix, float("inf")).close()


def test_wrong_files_are_code_1(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    assert cli.main(["no.sgpr", "--template", "template.xyz", "--unix", "a"]) == 1
    assert "no.sgpr" in capsys.readouterr().err
    assert cli.main(["model.sgpr", "--template", "no.xyz", "--unix", "a"]) == 1
    assert "no.xyz" in capsys.readouterr().err


def test_pes_path_names_an_existing_file(capsys):
    with pytest.raises(SystemExit) as end:
        cli.main(["--pes-path"])
    assert end.value.code == 0
    assert Path(capsys.readouterr().out.strip()) == PES
    assert PES.exists()
