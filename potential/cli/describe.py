# SPDX-License-Identifier: BSD-3-Clause
"""soap-gpr describe"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys

from potential.cli.label_options import KEYS
from potential.cli.numbers import number
from potential.cli.output_options import add_output
from potential.cli.term_options import (
    add_kernel_options,
    add_term_arguments,
    read_catalogues,
    read_kernel,
    read_term,
    record_of,
)

EXAMPLE = """\
examples:
  soap-gpr describe train.xyz --model model.sgpr -o features.npz
  soap-gpr describe train.xyz --settings fit.toml --per structure --pooling sum -o features.h5
  soap-gpr describe train.xyz --model model.sgpr --to test.xyz --distances -o distances.npz
  soap-gpr describe train.xyz --to test.xyz --model model.sgpr --duplicates --plot found.png

Without --kernel, --distances or --duplicates: features, one row for each atom. Files are .npz, .h5
or .xyz by the ending. --duplicates prints near-duplicates and outliers among all structures, those
of --to included. docs/describe.md has the rest.
"""
FEATURES, DUPLICATES = "features", "duplicates"
KERNEL, DISTANCES = "kernel", "distances"
_OF_KERNEL = {"to", "zeta", "pooling", "gamma", "normalize", "shared", "centers"}
# What each of them takes; any other option is an error.
OPTIONS = {
    FEATURES: {"output", "per", "pooling", "centers"},
    KERNEL: {"output", "per", *_OF_KERNEL},
    DISTANCES: {"output", "per", *_OF_KERNEL},
    DUPLICATES: {"json", "plot", "threshold", "outlier", "seed", "energy_unit", *KEYS, *_OF_KERNEL},
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``soap-gpr describe``."""
    parser.description = "Features of atoms or structures, their distances, and duplicates."
    parser.epilog = EXAMPLE
    add_term_arguments(parser)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--kernel", action="store_true", help="kernels of all pairs of structures")
    what.add_argument("--distances", action="store_true", help="the distances that kernels make")
    what.add_argument("--duplicates", action="store_true", help="near-duplicates and outliers")
    parser.add_argument("--to", nargs="+", metavar="FRAMES", help="a second set: columns")
    add_kernel_options(parser)
    parser.add_argument(
        "--threshold",
        type=number(0, 1e6),
        metavar="D",
        help="largest distance of duplicates; default a ten-thousandth of the median",
    )
    parser.add_argument(
        "--outlier",
        type=number(0, 1e6),
        metavar="X",
        help="outliers are so many interquartile ranges above the upper quartile; default 3",
    )
    add_output(parser, "-o", "--output", help="features, kernels or distances: .npz, .h5, .xyz")
    add_output(parser, "--json", help="write all duplicates and outliers; - for standard output")
    add_output(parser, "--plot", help="write a plot of them, PNG")


def run(args: argparse.Namespace) -> int:
    """Write features, kernels or distances, or look for duplicates."""
    from potential.errors import SoapGprError
    from potential.maps.arrays import HDF5, NPZ, PNG, XYZ, require_format
    from potential.runtime.output import require_outputs
    from potential.structures.read import files_of

    mode = next((m for m in (KERNEL, DISTANCES, DUPLICATES) if getattr(args, m)), FEATURES)
    _require_options(args, mode)
    if mode != DUPLICATES and args.output is None:
        raise SoapGprError("expected -o with a file for the numbers, or --duplicates")
    outputs = [args.output, None if args.json == "-" else args.json, args.plot]
    read = [args.settings, args.model, *files_of([*args.data, *(args.to or ())])]
    require_outputs(outputs, read)
    if args.plot:
        require_format(args.plot, PNG)
    if args.output:
        require_format(args.output, NPZ, HDF5, *([XYZ] if mode == FEATURES else []))
    return {FEATURES: _features, DUPLICATES: _duplicates}.get(mode, _pairs)(args)


def _require_options(args: argparse.Namespace, mode: str) -> None:
    """Raise SoapGprError for an option that would do nothing."""
    from potential.errors import SoapGprError

    for name in sorted(set.union(*OPTIONS.values()) - OPTIONS[mode]):
        if getattr(args, name) not in (None, False):
            modes = [
                own if own == FEATURES else f"--{own}" for own in OPTIONS if name in OPTIONS[own]
            ]
            found = mode if mode == FEATURES else f"--{mode}"
            raise SoapGprError(
                f"--{name.replace('_', '-')}: found with {found}, expected it with "
                + " or ".join(modes)
            )


