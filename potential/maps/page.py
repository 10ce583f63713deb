# SPDX-License-Identifier: BSD-3-Clause
"""A map as one HTML page that needs no network: an SVG, a legend, and a script for what the mouse
is over and for other colours."""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape
from pathlib import Path

import numpy as np
from matplotlib.ticker import MaxNLocator

from potential.maps.colors import Coloring
from potential.maps.projection import Projection
from potential.reports.page import Page
from potential.reports.plots import INK, LINE, SOFT
from potential.version import package_version

WIDTH, HEIGHT = 900, 520
LEFT, RIGHT, TOP, BOTTOM = 64, 16, 14, 48  # margins

_STYLE = """
<style>
.map { background: var(--paper); border: 1px solid var(--line); border-radius: 10px;
       padding: 14px; position: relative; }
.map svg { display: block; width: 100%; height: auto; }
.map circle:hover { stroke: var(--ink); stroke-width: 1.5; }
.map select { font: inherit; margin-left: 6px; }
.legend { margin: 8px 0 0 4px; font-size: 13px; color: var(--soft); }
.legend span.key { display: inline-block; margin-right: 16px; }
.legend i { display: inline-block; width: 11px; height: 11px; border-radius: 6px;
            margin-right: 5px; }
.legend .scale { display: inline-block; width: 240px; height: 12px; border-radius: 3px;
                 margin: 0 8px; vertical-align: middle; }
.hidden { display: none; }
#tip { position: fixed; pointer-events: none; background: var(--ink); color: #fff;
       padding: 7px 11px; border-radius: 6px; font-size: 13px; white-space: pre; z-index: 9; }
</style>
"""
_SCRIPT = """
<script>
"use strict";
const map = JSON.parse(document.getElementById("map-data").textContent);
const points = [...document.querySelectorAll(".map circle")];
const tip = document.getElementById("tip");
const legends = [...document.querySelectorAll(".legend")];
points.forEach((point, k) => {
  point.addEventListener("mousemove", (event) => {
    tip.textContent = map.labels[k];
    tip.classList.remove("hidden");
    const left = Math.min(event.clientX + 14, window.innerWidth - tip.offsetWidth - 8);
    tip.style.left = `${left}px`;
    tip.style.top = `${event.clientY + 14}px`;
  });
  point.addEventListener("mouseleave", () => tip.classList.add("hidden"));
});
document.getElementById("by").addEventListener("change", (event) => {
  const by = Number(event.target.value);
  const { shades, index } = map.colors[by];
  points.forEach((point, k) => point.setAttribute("fill", shades[index[k]]));
  legends.forEach((legend, k) => legend.classList.toggle("hidden", k !== by));
});
</script>
"""


def write_page(
    path: str | Path,
    title: str,
    lead: str,
    projection: Projection,
    colorings: Sequence[Coloring],
    labels: Sequence[str],
    notes: Sequence[str] = (),
) -> None:
    """Write the page; the first of the colourings is shown until another is chosen.

    labels: what is said of the point that the mouse is over, lines of text.
    """
    page = Page(title, lead)
    page.markup(_STYLE + _map(projection, colorings, labels) + _SCRIPT)
    for note in notes:
        page.text(note)
    page.footer(f"Written by soap-gpr {package_version()}.")
    page.write(path)


def _map(projection: Projection, colorings: Sequence[Coloring], labels: Sequence[str]) -> str:
    options = "".join(
        f'<option value="{k}">{escape(own.of.title)}</option>' for k, own in enumerate(colorings)
    )
    legends = "".join(_legend(own, k > 0) for k, own in enumerate(colorings))
    data = {
        "labels": list(labels),
        "colors": [{"shades": own.shades, "index": own.index.tolist()} for own in colorings],
    }
    # "<" never ends the script that holds it
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    return (
        f'<div class="map"><label>Colour<select id="by">{options}</select></label>{legends}'
        f"{scatter(projection, colorings[0])}</div>"
        '<div id="tip" class="hidden"></div>'
        f'<script type="application/json" id="map-data">{text}</script>'
    )


def scatter(projection: Projection, coloring: Coloring) -> str:
    """The points in the first two dimensions as an SVG element, one circle for each."""
    x, y = projection.coordinates[:, 0], projection.coordinates[:, 1]
    (x0, x1), (y0, y1) = _limits(x), _limits(y)
    inner_width, inner_height = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

    def across(value):
        return LEFT + inner_width * (value - x0) / (x1 - x0)

    def down(value):
        return TOP + inner_height * (y1 - value) / (y1 - y0)

    end = HEIGHT - BOTTOM
    parts = [
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" xmlns="http://www.w3.org/2000/svg" '
        f'font-family="sans-serif" font-size="13" fill="{SOFT}">'
    ]
    for tick in _ticks(x0, x1):
        at = f"{across(tick):.1f}"
        parts.append(f'<path d="M{at} {TOP}V{end}" stroke="{LINE}"/>')
        parts.append(f'<text x="{at}" y="{end + 18}" text-anchor="middle">{tick:.4g}</text>')
    for tick in _ticks(y0, y1):
        at = down(tick)
        parts.append(f'<path d="M{LEFT} {at:.1f}H{WIDTH - RIGHT}" stroke="{LINE}"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{at + 4:.1f}" text-anchor="end">{tick:.4g}</text>')
    names = [escape(name) for name in projection.names]
    parts.append(
        f'<text x="{LEFT + inner_width / 2}" y="{HEIGHT - 8}" text-anchor="middle" fill="{INK}">'
        f"{names[0]}</text>"
    )
    middle = TOP + inner_height / 2
    parts.append(
        f'<text transform="translate(14 {middle}) rotate(-90)" text-anchor="middle" '
        f'fill="{INK}">{names[1]}</text>'
    )
    radius, opacity = (4, 0.8) if len(x) < 2000 else (2.5, 0.6)
    parts.append(f'<g fill-opacity="{opacity}">')
    parts += [
        f'<circle cx="{a:.1f}" cy="{b:.1f}" r="{radius}" fill="{color}"/>'
        for a, b, color in zip(across(x), down(y), coloring.colors, strict=True)
    ]
    return "\n".join([*parts, "</g></svg>"])


def _legend(coloring: Coloring, hidden: bool) -> str:
    kind = "legend hidden" if hidden else "legend"
    if coloring.limits is None:
        keys = "".join(
            f'<span class="key"><i style="background:{color}"></i>{escape(name)}</span>'
            for name, color in coloring.groups
        )
        return f'<div class="{kind}">{keys}</div>'
    low, high = coloring.limits
    values = coloring.of.values[np.isfinite(coloring.of.values)]
    first = "≤ " if values.min() < low else ""
    last = "≥ " if values.max() > high else ""
    stops = ",".join(coloring.shades[:-1:7])
    none = ""
    if len(values) < len(coloring.of.values):
        none = f'<span class="key"><i style="background:{coloring.shades[-1]}"></i>none</span>'
    return (
        f'<div class="{kind}">{first}{low:.5g}<span class="scale" '
        f'style="background:linear-gradient(to right,{stops})"></span>{last}{high:.5g} '
        f"{escape(coloring.of.unit)} {none}</div>"
    )


def _limits(values: np.ndarray) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    margin = 0.04 * (high - low) or 0.5
    return low - margin, high + margin


def _ticks(low: float, high: float) -> list[float]:
    ticks = np.asarray(MaxNLocator(nbins=7).tick_values(low, high))
    return ticks[(ticks >= low) & (ticks <= high)].tolist()
