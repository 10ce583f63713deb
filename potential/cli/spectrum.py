# SPDX-License-Identifier: BSD-3-Clause
"""soap-gpr spectrum"""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING

from potential.cli.numbers import integer, number
from potential.cli.output_options import add_output

if TYPE_CHECKING:
    from potential.spectra.estimate import EstimateOptions
    from potential.spectra.spectrum import Conditions
    from potential.spectra.trajectories import Inputs

EXAMPLE = """\
examples:
  soap-gpr spectrum infrared water.dipole_* --beads 16 --unit a.u. --timestep 0.25 \\
      --temperature 300 --volume 3000 -o infrared.txt --plot infrared.svg
  soap-gpr spectrum infrared log.lammps --columns 'c_gap[1]' 'c_gap[2]' 'c_gap[3]' \\
      --unit e*angstrom --temperature 300
  soap-gpr spectrum raman evaluated.xyz --unit angstrom^3 --timestep 2 --temperature 300 \\
      --laser 532 -o raman.txt --json raman.json

Files are extras of i-PI, logs of LAMMPS, what its fix ave/time writes or other columns of text,
extended XYZ with the quantity of every frame, and .npy: one trajectory each, or one bead of a path
integral, over which the mean is taken. docs/spectra.md has the equations and the forms of files.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``soap-gpr spectrum``."""
    parser.description = "Infrared and Raman spectra of dipoles and polarizabilities over time."
    parser.epilog = EXAMPLE
    parser.add_argument(
        "kind",
        choices=("infrared", "raman", "power"),
        help="of dipoles, of polarizabilities, or the plain power spectrum of any columns",
    )
    parser.add_argument("files", nargs="+", metavar="FILE", help="series over time")
    _add_inputs(parser)
    _add_conditions(parser)
    _add_estimate(parser)
    add_output(parser, "-o", "--output", help="write columns of text")
    add_output(parser, "--plot", help="write the plot, an image such as .svg, .png, .pdf")
    parser.add_argument("--title", default="", help="of the plot")
    add_output(parser, "--json", help="write all with its provenance; - for standard output")


def _add_inputs(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("files").add_argument
    add("--unit", help="of the file: a.u. (as i-PI has it), e*angstrom, debye; angstrom^3, ...")
    add(
        "--timestep",
        type=number(1e-6, 1e6),
        metavar="FS",
        help="time of one step as the file counts steps, or else from record to record; logs of "
        "LAMMPS have it",
    )
    add(
        "--beads",
        type=integer(1, 10**5),
        default=1,
        metavar="P",
        help="so many files after another are the beads of one trajectory; default 1",
    )
    add(
        "--skip",
        type=number(0, 1e9),
        default=0.0,
        metavar="PS",
        help="leave out the beginning of each trajectory",
    )
    add("--columns", nargs="+", default=[], metavar="NAME", help="names or numbers (from 1)")
    add("--key", help="name in extended XYZ; default dipole or polarizability")
    add("--accept-jumps", action="store_true", help="take series that are not continuous")


def _add_conditions(parser: argparse.ArgumentParser) -> None:
    from potential.spectra.quantum import FACTORS

    add = parser.add_argument_group("what the spectrum depends on").add_argument
    add(
        "--temperature",
        type=number(1e-3, 1e6),
        metavar="K",
        help="physical, not the ring polymer's",
    )
    add(
        "--quantum",
        choices=FACTORS,
        default="harmonic",
        help="correction of the spectral density; default harmonic, which is that of path "
        "integrals and, for infrared, the classical limit",
    )
    add(
        "--volume",
        type=number(1e-3, 1e15),
        metavar="A^3",
        help="infrared: of the cell, for absorption coefficients; without, the cross section",
    )
    add(
        "--laser",
        type=number(1, 1e6),
        metavar="NM",
        help="raman: wavelength, for the cross section; without, its factor is left out",
    )


def _add_estimate(parser: argparse.ArgumentParser) -> None:
    from potential.spectra.correlation import WINDOWS

    add = parser.add_argument_group("estimate").add_argument
    add(
        "--resolution",
        type=number(1e-3, 1e5),
        metavar="CM^-1",
        help="full width at half maximum of a line; default 10",
    )
    add("--lag", type=number(1e-6, 1e9), metavar="PS", help="the longest lag, in its place")
    add("--window", choices=WINDOWS, default="hann", help="of the correlation; default hann")
    add(
        "--block",
        type=number(1e-6, 1e9),
        metavar="PS",
        help="length of blocks, whose scatter is the error; default about 10 in all, each at "
        "least two longest lags",
    )
    add(
        "--padding",
        type=integer(1, 1000),
        default=4,
        metavar="N",
        help="points for each lag, with zeros behind the correlation; default 4",
    )
    add("--circular", action="store_true", help="blocks as periods, as in i-PI's i-pi-getacf")
    add(
        "--max-wavenumber",
        type=number(1e-3, 1e9),
        default=4500.0,
        metavar="CM^-1",
        help="the largest one that is written; default 4500",
    )


def run(args: argparse.Namespace) -> int:
    """Print what was done with the maxima; write columns, plot and JSON when asked."""
    from potential.reports.learning_curve import require_image_name, save_figure
    from potential.runtime.output import atomic_file, require_outputs
    from potential.spectra.compute import compute
    from potential.spectra.figure import spectrum_figure
    from potential.spectra.text import format_result, write_columns

    to_stdout = args.json == "-"
    if args.plot:
        require_image_name(args.plot)
    require_outputs((args.output, args.plot, None if to_stdout else args.json), args.files)
    result = compute(args.kind, *_settings(args), args.max_wavenumber)
    for note in result.notes:
        print(f"soap-gpr: warning: {note}", file=sys.stderr)
    text = json.dumps(result.to_dict(), indent=2, ensure_ascii=False) + "\n"
    sys.stdout.write(text if to_stdout else format_result(result) + "\n")
    if args.output:
        write_columns(args.output, result)
    if args.plot:
        save_figure(spectrum_figure(result, args.title), args.plot)
    if args.json and not to_stdout:
        with atomic_file(args.json) as temporary:
            temporary.write_text(text, encoding="utf-8")
    for path in (args.output, args.plot, None if to_stdout else args.json):
        if path:
            print(f"soap-gpr: wrote {path}", file=sys.stderr)
    return 0


def _settings(args: argparse.Namespace) -> tuple[Inputs, EstimateOptions, Conditions]:
    """(Inputs, EstimateOptions, Conditions) of the command line."""
    from potential.errors import SoapGprError
    from potential.spectra.estimate import EstimateOptions
    from potential.spectra.spectrum import Conditions
    from potential.spectra.trajectories import Inputs

    if args.lag is not None and args.resolution is not None:
        raise SoapGprError("found --lag and --resolution, expected one of them")
    if args.title and not args.plot:
        raise SoapGprError("found --title without --plot, expected both")
    inputs = Inputs(
        files=tuple(args.files),
        unit=args.unit,
        timestep=args.timestep,
        beads=args.beads,
        skip=args.skip,
        columns=tuple(args.columns),
        key=args.key,
        accept_jumps=args.accept_jumps,
    )
    options = EstimateOptions(
        resolution=None if args.lag else args.resolution or EstimateOptions.resolution,
        lag=args.lag,
        block=args.block,
        window=args.window,
        padding=args.padding,
        circular=args.circular,
    )
    conditions = Conditions(args.temperature, args.quantum, args.volume, args.laser)
    return inputs, options, conditions
