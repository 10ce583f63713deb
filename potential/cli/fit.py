# SPDX-License-Identifier: BSD-3-Clause
"""soap-gpr fit"""

from __future__ import annotations

import argparse
import sys

from potential.errors import SoapGprError

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

examples:
  soap-gpr fit fit.toml --dry-run             # rows, memory and time, before anything long
  soap-gpr fit fit.toml -o model.sgpr
  mpirun -n 4 soap-gpr fit fit.toml -o model.sgpr --checkpoint fit.checkpoint
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``soap-gpr fit``."""
    parser.description = "Train a model from a settings file and write it as one *.sgpr file."
    parser.epilog = EXAMPLE
    parser.add_argument("settings", metavar="fit.toml", help="settings; paths are relative to it")
    parser.add_argument(
        "-o", "--output", default="model.sgpr", metavar="FILE", help="default %(default)s"
    )
    parser.add_argument(
        "--checkpoint",
        metavar="FILE",
        help="keep the state of the fit here, and go on from it when it exists; removed at the end",
    )
    parser.add_argument(
        "--factor",
        metavar="FILE",
        help="keep the triangular factors here; when it exists, fit to other noise, e0 or jitter, "
        "or to more structures, without the rows of the old ones",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="read the data, estimate memory and time, and stop"
    )


def run(args: argparse.Namespace) -> int:
    """Fit, write the model, print the summary; on several MPI ranks only the first does so."""
    from potential.ranks import abort_all, is_first_process

    try:
        return _run(args)
    except SoapGprError:
        if is_first_process():
            raise
        return 1  # the first rank says it
    except Exception as error:
        abort_all(error)
        raise


def _run(args: argparse.Namespace) -> int:
    from potential.estimate import estimate
    from potential.fitting import fit
    from potential.output import require_folder
    from potential.provenance import summary
    from potential.ranks import is_first_process

    require_folder(args.output)
    if args.dry_run:
        text = estimate(args.settings)
        if is_first_process():
            print(text)
        return 0
    result = fit(args.settings, checkpoint=args.checkpoint, factor=args.factor)
    if is_first_process():
        result.model.save(args.output)
        print(summary(result.model))
        print(f"soap-gpr: wrote {args.output}", file=sys.stderr)
    if result.checkpoint:
        result.checkpoint.remove()
    return 0
