# SPDX-License-Identifier: BSD-3-Clause
"""Time per atom by phase against the settings of a model: the plot of docs/performance.md.

Crystalline silicon of 512 atoms, energies, forces and virials on one core and one thread; one
setting at a time departs from cutoff 5 Å, n_max 8, l_max 6, zeta 4, 1000 sparse points per species.

  python benchmarks/scaling.py
  python benchmarks/scaling.py --plot docs/images/performance.png --json scaling.json
"""

from common import add_output_option, describe, emit, machine, pin_to_one_core, table

pin_to_one_core()

import argparse  # noqa: E402
from dataclasses import asdict, replace  # noqa: E402

import matplotlib  # noqa: E402
from systems import Size, crystal, random_model  # noqa: E402

from potential.scores.benchmark import benchmark  # noqa: E402
from potential.structures.structure import structure_from_atoms  # noqa: E402

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

# title: (label of a bar, settings)
SERIES = {
    "sparse points M, ζ = 4 (right: any M, ζ = 2)": [
        *((f"{m}", {"n_sparse": m}) for m in (100, 500, 1000, 2000, 4000)),
        ("ζ = 2", {"zeta": 2}),
    ],
    "n_max, l_max": [
        (f"{n}, {l}", {"n_max": n, "l_max": l})
        for n, l in ((4, 3), (6, 4), (8, 4), (8, 6), (8, 8), (10, 8), (12, 8), (10, 12))
    ],
    "neighbours (cutoff in Å)": [
        (f"({cutoff:g})", {"cutoff": cutoff}) for cutoff in (3.5, 4.0, 5.0, 6.0, 7.0, 8.0)
    ],
    "species": [
        (f"{k + 1}", {"species": species})
        for k, species in enumerate(("Si", "SiGe", "SiGeSn", "SiGeSnC"))
    ],
}
GROUPS = {
    "kernel": ["kernel"],
    "expansion and its adjoint": ["expansion", "expansion_adjoint"],
    "power spectrum and its adjoint": ["power_spectrum", "power_spectrum_adjoint"],
    "neighbour list": ["neighbor_list"],
    "rest": ["gather", "scatter", "rest"],
}
COLORS = ["#4477aa", "#ee6677", "#ccbb44", "#66ccee", "#bbbbbb"]


def main() -> None:
    arguments = _arguments()
    result = {
        "benchmark": "scaling",
        "machine": machine(["vesin"]),
        "series": {
            title: [_measure(label, changes, arguments.seconds) for label, changes in bars]
            for title, bars in SERIES.items()
        },
    }
    if arguments.plot:
        _plot(result, arguments.plot)
    emit(_text(result), result, arguments.json)


def _measure(label: str, changes: dict, seconds: float) -> dict:
    size = replace(Size(), **changes)
    model, atoms = random_model(size), crystal(size.species, 512)
    measured = benchmark(model, structure_from_atoms(atoms), [1], seconds)
    phases = measured["phases"]
    if "cutoff" in changes:
        label = f"{measured['neighbors']:.0f}\n{label}"
    return {
        "label": label,
        "size": asdict(size),
        "n_features": model.core.n_features(0),
        "neighbors": measured["neighbors"],
        "us_per_atom": {
            name: sum(phases[phase] for phase in members) for name, members in GROUPS.items()
        },
    }


def _text(result: dict) -> str:
    parts = [describe(result["machine"])]
    for title, bars in result["series"].items():
        rows = []
        for bar in bars:
            times = list(bar["us_per_atom"].values())
            label = bar["label"].replace("\n", " ")
            rows.append([label, bar["n_features"], round(bar["neighbors"]), *times, sum(times)])
        head = [title, "features", "neighbours", "kernel", "expansion", "spectrum", "list", "rest"]
        parts.append(table([*head, "µs/atom"], rows))
    return "\n\n".join(parts)


def _plot(result: dict, path: str) -> None:
    figure, axes = plt.subplots(2, 2, figsize=(9, 6), layout="constrained")
    for axis, (title, bars) in zip(axes.flat, result["series"].items(), strict=True):
        base = [0.0] * len(bars)
        labels = [bar["label"] for bar in bars]
        for name, color in zip(GROUPS, COLORS, strict=True):
            heights = [bar["us_per_atom"][name] for bar in bars]
            axis.bar(labels, heights, bottom=base, color=color, label=name, width=0.7)
            base = [low + height for low, height in zip(base, heights, strict=True)]
        for k, total in enumerate(base):
            axis.annotate(f"{total:.3g}", (k, total), ha="center", va="bottom", fontsize=8)
        axis.set_xlabel(title)
        axis.set_ylabel("µs/atom")
        axis.margins(y=0.1)
        axis.spines[["top", "right"]].set_visible(False)
    axes[1, 1].legend(frameon=False, fontsize=8, reverse=True, loc="upper left")
    processor = result["machine"]["processor"]
    figure.suptitle(f"Energy, forces, virial per atom; one core of {processor}", fontsize=10)
    figure.savefig(path, dpi=110)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--plot", metavar="FILE", help="write the plot, PNG")
    parser.add_argument("--seconds", type=float, default=2.0, help="time for each setting")
    add_output_option(parser)
    return parser.parse_args()


if __name__ == "__main__":
    main()
