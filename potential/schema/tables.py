# SPDX-License-Identifier: BSD-3-Clause
"""Values that are tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from potential.schema.place import Place
from potential.schema.settings import Settings, as_table, read, require, require_known
from potential.schema.values import Choice, Value, plain
from potential.species import BEADS, is_bead_name, is_element, species_number


@dataclass(frozen=True, kw_only=True)
class BySpecies(Value):
    """One value for all, or a table from chemical symbols and names of beads to values."""

    all: Value = field(kw_only=False)
    each: Value = field(kw_only=False)

    def check(self, value: Any, place: Place) -> Any:
        if not isinstance(value, dict):
            return self.all.check(value, place)
        if not value:
            raise place.error(value, f"{self.each.expected} for at least one species")
        for symbol in value:
            if species_number(symbol) < 1:
                raise place.says(f"found the key {symbol!r}, expected a chemical symbol")
        return {symbol: self.each.check(own, place.at(symbol)) for symbol, own in value.items()}

    @property
    def range(self) -> str:
        return self.all.range


@dataclass(frozen=True, kw_only=True)
class Symbols(Value):
    """A list of chemical symbols."""

    def check(self, value: Any, place: Place) -> tuple[str, ...]:
        good = isinstance(value, list) and all(isinstance(name, str) for name in value)
        if not good or not all(map(species_number, value)):
            raise place.error(value, self.expected)
        return tuple(sorted(set(value), key=species_number))

    @property
    def expected(self) -> str:
        return "a list of chemical symbols"


@dataclass(frozen=True, kw_only=True)
class Beads(Value):
    """Names of beads, a list."""

    def check(self, value: Any, place: Place) -> tuple[str, ...]:
        if not isinstance(value, list):
            raise place.error(value, f"a list of {BEADS}")
        for name in value:
            if not is_bead_name(name):
                element = ", a chemical symbol" if is_element(str(name)) else ""
                raise place.says(f"found {name!r}{element}, expected {BEADS}")
        if len(set(value)) < len(value):
            raise place.error(value, "each name once")
        return tuple(value)


@dataclass(frozen=True, kw_only=True)
class ByName(Value):
    """A table from any names to values."""

    each: Value = field(kw_only=False)

    def checked(self, value: Any, place: Place) -> dict[str, Any]:
        own = place.sub()
        values = as_table(value, own)
        return {name: self.each.checked(item, own.at(name)) for name, item in values.items()}

    @property
    def range(self) -> str:
        return "tables" if isinstance(self.each, Nested) else f"{self.each.range} each"


@dataclass(frozen=True, kw_only=True)
class Numbers(Value):
    """A table of some keys, those of the defaults (key: (default, value))."""

    keys: Mapping[str, tuple[Any, Value]] = field(kw_only=False)

    @property
    def default(self) -> dict[str, Any]:
        return {key: default for key, (default, _) in self.keys.items()}

    def check(self, value: Any, place: Place) -> dict[str, Any]:
        own = place.sub()
        given = self.default | as_table(value, own)
        require_known(given, own, self.keys)
        return {key: of.check(given[key], own.at(key)) for key, (_, of) in self.keys.items()}

    @property
    def range(self) -> str:
        return "table, below"


@dataclass(frozen=True, kw_only=True)
class Nested(Value):
    """Other settings in a table of their own.

    words: tables by the words that may stand for them.
    """

    of: type[Settings] = field(kw_only=False)
    words: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def checked(self, value: Any, place: Place) -> Settings:
        if isinstance(value, str) and self.words:
            if value not in self.words:
                shown = ", ".join(f'"{word}"' for word in self.words)
                raise place.error(value, f"a table or {shown}")
            value = self.words[value]
        return value if isinstance(value, self.of) else read(self.of, value, place.sub())

    def in_folder(self, value: Settings, folder: Path) -> Settings:
        return value.in_folder(folder)

    @property
    def range(self) -> str:
        return "table, below"


@dataclass(frozen=True, kw_only=True)
class Group(Nested):
    """Other settings whose keys lie in the same table."""

    @property
    def group(self) -> type[Settings]:
        return self.of

    def checked(self, value: Any, place: Place) -> Settings:
        return value if isinstance(value, self.of) else read(self.of, value, replace(place, key=""))


@dataclass(frozen=True, kw_only=True)
class Tables(Nested):
    """A list of tables of the same settings."""

    least: int = 0
    most: int

    def checked(self, value: Any, place: Place) -> Any:
        good = isinstance(value, (list, tuple)) and self.least <= len(value) <= self.most
        if not good:
            raise place.error(plain(value), f"{self.least} to {self.most} tables")
        return tuple(
            item if isinstance(item, self.of) else read(self.of, item, place.nth(k, len(value)))
            for k, item in enumerate(value)
        )

    def in_folder(self, value: Any, folder: Path) -> Any:
        return tuple(own.in_folder(folder) for own in value)

    @property
    def range(self) -> str:
        return f"{self.least} to {self.most} tables, below"


@dataclass(frozen=True, kw_only=True)
class Kind(Value):
    """A table of the settings that its ``kind`` names; by default the first, unless required."""

    of: Mapping[str, type[Settings]] = field(kw_only=False)
    required: bool = False

    def checked(self, value: Any, place: Place) -> Settings:
        return self.item(value, place.sub())

    def item(self, value: Any, place: Place) -> Any:
        """The settings in a table at this place."""
        if isinstance(value, tuple(self.of.values())):
            return value
        table = as_table(value, place)
        if self.required:
            require("kind", table, place)
        kind = Choice(tuple(self.of)).checked(
            table.get("kind", next(iter(self.of))), place.at("kind")
        )
        return read(self.of[kind], value, place)

    def in_folder(self, value: Any, folder: Path) -> Any:
        return value.in_folder(folder)

    @property
    def range(self) -> str:
        return "table, below"


@dataclass(frozen=True, kw_only=True)
class Kinds(Kind):
    """A list of such tables; may_lack: whether it may be empty."""

    may_lack: bool = False

    def checked(self, value: Any, place: Place) -> Any:
        if not isinstance(value, (list, tuple)) or not (value or self.may_lack):
            raise place.error(plain(value), f"at least one [[{place.key}]] table")
        n = len(value)
        return tuple(self.item(own, place.nth(k, n)) for k, own in enumerate(value))

    def in_folder(self, value: Any, folder: Path) -> Any:
        return tuple(own.in_folder(folder) for own in value)

    @property
    def range(self) -> str:
        return "tables, below"
