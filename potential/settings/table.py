# SPDX-License-Identifier: BSD-3-Clause
"""Reads one table of a settings file: types and ranges are checked, unknown keys are refused."""

from __future__ import annotations

import difflib
import math
import sys
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ase.data import atomic_numbers

from potential.errors import SoapGprError
from potential.runtime.printable import printable


def read_toml(path: Path) -> dict[str, Any]:
    """Parse a TOML file; raises SoapGprError when it is absent or not TOML."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SoapGprError(f"{path}: no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise SoapGprError(f"{path}: cannot be read: {error}") from None
    except (ValueError, RecursionError) as error:  # also of integers of thousands of digits
        raise SoapGprError(f"{path}: not valid TOML: {str(error).splitlines()[0]}") from None


class Table:
    """A TOML table being read.

    Every method names one key; ``finish`` then refuses the keys that nobody asked for. All errors
    are SoapGprError and begin with ``<file>: [<table>] <key>``.
    """

    def __init__(self, values: Any, file: str, name: str = "", header: str = "") -> None:
        self.file = file
        self.name = name
        self.header = header or (f"[{name}]" if name else "")
        self.known: list[str] = []
        if not isinstance(values, dict):
            raise SoapGprError(f"{self.where()} found {_show(values)}, expected a table")
        self.values: dict[str, Any] = values

    def where(self, key: str = "") -> str:
        """'file: [table] key', the start of every message."""
        return printable(" ".join(filter(None, (f"{self.file}:", self.header, key))))

    def error(self, key: str, expected: str) -> SoapGprError:
        """The error for a value that is not what is expected."""
        return SoapGprError(
            f"{self.where(key)}: found {_show(self.values[key])}, expected {expected}"
        )

    def take(self, key: str, default: Any = None, *, required: bool = False) -> Any:
        """The raw value; the key counts as known from now on."""
        self.known.append(key)
        if required and key not in self.values:
            raise SoapGprError(f"{self.where(key)}: missing, and it has no default{self._typo()}")
        return self.values.get(key, default)

    def number(
        self,
        key: str,
        default: float | None = None,
        *,
        above: float = -math.inf,
        least: float = -math.inf,
        most: float = math.inf,
        infinite: bool = False,
        required: bool = False,
    ) -> Any:
        """A float > above, >= least and <= most; +inf only where ``infinite`` allows it."""
        value = self.take(key, default, required=required)
        if key not in self.values:
            return value
        expected = "a number" + _range(above, least, most) + (" (or inf)" if infinite else "")
        good = _is_number(value) and value > above and least <= value <= most
        if infinite and value == math.inf:
            return math.inf
        if not good or math.isinf(value):
            raise self.error(key, expected)
        return float(value)

    def integer(self, key: str, default: int, *, least: int, most: int) -> int:
        """An int in [least, most]."""
        value = self.take(key, default)
        if not is_integer(value, least, most):
            raise self.error(key, f"an integer from {least} to {most}")
        return value

    def choice(self, key: str, default: str, options: Sequence[str]) -> str:
        """One of the given words."""
        value = self.take(key, default)
        if value not in options:
            words = ", ".join(f'"{option}"' for option in options)
            hint = nearest(value, options) if isinstance(value, str) else ""
            raise self.error(key, f"one of {words}{hint}")
        return value

    def string(self, key: str) -> str | None:
        """A non-empty string, or None when absent."""
        value = self.take(key)
        if value is not None and not _is_name(value):
            raise self.error(key, "a non-empty string")
        return value

    def strings(self, key: str, *, required: bool = False) -> tuple[str, ...]:
        """A list of strings; one string alone counts as a list of one."""
        value = self.take(key, [], required=required)
        if isinstance(value, str):
            value = [value]
        good = isinstance(value, list) and all(map(_is_name, value))
        if not good or (required and not value):
            raise self.error(key, "a list of file names")
        return tuple(value)

    def by_species(self, key: str, check: Callable[[Any], bool], expected: str) -> dict[str, Any]:
        """A table from chemical symbols to values that pass ``check``."""
        values = self.take(key)
        if not values:
            raise self.error(key, f"{expected} for at least one species")
        for symbol, value in values.items():
            if atomic_numbers.get(symbol, 0) < 1:
                raise SoapGprError(
                    f"{self.where(key)}: found the key {symbol!r}, expected a chemical symbol"
                )
            if not check(value):
                raise SoapGprError(
                    f"{self.where(f'{key}.{symbol}')}: found {_show(value)}, expected {expected}"
                )
        return dict(values)

    def table(self, key: str) -> Table:
        """The sub-table of that name, empty when absent."""
        name = f"{self.name}.{key}" if self.name else key
        return Table(self.take(key, {}), self.file, name)

    def finish(self) -> None:
        """Refuse keys that were never asked for, with the nearest known key."""
        for key in self.values:
            if key not in self.known:
                hint = nearest(key, self.known)
                hint = hint or f"; known keys: {', '.join(self.known)}"
                raise SoapGprError(f"{self.where()} unknown key {key!r}{hint}")

    def _typo(self) -> str:
        """Points at a likely misspelling of the key that was just found missing."""
        close = difflib.get_close_matches(self.known[-1], self.values, n=1)
        return f" (did you mean it by {close[0]!r}?)" if close else ""


def nearest(word: str, options: Sequence[str]) -> str:
    """'; did you mean ...?' for the option most like the word, or an empty string."""
    close = difflib.get_close_matches(word.lower(), list(options), n=1, cutoff=0.55)
    return f"; did you mean {close[0]!r}?" if close else ""


def is_number(value: Any, least: float, most: float) -> bool:
    """A number in [least, most]."""
    return _is_number(value) and least <= value <= most


def is_integer(value: Any, least: int, most: int) -> bool:
    """An integer in [least, most]."""
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def _is_number(value: Any) -> bool:
    """Whether it is a number that a float can hold."""
    if isinstance(value, int) and not isinstance(value, bool):
        return abs(value) <= sys.float_info.max
    return isinstance(value, float)


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and value != "" and "\0" not in value


def _range(above: float, least: float, most: float) -> str:
    low = f" > {above:g}" if above > -math.inf else f" >= {least:g}" if least > -math.inf else ""
    high = f" <= {most:g}" if most < math.inf else ""
    return low + (" and" if low and high else "") + high


def _show(value: Any) -> str:
    try:
        text = printable(f'"{value}"' if isinstance(value, str) else str(value))
    except ValueError:  # an integer of more digits than Python prints
        text = "thousands of digits"
    return text if len(text) <= 60 else text[:57] + "..."
