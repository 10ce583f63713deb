# SPDX-License-Identifier: BSD-3-Clause
"""soap-gpr select"""

from __future__ import annotations

import argparse
import json
import sys

from potential.cli.numbers import integer, number
from potential.cli.output_options import add_output

EXAMPLE = """\
examples:
  soap-gpr select model.sgpr pool.xyz -n 50 --train train.xyz -o selected.xyz
  soap-gpr select model.sgpr 'md_*.xyz@::10' -n 20 --by variance --train train.xyz --json found.json

The most uncertain structures, and of these the most different from each other and from those of
--train. -o keeps all that the frames have and adds energy_uncertainty, energies_uncertainty,
forces_uncertainty or rigidities and grades, in eV and A, and where each is from.
docs/active_learning.md has the rest.
"""
MOST = 1_000_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``soap-gpr select``."""
    from potential.active_learning.selection import FRACTION
    from potential.uncertainty.of_structures import MEASURES

    parser.description = "Choose structures to label: where the model is uncertain, and all unlike."
    parser.epilog = EXAMPLE
    parser.add_argument("model", help="model file (*.sgpr) of a fit with [uncertainty]")
    parser.add_argument(
        "pool", nargs="+", metavar="POOL", help="structures: files, globs, slices run.xyz@::10"
    )
    parser.add_argument(
        "-n", type=integer(1, MOST), required=True, metavar="N", help="how many at most"
    )
    parser.add_argument(
        "--by", choices=MEASURES, help="default: what the model has, a committee first"
    )
    parser.add_argument(
        "--train",
        nargs="+",
        default=[],
        metavar="FRAMES",
        help="what the model was trained on: nothing near it is chosen",
    )
    parser.add_argument(
        "--fraction",
        type=number(0, 1),
        default=FRACTION,
        metavar="F",
        help="the choice is made among the most uncertain part of the pool, at least 2 N "
        "structures; default %(default)s",
    )
    parser.add_argument(
        "--threshold",
        type=number(0, 1e6),
        metavar="D",
        help="largest distance of near-duplicates; default a ten-thousandth of the median",
    )
    add_output(parser, "-o", "--output", help="write the structures, extended XYZ")
    add_output(parser, "--json", help="write all that the table shows; - for standard output")


def run(args: argparse.Namespace) -> int:
    """Print the table; write structures and JSON when asked."""
    from potential.runtime.output import atomic_file, require_outputs
    from potential.scores.predictions import write_frames
    from potential.structures.read import files_of

    outputs = [args.output, None if args.json == "-" else args.json]
    require_outputs(outputs, [args.model, *files_of([*args.pool, *args.train])])
    found, warnings = _select(args)
    for line in warnings:
        print(f"soap-gpr: warning: {line}", file=sys.stderr)
    if args.output:
        write_frames(args.output, found.chosen_frames())
        print(f"soap-gpr: wrote {args.output}", file=sys.stderr)
    if args.json:
        values = {"model": args.model, "train": args.train, **found.to_json()}
        text = json.dumps(values, indent=2, ensure_ascii=False) + "\n"
        if args.json == "-":
            sys.stdout.write(text)
            return 0
        with atomic_file(args.json) as temporary:
            temporary.write_text(text, encoding="utf-8")
        print(f"soap-gpr: wrote {args.json}", file=sys.stderr)
    print(found.text())
    return 0


def _select(args: argparse.Namespace):
    """The selection, and what there is to say of it."""
    from potential.active_learning.selected import Selected
    from potential.active_learning.selection import features_of, select_structures
    from potential.model import Model
    from potential.runtime.progress import bar
    from potential.species import bead_names
    from potential.structures.read import geometries, read_frames, read_geometries
    from potential.uncertainty.of_structures import measure_of, structure_uncertainties

    model = Model.load(args.model)
    by = measure_of(model, args.model, args.by)
    beads = bead_names(model.species)
    found = read_frames(args.pool, beads)
    structures = geometries(found)
    train = read_geometries(args.train, beads)
    measured = structure_uncertainties(model, structures, by, bar)
    selection = select_structures(
        features_of(model, args.model),
        structures,
        [own.score for own in measured],
        args.n,
        train=train,
        fraction=args.fraction,
        threshold=args.threshold,
        progress=bar,
    )
    warnings = [] if train else ["nothing was compared with the training set: --train names it"]
    if len(selection.chosen) < args.n:
        warnings.append(
            f"{len(selection.chosen)} structures were found for -n {args.n}: of the "
            f"{len(selection.candidates)} most uncertain of {len(structures)}, all others are "
            "near-duplicates"
        )
    frames = [atoms for atoms, _ in found]
    return Selected(by, frames, structures, measured, selection), warnings
