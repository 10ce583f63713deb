# SPDX-License-Identifier: BSD-3-Clause
"""soap-gpr gap-variance"""

from __future__ import annotations

import argparse
import sys

from potential.cli.gap_options import add_gap_arguments, atomic_numbers_of
from potential.cli.output_options import add_output

EXAMPLE = """\
examples:
  soap-gpr gap-variance gap.xml structures.xyz -o variance.xyz
  soap-gpr gap-variance gap.xml 'run.xyz@::100' -o variance.xyz --regularisation 0.01

-o has QUIP's local_gap_variance (eV^2) of every atom: how little the sparse points say of its
environment, which is not the error of the fit (docs/gap.md). The table has its square roots.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``soap-gpr gap-variance``."""
    parser.description = "The predictive variance of a GAP potential for every atom, as QUIP's."
    parser.epilog = EXAMPLE
    add_gap_arguments(parser)
    parser.add_argument("data", nargs="+", metavar="DATA", help="structures, file[@slice]")
    add_output(parser, "-o", "--output", required=True, help="extended XYZ to write")
    parser.add_argument(
        "--regularisation",
        type=float,
        default=1e-3,
        metavar="EV",
        help="QUIP's gap_variance_regularisation, default 0.001 eV",
    )


def run(args: argparse.Namespace) -> int:
    """Write the variances and print a table of their square roots by species."""
    from potential.gap.variance import GapVariance, table
    from potential.model.evaluation import naming
    from potential.runtime.output import require_outputs
    from potential.runtime.progress import bar
    from potential.scores.predictions import write_frames
    from potential.structures.read import files_of, read_geometries
    from potential.structures.structure import atoms_from_structure

    require_outputs([args.output], [args.gap, *files_of(args.data)])
    numbers = atomic_numbers_of(args.species)
    literal = args.clusters == "literal"
    variance = GapVariance(args.gap, numbers, args.label, args.regularisation, literal)
    for warning in variance.warnings:
        print(f"soap-gpr: warning: {warning}", file=sys.stderr)
    structures, found, frames = read_geometries(args.data), [], []
    for structure in bar(structures, "variances"):
        with naming(structure):
            found.append(variance.local(structure))
        frame = atoms_from_structure(structure)
        frame.arrays["local_gap_variance"] = found[-1]
        frames.append(frame)
    write_frames(args.output, frames)
    print(table(structures, found))
    print(f"soap-gpr: wrote {args.output}", file=sys.stderr)
    return 0
