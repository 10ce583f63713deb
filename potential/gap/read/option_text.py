# SPDX-License-Identifier: BSD-3-Clause
"""QUIP's option text: ``key=value`` words apart by blanks or commas, values with these in {} or
quotes, blanks before an equals sign and around it. A closing brace that nothing opened is a letter
like any other."""

from __future__ import annotations

import re

from potential.errors import SoapGprError

_OPEN, _CLOSE, _QUOTES = "{", "}", "\"'"


def words(text: str) -> list[str]:
    """The words of a text; outer quotes and the braces of whole values are taken off later.

    Raises SoapGprError when a brace or a quote is not closed.
    """
    found, word, depth, quote = list[str](), "", 0, ""
    for character in re.sub(r"\s+=\s*", "=", text):
        if quote:
            if character == quote:
                quote = ""
                continue
        elif depth == 0 and character in _QUOTES:
            quote = character
            continue
        elif character == _OPEN:
            depth += 1
        elif character == _CLOSE and depth:
            depth -= 1
        elif (character.isspace() or character == ",") and depth == 0:
            found += [word] if word else []
            word = ""
            continue
        word += character
    if quote or depth:
        raise SoapGprError(f"found options with an unbalanced {quote or 'brace'}: {text[:60]!r}")
    return found + ([word] if word else [])


def bare(value: str) -> str:
    """The value without the pairs of braces around all of it."""
    value = value.strip()
    while value.startswith(_OPEN) and _closes_at_the_end(value):
        value = value[1:-1].strip()
    return value


def split(text: str, separator: str) -> list[str]:
    """Parts of a text between separators that are not in braces."""
    parts, depth = [""], 0
    for character in text:
        depth += (character == _OPEN) - (character == _CLOSE)
        if character == separator and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts]


def options(text: str) -> tuple[list[str], dict[str, str]]:
    """Words without a value, and values without their braces by key in lower case.

    Of a key that comes twice the last value counts, as in QUIP. Raises SoapGprError for other text.
    """
    alone, values = list[str](), dict[str, str]()
    for word in words(text):
        key, equals, value = word.partition("=")
        if equals and not key:
            raise SoapGprError(f"found '=' without a key, expected key=value: {text[:60]!r}")
        if equals:
            values[key.strip().lower()] = bare(value)
        else:
            alone.append(word)
    return alone, values


def _closes_at_the_end(value: str) -> bool:
    depth = 0
    for k, character in enumerate(value):
        depth += (character == _OPEN) - (character == _CLOSE)
        if depth == 0:
            return k == len(value) - 1
    return False
