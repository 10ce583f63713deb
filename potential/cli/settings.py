# SPDX-License-Identifier: BSD-3-Clause
"""soap-gpr settings"""

from __future__ import annotations

import argparse
import sys

from potential.cli.label_options import add_key_options, label_keys
from potential.cli.output_options import add_output, files_read
from potential.settings.presets import BALANCED, PRESETS

EXAMPLE = """\
examples:
  soap-gpr settings train.xyz
  soap-gpr settings train.xyz --test test.xyz --preset accurate -o fit.toml

A preset is ordinary settings: any of them can be changed in the file that is written. A fit.toml
without [[terms]] has those of the preset that it names, or of "balanced". docs/presets.md says
what each of them is for, and how they were chosen.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``soap-gpr settings``."""
    parser.description = "Write the fit.toml of a preset for training data."
    parser.epilog = EXAMPLE
    parser.add_argument("data", nargs="+", metavar="FRAMES", help="training data: files, globs")
    parser.add_argument("--test", nargs="+", default=[], metavar="FRAMES", help="test data")
    parser.add_argument("--preset", choices=PRESETS, default=BALANCED, help=f"default: {BALANCED}")
    add_key_options(parser)
    add_output(parser, "-o", "--output", help="default: the terminal")


def run(args: argparse.Namespace) -> int:
    """Read the data, and write the settings; doubts to standard error."""
    from pathlib import Path

    from potential.reports.fit_toml import settings_text, write_settings
    from potential.runtime.output import require_outputs
    from potential.settings.file import parse_settings
    from potential.settings.presets import DataTraits, preset_tables
    from potential.training.data import read_fit_data

    data = {key: value for key, value in vars(label_keys(args, {})).items() if value}
    if data["energy_unit"] == "eV":
        del data["energy_unit"]
    data = {"train": args.data, **({"test": args.test} if args.test else {}), **data}
    target = args.output or "fit.toml"
    asked = parse_settings({"data": data, "preset": args.preset}, file="fit.toml")
    require_outputs([args.output], files_read(asked)[1:])
    found = read_fit_data(asked)
    for line in found.warnings:
        print(f"soap-gpr: warning: {line}", file=sys.stderr)
    traits = DataTraits.of(found.train)
    values = {"data": data, **preset_tables(args.preset, traits)}
    comments = [
        f'preset = "{args.preset}", for {traits.words}',
        f"soap-gpr fit {target} -o model.sgpr",
    ]
    text = settings_text(values, "fit.toml", Path(target).parent, comments)
    if args.output is None:
        print(text, end="")
        return 0
    write_settings(args.output, text, values, "fit.toml")
    print(f"soap-gpr: wrote {args.output}")
    return 0
