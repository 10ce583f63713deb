# SPDX-License-Identifier: BSD-3-Clause
"""Errors on held-out training frames: for choosing settings without the test sets.

A sixth of the training frames of each config_type, drawn with a seed, is left out of the fit.
Variants are tables of fit.toml as JSON, added to one term of the package's defaults, unless they
name a preset, and to what the labels of a set need; each is fitted to every set, and the ratios of
errors to those of the first are printed.

  python benchmarks/accuracy/holdout.py --sets Si Cu Li
  python benchmarks/accuracy/holdout.py --variant 'one term={}' --variant 'fast={"preset": "fast"}'
  python benchmarks/accuracy/holdout.py --variant 'default={}' \\
      --variant 'longer={"terms": [{"cutoff": 6.0}], "noise": {"force": 0.02}}'
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import numpy as np
from common import add_output_option, describe, emit, machine, table
from sets import DATA, SETS, held_out, settings_of
from zuo import run_settings

KEYS = ("energy_mae", "energy_rmse", "force_mae", "force_rmse")
HEAD = ["set, variant", "E MAE meV/atom", "E RMSE", "F MAE eV/Å", "F RMSE", "CPU s", "µs/atom"]


def main() -> None:
    arguments = _arguments()
    variants = dict(arguments.variant or [("default", {})])
    found: dict[str, dict[str, Any]] = {name: {} for name in arguments.sets}
    for name, own in found.items():
        with tempfile.TemporaryDirectory() as folder:
            data = held_out(name, Path(folder), arguments.seed, arguments.share, arguments.data)
            for variant, settings in variants.items():
                template = settings if "preset" in settings else {"terms": [{}]} | settings
                own[variant] = run_settings(name, settings_of(name, template, data))
                print(table(HEAD, [_row(name, variant, own[variant])]), file=sys.stderr, flush=True)
    rows = [_row(name, variant, own[variant]) for name, own in found.items() for variant in own]
    text = [table(HEAD, rows)]
    if len(variants) > 1:
        text.append(_ratios(found, list(variants)))
    information = machine()
    result = {"benchmark": "accuracy/holdout", "machine": information, "sets": found}
    result |= {"variants": variants, "seed": arguments.seed, "share": arguments.share}
    emit("\n\n".join([describe(information), *text]), result, arguments.json)


def _row(name: str, variant: str, result: dict[str, Any]) -> list[Any]:
    values = [result["test"][key] for key in KEYS]
    return [f"{name}, {variant}", *values, result["seconds"]["cpu"], 1e3 * result["ms_per_atom"]]


def _ratios(found: dict[str, dict[str, Any]], variants: list[str]) -> str:
    """Geometric means over the sets of errors and times relative to those of the first variant."""
    rows = []
    for variant in variants:
        row: list[Any] = [variant]
        for get in (
            lambda own: own["test"]["energy_mae"],
            lambda own: own["test"]["force_mae"],
            lambda own: own["seconds"]["cpu"],
            lambda own: own["ms_per_atom"],
        ):
            pairs = [(get(own[variant]), get(own[variants[0]])) for own in found.values()]
            logs = [np.log(a / b) for a, b in pairs if a and b]
            row.append(float(np.exp(np.mean(logs))) if logs else None)
        rows.append(row)
    return table([f"relative to {variants[0]}", "E MAE", "F MAE", "CPU s", "µs/atom"], rows)


def named_settings(text: str) -> tuple[str, dict[str, Any]]:
    """A name and a table of fit.toml from NAME=JSON."""
    name, _, settings = text.partition("=")
    return name, json.loads(settings)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--variant", type=named_settings, action="append", metavar="NAME=JSON")
    parser.add_argument("--seed", type=int, default=1, help="of the choice of held-out frames")
    parser.add_argument("--share", type=float, default=1.0, help="of the training frames")
    parser.add_argument("--data", type=Path, default=DATA)
    add_output_option(parser)
    return parser.parse_args()


if __name__ == "__main__":
    main()
