# SPDX-License-Identifier: BSD-3-Clause
"""Text out of files for people's eyes: nothing in it moves a cursor or cannot be written."""

from __future__ import annotations

from typing import Any


def printable(text: str) -> str:
    """The text with line ends, control characters and what has no glyph or code escaped."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def printable_values(value: Any) -> Any:
    """JSON values with all their text, keys included, printable."""
    if isinstance(value, dict):
        return {printable(key): printable_values(item) for key, item in value.items()}
    if isinstance(value, list):
        return [printable_values(item) for item in value]
    return printable(value) if isinstance(value, str) else value
