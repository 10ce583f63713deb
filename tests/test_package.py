# SPDX-License-Identifier: BSD-3-Clause
"""What ``import potential`` gives, and what it does not load."""

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import potential


def test_all_names_are_there_and_listed():
    assert set(potential.__all__) <= set(dir(potential))
    for name in potential.__all__:
        assert getattr(potential, name) is not None
        assert name in potential.__doc__


def test_version_is_that_of_the_package():
    from importlib.metadata import version

    assert potential.__version__ == version("soap-gpr")


def test_other_names_are_not_there():
    with pytest.raises(AttributeError, match="module 'potential' has no attribute 'Modell'"):
        potential.Modell  # noqa: B018


def test_types_are_announced_of_all_names():
    assert (Path(potential.__file__).parent / "py.typed").is_file()
    tree = ast.parse(Path(potential.__file__).read_text())
    (typed,) = [node for node in tree.body if isinstance(node, ast.If)]
    lines = [node for node in typed.body if isinstance(node, ast.ImportFrom)]
    named = {alias.name: line.module for line in lines for alias in line.names}
    assert set(named) == set(potential.__all__) - {"__version__"}
    for name, module in named.items():
        assert getattr(import_module(module), name) is getattr(potential, name)


@pytest.mark.parametrize(
    ("code", "absent"),
    [
        ("import potential; dir(potential)", "numpy"),
        ("import potential; potential.SoapDescriptor; potential.structure_kernel", "sklearn"),
        ("import potential; potential.farthest_points", "ase"),
    ],
)
def test_nothing_is_loaded_before_it_is_needed(code, absent):
    check = f"{code}; import sys; sys.exit({absent!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-P", "-c", check]).returncode == 0
