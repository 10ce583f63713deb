# SPDX-License-Identifier: BSD-3-Clause
"""Settings as the text of a fit.toml, as people write them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any


def toml_text(settings: Mapping[str, Any]) -> str:
    """The text of nested dictionaries laid out like fit.toml; tables within tables are inline."""
    plain = {key: value for key, value in settings.items() if not _is_table(value)}
    parts = [_lines(plain)] if plain else []
    for name, content in settings.items():
        if isinstance(content, Mapping):
            parts.append(f"[{_key(name)}]\n{_lines(content)}")
        elif _is_table(content):
            parts += [f"[[{_key(name)}]]\n{_lines(entry)}" for entry in content]
    return "\n".join(parts)


def _is_table(value: Any) -> bool:
    """Whether it is written under a heading of its own: a table, or tables."""
    if isinstance(value, (list, tuple)):
        return bool(value) and all(isinstance(own, Mapping) for own in value)
    return isinstance(value, Mapping)


def _lines(table: Mapping[str, Any]) -> str:
    return "".join(f"{_key(key)} = {_value(value)}\n" for key, value in table.items())


def _key(key: str) -> str:
    is_bare = key.replace("_", "").replace("-", "").isalnum() and key.isascii()
    return key if is_bare else _value(key)


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_key(k)} = {_value(v)}" for k, v in value.items()) + "}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ", ".join(map(_value, value)) + "]"
    if isinstance(value, float):
        return repr(value)  # with inf and nan as TOML has them
    # JSON and TOML write the same strings, integers and booleans, but for this one character
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
