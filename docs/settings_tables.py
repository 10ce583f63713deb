# SPDX-License-Identifier: BSD-3-Clause
"""Write the tables of settings in docs/*.md as the classes declare them: what stands, up to a blank
line, under each ``<!-- settings: NAME -->``. ``make docs-tables`` runs it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from potential import settings
from potential.active_learning import settings as loop_settings
from potential.basis.settings import SCALING
from potential.schema.settings import REQUIRED, declared, default, keys
from potential.validation import search_space

# Where classes of settings are.
PLACES = (settings, search_space, loop_settings)
DOCUMENTS = [
    Path(__file__).parent / name for name in ("fit_toml.md", "tuning.md", "active_learning.md")
]
MARK = re.compile(r"^(<!-- settings: (\w+) -->\n\n)(?:\|.*\n)*", re.M)
HEAD = "| key | default | unit | range | meaning |\n|---|---|---|---|---|\n"


def main() -> None:
    for path in DOCUMENTS:
        path.write_text(updated(path.read_text()))


def updated(text: str) -> str:
    """The text of a document with its tables as they are declared."""
    return MARK.sub(lambda found: found[1] + table(found[2]), text)


def table(name: str) -> str:
    """The table of a class of settings, or of ``radial_scaling``."""
    if name == "radial_scaling":
        return HEAD + "".join(_row(key, *entry) for key, entry in SCALING.keys.items())
    of = next(getattr(own, name) for own in PLACES if hasattr(own, name))
    rows = (_row(key, default(own, key), declared(own)[key]) for key, own in keys(of).items())
    return HEAD + "".join(rows)


def _row(key: str, default: Any, value: Any) -> str:
    limits = ", ".join(filter(None, (value.range, value.limit)))
    required = default is REQUIRED or getattr(value, "required", False)
    written = "required" if required else "none" if default is None else f"`{toml(default)}`"
    cells = f"`{key}`", written, value.unit, limits, value.help
    return "|" + "|".join(f" {cell} " if cell else " " for cell in cells) + "|\n"


def toml(value: Any) -> str:
    """A value as fit.toml has it."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {toml(item)}" for key, item in value.items()) + "}"
    return json.dumps(value)


if __name__ == "__main__":
    main()
