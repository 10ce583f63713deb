# SPDX-License-Identifier: BSD-3-Clause
"""soap-gpr import-gap"""

from __future__ import annotations

import argparse
import sys

from potential.cli.gap_options import add_gap_arguments, atomic_numbers_of
from potential.cli.output_options import add_output

EXAMPLE = """\
examples:
  soap-gpr import-gap gp_iter6_sparse9k.xml -o silicon.sgpr
  soap-gpr import-gap gap.xml --species Mo -o mo.sgpr
  soap-gpr import-gap gap.xml -o model.sgpr --check structures.xyz@::10
  soap-gpr import-gap gap.xml -o model.sgpr --clusters literal

Files of sparse points are looked for beside the XML file. The model gives the energies, forces and
virials of QUIP, in LAMMPS, i-PI and ASE. docs/gap.md says what can be imported.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``soap-gpr import-gap``."""
    parser.description = "Make a model of a GAP potential written by gap_fit."
    parser.epilog = EXAMPLE
    add_gap_arguments(parser)
    add_output(parser, "-o", "--output", required=True, help="the model")
    parser.add_argument(
        "--check",
        metavar="DATA",
        help="structures on which to compare the model with QUIP, which needs quippy-ase",
    )


def run(args: argparse.Namespace) -> int:
    """Write the model and say what is in it."""
    from potential.gap.importing import describe, import_gap
    from potential.runtime.output import require_outputs
    from potential.runtime.progress import bar
    from potential.structures.read import files_of, read_geometries

    checked = [args.check] if args.check else []
    require_outputs([args.output], [args.gap, *files_of(checked)])
    structures = read_geometries(checked)
    model, warnings = import_gap(
        args.gap, atomic_numbers_of(args.species), args.label, args.clusters == "literal", bar
    )
    model.save(args.output)
    for warning in warnings:
        print(f"soap-gpr: warning: {warning}", file=sys.stderr)
    print("\n".join(describe(model)))
    print(f"soap-gpr: wrote {args.output}", file=sys.stderr)
    if args.check:
        _compare(model, structures, args)
    return 0


def _compare(model, structures, args: argparse.Namespace) -> None:
    from potential.gap.check import compare
    from potential.runtime.progress import bar

    found = compare(model, args.gap, structures, args.label, bar)
    print(
        f"Against QUIP on {len(structures)} structures, {sum(map(len, structures))} atoms, the "
        "largest difference is\n"
        f"  energy  {found.energy_per_atom:.2g} eV/atom\n"
        f"  force   {found.force:.2g} eV/Å (RMS {found.force_rms:.2g})\n"
        f"  virial  {found.virial_per_atom:.2g} eV/atom"
    )
