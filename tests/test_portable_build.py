# SPDX-License-Identifier: BSD-3-Clause
"""A portable build has the core several times, and opens the best one for the processor."""

import ctypes
import shutil
import subprocess
from pathlib import Path

import pytest

CORE = Path(__file__).parents[1] / "potential/core"
CPU_INFO = Path("/proc/cpuinfo")
BUILDS = {  # in the order of preference, with what their code needs
    "-avx512": {"avx", "avx2", "fma", "avx512f", "avx512dq", "avx512vl"},
    "-avx2": {"avx", "avx2", "fma"},
    "": set(),
}
CHOOSER = """
#include <dlfcn.h>
#include "base/cpu.hpp"
static std::string problem;
extern "C" const char *why() { return problem.c_str(); }
extern "C" const char *chosen() {
  void *library = soap_gpr::open_best_build((void *)&chosen, "numbers", problem);
  return library ? ((const char *(*)())dlsym(library, "name"))() : "none";
}
"""

pytestmark = pytest.mark.skipif(
    not CPU_INFO.exists() or shutil.which("c++") is None or not CORE.is_dir(),
    reason="needs Linux, a C++ compiler and the sources",
)


def compile_library(target, source, *options):
    target.with_suffix(".cpp").write_text(source)
    command = ["c++", "-std=c++17", "-shared", "-fPIC", target.with_suffix(".cpp"), *options]
    subprocess.check_call([*command, "-o", target])


@pytest.fixture(scope="module")
def libraries(tmp_path_factory):
    """Folder with the library that chooses, and one for each kind of processor."""
    folder = tmp_path_factory.mktemp("builds")
    sources = [CORE / f"base/cpu_{name}.cpp" for name in ("builds", "check", "required")]
    compile_library(folder / "chooser.so", CHOOSER, f"-I{CORE}", *sources)
    for build in BUILDS:
        name = f'extern "C" const char *name() {{ return "numbers{build}"; }}'
        compile_library(folder / f"numbers{build}.so", name)
    return folder


def chooser_with(libraries, folder, builds):
    """A copy of the library that chooses, with these builds beside it."""
    for name in ["chooser", *(f"numbers{build}" for build in builds)]:
        shutil.copy(libraries / f"{name}.so", folder)
    library = ctypes.CDLL(str(folder / "chooser.so"))
    library.chosen.restype = library.why.restype = ctypes.c_char_p
    return library


def runs_here(build):
    lines = CPU_INFO.read_text().splitlines()
    flags = next((line.split() for line in lines if line.startswith("flags")), [])
    return BUILDS[build] <= set(flags)


@pytest.mark.parametrize("best", range(len(BUILDS)))
def test_best_build_that_is_there_and_runs_is_opened(libraries, tmp_path, best):
    builds = list(BUILDS)[best:]
    expected = next(build for build in builds if runs_here(build))
    library = chooser_with(libraries, tmp_path, builds)
    assert library.chosen().decode() == f"numbers{expected}"


def test_no_build_at_all_is_said(libraries, tmp_path):
    library = chooser_with(libraries, tmp_path, [])
    assert library.chosen() == b"none"
    assert f"{tmp_path}/numbers.so" in library.why().decode()
