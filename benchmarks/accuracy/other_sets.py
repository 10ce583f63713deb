# SPDX-License-Identifier: BSD-3-Clause
"""Test errors on the sets beside Zuo's, with one settings file for all of them.

MoNbTaW, acetylacetone, liquid water, water dimers and small molecules (energies only).

Where a set has no test file, its frames are divided at random with a fixed seed, as much of every
config_type into the test set. The data are looked for in ../shared/data beside the repository.

  python benchmarks/accuracy/other_sets.py
  python benchmarks/accuracy/other_sets.py --sets acetylacetone --settings mine.toml
"""

import argparse
import sys
import tempfile
import tomllib
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from common import add_output_option, describe, emit, machine, table
from sets import DATA, SEED, SETS, divided, mean_size, settings_of
from zuo import HERE, run_settings

NAMES = ("MoNbTaW", "acetylacetone", "water", "water_dimers", "small_molecules")


def main() -> None:
    arguments = _arguments()
    template = tomllib.loads(arguments.settings.read_text())
    results = {}
    for name in arguments.sets:
        with tempfile.TemporaryDirectory() as folder:
            files = divided(name, Path(folder), arguments.data)
            settings = settings_of(name, template, files)
            results[name] = run_settings(name, settings) | {"published": SETS[name].published}
            results[name]["atoms_per_test_frame"] = mean_size(files["test"])
        print(_table({name: results[name]}), end="\n\n", file=sys.stderr, flush=True)
    information = machine(["scipy", "vesin"])
    result = {
        "benchmark": "accuracy/other_sets",
        "machine": information,
        "settings": {key: value for key, value in template.items() if key != "data"},
        "seed": SEED,
        "units": {"energy": "meV/atom", "force": "eV/Å"},
        "sets": results,
    }
    notes = "\n".join(f"{name}: published: {SETS[name].published}" for name in arguments.sets)
    emit(f"{describe(information)}\n\n{_table(results)}\n{notes}", result, arguments.json)


def _table(results: dict) -> str:
    head = ["", "train / test", "sparse points", "E MAE meV/atom", "E RMSE", "F MAE eV/Å", "F RMSE"]
    rows = []
    for name, result in results.items():
        own = result["test"]
        rows.append([name, f"{result['n_train']} / {result['n_test']}", result["n_sparse"]])
        rows[-1] += [own[key] for key in ("energy_mae", "energy_rmse", "force_mae", "force_rmse")]
        rows[-1] += [result["seconds"]["cpu"], result["peak_mib"]]
    return table([*head, "CPU s", "peak MiB"], rows)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sets", nargs="+", choices=NAMES, default=list(NAMES))
    parser.add_argument("--settings", type=Path, default=HERE / "default.toml")
    parser.add_argument("--data", type=Path, default=DATA)
    add_output_option(parser)
    return parser.parse_args()


if __name__ == "__main__":
    main()
