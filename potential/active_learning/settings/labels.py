# SPDX-License-Identifier: BSD-3-Clause
"""[label]: where labels come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from potential.active_learning.settings.values import Arguments, SomeFiles, kind
from potential.schema import Files, Integer, Settings, Text, setting
from potential.schema.settings import REQUIRED

MOST_BATCH = 100_000
INPUT, OUTPUT = "{input}", "{output}"


def _kind(name: str) -> Any:
    return kind(name, "kind of the source of labels")


@dataclass(frozen=True, kw_only=True)
class LabelSettings(Settings):
    """What all kinds have."""

    table: ClassVar[str] = "label"

    kind: str = _kind("")


@dataclass(frozen=True, kw_only=True)
class CalculatorSettings(LabelSettings):
    """A calculator of ASE."""

    kind: str = _kind("calculator")
    calculator: str = setting(
        REQUIRED, Text(help='a class or function that makes it, such as `"tblite.ase:TBLite"`')
    )
    arguments: Mapping[str, Any] = setting({}, Arguments(help="what it is called with, by name"))

    def check(self) -> None:
        module, _, name = self.calculator.partition(":")
        if not module or not name:
            raise self.error("calculator", "module:class")


@dataclass(frozen=True, kw_only=True)
class CommandSettings(LabelSettings):
    """A command that reads structures and writes them with labels."""

    kind: str = _kind("command")
    command: str = setting(
        REQUIRED,
        Text(
            help="for the shell, run in the folder of `loop.toml`; `{input}` and `{output}` are "
            "the names of extended XYZ files, to read and to write"
        ),
    )
    batch: int = setting(1, Integer(1, MOST_BATCH, help="structures for each call, at most"))

    def check(self) -> None:
        for name in (INPUT, OUTPUT):
            if name not in self.command:
                raise self.error("command", f"a command with {name}")


@dataclass(frozen=True, kw_only=True)
class WaitSettings(LabelSettings):
    """Inputs for a code that somebody runs elsewhere."""

    kind: str = _kind("wait")
    input: str = setting(
        "input.xyz",
        Text(help="name of the file written for each structure, in a folder of its own"),
    )
    format: str = setting("extxyz", Text(help="its format, as `ase.io.write` names them"))
    arguments: Mapping[str, Any] = setting(
        {}, Arguments(help="what `ase.io.write` is called with beside, by name")
    )
    result: str = setting(
        "result.xyz",
        Text(help="name of the file in the same folder to wait for, which `ase.io` reads"),
    )
    copy: tuple[str, ...] = setting((), Files(help="further files that each folder gets"))

    def check(self) -> None:
        for key in ("input", "result"):
            if Path(getattr(self, key)).name != getattr(self, key):
                raise self.error(key, "a file name without a folder")
        if self.input == self.result:
            raise self.error("result", "another name than that of the input")


@dataclass(frozen=True, kw_only=True)
class FileLabelSettings(LabelSettings):
    """Labels of a file, which are looked up when their structure is selected."""

    kind: str = _kind("file")
    structures: tuple[str, ...] = setting(
        REQUIRED,
        SomeFiles(help="labelled structures, under the names of `[data] train`"),
    )


LABELS: dict[str, type[LabelSettings]] = {
    "calculator": CalculatorSettings,
    "command": CommandSettings,
    "wait": WaitSettings,
    "file": FileLabelSettings,
}
