# SPDX-License-Identifier: BSD-3-Clause
"""The C++ library alone: built without Python, installed, found by CMake, used by the example."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from models import process_model, random_model

ROOT = Path(__file__).parents[1]

pytestmark = pytest.mark.skipif(not shutil.which("cmake"), reason="needs CMake")


def cmake(*words, cwd=None):
    done = subprocess.run(
        ["cmake", *map(str, words)], cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert done.returncode == 0, done.stdout.decode()


def build(source, folder, *definitions):
    cmake("-S", source, "-B", folder, "-DCMAKE_BUILD_TYPE=Release", *definitions)
    cmake("--build", folder, "--parallel", 2)


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("core")
    build(
        ROOT,
        folder / "build",
        "-DSOAP_GPR_BUILD_LAMMPS=OFF",
        f"-DPython_EXECUTABLE={sys.executable}",
        f"-DCMAKE_INSTALL_PREFIX={folder / 'prefix'}",
    )
    cmake("--install", folder / "build")
    return folder / "prefix"


@pytest.fixture(scope="module")
def dimer(installed, tmp_path_factory):
    folder = tmp_path_factory.mktemp("dimer")
    build(ROOT / "examples/cpp", folder, f"-DCMAKE_PREFIX_PATH={installed}")
    return folder / "dimer"


def test_only_the_public_headers_and_no_python_are_installed(installed):
    files = {path.name for path in installed.rglob("*") if path.is_file()}
    assert {name for name in files if name.endswith(".hpp")} == {"scatter.hpp", "soap_gpr.hpp"}
    assert not [name for name in files if name.endswith((".so", ".py"))]


@pytest.mark.parametrize("make", [random_model, lambda: process_model(shared=True)])
def test_example_says_what_python_says(dimer, tmp_path, make):
    model = make()
    model.save(tmp_path / "model.sgpr")
    done = subprocess.run(
        [dimer, tmp_path / "model.sgpr", "8", "1", "1.1"],
        capture_output=True,
        text=True,
        check=True,
    )
    energy, *forces = done.stdout.splitlines()
    expected = model.evaluate([8, 1], [[0.0, 0.0, 0.0], [0.0, 0.0, 1.1]])
    assert float(energy) == pytest.approx(expected.energy, rel=1e-12)
    found = [line.split() for line in forces]
    np.testing.assert_allclose(np.array(found, float), expected.forces, rtol=1e-10, atol=1e-12)


def test_outputs_that_are_null_are_left_out(installed, tmp_path):
    build(ROOT / "tests/cpp", tmp_path, f"-DCMAKE_PREFIX_PATH={installed}")
    random_model().save(tmp_path / "model.sgpr")
    done = subprocess.run([tmp_path / "outputs", tmp_path / "model.sgpr"], stdout=subprocess.PIPE)
    assert done.returncode == 0, done.stdout


def test_example_ends_with_one_sentence(dimer, tmp_path):
    (tmp_path / "bad.sgpr").write_text("no model")
    for words, message in [
        (["bad.sgpr", "8", "1", "1.1"], "dimer: bad.sgpr: "),
        (["lacking.sgpr", "8", "1", "1.1"], "dimer: lacking.sgpr: cannot be read"),
    ]:
        done = subprocess.run([dimer, *words], cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 1
        assert done.stderr.startswith(message) and done.stderr.count("\n") == 1


def test_another_minor_version_is_not_taken(installed, tmp_path):
    (tmp_path / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.22)\nproject(other LANGUAGES CXX)\n"
        "find_package(soap_gpr 99.0 REQUIRED)\n"
    )
    done = subprocess.run(
        ["cmake", "-B", "build", f"-DCMAKE_PREFIX_PATH={installed}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode != 0 and "99.0" in done.stderr
