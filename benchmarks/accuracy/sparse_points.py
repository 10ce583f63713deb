# SPDX-License-Identifier: BSD-3-Clause
"""Errors and costs against the number of sparse points, on held-out training frames: farthest
points, and those that [solver] sparse_tolerance leaves of more of them.

All fits are of the preset's terms. Those of one number that is chosen share their rows.

  python benchmarks/accuracy/sparse_points.py --sets Si Li Cu --json sparse_points.json \\
      --plot docs/images/sparse_points.svg
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from common import describe, log_axes, machine, save_figure, table
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sets import DATA, SETS, held_out, settings_of

from potential.reports.plots import COLORS, INK, SOFT, style
from potential.scores import metrics
from potential.scores.cost import CostMeter
from potential.settings.file import as_settings
from potential.settings.presets import DataTraits, preset_terms
from potential.training.data import read_fit_data
from potential.training.fitting import FitResult, fit

HEAD = ["set, chosen", "tolerance", "kept", "E MAE meV/atom", "F MAE eV/Å", "µs/atom", "seconds"]


def main() -> None:
    arguments = _arguments()
    path, result = arguments.json, dict[str, Any](sets={})
    if path.exists():
        result = json.loads(path.read_text())
    for name in arguments.sets:
        if name not in result["sets"]:
            with tempfile.TemporaryDirectory() as folder:
                own = []
                for row in of_set(name, arguments, Path(folder)):
                    own.append(row)
                    print(table(HEAD, _rows(name, [row])), file=sys.stderr, flush=True)
            result["sets"][name] = own
            result |= {"benchmark": "accuracy/sparse_points", "machine": machine()}
            result |= {"preset": arguments.preset, "seed": arguments.seed, "share": arguments.share}
            path.write_text(json.dumps(result, indent=1))
    rows = [row for name in arguments.sets for row in _rows(name, result["sets"][name])]
    print(f"{describe(result['machine'])}\n\n{table(HEAD, rows)}")
    if arguments.plot:
        plot({name: result["sets"][name] for name in arguments.sets}, arguments.plot)


def of_set(name: str, arguments: argparse.Namespace, folder: Path) -> Iterator[dict[str, Any]]:
    """A row for each model of a set."""
    data = held_out(name, folder, arguments.seed, arguments.share, arguments.data)
    asked = settings_of(name, {"preset": arguments.preset}, data)
    traits = DataTraits.of(read_fit_data(as_settings(asked)).train)
    terms, meter = preset_terms(asked.pop("preset"), traits), None
    for n in sorted(arguments.chosen, reverse=True):
        factor = folder / f"{n}.factor"
        own = asked | {"terms": [term | {"n_sparse": n} for term in terms]}
        for tolerance in arguments.tolerance if n in arguments.eliminate else []:
            solver = {"solver": {"sparse_tolerance": tolerance}}
            found = fit(own | solver, progress=False, factor=factor)
            meter = meter or CostMeter.of_data(found.test)
            yield _row(n, tolerance, found, meter)
        found = fit(own, progress=False, factor=factor)
        meter = meter or CostMeter.of_data(found.test)
        yield _row(n, None, found, meter)
        factor.unlink()


def _row(n: int, tolerance: float | None, found: FitResult, meter: CostMeter) -> dict[str, Any]:
    errors, cost = found.test_errors[metrics.ALL], meter.measure(found.model)
    return {
        "chosen": n,
        "tolerance": tolerance,
        "kept": found.model.n_weights,
        "energy_mae": 1e3 * errors["energy"].mae,
        "force_mae": errors["force"].mae,
        "us_per_atom": cost.us_per_atom,
        "seconds": found.provenance["seconds"].get("elimination"),
    }


def _rows(name: str, own: list[dict[str, Any]]) -> list[list[Any]]:
    return [[f"{name}, {row['chosen']}", *list(row.values())[1:]] for row in own]


def plot(sets: dict[str, list[dict[str, Any]]], path: str) -> None:
    """Force error against the number of sparse points of all terms, a panel for each set."""
    figure = Figure(figsize=(3.6 * len(sets), 3.3), layout="constrained")
    panels = figure.subplots(1, len(sets), squeeze=False)[0]
    for axes, (name, own) in zip(panels, sets.items(), strict=True):
        style(axes)
        _line(axes, [row for row in own if row["tolerance"] is None], "s", 0, "farthest points")
        eliminated = sorted({row["chosen"] for row in own if row["tolerance"] is not None})
        for k, n in enumerate(eliminated):
            left = [row for row in own if row["chosen"] == n]
            _line(axes, left, "o", k + 1, f"left of {n} in each term")
        axes.set_title(name, color=INK, fontsize=11)
        axes.set_xlabel("sparse points", color=SOFT, fontsize=9)
        log_axes(axes, "x")
    panels[0].set_ylabel("force MAE, eV/Å", color=SOFT, fontsize=9)
    panels[0].legend(frameon=False, fontsize=8, labelcolor=INK)
    save_figure(figure, path, "sparse_points")


def _line(axes: Axes, rows: list[dict[str, Any]], marker: str, k: int, label: str) -> None:
    points = sorted((row["kept"], row["force_mae"]) for row in rows)
    axes.plot(*zip(*points, strict=True), f"{marker}-", color=COLORS[k], ms=5, lw=1.2, label=label)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--sets", nargs="+", choices=SETS, default=["Si", "Li", "Cu"])
    add("--preset", default="balanced")
    add("--chosen", nargs="+", type=int, default=[250, 350, 500, 700, 1000, 2000])
    add("--eliminate", nargs="+", type=int, default=[1000, 2000], help="of these numbers")
    add("--tolerance", nargs="+", type=float, default=[0.003, 0.01, 0.03, 0.1])
    add("--seed", type=int, default=1, help="of the choice of held-out frames")
    add("--share", type=float, default=1.0, help="of the training frames")
    add("--data", type=Path, default=DATA)
    add("--json", type=Path, default=Path("sparse_points.json"), metavar="FILE")
    add("--plot", metavar="FILE")
    return parser.parse_args()


if __name__ == "__main__":
    main()
