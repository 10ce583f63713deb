# SPDX-License-Identifier: BSD-3-Clause
r"""Figure 1 of [P] on the data at hand: alchemical maps, optimised and not, against full SOAP.

Gaussian processes of structures (docs/theory.md eq. 13m) with ζ = 1, errors per atom over random
splits: cohesion energies of 83 elements in cells of 1 to 3 atoms with gold (Au_alloys_PBEsol), and
energies of alloys of 25 elements (HEA25_sample). A map is optimised on the training structures that
the process learns from, on at most 200 of them. The data are looked for in ../shared/data beside
the repository.

  python benchmarks/papers/figure_1.py --json figure_1.json --plot docs/images/figure_1.png
  python benchmarks/papers/figure_1.py --quick
  python benchmarks/papers/figure_1.py --from figure_1.json --plot docs/images/figure_1.png \
    --elements docs/images/figure_1_elements.png
"""

import argparse
import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from common import add_output_option, describe, emit, machine, pin_to_one_core, table

pin_to_one_core()

import figure_1_data as data  # noqa: E402
import figure_1_plot as plots  # noqa: E402
import numpy as np  # noqa: E402
from figure_1_models import Models, mean_errors  # noqa: E402

SEED = 20261126
ORDER = ("separate", "alchemical", "shared")


def main() -> None:
    arguments = _arguments()
    if arguments.stored:
        stored = [json.loads(path.read_text()) for path in arguments.stored]
        result = stored[0] | {"sets": {k: v for own in stored for k, v in own["sets"].items()}}
    else:
        result = measured(arguments)
        emit(text_of(result), result, arguments.json)
    if arguments.plot:
        plots.figure(result, arguments.plot)
    if arguments.elements:
        plots.elements(result, arguments.elements)


def measured(arguments: argparse.Namespace) -> dict:
    information = machine(["scipy"])
    sets = {}
    for own in (own for own in data.SETS if own.name in arguments.sets):
        loaded = data.load(own, arguments.data)
        sizes = own.sizes[:2] if arguments.quick else own.sizes
        splits = 1 if arguments.quick else arguments.splits
        start = time.process_time()
        sets[own.name] = {
            "structures": len(loaded.y),
            "elements": len(loaded.species),
            "curves": curves(Models(loaded), own, sizes, splits),
            "cpu_seconds": time.process_time() - start,
        }
        if own.leave_out and not arguments.quick:
            sets[own.name]["left_out"] = Models(loaded).left_out(SEED)
        print(
            text_of({"machine": information, "sets": {own.name: sets[own.name]}}), file=sys.stderr
        )
    return {
        "benchmark": "papers/figure_1",
        "machine": information,
        "density": data.DENSITY,
        "units": "meV/atom",
        "splits": arguments.splits,
        "seed": SEED,
        "sets": sets,
    }


def curves(models: Models, own: "data.Set", sizes: tuple, splits: int) -> list[dict]:
    """Errors of every model for each number of training structures, means over the splits."""
    found = []
    n = len(models.data.y)
    for size in sizes:
        by_model: dict[str, list[dict]] = {}
        for split in range(splits):
            order = np.random.default_rng([SEED, split]).permutation(n)
            train, test = np.sort(order[:size]), np.sort(order[size:])
            for name, errors in models.errors(train, test, everything=size in own.all_at):
                by_model.setdefault(name, []).append(errors)
            print(f"{own.name} {size} split {split}", file=sys.stderr, flush=True)
        found += [
            {"model": name, "n_train": size, **mean_errors(errors)}
            for name, errors in by_model.items()
        ]
    return found


def text_of(result: dict) -> str:
    parts = [describe(result["machine"])]
    for name, own in result["sets"].items():
        rows = own["curves"]
        sizes = sorted({row["n_train"] for row in rows})
        cell = {(row["model"], row["n_train"]): row for row in rows}
        names = list(dict.fromkeys(row["model"] for row in rows))
        body = [[m, *(cell.get((m, n), {}).get("mae") for n in sizes)] for m in names]
        parts.append(table([f"{name}: MAE, meV/atom, N =", *map(str, sizes)], body))
        lacking = [[m, *(cell.get((m, n), {}).get("mae_lacking") for n in sizes)] for m in names]
        parts.append(
            table(["of structures with elements that training lacks", *map(str, sizes)], lacking)
        )
        if "left_out" in own:
            mean = own["left_out"]["mean"]
            parts.append(table(["each element left out, MAE in meV/atom", ""], list(mean.items())))
    return "\n\n".join(parts)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=data.FOLDER, help="default %(default)s")
    names = [own.name for own in data.SETS]
    parser.add_argument("--sets", nargs="+", choices=names, default=names, help="default: both")
    parser.add_argument("--splits", type=int, default=5, help="default %(default)s")
    parser.add_argument("--quick", action="store_true", help="one split, two sizes")
    parser.add_argument("--plot", type=Path, metavar="PNG", help="write the figure here")
    parser.add_argument(
        "--elements", type=Path, metavar="PNG", help="write the periodic table of the map here"
    )
    parser.add_argument(
        "--from",
        dest="stored",
        type=Path,
        nargs="+",
        metavar="JSON",
        help="plot results of before, one for each set or one for both",
    )
    add_output_option(parser)
    return parser.parse_args()


if __name__ == "__main__":
    main()
