# SPDX-License-Identifier: BSD-3-Clause
"""What the value of a setting may be."""

from __future__ import annotations

import dataclasses
import math
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from potential.schema.place import Place, nearest


@dataclass(frozen=True, kw_only=True)
class Value:
    """Any value.

    help: the meaning, in Markdown, for the documents; limit: what other settings demand of it.
    """

    help: str = ""
    unit: str = ""
    limit: str = ""

    def checked(self, value: Any, place: Place) -> Any:
        """The value as it is kept. Raises SettingError."""
        return self.check(plain(value), place)

    def check(self, value: Any, place: Place) -> Any:
        """The same of plain Python types."""
        raise NotImplementedError

    def in_folder(self, value: Any, folder: Path) -> Any:
        """The value with names of files relative to a folder."""
        return value

    @property
    def group(self) -> Any:
        """The class of settings whose keys lie in the same table, if it is one."""
        return None

    @property
    def expected(self) -> str:
        """What may be, in messages."""
        raise NotImplementedError

    @property
    def range(self) -> str:
        """What may be, in the documents."""
        return ""


@dataclass(frozen=True, kw_only=True)
class Number(Value):
    """A number > above, >= least and <= most; +inf only where ``infinite`` allows it, and 0 below
    least only where ``zero`` does.

    word: may stand in the place of a number; kept: makes what is kept of the number; noun, words:
    what messages call it, with and without its range.
    """

    above: float = -math.inf
    least: float = -math.inf
    most: float = math.inf
    infinite: bool = False
    zero: bool = False
    word: str = ""
    kept: Callable[[Any], Any] = float
    noun: str = "a number"
    words: str = ""

    def check(self, value: Any, place: Place) -> Any:
        if self.word and value == self.word:
            return self.word
        if self.infinite and value == math.inf:
            return math.inf
        good = is_number(value) and value > self.above and self.least <= value <= self.most
        good = good or (self.zero and is_number(value) and value == 0)
        if not good or math.isinf(value):
            raise place.error(value, self.expected)
        return self.kept(value)

    @property
    def expected(self) -> str:
        low = f" > {self.above:g}" if self.above > -math.inf else ""
        low = low or (f" >= {self.least:g}" if self.least > -math.inf else "")
        high = f" <= {self.most:g}" if self.most < math.inf else ""
        text = self.noun + low + (" and" if low and high else "") + high
        text += self.infinite * " (or inf)" + self.zero * " (or 0)"
        return self.words or text + (f' (or "{self.word}")' if self.word else "")

    @property
    def range(self) -> str:
        if self.above > -math.inf:
            text = f"> {short(self.above)}"
        elif self.least > -math.inf and self.most < math.inf:
            text = f"{short(self.least)} to {short(self.most)}"
            text += self.infinite * ", or `inf`" + self.zero * ", or 0"
            return text + (f', or `"{self.word}"`' if self.word else "")
        else:
            text = f"≥ {short(self.least)}" if self.least > -math.inf else ""
        high = f"≤ {short(self.most)}" if self.most < math.inf else ""
        return ", ".join(filter(None, (text, high)))


@dataclass(frozen=True, kw_only=True)
class Integer(Value):
    """An integer from least to most."""

    least: int = field(kw_only=False)
    most: int = field(kw_only=False)

    def check(self, value: Any, place: Place) -> int:
        good = isinstance(value, int) and not isinstance(value, bool)
        if not (good and self.least <= value <= self.most):
            raise place.error(value, self.expected)
        return value

    @property
    def expected(self) -> str:
        return f"an integer from {self.least} to {self.most}"

    @property
    def range(self) -> str:
        return f"{short(self.least)} to {short(self.most)}"


@dataclass(frozen=True, kw_only=True)
class Vector(Value):
    """A list of finite numbers, of ``most`` in size at most."""

    most: float = math.inf

    def check(self, value: Any, place: Place) -> tuple[float, ...]:
        good = isinstance(value, list) and value and all(map(is_number, value))
        if not good or not all(math.isfinite(x) and abs(x) <= self.most for x in value):
            raise place.error(value, self.expected)
        return tuple(map(float, value))

    @property
    def expected(self) -> str:
        most = f" of at most {self.most:g} in size" if self.most < math.inf else ""
        return f"a list of numbers{most}"


