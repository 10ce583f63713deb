# SPDX-License-Identifier: BSD-3-Clause
"""What runs of LAMMPS and i-PI have in common: inputs with placeholders."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path

from potential.active_learning.sample.programs import find_program
from potential.active_learning.settings.samplers import DynamicsSettings
from potential.schema import Place

TEMPERATURE = "temperature"
_PLACEHOLDER = re.compile(r"\$\{(\w+)\}")


class Input:
    """An input with ``${...}`` in it."""

    def __init__(self, settings: DynamicsSettings, place: Place, required: Collection[str]):
        """Raises SettingError for a file that cannot be read or lacks a placeholder."""
        self.path = Path(settings.input)
        try:
            self.text = self.path.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "not text"
            raise place.at("input").says(f"{self.path} cannot be read: {reason}") from None
        self.names = set(_PLACEHOLDER.findall(self.text))
        for name in required:
            if name not in self.names:
                raise place.at("input").says(f"found no ${{{name}}} in {self.path}, expected it")
        if (TEMPERATURE in self.names) > bool(settings.temperature) and not self.sets(TEMPERATURE):
            raise place.at(TEMPERATURE).says(f"missing, and {self.path} has ${{{TEMPERATURE}}}")
        if settings.temperature and TEMPERATURE not in self.names:
            raise place.at("input").says(
                f"found no ${{{TEMPERATURE}}} in {self.path}, expected it for the temperature"
            )

    def sets(self, name: str) -> bool:
        """Whether LAMMPS' script has a value of its own for a variable."""
        return bool(re.search(rf"^\s*variable\s+{name}\s", self.text, re.MULTILINE))

    def filled(self, values: dict[str, str]) -> str:
        """The text with values in the place of the placeholders."""
        return _PLACEHOLDER.sub(lambda found: values[found[1]], self.text)


def require_program(name: str, extra: str, place: Place) -> str:
    """The path of a program. Raises SoapGprError that says how to install it."""
    found = find_program(name)
    if found is None:
        raise place.says(f"found no {name}, expected it: pip install 'soap-gpr[{extra}]'")
    return found


def temperature_of(settings: DynamicsSettings, run: int) -> dict[str, str]:
    """The value of ``${temperature}`` in a run, where there are any."""
    if not settings.temperature:
        return {}
    return {TEMPERATURE: f"{settings.temperature[run % len(settings.temperature)]:g}"}
