# SPDX-License-Identifier: BSD-3-Clause
"""Where a setting is, and the one sentence on what is wrong with it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from potential.errors import SoapGprError
from potential.runtime.printable import printable


@dataclass(frozen=True)
class Place:
    """A key of a table of a file: ``<source>: [<table>] <key>``, the start of every message.

    table: its dotted name, in brackets of its own for one of a list such as [[terms]]; item: what
    tells it from the others of the list.
    """

    source: str = "fit settings"
    table: str = ""
    item: str = ""
    key: str = ""

    def __str__(self) -> str:
        header = f"[{self.table}]{self.item}" if self.table else ""
        return printable(" ".join(filter(None, (f"{self.source}:", header, self.key))))

    def at(self, key: str) -> Place:
        """The place of a key of this table, or of a key below the key."""
        return replace(self, key=f"{self.key}.{key}" if self.key else key)

    def sub(self) -> Place:
        """The table that the key names, within the one of a list where that is named."""
        name = ".".join(filter(None, (self.table.strip("[]"), self.key)))
        return Place(self.source, name, f" of [{self.table}]{self.item}" if self.item else "")

    def nth(self, k: int, n: int) -> Place:
        """The table k, from 0 on, of the list of n tables that the key names."""
        own = self.sub()
        number = f" number {k + 1}" if n > 1 else ""
        return Place(own.source, f"[{own.table}]", number + own.item)

    def says(self, text: str) -> SettingError:
        """The error with any text."""
        return SettingError(self, text)

    def error(self, found: Any, expected: str) -> SettingError:
        """The error for a value that is not what is expected."""
        return self.says(f"found {shown(found)}, expected {expected}")

    @contextmanager
    def naming(self) -> Iterator[None]:
        """Errors of what the key names, such as a file that cannot be read, say where it is named;
        those that have a place already stay as they are."""
        try:
            yield
        except SettingError:
            raise
        except SoapGprError as error:
            raise self.says(str(error)) from None


class SettingError(SoapGprError):
    """One sentence on one setting."""

    def __init__(self, place: Place, text: str):
        super().__init__(f"{place}{':' if place.key else ''} {text}")
        self.place, self.text = place, text

    def __reduce__(self) -> tuple[Any, ...]:  # ranks send it to each other
        return SettingError, (self.place, self.text)

    def within(self, table: Place) -> SettingError:
        """The same of the settings that were read from this table, or from tables of this file."""
        own = table if table.table else self.place
        moved = replace(self.place, source=table.source, table=own.table, item=own.item)
        return SettingError(moved, self.text)


def nearest(word: str, options: Iterable[str]) -> str:
    """'; did you mean ...?' for the option most like the word, or an empty string."""
    close = difflib.get_close_matches(word.lower(), list(options), n=1, cutoff=0.55)
    return f"; did you mean {close[0]!r}?" if close else ""


def shown(value: Any) -> str:
    """A value as messages show it, in one line of 60 characters at most."""
    try:
        text = printable(f'"{value}"' if isinstance(value, str) else str(value))
    except ValueError:  # an integer of more digits than Python prints
        text = "thousands of digits"
    return text if len(text) <= 60 else text[:57] + "..."
