# SPDX-License-Identifier: BSD-3-Clause
"""soap-gpr export-potentials"""

from __future__ import annotations

import argparse
import sys

from potential.cli.numbers import integer, number

EXAMPLE = """\
examples:
  soap-gpr export-potentials model.sgpr -o potentials
  soap-gpr export-potentials model.sgpr -o potentials --from 1.2 --points 5000

Only models of zeta = 1 and normalize = false with radial spectra or power spectra, and of pair and
triplet terms, are sums of pair and three-body potentials: docs/representations/body_orders.md.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``soap-gpr export-potentials``."""
    parser.description = "Write the pair and three-body potentials that a model is, as tables."
    parser.epilog = EXAMPLE
    parser.add_argument("model", help="model file (*.sgpr)")
    parser.add_argument(
        "-o",
        "--output",
        required=True,
        metavar="FOLDER",
        help="made if it is not there: pairs.table for LAMMPS' pair_style table, and "
        "triplets_A-B-C.txt with lines r, r', omega, V",
    )
    parser.add_argument(
        "--from",
        dest="first",
        type=number(1e-3, 1e3),
        default=0.5,
        metavar="R",
        help="first distance in Å; default %(default)s",
    )
    parser.add_argument(
        "--points",
        type=integer(4, 10**6),
        default=2000,
        metavar="N",
        help="distances of a pair; default %(default)s",
    )
    parser.add_argument(
        "--grid",
        type=integer(2, 400),
        default=25,
        metavar="N",
        help="values of r, r' and omega of a triplet; default %(default)s",
    )


def run(args: argparse.Namespace) -> int:
    """Write the tables and say how LAMMPS takes those of pairs."""
    from potential.model import Model
    from potential.model.body_potentials import body_order
    from potential.reports.body_potentials import PAIRS, export_potentials, section

    model = Model.load(args.model)
    paths = export_potentials(model, args.output, args.first, args.points, args.grid)
    if body_order(model) == 2:
        print(f"pair_style table spline {args.points}")
        for b in range(len(model.species)):
            for a in range(b + 1):
                print(f"pair_coeff {a + 1} {b + 1} {PAIRS} {section(model, a, b)}")
    for path in paths:
        print(f"soap-gpr: wrote {path}", file=sys.stderr)
    return 0
