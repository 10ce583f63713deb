# SPDX-License-Identifier: BSD-3-Clause
"""soap-gpr benchmark"""

from __future__ import annotations

import argparse
import json
import sys

from potential.cli.numbers import integer, number
from potential.cli.output_options import add_output
from potential.runtime.parallel import MOST_THREADS

EXAMPLE = """\
examples:
  soap-gpr benchmark model.sgpr
  soap-gpr benchmark model.sgpr run.xyz@-1 --atoms 4000 --json speed.json

Without data a made-up structure of the model's species at the density of their crystals is used.
The time grows with the number of neighbours: your own structure tells more. Periodic structures
are repeated until they have --atoms atoms. docs/performance.md says what the phases depend on.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``soap-gpr benchmark``."""
    parser.description = "Measure how fast a model is on this machine, phase by phase."
    parser.epilog = EXAMPLE
    parser.add_argument("model", help="model file (*.sgpr)")
    parser.add_argument("data", nargs="?", help="structure file; its first frame is used")
    parser.add_argument(
        "--atoms",
        type=integer(1, 10_000_000),
        default=1000,
        metavar="N",
        help="at least so many; default 1000",
    )
    parser.add_argument(
        "--threads",
        type=integer(1, MOST_THREADS),
        metavar="N",
        help="default: OMP_NUM_THREADS or all cores",
    )
    parser.add_argument(
        "--seconds",
        type=number(0, 86400),
        default=5.0,
        metavar="T",
        help="time to measure for; default 5",
    )
    add_output(parser, "--json", help="write the figures; - for standard output")


def run(args: argparse.Namespace) -> int:
    """Print times by phase and what to expect; write JSON when asked."""
    from potential.model import Model
    from potential.model.evaluation import naming
    from potential.runtime.output import atomic_file, require_outputs
    from potential.runtime.parallel import thread_count
    from potential.scores.benchmark import (
        benchmark,
        first_structure,
        format_report,
        made_up_structure,
        processor,
    )
    from potential.species import bead_names
    from potential.structures.read import files_of

    to_stdout, data = args.json == "-", [args.data] if args.data else []
    require_outputs([None if to_stdout else args.json], [args.model, *files_of(data)])
    model = Model.load(args.model)
    if args.data:
        structure = first_structure(args.data, args.atoms, bead_names(model.species))
    else:
        structure = made_up_structure(model.species, args.atoms)
    threads = sorted({1, thread_count(args.threads)})
    with naming(structure):
        result = benchmark(model, structure, threads, args.seconds)
    result = {
        "model": args.model,
        "structure": structure.source,
        "processor": processor(),
        **result,
    }
    if args.json:
        text = json.dumps(result, indent=2, ensure_ascii=False) + "\n"
        if to_stdout:
            sys.stdout.write(text)
            return 0
        with atomic_file(args.json) as temporary:
            temporary.write_text(text, encoding="utf-8")
    print(f"{args.model}, {structure.source}\n{format_report(result)}")
    return 0
