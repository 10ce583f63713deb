# SPDX-License-Identifier: BSD-3-Clause
"""Settings and provenance of a model file, checked once when they are read.

Any key may be absent and others may be there, as in files of other programs; what our readers rely
on has the type that docs/model_file.md says.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

from potential.errors import SoapGprError
from potential.runtime.printable import printable
from potential.schema.values import is_name
from potential.settings import LabelKeys

MAX_DEPTH = 32  # of nested lists and tables: ours have seven levels
MAX_INTEGER = 2**53  # beyond which a number of JSON is no longer exact everywhere

Check = Callable[[Any, str], None]  # of a value and the name of its place; raises SoapGprError


def read_record(key: str, text: str, source: str) -> dict[str, Any]:
    """The settings or the provenance (key) of the file ``source`` from their JSON text."""
    verb = "are" if key.endswith("s") else "is"
    unreadable = SoapGprError(f"{source}: the {key} {verb} not readable, expected JSON")
    try:
        record = json.loads(text)
    except (ValueError, RecursionError):  # not JSON; integers of thousands of digits; deep nesting
        raise unreadable from None
    if not isinstance(record, dict):
        raise unreadable
    if _is_deeper(record, MAX_DEPTH):
        raise SoapGprError(f"{source}: the {key} {verb} nested deeper than {MAX_DEPTH} levels")
    _CHECKS[key](record, f"{source}: {key}")
    return record


def _is_deeper(value: Any, limit: int) -> bool:
    level = [value]
    for _ in range(limit):
        tables = [item for item in level if isinstance(item, dict)]
        level = [item for own in level if isinstance(own, list) for item in own]
        level += [item for own in tables for item in own.values()]
    return bool(level)


def _text(value: Any, where: str) -> None:
    _require(isinstance(value, str), value, where, "a string")


def _text_or_null(value: Any, where: str) -> None:
    _require(value is None or isinstance(value, str), value, where, "a string or null")


def _name_or_null(value: Any, where: str) -> None:
    _text_or_null(value, where)
    _require(value is None or is_name(value), value, where, "a string that is not empty")


def _number(value: Any, where: str) -> None:
    exact = isinstance(value, int) and not isinstance(value, bool) and abs(value) <= MAX_INTEGER
    _require(exact or isinstance(value, float), value, where, "a number")


def _index_or_null(value: Any, where: str) -> None:
    good = value is None or (isinstance(value, int) and not isinstance(value, bool) and value >= 0)
    _require(good, value, where, "an integer from 0 on, or null")


def _flag(value: Any, where: str) -> None:
    _require(isinstance(value, bool), value, where, "true or false")


def _list_of(check: Check) -> Check:
    def checked(value: Any, where: str) -> None:
        _require(isinstance(value, list), value, where, "a list")
        for k, item in enumerate(value):
            check(item, f"{where}[{k}]")

    return checked


def _each(check: Check) -> Check:
    """A table of any keys."""

    def checked(value: Any, where: str) -> None:
        _require(isinstance(value, dict), value, where, "a table")
        for key, item in value.items():
            check(item, f"{where}.{key}")

    return checked


def _table(checks: Mapping[str, Check], required: bool = False) -> Check:
    """A table of these keys, which must be there when they are required, and others."""

    def checked(value: Any, where: str) -> None:
        _require(isinstance(value, dict), value, where, "a table")
        for key, check in checks.items():
            if key in value:
                check(value[key], f"{where}.{key}")
            elif required:
                raise SoapGprError(printable(f"{where}: lacks the key {key}"))

    return checked


def _all(*checks: Check) -> Check:
    def checked(value: Any, where: str) -> None:
        for check in checks:
            check(value, where)

    return checked


def _require(good: bool, value: Any, where: str, expected: str) -> None:
    if not good:
        found = json.dumps(value)
        found = found if len(found) <= 60 else found[:57] + "..."
        raise SoapGprError(printable(f"{where}: found {found}, expected {expected}"))


COUNTS = ("structures", "atoms", "energies", "force_components", "virials", "config_types")
REGRESSION = ("fitted_labels", "weights", "condition_number", "residual_per_label")

_COUNTS = _table(dict.fromkeys(COUNTS, _number) | {"config_types": _each(_number)})
_STATISTICS = _table(dict.fromkeys(("count", "rmse", "mae", "largest"), _number), required=True)
_ERRORS = _table({"errors": _each(_each(_STATISTICS))})
_DEVIATION = _table({"force": _number}, required=True)
_CHANGE = _table({"largest": _number, "relative": _number}, required=True)


def _compression(value: Any, where: str) -> None:
    """Of a model without a potential there are changes of targets alone."""
    of_targets = isinstance(value, dict) and "target_deviation" in value
    _table({"deviation": _DEVIATION}, required=not of_targets)(value, where)
    _table({"target_deviation": _each(_CHANGE), "refitted": _flag})(value, where)


_SPREADS = _table(dict.fromkeys(("energy_spread", "force_spread"), _number), required=True)
_SHARE = _all(_SPREADS, _table(dict.fromkeys(("energy", "force"), _number)))
_SHARES = _table({"data": _text, "structures": _number, "terms": _list_of(_SHARE)}, required=True)
_CONTRACTION = _all(
    _table(
        dict.fromkeys(("channels", "kept", "retained_variance"), _list_of(_number)), required=True
    ),
    _table({"optimised": _text}),
)
_SELECTION = _all(
    _table(dict.fromkeys(("features", "kept", "residual"), _number), required=True),
    _table({"method": _text}, required=True),
    _table({"species": _each(_table(dict.fromkeys(("kept", "residual"), _number), required=True))}),
)
_OF_TERM = _table({"contraction": _CONTRACTION, "feature_selection": _SELECTION})
_ADAPTED = _all(_OF_TERM, _table({"factors": _list_of(_OF_TERM)}))
_LEVEL = _all(
    _table({"config_type": _text_or_null, "levels": _each(_number)}, required=True),
    _table(dict.fromkeys(("labels", "residual_per_label"), _number), required=True),
)
_ELIMINATION = _table(
    dict.fromkeys(("tolerance", "blocks"), _number)
    | dict.fromkeys(("weights", "errors"), _list_of(_number)),
    required=True,
)
_TARGET_ERRORS = _each(_each(_STATISTICS))
_TARGET = _all(
    _table({"name": _text, "labels": _number, "weights": _number}, required=True),
    _table(dict.fromkeys(("mean", "scale", "sigma"), _each(_number)), required=True),
)
_LABEL = _all(
    _table({"name": _text, "key": _text, "species": _list_of(_text)}, required=True),
    _table({"column": _index_or_null, "per_atom": _flag}, required=True),
)
_QUALITY = _table(
    dict.fromkeys(
        (
            *("count", "scale", "inside_1", "inside_2"),
            *("calibration_error", "spearman", "ideal_spearman", "nll", "nll_unscaled"),
        ),
        _number,
    ),
    required=True,
)
_POINTS = _table(
    dict.fromkeys(("predicted", "actual"), _list_of(_number)) | {"config_type": _list_of(_text)},
    required=True,
)
_CALIBRATED = {
    "quality": _each(_each(_each(_QUALITY))),
    "points": _table({"data": _text, "measures": _each(_each(_POINTS))}, required=True),
}
_OF_TARGETS = _table(_CALIBRATED | {"units": _each(_text)}, required=True)


def _uncertainty(value: Any, where: str) -> None:
    """Of a model without a potential there is that of targets alone."""
    alone = isinstance(value, dict) and "targets" in value and "quality" not in value
    of_potential = {} if alone else _CALIBRATED
    _table({"blocks": _number, "kind": _text, **of_potential}, required=True)(value, where)
    _table({"targets": _OF_TARGETS})(value, where)


_CHECKS = {
    "settings": _table(
        {
            "targets": _list_of(_LABEL),
            "data": _table(
                {field.name: _name_or_null for field in fields(LabelKeys)}
                | {"beads": _list_of(_text)}
            ),
            "solver": _table({"jitter": _number}),
        }
    ),
    "provenance": _table(
        {
            **dict.fromkeys(("program", "date", "settings_file", "preset"), _text_or_null),
            **dict.fromkeys(("train", "test"), _COUNTS),
            **dict.fromkeys(REGRESSION, _number),
            **dict.fromkeys(("train_errors", "test_errors"), _ERRORS),
            "sha256": _each(_text),
            "noise": _list_of(_LEVEL),
            "delta_factor": _number,
            **dict.fromkeys(("train_target_errors", "test_target_errors"), _TARGET_ERRORS),
            "targets": _list_of(_TARGET),
            "term_shares": _SHARES,
            "terms": _list_of(_ADAPTED),
            "compression": _compression,
            "elimination": _ELIMINATION,
            "uncertainty": _uncertainty,
            "seconds": _each(_number),
            "warnings": _list_of(_text),
        }
    ),
}
