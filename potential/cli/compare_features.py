# SPDX-License-Identifier: BSD-3-Clause
"""soap-gpr compare-features"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys

from potential.cli.numbers import integer, number
from potential.cli.output_options import add_output
from potential.schema.limits import MOST_SEED

EXAMPLE = """\
examples:
  soap-gpr compare-features gto.toml laplacian.toml train.xyz
  soap-gpr compare-features fit.toml model.sgpr 'run*.xyz@::10' --centers C O --zeta 2
  soap-gpr compare-features a.toml b.toml train.xyz --terms 1 2 --json errors.json

An error of 0: one set of features knows all of the other; of 1: nothing but its mean. Where A gives
B and B does not give A, A knows more. docs/structures.md says what the errors are and teach.
"""
MODEL = ".sgpr"
NAMES = {"global": "global (GFRE)", "local": "local (LFRE)", "kernel": "kernel"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``soap-gpr compare-features``."""
    parser.description = "How much of the features of one term another one knows, both ways."
    parser.epilog = EXAMPLE
    for name in ("A", "B"):
        parser.add_argument(name, help=f"fit.toml, or a model file (*{MODEL})")
    parser.add_argument(
        "frames", nargs="+", metavar="FRAMES", help="structures: files, globs, run.xyz@::10"
    )
    parser.add_argument(
        "--terms",
        nargs=2,
        type=integer(1, 1000),
        default=(1, 1),
        metavar=("N", "N"),
        help="the terms of A and of B, counted from 1; default 1 1",
    )
    parser.add_argument(
        "--centers", nargs="+", metavar="SPECIES", help="environments of these alone; default all"
    )
    parser.add_argument(
        "--environments",
        type=integer(4, 100_000),
        default=1000,
        metavar="N",
        help="at most so many, half of them to test on; default %(default)s",
    )
    parser.add_argument(
        "--neighbors",
        type=integer(2, 10_000),
        default=20,
        metavar="N",
        help="environments of a local map; default %(default)s",
    )
    parser.add_argument(
        "--zeta", type=number(1, 100), metavar="Z", help="compare kernels of this power as well"
    )
    parser.add_argument(
        "--seed", type=integer(0, MOST_SEED), default=0, metavar="N", help="default 0"
    )
    add_output(parser, "--json", help="write the numbers; - for standard output")


def run(args: argparse.Namespace) -> int:
    """Print the table, write JSON when asked."""
    from potential.descriptors.chosen import descriptor_of
    from potential.runtime.output import atomic_file, require_outputs
    from potential.runtime.text_table import text_table
    from potential.scores.reconstruction import compare_features
    from potential.structures.read import files_of, read_frames

    to_stdout = args.json == "-"
    inputs = [args.A, args.B, *files_of(args.frames)]
    require_outputs([None if to_stdout else args.json], inputs)
    makers = [
        descriptor_of(None, name, term) if name.endswith(MODEL) else descriptor_of(name, None, term)
        for name, term in zip((args.A, args.B), args.terms, strict=True)
    ]
    beads = {name for make in makers for name in make.beads}
    frames = [atoms for atoms, _ in read_frames(args.frames, beads)]
    A, B = (make(frames) for make in makers)
    found = compare_features(
        A,
        B,
        centers=args.centers,
        n_environments=args.environments,
        n_local=args.neighbors,
        zeta=args.zeta,
        seed=args.seed,
    )
    sets = [
        {"file": name, "term": term, "n_features": own.values.shape[1]}
        for name, term, own in zip((args.A, args.B), args.terms, (A, B), strict=True)
    ]
    values = {"A": sets[0], "B": sets[1], **dataclasses.asdict(found)}
    values["errors"] = {
        key: {"B from A": to, "A from B": back} for key, (to, back) in found.errors.items()
    }
    text = json.dumps(values, indent=2, ensure_ascii=False) + "\n"
    if to_stdout:
        sys.stdout.write(text)
        return 0
    for letter, own in zip("AB", sets, strict=True):
        print(f"{letter}: {own['file']}, term {own['term']}, {own['n_features']} features")
    print(f"{found.n_train} environments to learn from, {found.n_test} of others to test on")
    rows = [[NAMES[key], *(f"{e:.3g}" for e in pair)] for key, pair in found.errors.items()]
    print(text_table(["error", "B from A", "A from B"], rows, left=(0,)))
    if args.json:
        with atomic_file(args.json) as temporary:
            temporary.write_text(text, encoding="utf-8")
        print(f"soap-gpr: wrote {args.json}", file=sys.stderr)
    return 0
