# SPDX-License-Identifier: BSD-3-Clause
"""Settings written as a fit.toml, for another folder than the one that they came from."""

from __future__ import annotations

import copy
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from potential.runtime.output import atomic_file
from potential.schema import Settings
from potential.settings import FitSettings
from potential.settings.file import parse_settings, read_toml
from potential.settings.toml_text import toml_text


def write_settings(path: str | Path, text: str, values: Mapping[str, Any], file: str) -> None:
    """Write the ``settings_text`` of these values, from ``file``, and read it back before it is put
    in place. Raises SoapGprError where it cannot be written."""
    expected = parse_settings(values, file=str(path), folder=Path(file).parent)
    with atomic_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
        found = parse_settings(read_toml(temporary), file=str(path), folder=Path(path).parent)
        if _meaning(found) != _meaning(expected):
            raise AssertionError(f"{path} does not say what was to be written")


def settings_text(
    values: Mapping[str, Any], file: str, folder: str | Path, comments: Sequence[str]
) -> str:
    """The text of a fit.toml in a folder, from whose place it names all files.

    values: nested dictionaries as read from ``file``; comments: lines at the top.
    """
    head = "".join(f"# {line}\n" for line in comments)
    return head + toml_text(_moved(values, file, Path(folder)))


def _meaning(settings: FitSettings) -> list[Any]:
    """What must be the same in another folder."""
    tables: list[Settings] = [
        replace(own, **{key: os.path.realpath(name) for key, name in own.files.items()})
        for own in (settings.baseline, *settings.terms)
    ]
    data = [os.path.realpath(name) for name in (*settings.data.train, *settings.data.test)]
    return [*tables, settings.noise, settings.targets, data]


def _moved(values: Mapping[str, Any], file: str, new: Path) -> dict[str, Any]:
    """The values with all files named from another folder than that of ``file``."""
    moved, old = copy.deepcopy(dict(values)), Path(file).parent
    if old.resolve() == new.resolve():
        return moved

    def named(name: str) -> str:
        return name if os.path.isabs(name) else os.path.relpath(old / name, new)

    data = moved["data"]
    for key in ("train", "test"):
        if key in data:
            names = [data[key]] if isinstance(data[key], str) else data[key]
            data[key] = [named(name) for name in names]
    settings = parse_settings(values, file=file)
    tables: list[tuple[dict[str, Any], Settings]] = [
        (moved.get("baseline", {}), settings.baseline),
        *zip(moved.get("terms", []), settings.terms, strict=False),
    ]
    for table, own in tables:
        table |= {key: named(table[key]) for key in own.files}
    return moved
