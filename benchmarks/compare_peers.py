# SPDX-License-Identifier: BSD-3-Clause
"""The speed table: soap-gpr and its peers, in one run.

One core and one thread in double precision unless said. Every case is measured in rounds in which
the codes take turns; ratios are medians over rounds. Peers: QUIP's GAP (quippy-ase), the features
of featomic and DScribe with gradients, LAMMPS' own SNAP, Stillinger-Weber and Tersoff. Those of the
last three that are not installed are left out.

  python benchmarks/compare_peers.py
  python benchmarks/compare_peers.py --quick --json peers.json
"""

from compare_quip import CORE, MODEL, evaluations  # isort: skip  # pins, so before numpy

import argparse
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from common import (
    CORES,
    add_output_option,
    all_cores,
    alternate,
    describe,
    emit,
    interval,
    machine,
    ratios,
    summary,
    table,
)
from peer_features import dscribe_call, featomic_call
from products import evaluation
from quip_potential import gap_file
from quippy.potential import Potential
from systems import Size, crystal, random_model

from potential import _core

QUIP_DEFAULT = "QUIP through quippy, default properties"
PACKAGES = ["quippy-ase", "featomic", "dscribe", "lammps", "vesin"]


@dataclass(frozen=True)
class Case:
    """A row of the table: ratios to QUIP that were asked for, least and aim."""

    name: str
    size: Size
    least: float
    aim: float
    forces: bool = True
    seconds: float = 15.0


CASES = [
    Case("Si, n 8, l 6, zeta 4, M = 1000", Size(), 40, 60),
    Case("the same, M = 4000", Size(n_sparse=4000), 25, 40),
    Case("SiC, M = 1000 per species", Size(species="SiC"), 35, 60),
    Case("Si, n 10, l 12, M = 9000", Size(n_max=10, l_max=12, n_sparse=9000), 15, 30, seconds=40),
    Case("Si, zeta 2, M = 1000", Size(zeta=2), 90, 140),
    Case("energy only, M = 1000", Size(), 80, 120, forces=False),
]


def main() -> None:
    arguments = _arguments()
    n_atoms, speedup = (216, 0.2) if arguments.quick else (512, 1.0)
    result = {
        "benchmark": "compare_peers",
        "machine": machine(PACKAGES),
        "n_atoms": n_atoms,
        "quip": [_against_quip(case, n_atoms, speedup * case.seconds) for case in CASES],
        "products": evaluation(Size(), n_atoms, 10 * speedup),
        "features": _features(Size(), 5 * speedup),
        "threads": _threads(Size(), 10 * speedup),
        "lammps": _lammps(Size(), 1 if arguments.quick else 3, 2 * speedup),
    }
    emit(_text(result), result, arguments.json)


def _against_quip(case: Case, n_atoms: int, seconds: float) -> dict:
    atoms = crystal(case.size.species, n_atoms)
    calls = evaluations(case.size, atoms, case.forces)
    if not case.forces:
        quip = Potential("IP GAP", param_filename=str(gap_file(case.size)))
        quip.calculation_always_required = True
        calls[QUIP_DEFAULT] = lambda: quip.calculate(atoms, ["energy"])
    times = alternate(calls, seconds, least=3)
    return {
        "case": asdict(case),
        "kernel_mflop": 1e-6 * _kernel_flop(case, len(set(atoms.numbers))),
        "us_per_atom": {name: summary(t, 1e6 / len(atoms)) for name, t in times.items()},
        "ratios": {
            slow: {fast: ratios(times[slow], times[fast]) for fast in (CORE, MODEL)}
            for slow in times
            if slow not in (CORE, MODEL)
        },
    }


def _kernel_flop(case: Case, n_species: int) -> int:
    """Operations of the kernel for one atom: two products, one without forces or with zeta 2."""
    channels = n_species * case.size.n_max
    n_features = (case.size.l_max + 1) * channels * (channels + 1) // 2
    if case.size.zeta == 2:
        return 2 * n_features**2
    return (4 if case.forces else 2) * case.size.n_sparse * n_features


def _features(size: Size, seconds: float) -> list[dict]:
    """Time per atom of feature gradients alone, without a model."""
    rows = []
    for make in (featomic_call, dscribe_call):
        for gradients in (False, True):
            try:
                name, call, n_centers = make(size, gradients)
            except ImportError:
                continue
            times = alternate({name: call}, seconds, least=3)[name]
            rows.append({"name": name, "us_per_atom": summary(times, 1e6 / n_centers)})
    return rows


