# SPDX-License-Identifier: BSD-3-Clause
"""soap-gpr learn"""

from __future__ import annotations

import argparse
import sys

EXAMPLE = """\
example loop.toml:
  [loop]
  fit = "fit.toml"                  # with [uncertainty]; its [data] train begins the loop
  generations = 5
  [[samplers]]
  kind = "lammps"
  input = "nvt.in"                  # with ${model}, ${data} and ${output}
  structures = ["start.xyz"]
  species = ["O", "H"]
  temperature = [300, 400]
  runs = 2
  [select]
  n = 20
  [label]
  kind = "calculator"
  calculator = "tblite.ase:TBLite"
  arguments = {method = "GFN2-xTB"}

examples:
  soap-gpr learn loop.toml --dry-run
  soap-gpr learn loop.toml

Ended at any point, the same command goes on. docs/active_learning.md has all settings.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``soap-gpr learn``."""
    parser.description = (
        "Sample with a model, select what it does not know, label that, fit again, and repeat."
    )
    parser.epilog = EXAMPLE
    parser.add_argument("settings", metavar="loop.toml", help="settings; paths are relative to it")
    parser.add_argument(
        "--dry-run", action="store_true", help="check the settings and all they name, and stop"
    )


def run(args: argparse.Namespace) -> int:
    """Run the loop until it stops, with a line for each step."""
    from potential.active_learning.loop import learn
    from potential.active_learning.plan import plan_of
    from potential.active_learning.settings import load_loop
    from potential.runtime.progress import bar, say

    settings = load_loop(args.settings)
    plan = plan_of(settings)
    for line in plan.warnings:
        print(f"soap-gpr: warning: {line}", file=sys.stderr)
    if args.dry_run:
        print(plan.text())
        return 0
    why = learn(plan, say=say, progress=bar)
    say(f"stopped: {why}")
    print(f"soap-gpr: wrote {plan.folder / 'report.html'}", file=sys.stderr)
    return 0