@dataclass(frozen=True, kw_only=True)
class Flag(Value):
    """true or false."""

    def check(self, value: Any, place: Place) -> bool:
        if not isinstance(value, bool):
            raise place.error(value, "true or false")
        return value

    @property
    def range(self) -> str:
        return "`true`, `false`"


@dataclass(frozen=True, kw_only=True)
class Choice(Value):
    """One of some words."""

    options: tuple[str, ...] = field(kw_only=False)

    def check(self, value: Any, place: Place) -> str:
        if not isinstance(value, str) or value not in self.options:
            words = ", ".join(f'"{option}"' for option in self.options)
            hint = nearest(value, self.options) if isinstance(value, str) else ""
            raise place.error(value, f"one of {words}{hint}")
        return value

    @property
    def range(self) -> str:
        return ", ".join(f'`"{option}"`' for option in self.options)


@dataclass(frozen=True, kw_only=True)
class Text(Value):
    """A string that is not empty."""

    def check(self, value: Any, place: Place) -> str:
        if not is_name(value):
            raise place.error(value, "a non-empty string")
        return value


@dataclass(frozen=True, kw_only=True)
class File(Text):
    """The name of a file."""

    def in_folder(self, value: str, folder: Path) -> str:
        return str(folder / value)

    @property
    def range(self) -> str:
        return "file"


@dataclass(frozen=True, kw_only=True)
class Files(Value):
    """Names of files, a list or one alone; required: readers want one."""

    required: bool = False

    def check(self, value: Any, place: Place) -> tuple[str, ...]:
        names = [value] if isinstance(value, str) else value
        if not isinstance(names, list) or not all(map(is_name, names)):
            raise place.error(value, self.expected)
        return tuple(names)

    @property
    def expected(self) -> str:
        return "a list of file names"

    def in_folder(self, value: tuple[str, ...], folder: Path) -> tuple[str, ...]:
        return tuple(str(folder / name) for name in value)


@dataclass(frozen=True, kw_only=True)
class Row(Value):
    """A list of so many values, each of its own kind, by their names."""

    of: Mapping[str, Value] = field(kw_only=False)

    def check(self, value: Any, place: Place) -> tuple[Any, ...]:
        if not isinstance(value, list) or len(value) != len(self.of):
            raise place.error(value, self.expected)
        return tuple(
            own.check(item, place.at(name))
            for item, (name, own) in zip(value, self.of.items(), strict=True)
        )

    @property
    def expected(self) -> str:
        return f"a list of {len(self.of)} numbers, [{', '.join(self.of)}]"

    @property
    def range(self) -> str:
        return f"`[{', '.join(self.of)}]`"


@dataclass(frozen=True, kw_only=True)
class Items(Value):
    """A list of any length of values of one kind."""

    each: Value = field(kw_only=False)

    def check(self, value: Any, place: Place) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise place.error(value, self.expected)
        return tuple(self.each.check(item, place) for item in value)

    @property
    def expected(self) -> str:
        return f"a list; each item: {self.each.expected}"

    @property
    def range(self) -> str:
        return f"list of {self.each.range}"


def whole(value: float) -> float:
    """An integer where the number is one."""
    return int(value) if float(value).is_integer() else float(value)


def is_number(value: Any) -> bool:
    """Whether it is a number that a float can hold."""
    if isinstance(value, int) and not isinstance(value, bool):
        return abs(value) <= sys.float_info.max
    return isinstance(value, float)


def is_name(value: Any) -> bool:
    return isinstance(value, str) and value != "" and "\0" not in value


def plain(value: Any) -> Any:
    """Dictionaries, lists, numbers and strings of what Python callers give."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = dataclasses.fields(value)
        return {own.name: plain(getattr(value, own.name)) for own in fields}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [plain(item) for item in value]
    if isinstance(value, (np.generic, np.ndarray)):
        return plain(value.tolist())
    return os.fspath(value) if isinstance(value, os.PathLike) else value


def short(value: float) -> str:
    """A number as the documents write it: 0.5, 10⁻⁸, 2³² − 1."""
    raised = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
    power = math.log10(value) if value > 0 else 0.0
    if abs(power) > 3.5 and abs(power - round(power)) < 1e-9:
        return "10" + str(round(power)).translate(raised)
    if isinstance(value, int) and value > 2**16 and (value + 1).bit_count() == 1:
        return "2" + str(value.bit_length()).translate(raised) + " − 1"
    return f"{value:g}"
