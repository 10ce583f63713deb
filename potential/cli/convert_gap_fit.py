# SPDX-License-Identifier: BSD-3-Clause
"""soap-gpr convert-gap-fit"""

from __future__ import annotations

import argparse
import sys
from os.path import isfile

from potential.cli.output_options import add_output

EXAMPLE = """\
examples:
  soap-gpr convert-gap-fit gap_fit.config -o fit.toml
  soap-gpr convert-gap-fit 'gap_fit at_file=train.xyz gap={soap cutoff=5.0 n_max=8 l_max=6
    atom_sigma=0.5 zeta=4 delta=1.0 n_sparse=1000 covariance_type=dot_product
    sparse_method=cur_points} default_sigma={0.001 0.05 0.05 0.0} gp_file=gap.xml' -o fit.toml

Options without an equivalent are named, in the file and on the terminal. The radial basis is not
that of GAP: the fit is of the same kind, not the same. import-gap runs a fitted GAP as it is.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``soap-gpr convert-gap-fit``."""
    parser.description = "Write the fit.toml that comes nearest to a gap_fit command."
    parser.epilog = EXAMPLE
    parser.add_argument("command_line", nargs="+", help="a gap_fit command, or its config_file")
    add_output(parser, "-o", "--output", help="default: the terminal")


def run(args: argparse.Namespace) -> int:
    """Write fit.toml, notes as comments above; the notes also to standard error."""
    from potential.gap.convert import convert
    from potential.runtime.output import atomic_file, require_outputs
    from potential.settings.toml_text import toml_text

    require_outputs([args.output], [word for word in args.command_line if isfile(word)])
    result = convert(_text(args.command_line))
    notes = "".join(f"# {note}\n" for note in result.notes)
    target = args.output or "fit.toml"
    head = f"# soap-gpr fit {target} -o {result.model_file}\n{notes}\n"
    text = head + toml_text(result.settings)
    if args.output is None:
        print(text, end="")
        return 0
    with atomic_file(args.output) as temporary:
        temporary.write_text(text)
    for note in result.notes:
        print(f"soap-gpr: {note}", file=sys.stderr)
    print(f"soap-gpr: wrote {args.output}")
    return 0


def _text(arguments: list[str]) -> str:
    """The command itself, the file's text, or words whose quotes a shell has taken off."""
    from potential.gap.convert import read_command

    if len(arguments) == 1 and "=" in arguments[0] and not isfile(arguments[0]):
        return arguments[0]
    if len(arguments) == 1:
        return read_command(arguments[0])
    return " ".join(_braced(word) for word in arguments)


def _braced(word: str) -> str:
    key, equals, value = word.partition("=")
    plain = equals and " " in value and not value.startswith("{")
    return f"{key}={{{value}}}" if plain else word
