# SPDX-License-Identifier: BSD-3-Clause
"""soap-gpr evaluate"""

from __future__ import annotations

import argparse
import json
import sys

from potential.cli.label_options import add_data_arguments, read_for_model
from potential.cli.output_options import add_output

EXAMPLE = """\
examples:
  soap-gpr evaluate model.sgpr test.xyz
  soap-gpr evaluate model.sgpr 'run*.xyz@::10' -o predicted.xyz --json errors.json

-o writes the predictions as energy, forces and stress; labels of the input, if any, are kept as
reference_energy, reference_forces and reference_virial. Targets of the model are written under
their names, their labels as reference_NAME. --json gives eV and A, and targets in their own units.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``soap-gpr evaluate``."""
    parser.description = "Compare a model with labelled structures, or predict unlabelled ones."
    parser.epilog = EXAMPLE
    add_data_arguments(parser)
    add_output(parser, "-o", "--output", help="write predictions, extended XYZ")
    add_output(parser, "--json", help="write the errors; - for standard output")


def run(args: argparse.Namespace) -> int:
    """Print the error table; write predictions and JSON when asked."""
    from potential.model import Model
    from potential.model.evaluation import evaluate_structures
    from potential.runtime.output import atomic_file, require_outputs
    from potential.runtime.progress import bar
    from potential.scores import metrics, properties
    from potential.scores.predictions import write_predictions
    from potential.structures.read import files_of

    to_stdout = args.json == "-"
    written = (args.output, None if to_stdout else args.json)
    require_outputs(written, (args.model, *files_of(args.data)))
    model = Model.load(args.model)
    structures = read_for_model(args, model, require_labels=args.output is None).structures
    predictions = evaluate_structures(model, structures, bar)
    errors = metrics.errors(structures, predictions)
    of_targets = properties.property_errors(model.targets, structures, predictions)
    if args.output:
        write_predictions(args.output, structures, predictions, model.targets)
        print(f"soap-gpr: wrote {args.output}", file=sys.stderr)
    if args.json:
        content = {"model": args.model, "data": args.data, **metrics.to_json(errors)}
        if model.targets:
            content["target_units"] = {target.name: target.unit for target in model.targets}
            content["target_errors"] = metrics.plain(of_targets)
        text = json.dumps(content, indent=2) + "\n"
        if to_stdout:
            sys.stdout.write(text)
        else:
            with atomic_file(args.json) as temporary:
                temporary.write_text(text)
    if errors[metrics.ALL] and not to_stdout:
        print(metrics.format_table(errors))
    if of_targets and not to_stdout:
        print(properties.format_properties(model.targets, of_targets))
    return 0
