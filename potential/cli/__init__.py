# SPDX-License-Identifier: BSD-3-Clause
"""The command ``soap-gpr``: one module per subcommand, each with add_arguments and run."""

from __future__ import annotations

import argparse
import errno
import os
import sys
from collections.abc import Sequence
from importlib import import_module

from potential.errors import SoapGprError
from potential.runtime.printable import printable

# name: (module, one line). Modules are imported when asked for, so that --help is quick.
COMMANDS = {
    "check": ("potential.cli.check", "what is odd about a data set"),
    "settings": ("potential.cli.settings", "write a fit.toml for a data set, from a preset"),
    "fit": ("potential.cli.fit", "train a model from a fit.toml"),
    "evaluate": ("potential.cli.evaluate", "errors and predictions of a model on structures"),
    "benchmark": ("potential.cli.benchmark", "how fast a model is on this machine, by phase"),
    "learning-curve": ("potential.cli.learning_curve", "errors against the number of structures"),
    "tune": ("potential.cli.tune", "search for settings by cross-validation"),
    "describe": (
        "potential.cli.describe",
        "features of atoms and structures, distances, duplicates and outliers",
    ),
    "map": ("potential.cli.map", "a map of structures or atoms, by their kernel"),
    "compare-features": (
        "potential.cli.compare_features",
        "how much of the features of one term another one knows",
    ),
    "select": ("potential.cli.select", "uncertain and different structures, to be labelled next"),
    "learn": ("potential.cli.learn", "sample, select, label, fit, and again, from a loop.toml"),
    "spectrum": (
        "potential.cli.spectrum",
        "infrared and Raman spectra of dipoles and polarizabilities over time",
    ),
    "info": ("potential.cli.info", "what is in a model file"),
    "compress": ("potential.cli.compress", "make a quicker model of the same forces"),
    "report": ("potential.cli.report", "one HTML page: parity plots, error histograms, tables"),
    "export-potentials": (
        "potential.cli.export_potentials",
        "tables of the pair and three-body potentials that a model is",
    ),
    "import-gap": ("potential.cli.import_gap", "a model from a GAP potential of QUIP"),
    "gap-variance": ("potential.cli.gap_variance", "QUIP's variance of a GAP potential by atom"),
    "convert-gap-fit": ("potential.cli.convert_gap_fit", "the fit.toml of a gap_fit command"),
    "drive": ("ipi_driver.cli", "serve a model to i-PI over a socket"),
    "lammps-info": ("potential.cli.lammps_info", "where the LAMMPS plugin is, and how to use it"),
}
INTERRUPTED = 130
_FULL = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code: 0 ok, 1 failed, 2 wrong usage, 130 interrupted."""
    argv = list(sys.argv[1:] if argv is None else argv)
    parser, modules = make_parser(argv)
    args = parser.parse_args(argv)
    try:
        code = modules[args.command].run(args)
        sys.stdout.flush()
        return code or 0
    except BrokenPipeError:
        _silence_stdout()  # the reader, such as head, has gone
        return 1
    except SoapGprError as error:
        return _failed(str(error))
    except ImportError as error:  # a missing package, or a core for another processor
        return _failed(str(error))
    except OSError as error:
        if error.filename is None and error.errno in _FULL:  # files that are written say so
            _silence_stdout()
            return _failed(f"standard output: cannot be written: {error.strerror}")
        where = f"{error.filename}: " if error.filename else ""
        return _failed(f"{where}{error.strerror or error}")
    except MemoryError:
        return _failed("out of memory; fewer sparse points or shorter data slices need less")
    except KeyboardInterrupt:
        print("soap-gpr: interrupted", file=sys.stderr)
        return INTERRUPTED


def _silence_stdout() -> None:
    """Keep Python from complaining once more at exit of what could not be written."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _failed(message: str) -> int:
    print(f"soap-gpr: error: {printable(message)}", file=sys.stderr)
    return 1


def make_parser(argv: Sequence[str]):
    """(parser, modules by command); only that of the command on the command line is imported."""
    parser = argparse.ArgumentParser(
        prog="soap-gpr",
        description="Gaussian-process interatomic potentials on SOAP features.",
        epilog="example: soap-gpr fit fit.toml -o model.sgpr; more: soap-gpr COMMAND --help",
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version and exit")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    wanted = next((word for word in argv if not word.startswith("-")), None)
    modules = {}
    for name, (module, line) in COMMANDS.items():
        command = commands.add_parser(
            name, help=line, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        if name == wanted:
            modules[name] = import_module(module)
            modules[name].add_arguments(command)
    return parser, modules


class _Version(argparse.Action):
    def __call__(self, parser, namespace, values, option_string=None):
        from potential.version import package_version

        print(f"soap-gpr {package_version()}")
        parser.exit()
