# SPDX-License-Identifier: BSD-3-Clause
"""soap-gpr learning-curve"""

from __future__ import annotations

import argparse
import json
import sys

from potential.cli.numbers import integer, number
from potential.cli.output_options import add_output, files_read
from potential.schema.limits import MOST_REPEATS, MOST_SEED

EXAMPLE = """\
examples:
  soap-gpr learning-curve fit.toml -o curve.html --json curve.json
  soap-gpr learning-curve fit.toml --sizes 10,30,100,300 --repeats 10 -o curve.png
  soap-gpr report model.sgpr test.xyz --learning-curve curve.json -o report.html

The errors are those on [data] test, or on a fifth of the training structures when there is none,
of the potential and of every [[targets]].
docs/tuning.md says what is shared between the fits.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``soap-gpr learning-curve``."""
    parser.description = "Errors against the number of training structures, with error bars."
    parser.epilog = EXAMPLE
    parser.add_argument("settings", metavar="fit.toml", help="settings of the fit")
    parser.add_argument(
        "--sizes", type=_sizes, metavar="N,N,...", help="default: powers of 2 and all structures"
    )
    parser.add_argument(
        "--repeats",
        type=integer(1, MOST_REPEATS),
        default=5,
        metavar="N",
        help="random subsets; default 5",
    )
    parser.add_argument(
        "--seed", type=integer(0, MOST_SEED), default=0, metavar="N", help="default 0"
    )
    parser.add_argument(
        "--memory", type=_gib, metavar="GIB", help="room for rows in memory; default 2"
    )
    parser.add_argument(
        "--disk", type=_gib, metavar="GIB", help="room for rows in a temporary file; default 20"
    )
    add_output(parser, "-o", "--output", help="the plot: .html, or an image such as .png, .pdf")
    add_output(parser, "--json", help="write the numbers; - for standard output")


def run(args: argparse.Namespace) -> int:
    """Fit the subsets, print the table, write the plot and the numbers."""
    from potential.reports.learning_curve import format_curve, require_image_name, write_curve
    from potential.runtime.output import atomic_file, require_outputs
    from potential.runtime.progress import bar
    from potential.settings.file import load_settings
    from potential.validation import row_store
    from potential.validation.learning_curve import learning_curve

    to_stdout = args.json == "-"
    if args.output:
        require_image_name(args.output, ("html", "htm"))
    settings = load_settings(args.settings)
    require_outputs((args.output, None if to_stdout else args.json), files_read(settings))
    memory = row_store.MEMORY_BYTES if args.memory is None else args.memory
    disk = row_store.DISK_BYTES if args.disk is None else args.disk
    curve = learning_curve(
        settings,
        args.sizes,
        args.repeats,
        args.seed,
        memory_bytes=memory,
        disk_bytes=disk,
        progress=bar,
    )
    for warning in curve.warnings:
        print(f"soap-gpr: warning: {warning}", file=sys.stderr)
    values = {"settings": args.settings, **curve.to_dict()}
    text = json.dumps(values, indent=2) + "\n"
    if to_stdout:
        sys.stdout.write(text)
    else:
        print(format_curve(values))
    if args.json and not to_stdout:
        with atomic_file(args.json) as temporary:
            temporary.write_text(text)
        print(f"soap-gpr: wrote {args.json}", file=sys.stderr)
    if args.output:
        write_curve(args.output, values, f"Learning curve of {args.settings}")
        print(f"soap-gpr: wrote {args.output}", file=sys.stderr)
    return 0


def _sizes(text: str) -> list[int]:
    return [integer(1, 10**9)(item.strip()) for item in text.split(",")]


def _gib(text: str) -> int:
    return int(number(0, 1e6)(text) * 2**30)
