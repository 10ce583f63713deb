# SPDX-License-Identifier: BSD-3-Clause
"""Numbers on the command line, each within limits."""

from __future__ import annotations

import argparse
from collections.abc import Callable


def integer(least: int, most: int) -> Callable[[str], int]:
    """The type of an option that is an integer from least to most."""

    def read(text: str) -> int:
        # no more digits than the largest has: Python refuses to read thousands
        if text.isdecimal() and len(text) <= len(str(most)) and least <= int(text) <= most:
            return int(text)
        raise argparse.ArgumentTypeError(
            f"found {text}, expected an integer from {least} to {most}"
        )

    return read


def number(least: float, most: float) -> Callable[[str], float]:
    """The type of an option that is a number from least to most."""

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(
                f"found {text}, expected a number from {least:g} to {most:g}"
            )
        return value

    return read
