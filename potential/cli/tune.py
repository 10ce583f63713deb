# SPDX-License-Identifier: BSD-3-Clause
"""soap-gpr tune"""

from __future__ import annotations

import argparse
import json
import sys

from potential.cli.output_options import add_output, files_read

BEST, FRONT = "best.toml", "front"
EXAMPLE = """\
example, in fit.toml:
  [tune]
  folds = 5                          # cross-validation
  trials = 30
  [tune.search]                      # any keys of fit.toml, tables of [[terms]] by number
  "terms.0.cutoff" = {low = 4.0, high = 7.0}
  "terms.0.zeta" = [2, 3, 4]
  "noise.force" = {low = 0.01, high = 0.2, log = true}
  "targets.0.noise" = {low = 0.1, high = 10.0, log = true}  # of [[targets]]

example:
  soap-gpr tune fit.toml -o best.toml --json tune.json --report tune.html
  soap-gpr fit best.toml

With objective = ["force", "cost"] in [tune], errors and the time that a model takes are made small
together: the models of the smallest error for each cost are the front, and each has its fit.toml:
  soap-gpr tune fit.toml -o front --report tune.html
  soap-gpr fit front/03.toml

Ctrl-C ends the search; what was found so far is written. docs/tuning.md has all keys of [tune].
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``soap-gpr tune``."""
    parser.description = "Search for the settings of the smallest cross-validation error."
    parser.epilog = EXAMPLE
    parser.add_argument("settings", metavar="fit.toml", help="settings with a table [tune]")
    add_output(
        parser,
        "-o",
        "--output",
        help=f"the settings of the best trial, default {BEST}; of several objectives a new or "
        f"empty folder for those of the front, 01.toml and so on, default {FRONT}",
    )
    add_output(parser, "--json", help="all trials, written after each of them")
    add_output(parser, "--report", help="one HTML page: plots and all trials")


def run(args: argparse.Namespace) -> int:
    """Search, print the table, write the best settings and the results."""
    from pathlib import Path

    from potential.cli import INTERRUPTED
    from potential.errors import SoapGprError
    from potential.reports.front import write_front
    from potential.reports.trials import outcome
    from potential.reports.tuning import format_tuning, write_best, write_page
    from potential.runtime.output import atomic_file, require_outputs
    from potential.runtime.progress import bar
    from potential.settings.file import read_toml
    from potential.validation.search_space import parse_tune
    from potential.validation.tuning import Tuning, tune

    settings = parse_tune(read_toml(Path(args.settings)), args.settings)
    several = len(settings.objectives) > 1
    output = args.output or (FRONT if several else BEST)
    files, read = (args.json, args.report), files_read(settings.start)
    if several:
        require_outputs(files, read, folder=output)
    else:
        require_outputs((output, *files), read)

    def write_json(path: str, tuning: Tuning) -> None:
        with atomic_file(path) as temporary:
            temporary.write_text(json.dumps(tuning.to_dict(), indent=2) + "\n")

    def after_trial(tuning: Tuning) -> None:
        if args.json:
            write_json(args.json, tuning)
        print(outcome(tuning), file=sys.stderr)

    tuning = tune(settings, progress=bar, after_trial=after_trial)
    for warning in tuning.warnings:
        print(f"soap-gpr: warning: {warning}", file=sys.stderr)
    if tuning.best is None:
        if tuning.interrupted:
            raise KeyboardInterrupt
        raise SoapGprError(f"no trial could be evaluated; the first: {tuning.trials[0].error}")
    print(format_tuning(tuning))
    for path, write in (
        (output, write_front if several else write_best),
        (args.json, write_json),
        (args.report, write_page),
    ):
        if path:
            write(path, tuning)
            print(f"soap-gpr: wrote {path}", file=sys.stderr)
    if tuning.interrupted:
        print("soap-gpr: interrupted; these are the results so far", file=sys.stderr)
        return INTERRUPTED
    return 0
