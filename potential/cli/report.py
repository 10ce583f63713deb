# SPDX-License-Identifier: BSD-3-Clause
"""soap-gpr report"""

from __future__ import annotations

import argparse
import sys

from potential.cli.label_options import add_data_arguments, read_for_model
from potential.cli.output_options import add_output

EXAMPLE = """\
examples:
  soap-gpr report model.sgpr test.xyz -o report.html
  soap-gpr report model.sgpr test.xyz --learning-curve curve.json

The page needs no other file and no network.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``soap-gpr report``."""
    parser.description = "Write one HTML page: parity plots, error histograms, error tables."
    parser.epilog = EXAMPLE
    add_data_arguments(parser)
    add_output(parser, "-o", "--output", default="report.html", help="default %(default)s")
    parser.add_argument(
        "--learning-curve", metavar="JSON", help="show what soap-gpr learning-curve --json wrote"
    )


def run(args: argparse.Namespace) -> int:
    """Evaluate the data and write the page."""
    from potential.model import Model
    from potential.model.evaluation import evaluate_structures
    from potential.reports.learning_curve import read_curve
    from potential.reports.report import write_report
    from potential.runtime.output import require_outputs
    from potential.runtime.progress import bar
    from potential.structures.read import files_of

    require_outputs([args.output], [args.model, args.learning_curve, *files_of(args.data)])
    curve = read_curve(args.learning_curve) if args.learning_curve else None
    model = Model.load(args.model)
    structures = read_for_model(args, model, require_labels=True).structures
    predictions = evaluate_structures(model, structures, bar)
    write_report(args.output, model, structures, predictions, args.model, curve)
    print(f"soap-gpr: wrote {args.output}", file=sys.stderr)
    return 0
