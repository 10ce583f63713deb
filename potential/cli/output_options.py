# SPDX-License-Identifier: BSD-3-Clause
"""Options that name a file to write, and what a fit reads, which no output may replace."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from potential.settings import FitSettings


def add_output(parser: argparse.ArgumentParser, *names: str, help: str, **options: Any) -> None:
    """An option for a file to write; its help says what becomes of links and devices."""
    text = f"{help}; a link is followed, and only a file is ever replaced"
    parser.add_argument(*names, metavar="FILE", help=text, **options)


def files_read(settings: FitSettings) -> list[str]:
    """The settings file with all files that it names. Raises SoapGprError where one is missing."""
    from potential.structures.read import files_of

    data = files_of([*settings.data.train, *settings.data.test])
    return [settings.file, *settings.other_files, *data]
