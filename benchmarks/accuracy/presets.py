# SPDX-License-Identifier: BSD-3-Clause
"""Errors and costs of the presets on the test frames of all reference sets.

Nothing is chosen by these numbers: choices are made with holdout.py. Costs are CPU times of energy,
forces and virial on one thread, in turns with the first variant: by default a term of 5 Å with all
features and a cosine, the default of before presets. Results are appended to the JSON file, so that
what an earlier run has done is not done again.

  python benchmarks/accuracy/presets.py --sets Si Li --json presets.json
  python benchmarks/accuracy/presets.py --json presets.json --markdown
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from common import COSINE, describe, machine, number, table
from sets import DATA, PRESET_VARIANTS, SEED, SETS, divided, settings_of
from zuo import PUBLISHED, run_settings

from potential import Model
from potential.scores.cost import CostMeter
from potential.structures.read import read_structures

BEFORE = "before presets"
VARIANTS = {BEFORE: {"terms": [{"cutoff": 5.0, **COSINE}]}} | PRESET_VARIANTS
KEYS = ("energy_mae", "energy_rmse", "force_mae", "force_rmse")
HEAD = ["", "E MAE meV/atom", "E RMSE", "F MAE eV/Å", "F RMSE", "µs/atom", "fit CPU s"]


def main() -> None:
    arguments = _arguments()
    path = arguments.json
    result: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {"sets": {}}
    for name in arguments.sets:
        own = result["sets"].setdefault(name, {})
        missing = [variant for variant in arguments.variants if variant not in own]
        for variant, found in of_set(name, missing, arguments.data):
            own[variant] = found
            result |= {"benchmark": "accuracy/presets", "machine": machine(), "seed": SEED}
            path.write_text(json.dumps(result, indent=1))
            print(_table(name, own), end="\n\n", file=sys.stderr, flush=True)
    print(describe(result["machine"]), end="\n\n")
    shown = _markdown if arguments.markdown else _table
    for name in arguments.sets:
        print(shown(name, result["sets"][name]), end="\n\n")


def of_set(name: str, variants: list[str], data: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Fits of the variants, each measured beside the first one of all."""
    if not variants:
        return
    with tempfile.TemporaryDirectory() as folder:
        files = divided(name, Path(folder), data)
        meter = None
        for variant in (BEFORE, *(other for other in variants if other != BEFORE)):
            settings = settings_of(name, VARIANTS[variant], files)
            found = run_settings(variant, settings, Path(folder))
            model = Model.load(Path(folder) / f"{variant}.sgpr")
            if meter is None:
                keys = settings["data"] | {"train": [], "test": []}
                meter = CostMeter.of_data(_structures(files["test"], keys))
            cost = meter.measure(model)
            yield variant, found | {"us_per_atom": cost.us_per_atom, "cost_ratio": cost.ratio}


def _structures(files: list[str], keys: dict[str, Any]) -> list[Any]:
    from potential.settings.file import parse_settings

    settings = parse_settings({"data": keys}, data_required=False)
    return read_structures(files, settings.data.keys)


def _rows(name: str, own: dict[str, Any]) -> list[list[Any]]:
    rows = []
    for variant, found in own.items():
        row = [variant, *(found["test"][key] for key in KEYS), found["us_per_atom"]]
        rows.append([*row, found["seconds"]["cpu"]])
    for other, (energy, force) in PUBLISHED.get(name, {}).items():
        rows.append([other, energy, None, force, None, None, None])
    return rows


def _table(name: str, own: dict[str, Any]) -> str:
    first = next(iter(own.values()))
    counts = f"{name}, {first['n_train']} / {first['n_test']} frames"
    return table([counts, *HEAD[1:]], _rows(name, own))


def _markdown(name: str, own: dict[str, Any]) -> str:
    """The same for docs/accuracy.md."""
    first = next(iter(own.values()))
    head = [f"{name}, {first['n_train']} / {first['n_test']}", *HEAD[1:]]
    lines = [head, ["---"] * len(head)]
    for row in _rows(name, own):
        lines.append([row[0], *("–" if v is None else number(v) for v in row[1:])])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--json", type=Path, default=Path("presets.json"), metavar="FILE")
    parser.add_argument("--markdown", action="store_true", help="print tables of docs/accuracy.md")
    return parser.parse_args()


if __name__ == "__main__":
    main()
