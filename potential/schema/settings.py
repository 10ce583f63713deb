# SPDX-License-Identifier: BSD-3-Clause
"""Settings that are checked when they are made, and the reader of tables."""

from __future__ import annotations

import dataclasses
import difflib
import math
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Self, TypeVar

from potential.schema.place import Place, SettingError, nearest
from potential.schema.values import File, Value, plain

REQUIRED: Any = MISSING


def setting(default: Any, value: Value) -> Any:
    """A field of a Settings class; without a default when that is REQUIRED.

    The setting may be None when that is its default.
    """
    if isinstance(default, dict):
        return field(default_factory=lambda: dict(default), metadata={"value": value})
    return field(default=default, metadata={"value": value})


@dataclass(frozen=True)
class Settings:
    """Fields made by ``setting`` are checked when an object is made; SettingError names the key.

    source, table: where messages place what was made in Python; other_keys: of its table, read by
    others.
    """

    source: ClassVar[str] = Place.source
    table: ClassVar[str] = ""
    other_keys: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        place = self.place()
        for key, value in declared(type(self)).items():
            found = getattr(self, key)
            if found is not None or default(type(self), key) is not None:
                object.__setattr__(self, key, value.checked(found, place.at(key)))
        self.check()

    def check(self) -> None:
        """The rules across settings. Raises SettingError."""

    @classmethod
    def given(cls, values: dict[str, Any], place: Place) -> dict[str, Any]:
        """The table that ``read`` was given, checked or completed. Raises SettingError."""
        return values

    @classmethod
    def place(cls) -> Place:
        return Place(cls.source, cls.table)

    def error(self, key: str, expected: str) -> SettingError:
        """The error for the value of a setting."""
        place, found = self.place().at(key), plain(getattr(self, key))
        unit = declared(type(self))[key].unit
        if unit and isinstance(found, float):
            return place.says(f"found {found:g} {unit}, expected {expected}")
        return place.error(found, expected)

    def in_folder(self, folder: Path) -> Self:
        """The same with names of files relative to a folder."""
        changed = {
            key: value.in_folder(getattr(self, key), folder)
            for key, value in declared(type(self)).items()
            if getattr(self, key) is not None
        }
        changed = {key: value for key, value in changed.items() if value != getattr(self, key)}
        return dataclasses.replace(self, **changed) if changed else self

    @property
    def files(self) -> dict[str, str]:
        """Names of single files among these settings, by their keys."""
        of_files = [key for key, value in declared(type(self)).items() if isinstance(value, File)]
        return {key: getattr(self, key) for key in of_files if getattr(self, key) is not None}

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types; an infinite number becomes the string "inf"."""
        return _strict(plain(self))


T = TypeVar("T", bound=Settings)


def declared(of: type[Settings]) -> dict[str, Value]:
    """The settings of a class by their names."""
    fields = dataclasses.fields(of)
    return {own.name: own.metadata["value"] for own in fields if "value" in own.metadata}


def default(of: type[Settings], name: str) -> Any:
    """REQUIRED where there is none."""
    (own,) = (own for own in dataclasses.fields(of) if own.name == name)
    return own.default if own.default_factory is MISSING else own.default_factory()


def keys(of: type[Settings]) -> dict[str, type[Settings]]:
    """The keys of the table of a class, each with the class that declares it."""
    found: dict[str, type[Settings]] = {}
    for name, value in declared(of).items():
        found |= keys(value.group) if value.group else {name: of}
    return found


def read(
    of: type[T], values: Any, place: Place | None = None, others: Mapping[str, Any] | None = None
) -> T:
    """Settings from a table; others: fields that are not of the table.

    Raises SettingError with the place of the table.
    """
    place = place or of.place()
    values = of.given(as_table(values, place), place)
    known = keys(of)
    require_known(values, place, [*known, *of.other_keys])
    for key, owner in known.items():
        if default(owner, key) is REQUIRED:
            require(key, values, place)
    made: dict[str, Any] = {}
    for name, value in declared(of).items():
        if value.group:
            own = {key: values[key] for key in keys(value.group) if key in values}
            made[name] = value.checked(own, place)
        elif name in values and (values[name] is not None or default(of, name) is not None):
            made[name] = value.checked(values[name], place.at(name))
    try:
        return of(**(others or {}), **made)
    except SettingError as error:
        raise error.within(place) from None


def as_table(value: Any, place: Place) -> dict[str, Any]:
    """The value, if it is a table. Raises SettingError."""
    if not isinstance(value, Mapping):
        raise place.error(plain(value), "a table")
    return {str(key): item for key, item in value.items()}


def require(key: str, values: Mapping[str, Any], table: Place) -> None:
    """Raise SettingError when the key is not there, with one that may be meant for it."""
    if key not in values:
        close = difflib.get_close_matches(key, values, n=1)
        hint = f" (did you mean it by {close[0]!r}?)" if close else ""
        raise table.at(key).says(f"missing, and it has no default{hint}")


def require_known(values: Iterable[str], table: Place, known: Iterable[str]) -> None:
    """Raise SettingError for a key that is not known, with the nearest one that is."""
    for key in values:
        if key not in known:
            hint = nearest(key, known) or f"; known keys: {', '.join(known)}"
            raise table.says(f"unknown key {key!r}{hint}")


def _strict(value: Any) -> Any:
    """The same with "inf" for infinity, which JSON has not."""
    if isinstance(value, dict):
        return {key: _strict(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_strict(item) for item in value]
    return "inf" if isinstance(value, float) and math.isinf(value) else value
