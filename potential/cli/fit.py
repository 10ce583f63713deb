# SPDX-License-Identifier: BSD-3-Clause
"""soap-gpr fit"""

from __future__ import annotations

import argparse
import sys

from potential.cli.output_options import add_output, files_read
from potential.errors import SoapGprError

EXAMPLE = """\
example fit.toml:
  [data]
  train = ["train.xyz"]            # anything ASE reads; globs and slices "run.xyz@::10" too
  test  = ["test.xyz"]
  [[terms]]
  cutoff = 5.0
  n_sparse = 1000
  [noise]                          # or, above [data], noise = "auto": the fit finds the levels
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
    add_output(parser, "-o", "--output", default="model.sgpr", help="default %(default)s")
    add_output(
        parser,
        "--checkpoint",
        help="keep the state of the fit here (of [[targets]] in FILE.targets), and go on from it "
        "when it exists; removed at the end",
    )
    add_output(
        parser,
        "--factor",
        help="keep the triangular factors here; when it exists, fit to other noise, e0 or jitter, "
        "other noise, scale or mean of [[targets]], or to more structures, without the rows of the "
        "old ones",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="read the data, estimate memory and time, and stop"
    )


def run(args: argparse.Namespace) -> int:
    """Fit, write the model, print the summary; on several MPI ranks only the first does so."""
    from potential.runtime.ranks import abort_all, is_first_process

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
    from potential.runtime.output import require_outputs
    from potential.runtime.ranks import is_first_process, world
    from potential.settings.file import load_settings
    from potential.training.estimate import estimate
    from potential.training.fitting import fit
    from potential.training.provenance import summary

    settings = load_settings(args.settings)
    require_outputs((args.output, args.checkpoint, args.factor), files_read(settings))
    if args.dry_run:
        text = estimate(settings, args.factor)
        if is_first_process():
            print(text)
        return 0
    result = fit(settings, checkpoint=args.checkpoint, factor=args.factor)
    with world().together():  # no rank removes its checkpoint before the model is safe
        if is_first_process():
            result.model.save(args.output)
    if is_first_process():
        print(summary(result.model))
        print(f"soap-gpr: wrote {args.output}", file=sys.stderr)
    if result.checkpoint:
        result.checkpoint.remove()
    return 0
