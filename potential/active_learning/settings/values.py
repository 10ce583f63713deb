# SPDX-License-Identifier: BSD-3-Clause
"""Values that only loop.toml has."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from potential.schema import Choice, Files, Place
from potential.schema.settings import as_table
from potential.schema.values import Value
from potential.species import is_element


def kind(name: str, help: str) -> Any:
    """The key that tells kinds apart."""
    return field(default=name, kw_only=True, metadata={"value": Choice((name,), help=help)})


@dataclass(frozen=True, kw_only=True)
class Elements(Value):
    """Chemical symbols in an order that counts."""

    def check(self, value: Any, place: Place) -> tuple[str, ...]:
        good = isinstance(value, list) and value and all(isinstance(own, str) for own in value)
        if not good or not all(map(is_element, value)) or len(set(value)) < len(value):
            raise place.error(value, self.expected)
        return tuple(value)

    @property
    def expected(self) -> str:
        return 'a list of different chemical symbols such as ["O", "H"]'


@dataclass(frozen=True, kw_only=True)
class SomeFiles(Files):
    """Names of files, one at least."""

    required: bool = True

    def check(self, value: Any, place: Place) -> tuple[str, ...]:
        found = super().check(value, place)
        if not found:
            raise place.error(value, "at least one file name")
        return found


@dataclass(frozen=True, kw_only=True)
class Arguments(Value):
    """A table of anything."""

    def check(self, value: Any, place: Place) -> dict[str, Any]:
        return as_table(value, place)

    @property
    def range(self) -> str:
        return "table"
