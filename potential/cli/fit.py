# SPDX-License-Identifier: BSD-3-Clause
"""soap-gpr fit"""

from __future__ import annotations

import argparse
import sys

EXAMPLE = """\
example fit.toml:
  [data]
  train = ["train.xyz"]            # anything ASE reads; globs and slices "run.xyz@::10" too
  test  = ["test.xyz"]
  [[terms]]
  cutoff = 5.0
  n_sparse = 1000
  [noise]
  energy_per_atom = 0.002          # eV, scaled with sqrt(N); inf leaves a label out
  force = 0.05                     # eV/A
  virial_per_atom = 0.02           # eV, scaled with sqrt(N)

example:
  soap-gpr fit fit.toml -o model.sgpr
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``soap-gpr fit``."""
    parser.description = "Train a model from a settings file and write it as one *.sgpr file."
    parser.epilog = EXAMPLE
    parser.add_argument("settings", metavar="fit.toml", help="settings; paths are relative to it")
    parser.add_argument(
        "-o", "--output", default="model.sgpr", metavar="FILE", help="default %(default)s"
    )


def run(args: argparse.Namespace) -> int:
    """Fit, write the model, print the summary."""
    from potential.fitting import fit
    from potential.output import require_folder
    from potential.provenance import summary

    require_folder(args.output)
    result = fit(args.settings)
    result.model.save(args.output)
    print(summary(result.model))
    print(f"soap-gpr: wrote {args.output}", file=sys.stderr)
    return 0
