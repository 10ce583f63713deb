# SPDX-License-Identifier: BSD-3-Clause
"""Options of the commands that read a GAP potential."""

from __future__ import annotations

import argparse


def add_gap_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the file and how to read it."""
    parser.add_argument("gap", metavar="XML", help="potential written by gap_fit")
    parser.add_argument(
        "--species", nargs="+", metavar="El", help="chemical symbols; default: those in the file"
    )
    parser.add_argument("--label", help="which potential of a file that holds several")
    parser.add_argument(
        "--clusters",
        choices=["corrected", "literal"],
        default="corrected",
        help="compact clusters of distance_Nb of two species: the mean over the orders of the "
        "atoms (default), or as QUIP has them, dependent on their order",
    )


def atomic_numbers_of(symbols: list[str] | None) -> list[int] | None:
    """Of --species. Raises SoapGprError for what is no chemical symbol."""
    from ase.data import atomic_numbers

    from potential.errors import SoapGprError

    for symbol in symbols or []:
        if atomic_numbers.get(symbol, 0) == 0:
            raise SoapGprError(f"--species: {symbol!r} is not a chemical symbol")
    return [atomic_numbers[symbol] for symbol in symbols] if symbols else None