def _features(args: argparse.Namespace) -> int:
    from potential.descriptors.features import POOLINGS, require_pooling
    from potential.errors import SoapGprError
    from potential.maps.arrays import XYZ, write_table, write_xyz
    from potential.maps.tables import feature_blocks, feature_table
    from potential.runtime.progress import bar

    per_atom = args.per != "structure"
    if per_atom and args.pooling:
        raise SoapGprError("--pooling: found with rows of atoms, expected --per structure")
    pooling = None if per_atom else args.pooling or POOLINGS[0]
    require_pooling(pooling, (*POOLINGS, None))
    as_xyz = args.output.lower().endswith(XYZ)
    if as_xyz and per_atom and args.centers:
        raise SoapGprError("--centers: found with a column of all atoms, expected .npz or .h5")
    descriptor = read_term(args)
    (catalogue,) = read_catalogues(args, descriptor, per_atom, labels=False)
    term = descriptor.term_for(catalogue.structures)
    record = record_of(args, term) | ({"pooling": pooling} if pooling else {})
    if as_xyz:
        blocks = feature_blocks(term, catalogue, pooling, bar)
        names = term.column_names()
        write_xyz(args.output, catalogue, blocks, names, record)
    else:
        write_table(args.output, feature_table(term, catalogue, pooling, record, bar))
    what = "atoms" if per_atom else "structures"
    print(f"{len(catalogue)} {what}, {term.n_features} features")
    print(f"soap-gpr: wrote {args.output}", file=sys.stderr)
    return 0


def _pairs(args: argparse.Namespace) -> int:
    from potential.maps.arrays import write_table
    from potential.maps.tables import pair_table
    from potential.runtime.progress import bar

    per_atom = args.per == "atom"
    descriptor = read_term(args)
    rows, *others = read_catalogues(args, descriptor, per_atom, labels=False)
    term = descriptor.term_for([s for own in (rows, *others) for s in own.structures])
    kernel = read_kernel(args, term, per_atom)
    what, columns = KERNEL if args.kernel else DISTANCES, others[0] if others else None
    table = pair_table(what, term, kernel, rows, columns, record_of(args, term), bar)
    write_table(args.output, table)
    print(
        f"{what} of {table.shape[0]} and {table.shape[1]} {'atoms' if per_atom else 'structures'}"
    )
    print(f"soap-gpr: wrote {args.output}", file=sys.stderr)
    return 0


def _duplicates(args: argparse.Namespace) -> int:
    import numpy as np

    from potential.maps.catalogue import joined
    from potential.maps.duplicates import Findings
    from potential.maps.nearest import OUTLIER, survey
    from potential.maps.picture import save, survey_figure
    from potential.maps.points import points_of
    from potential.maps.properties import energies_of, file_of
    from potential.runtime.output import atomic_file
    from potential.runtime.progress import bar

    descriptor = read_term(args)
    catalogue, *others = read_catalogues(args, descriptor, False, labels=True)
    groups = [file_of(s) for s in catalogue.structures]
    if others:
        groups = ["FRAMES"] * len(catalogue) + ["--to"] * len(others[0])
        catalogue = joined(catalogue, others[0])
    term = descriptor.term_for(catalogue.structures)
    kernel = read_kernel(args, term, False)
    points = points_of(term, catalogue.structures, kernel, catalogue.chosen, bar)
    factor = OUTLIER if args.outlier is None else args.outlier
    found = survey(points, args.threshold, factor, seed=args.seed or 0, progress=bar)
    findings = Findings(found, catalogue, np.array(groups), energies_of(catalogue))
    if args.json != "-":
        print(findings.text())
    if args.json:
        values = findings.to_json(record_of(args, term) | {"kernel": dataclasses.asdict(kernel)})
        text = json.dumps(values, indent=2, ensure_ascii=False) + "\n"
        if args.json == "-":
            sys.stdout.write(text)
        else:
            with atomic_file(args.json) as temporary:
                temporary.write_text(text, encoding="utf-8")
            print(f"soap-gpr: wrote {args.json}", file=sys.stderr)
    if args.plot:
        save(args.plot, survey_figure(found, findings.energies, findings.groups))
        print(f"soap-gpr: wrote {args.plot}", file=sys.stderr)
    return 0
