# SPDX-License-Identifier: BSD-3-Clause
"""Tables of plain text."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from potential.runtime.printable import printable


def text_table(
    head: Sequence[str], rows: Sequence[Sequence[str]], left: Collection[int] = ()
) -> str:
    """Columns aligned right, unless named in ``left``, with a rule under the head."""
    body = [[printable(cell) for cell in row] for row in (head, *rows)]
    widths = [max(len(row[column]) for row in body) for column in range(len(head))]
    lines = [
        "  ".join(
            cell.ljust(width) if column in left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in body
    ]
    return "\n".join([lines[0], "-" * max(len(line) for line in lines), *lines[1:]])
