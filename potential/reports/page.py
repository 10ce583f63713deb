# SPDX-License-Identifier: BSD-3-Clause
"""A report page in one HTML file: headings, numbers, figures, tables; nothing loaded from afar."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from potential.runtime.output import atomic_file

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_STYLE = """
:root { --ink: #1c2430; --soft: #5d6878; --line: #dfe4ea; --paper: #ffffff; --ground: #f4f6f8;
        --accent: #2463a8; }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink);
       font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; }
main { max-width: 1120px; margin: 0 auto; padding: 36px 24px 64px; }
h1 { font-size: 27px; margin: 0 0 4px; letter-spacing: -0.01em; overflow-wrap: anywhere; }
h2 { font-size: 18px; margin: 40px 0 12px; }
p { margin: 6px 0 12px; max-width: 75ch; }
p.lead, figcaption, .unit, .note { color: var(--soft); }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(170px, 1fr)); gap: 14px;
         margin: 22px 0; }
.card, figure, .sheet { background: var(--paper); border: 1px solid var(--line);
                        border-radius: 10px; }
.card { padding: 14px 18px; }
.card .name { font-size: 13px; color: var(--soft); }
.card .value { font-size: 25px; font-weight: 600; font-variant-numeric: tabular-nums; }
.card .unit { font-size: 14px; font-weight: 400; }
.card .note { font-size: 13px; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(330px, 1fr)); gap: 14px;
  margin-bottom: 14px; }
figure { margin: 0; padding: 14px; }
figure img { display: block; width: 100%; height: auto; }
figcaption { font-size: 13px; margin-top: 8px; }
.sheet { overflow-x: auto; margin: 0 0 14px; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: 6px 14px; text-align: right; white-space: nowrap; }
th { font-size: 13px; font-weight: 600; color: var(--soft); border-bottom: 1px solid var(--line); }
tr + tr td { border-top: 1px solid #eef1f4; }
th.text, td.text { text-align: left; }
td.wide { white-space: normal; overflow-wrap: anywhere; }
details { margin: 14px 0; }
summary { cursor: pointer; color: var(--accent); }
pre { background: var(--paper); border: 1px solid var(--line); border-radius: 10px; padding: 14px;
      overflow-x: auto; font-size: 13px; line-height: 1.45; }
footer { margin-top: 44px; color: var(--soft); font-size: 13px; }
"""


class Page:
    """Content is added from top to bottom; all text is escaped here."""

    def __init__(self, title: str, lead: str = ""):
        self.title = title
        self._parts = [f"<h1>{escape(title)}</h1>"]
        if lead:
            self._parts.append(f'<p class="lead">{escape(lead)}</p>')

    def heading(self, text: str) -> None:
        self._parts.append(f"<h2>{escape(text)}</h2>")

    def text(self, text: str) -> None:
        self._parts.append(f"<p>{escape(text)}</p>")

    def cards(self, cards: Iterable[tuple[str, str, str, str]]) -> None:
        """Key numbers: (name, value, unit, note)."""
        items = "".join(
            f'<div class="card"><div class="name">{escape(name)}</div><div class="value">'
            f'{escape(value)} <span class="unit">{escape(unit)}</span></div>'
            f'<div class="note">{escape(note)}</div></div>'
            for name, value, unit, note in cards
        )
        self._parts.append(f'<div class="cards">{items}</div>')

    def figures(self, figures: Iterable[tuple[Figure, str]]) -> None:
        """Matplotlib figures side by side: (figure, caption)."""
        items = "".join(
            f'<figure><img alt="{escape(caption)}" src="{data_url(figure)}">'
            f"<figcaption>{escape(caption)}</figcaption></figure>"
            for figure, caption in figures
        )
        self._parts.append(f'<div class="figures">{items}</div>')

    def table(
        self, head: Sequence[str], rows: Iterable[Sequence[str]], text_columns: Sequence[int] = (0,)
    ) -> None:
        """A table; columns are numbers, aligned right, unless named in text_columns."""

        def line(cells: Sequence[str], tag: str) -> str:
            classes = [' class="text"' if k in text_columns else "" for k in range(len(cells))]
            pairs = zip(cells, classes, strict=True)
            return "".join(f"<{tag}{kind}>{escape(cell)}</{tag}>" for cell, kind in pairs)

        body = "".join(f"<tr>{line(row, 'td')}</tr>" for row in rows)
        header = f"<thead><tr>{line(head, 'th')}</tr></thead>"
        self._parts.append(f'<div class="sheet"><table>{header}<tbody>{body}</tbody></table></div>')

    def markup(self, html: str) -> None:
        """HTML as it is, in which whoever makes it has escaped all text."""
        self._parts.append(html)

    def details(self, title: str, text: str) -> None:
        """Plain text in fixed width, folded away until clicked on."""
        self._parts.append(
            f"<details><summary>{escape(title)}</summary><pre>{escape(text)}</pre></details>"
        )

    def footer(self, text: str) -> None:
        self._parts.append(f"<footer>{escape(text)}</footer>")

    def html(self) -> str:
        """The whole document."""
        body = "\n".join(self._parts)
        return (
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f"<title>{escape(self.title)}</title>\n<style>{_STYLE}</style>\n</head>\n"
            f"<body><main>\n{body}\n</main></body>\n</html>\n"
        )

    def write(self, path: str | Path) -> None:
        """Write the document in one step; raises SoapGprError when that is impossible."""
        with atomic_file(path) as temporary:
            temporary.write_text(self.html(), encoding="utf-8")


def data_url(figure: Figure) -> str:
    """The figure as an SVG inside a URL; rasterised artists stay small."""
    stream = io.BytesIO()
    figure.savefig(stream, format="svg", dpi=160, metadata={"Date": None})
    return "data:image/svg+xml;base64," + base64.b64encode(stream.getvalue()).decode()
