# SPDX-License-Identifier: BSD-3-Clause
"""fit.toml, checked in full before anything runs."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from potential.errors import SoapGprError
from potential.schema import Place, read
from potential.schema.settings import require
from potential.settings.fit_settings import FitSettings


def load_settings(path: str | Path, *, data_required: bool = True) -> FitSettings:
    """Read and check fit.toml. Data files are taken relative to the folder of the file.

    data_required: as for ``as_settings``. Raises SoapGprError naming the file, the table and the
    key.
    """
    path = Path(path)
    values = read_toml(path)
    return parse_settings(values, file=str(path), folder=path.parent, data_required=data_required)


def parse_settings(
    values: Mapping[str, Any],
    *,
    file: str = Place.source,
    folder: str | Path = ".",
    data_required: bool = True,
) -> FitSettings:
    """Check settings given as nested dictionaries, laid out like fit.toml."""
    place = Place(file)
    if data_required:
        require("data", values, place)
        if isinstance(values["data"], Mapping):
            require("train", values["data"], place.at("data").sub())
    settings = read(FitSettings, values, place).in_folder(Path(folder))
    return as_settings(replace(settings, file=file), data_required=data_required)


def as_settings(
    settings: FitSettings | Mapping[str, Any] | str | Path, *, data_required: bool = True
) -> FitSettings:
    """Settings from a fit.toml, from nested dictionaries, or as they are.

    data_required: whether [data] must name files to train on. Raises SoapGprError.
    """
    if isinstance(settings, (str, Path)):
        return load_settings(settings, data_required=data_required)
    if isinstance(settings, Mapping):
        return parse_settings(settings, data_required=data_required)
    if data_required and not settings.data.train:
        raise settings.data.error("train", "a list of file names").within(
            Place(settings.file, settings.data.table)
        )
    return settings


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
