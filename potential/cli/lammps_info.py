# SPDX-License-Identifier: BSD-3-Clause
"""soap-gpr lammps-info"""

from __future__ import annotations

import argparse

EXAMPLE = """\
example:
  soap-gpr lammps-info
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``soap-gpr lammps-info``."""
    parser.description = (
        "Show where the LAMMPS plugin is, what it was built for, and an input that uses it."
    )
    parser.epilog = EXAMPLE


def run(args: argparse.Namespace) -> int:
    """Print the plugin's whereabouts."""
    from potential.lammps_info import lammps_info

    print(lammps_info())
    return 0