def _threads(size: Size, seconds: float) -> dict:
    """Wall time of 4096 atoms on one and on two threads."""
    if len(CORES) < 2:
        return {}
    atoms, model = crystal(size.species, 4096), random_model(size)
    structure = model.environments(atoms)
    evaluators = {n: _core.Evaluator(model.core, n) for n in (1, 2)}
    times: dict[int, list[float]] = {1: [], 2: []}
    with all_cores():
        end = time.perf_counter() + seconds
        while time.perf_counter() < end or len(times[2]) < 5:
            for n, evaluator in evaluators.items():
                start = time.perf_counter()
                evaluator.evaluate(structure, True)
                times[n].append(time.perf_counter() - start)
    return {
        "n_atoms": len(atoms),
        "us_per_atom": {n: summary(t, 1e6 / len(atoms)) for n, t in times.items()},
        "speed_up": ratios(times[1], times[2]),
        "speed_up_of_least": min(times[1]) / min(times[2]),
    }


def _lammps(size: Size, rounds: int, seconds: float) -> list[dict]:
    """µs per atom and step of pair styles on 4096 atoms, one and two ranks."""
    try:
        from lammps_speed import STYLES, prepare, run_style
    except ImportError:
        return []
    times: dict = {}
    with tempfile.TemporaryDirectory() as folder, all_cores():
        prepare(Path(folder), size, [4096])
        for _ in range(rounds):
            for style in STYLES:
                for ranks in (1, 2) if style.name == "soap/gpr" and len(CORES) > 1 else (1,):
                    run = run_style(Path(folder), style, 4096, ranks, seconds)
                    times.setdefault((style.name, ranks), []).append(run[0])
    return [
        {"style": style, "ranks": ranks, "us_per_atom_step": summary(values)}
        for (style, ranks), values in times.items()
    ]


def _text(result: dict) -> str:
    head = ["against QUIP", "µs/atom", "quartiles", "QUIP", "ratio", "quartiles", "with list"]
    rows = []
    products, threads = result["products"], result["threads"]
    for entry in result["quip"]:
        case, us = entry["case"], entry["us_per_atom"]
        floor = 1e3 * entry["kernel_mflop"] / products["gflops"]["kernel"]
        for slow, ratio in entry["ratios"].items():
            name = case["name"] + (", quippy default" if slow == QUIP_DEFAULT else "")
            core, quip = us[CORE], us[slow]
            rows.append([name, core["median"], interval(core["quartiles"]), quip["median"]])
            rows[-1] += [ratio[CORE]["median"], interval(ratio[CORE]["quartiles"])]
            rows[-1] += [ratio[MODEL]["median"], case["least"], case["aim"]]
            rows[-1] += [quip["median"] / floor]
    parts = [describe(result["machine"]), table([*head, "least", "aim", "ceiling"], rows), NOTE]
    for name, us in products["us_per_atom"].items():
        parts.append(f"{name}: {us['median']:.1f} µs/atom ({interval(us['quartiles'])})")
    over = products["total_over_products"]
    parts.append(
        f"all of the evaluation over the products: {over['median']:.2f} "
        f"({interval(over['quartiles'])}), at most 2; "
        f"BLAS {products['gflops']['BLAS']:.0f} GFLOP/s, "
        f"our kernel {products['gflops']['kernel']:.0f}"
    )
    if threads:
        speed_up = threads["speed_up"]
        parts.append(
            f"2 threads over 1, {threads['n_atoms']} atoms: {speed_up['median']:.2f} "
            f"({interval(speed_up['quartiles'])}; of the least times "
            f"{threads['speed_up_of_least']:.2f}), at least 1.85"
        )
    others = [(row["name"], row["us_per_atom"]) for row in result["features"]]
    others += [
        (f"LAMMPS {row['style']}, {row['ranks']} rank(s), per step", row["us_per_atom_step"])
        for row in result["lammps"]
    ]
    rows = [[name, us["median"], interval(us["quartiles"]), us["least"]] for name, us in others]
    parts.append("\n" + table(["for scale", "µs/atom", "quartiles", "least"], rows))
    return "\n\n".join(parts[:3]) + "\n\n" + "\n".join(parts[3:])


NOTE = (
    "µs/atom of the core; 'with list': ratio when making the neighbour list counts, as QUIP's.\n"
    "'ceiling': if the kernel's operations were all there is, at the rate given below.\n"
    "quippy computes forces unless its default properties are set to the energy: both are shown."
)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="216 atoms, few rounds: a minute")
    add_output_option(parser)
    return parser.parse_args()


if __name__ == "__main__":
    main()
