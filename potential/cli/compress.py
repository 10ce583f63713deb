# SPDX-License-Identifier: BSD-3-Clause
"""soap-gpr compress"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from potential.cli.numbers import number
from potential.cli.output_options import add_output

EXAMPLE = """\
examples:
  soap-gpr compress model.sgpr train.xyz@::10 -o small.sgpr
  soap-gpr compress model.sgpr 'run*.xyz' --tolerance 1e-3 -o small.sgpr

The structures need no labels; take some like those that the model will see. The result is the
smallest model whose force components all agree with the first within the tolerance, and values of
targets within theirs. It is used like any other, but its weights cannot be fitted again: keep the
first. docs/compression.md has figures.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``soap-gpr compress``."""
    parser.description = "Make a quicker model of the same forces, within a tolerance."
    parser.epilog = EXAMPLE
    parser.add_argument("model", help="model file (*.sgpr)")
    parser.add_argument(
        "data", nargs="+", help="structures: files, globs, slices such as run.xyz@::10"
    )
    add_output(parser, "-o", "--output", required=True, help="the smaller model")
    parser.add_argument(
        "--tolerance",
        type=number(1e-15, 1e6),
        default=1e-5,
        metavar="F",
        help="largest change of a force component in eV/Å; default 1e-5",
    )
    parser.add_argument(
        "--target-tolerance",
        type=number(1e-15, 1e6),
        default=1e-4,
        metavar="S",
        help="largest change of a target over its spread about the means; default 1e-4",
    )


def run(args: argparse.Namespace) -> int:
    """Write the smaller model and print what it has lost."""
    from potential.model import TRIANGLE, Model
    from potential.model.compression import compress
    from potential.runtime.output import require_outputs
    from potential.runtime.printable import printable
    from potential.runtime.progress import bar
    from potential.species import bead_names
    from potential.structures.read import files_of, read_geometries

    require_outputs([args.output], [args.model, *files_of(args.data)])
    model = Model.load(args.model)
    structures = read_geometries(args.data, bead_names(model.species), model.weight_columns)
    limit = args.target_tolerance
    result = compress(model, structures, args.tolerance, bar, target_tolerance=limit)
    result.model.save(args.output)
    for (term, name), (before, after) in result.ranks.items():
        print(f"Term {term + 1}, {name}: {before} features, {after} dimensions")
    print("Multiplications of one atom's kernels: {:.3g}, now {:.3g}".format(*result.costs))
    if TRIANGLE in model.arrays:
        print("The triangle of the regression was left out: it is of no use to the smaller model")
    n_atoms = sum(map(len, structures))
    print(f"On {len(structures)} structures, {n_atoms} atoms, the largest change is")
    if result.deviation:
        own = result.deviation
        print(
            f"  force   {1e3 * own.force:.2g} meV/Å (RMS {1e3 * own.force_rms:.2g})\n"
            f"  energy  {1e3 * own.energy_per_atom:.2g} meV/atom\n"
            f"  virial  {1e3 * own.virial_per_atom:.2g} meV/atom"
        )
    if result.spread:
        spread = result.spread
        print(
            f"  forces' predicted error by the committee {1e3 * spread.largest:.2g} meV/Å "
            f"(RMS {1e3 * spread.rms:.2g}), of {1e3 * spread.predicted_rms:.2g} RMS"
        )
    for target in model.targets:
        change = result.targets[target.name]
        largest = f"{change.largest:.2g} {target.unit}".rstrip()
        share = f"{change.relative:.1g} of its spread about the means"
        print(printable(f"  {target.name}  {largest} (RMS {change.rms:.2g}), {share}"))
        if errors := result.target_spreads.get(target.name):
            largest = f"{errors.largest:.2g} {target.unit}".rstrip()
            text = f"(RMS {errors.rms:.2g}), of {errors.predicted_rms:.2g} RMS"
            print(printable(f"  {target.name}'s predicted error by the committee {largest} {text}"))
    sizes = [Path(path).stat().st_size / 2**20 for path in (args.model, args.output)]
    print(f"soap-gpr: wrote {args.output}, {sizes[1]:.1f} of {sizes[0]:.1f} MiB", file=sys.stderr)
    return 0
