# SPDX-License-Identifier: BSD-3-Clause
"""Options of soap and soap_turbo."""

from __future__ import annotations

from potential.gap.entry import Entry
from potential.gap.soap.importing import read_options
from potential.gap.soap.term import Descriptor
from potential.gap.soap_turbo.options import read_turbo


def read_soap(entry: Entry, version: int) -> tuple[Descriptor, tuple[int, ...]]:
    """What makes a term, and the atomic numbers of its centres, 0 for any. Raises SoapGprError."""
    if entry.name == "soap_turbo":
        turbo, center = read_turbo(entry.values, entry.coordinate)
        return turbo, (center,)
    return read_options(entry.values, entry.coordinate, version), entry.values["z"]
