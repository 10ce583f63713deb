# SPDX-License-Identifier: BSD-3-Clause
"""A search with two objectives on silicon: the front of force error against time per atom.

  python benchmarks/tune_front.py --plot docs/images/tuning_front.svg
  python benchmarks/tune_front.py --steadiness

Every third training frame of Zuo's silicon set serves; its test frames are not looked at.
--steadiness measures the cost of one model again and again, as the search does and by wall time.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from pathlib import Path
from typing import Any

from common import (
    COSINE,
    add_output_option,
    describe,
    emit,
    machine,
    pin_to_one_core,
    save_figure,
    table,
)

pin_to_one_core()

from potential import fit, tune  # noqa: E402
from potential.reports.front import draw_front  # noqa: E402
from potential.reports.plots import figure  # noqa: E402
from potential.reports.tuning import format_tuning  # noqa: E402
from potential.scores.benchmark import benchmark, first_structure  # noqa: E402
from potential.scores.cost import CostMeter  # noqa: E402
from potential.validation.row_store import read_data  # noqa: E402
from potential.validation.search_space import as_tune  # noqa: E402
from potential.validation.tuning import Trial, Tuning  # noqa: E402

DATA = Path(__file__).parents[2] / "shared" / "data"
START = COSINE | {"cutoff": 5.0, "n_max": 8, "l_max": 6, "n_sparse": 400}
SEARCH = {
    "terms.0.cutoff": {"low": 4.0, "high": 7.0},
    "terms.0.n_max": {"low": 4, "high": 10},
    "terms.0.l_max": {"low": 2, "high": 8},
    "terms.0.n_sparse": {"low": 30, "high": 500, "log": True},
    "terms.0.zeta": [2, 3, 4],
    "noise.force": {"low": 0.02, "high": 0.2, "log": True},
}
N_ATOMS = 1000  # those of soap-gpr benchmark
TUNE = {"objective": ["force", "cost"], "search": SEARCH}


def main() -> None:
    arguments = _arguments()
    file = arguments.data / "mlearn_Si" / "train.xyz"
    if not file.exists():
        raise SystemExit(f"{file} was not found: --data names another folder")
    settings = {
        "data": {"train": [f"{file}@::3"]},
        "terms": [START],
        "noise": {"virial_per_atom": float("inf")},
    }
    if arguments.again:
        again(settings, arguments.again, arguments.plot)
        return
    if arguments.steadiness:
        text, result = steadiness(settings, arguments.repeats)
    else:
        text, result = search(settings, arguments.trials, arguments.method, arguments.plot)
    information = machine(["optuna"])
    result |= {"benchmark": "tune_front", "machine": information}
    emit(f"{describe(information)}\n\n{text}", result, arguments.json)


def search(
    settings: dict[str, Any], trials: int, method: str, plot: str | None
) -> tuple[str, dict[str, Any]]:
    """Text and results of a search, and its front as a figure."""
    own = TUNE | {"trials": trials, "method": method}

    def after_trial(tuning: Tuning) -> None:
        print(tuning.trials[-1].number, tuning.trials[-1].values, file=sys.stderr, flush=True)

    tuning = tune(settings | {"tune": own}, after_trial=after_trial)
    if plot:
        draw(tuning, plot)
    return format_tuning(tuning), tuning.to_dict()


def draw(tuning: Tuning, path: str) -> None:
    """The figure of all trials and the front."""
    fig, axes = figure(6.0, 4.2)
    draw_front(axes, tuning, "cost", "force")
    save_figure(fig, path, "tune_front")


def again(settings: dict[str, Any], file: Path, plot: str) -> None:
    """The figure from the JSON of an earlier search."""
    found = json.loads(file.read_text())
    trials = [Trial(own["number"], own["parameters"], own["values"]) for own in found["trials"]]
    draw(Tuning(as_tune(settings | {"tune": TUNE}), trials), plot)


def steadiness(settings: dict[str, Any], repeats: int) -> tuple[str, dict[str, Any]]:
    """How much repeated measurements of one model differ: its cost as the search has it, and the
    wall time of ``soap-gpr benchmark``."""
    structures = read_data(settings).train
    terms = [START | {"n_sparse": 100, "n_max": 6}]
    small = fit(settings | {"terms": terms}, progress=False).model
    large = fit(settings, progress=False).model
    meter = CostMeter.of_data(structures)
    meter.measure(large)
    cell = first_structure(settings["data"]["train"][0], N_ATOMS)
    found: dict[str, list[float]] = {"wall time": [], "cost": []}
    for _ in range(repeats):
        runs = benchmark(small, cell, seconds=0.5)["runs"]
        found["wall time"].append(next(run["us_per_atom"] for run in runs if run["forces"]))
        found["cost"].append(meter.measure(small).us_per_atom)
    rows = [
        [name, statistics.median(own), min(own), max(own), (max(own) - min(own)) / min(own)]
        for name, own in found.items()
    ]
    head = ["µs/atom", "median", "least", "most", "most / least - 1"]
    return table(head, rows), {"us_per_atom": found}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--plot", metavar="FILE", help="write the figure; SVG, PDF or PNG")
    parser.add_argument(
        "--again", metavar="JSON", type=Path, help="draw --plot from the JSON of an earlier run"
    )
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--method", choices=("tpe", "nsga2", "random"), default="tpe")
    parser.add_argument("--steadiness", action="store_true", help="no search, costs alone")
    parser.add_argument("--repeats", type=int, default=10, help="of --steadiness")
    parser.add_argument("--data", type=Path, default=DATA)
    add_output_option(parser)
    arguments = parser.parse_args()
    if arguments.again and not arguments.plot:
        parser.error("--again draws --plot, which is missing")
    return arguments


if __name__ == "__main__":
    main()
