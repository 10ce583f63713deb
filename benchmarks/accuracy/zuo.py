# SPDX-License-Identifier: BSD-3-Clause
"""Test errors on the sets of Zuo et al., J. Phys. Chem. A 124, 731 (2020), beside published models.

Trains on Si, Cu and Li with one settings file, by default one without terms, which is the preset
"balanced". The data are looked for in ../shared/data beside the repository.

  python benchmarks/accuracy/zuo.py
  python benchmarks/accuracy/zuo.py --elements Si --subset 10          # every 10th training frame
  python benchmarks/accuracy/zuo.py --settings mine.toml --json mine.json --models .
"""

import argparse
import copy
import multiprocessing
import resource
import sys
import time
import tomllib
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from common import add_output_option, describe, emit, machine, table

from potential import SoapGprError, fit
from potential.model.evaluation import evaluate_structures
from potential.scores.metrics import ALL

HERE = Path(__file__).resolve().parent
DATA = HERE.parents[2] / "shared" / "data"

# MAE of energy (meV/atom) and force (eV/Å) on the test sets. GAP, MTP: Zuo et al. as quoted in the
# benchmark of ACEpotentials.jl, forces rounded to 0.01 there. ACE: Witt et al., J. Chem. Phys. 159,
# 164101 (2023), quoted from memory. SNAP, qSNAP: the published coefficient files run in LAMMPS on
# these test sets.
PUBLISHED = {
    "Si": {
        "GAP": (2.91, 0.07),
        "MTP": (2.21, 0.06),
        "ACE small": (3.501, 0.083),
        "ACE large": (2.55, 0.066),
        "SNAP": (6.44, 0.133),
        "qSNAP": (3.81, 0.116),
    },
    "Cu": {
        "GAP": (0.46, 0.01),
        "MTP": (0.41, 0.01),
        "ACE small": (0.292, 0.007),
        "ACE large": (0.228, 0.005),
        "SNAP": (0.53, 0.037),
        "qSNAP": (0.56, 0.024),
    },
    "Li": {
        "GAP": (0.49, 0.01),
        "MTP": (0.49, 0.01),
        "ACE small": (0.231, 0.005),
        "ACE large": (0.165, 0.005),
        "SNAP": (1.03, 0.028),
        "qSNAP": (0.73, 0.033),
    },
}
# RMSE of the same, where it was measured.
PUBLISHED_RMSE = {
    "Si": {"SNAP": (8.06, 0.205), "qSNAP": (5.51, 0.177)},
    "Cu": {"SNAP": (0.75, 0.083), "qSNAP": (0.77, 0.055)},
    "Li": {"SNAP": (1.31, 0.038), "qSNAP": (0.85, 0.044)},
}
OURS = "soap-gpr"


def main() -> None:
    arguments = _arguments()
    template = tomllib.loads(arguments.settings.read_text())
    elements, text = {}, []
    for element in arguments.elements:
        settings = settings_of(element, template, arguments.data, arguments.subset)
        elements[element] = run(element, settings, arguments.models)
        text.append(_table(element, elements[element]))
        print(text[-1], end="\n\n", file=sys.stderr, flush=True)
    information = machine(["scipy", "vesin"])
    result = {
        "benchmark": "accuracy/zuo",
        "machine": information,
        "settings": template,
        "subset": arguments.subset,
        "units": {"energy": "meV/atom", "force": "eV/Å", "ms_per_atom": "CPU ms per atom"},
        "elements": elements,
    }
    note = f"every {arguments.subset}th training frame only\n" if arguments.subset > 1 else ""
    head = f"{describe(information)}\n{note}"
    emit("\n\n".join([head.rstrip(), *text]), result, arguments.json)


def settings_of(element: str, template: dict, data: Path, subset: int = 1) -> dict:
    """Settings of one element: the template with absolute data paths."""
    settings = copy.deepcopy(template)
    for key in ("train", "test"):
        files = [data / name.format(element=element) for name in settings["data"][key]]
        for file in files:
            if not file.exists():
                raise SystemExit(
                    f"{file} was not found: this benchmark needs the reference data that lie "
                    "beside the repository; --data names another folder"
                )
        slices = f"@::{subset}" if key == "train" and subset > 1 else ""
        settings["data"][key] = [f"{file}{slices}" for file in files]
    return settings


def run(element: str, settings: dict, models: Path | None = None) -> dict:
    """Fit and test one element."""
    published = {"published_mae": PUBLISHED[element], "published_rmse": PUBLISHED_RMSE[element]}
    return run_settings(element, settings, models) | published


def run_settings(name: str, settings: dict, models: Path | None = None) -> dict:
    """Errors, seconds and peak memory of a fit, made in a process of its own."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(_fit, name, settings, models).result()


def _fit(name: str, settings: dict, models: Path | None) -> dict:
    start = time.perf_counter(), time.process_time()
    try:
        fitted = fit(settings)
    except SoapGprError as error:
        raise SystemExit(f"{name}: {error}") from None
    seconds = {
        "wall": round(time.perf_counter() - start[0], 1),
        "cpu": round(time.process_time() - start[1], 1),
    }
    start_evaluation = time.process_time()
    evaluate_structures(fitted.model, fitted.test)
    evaluation = time.process_time() - start_evaluation
    if models:
        models.mkdir(parents=True, exist_ok=True)
        fitted.model.save(models / f"{name}.sgpr")
    return {
        "test": _errors(fitted.test_errors),
        "train": _errors(fitted.train_errors),
        "n_train": len(fitted.train),
        "n_test": len(fitted.test),
        "n_sparse": fitted.model.n_weights,
        "seconds": seconds,
        "ms_per_atom": 1e3 * evaluation / sum(map(len, fitted.test)),
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "warnings": fitted.warnings,
    }


def _errors(errors: dict) -> dict:
    """Errors of all frames together; forces are None where the data have none."""
    energy, force = errors[ALL]["energy"], errors[ALL].get("force")
    return {
        "energy_mae": 1e3 * energy.mae,
        "energy_rmse": 1e3 * energy.rmse,
        "force_mae": force.mae if force else None,
        "force_rmse": force.rmse if force else None,
    }


def _table(element: str, result: dict) -> str:
    rows = []
    for where in ("test", "train"):
        own = result[where]
        name = OURS if where == "test" else f"{OURS}, training set"
        rows.append([name, *(own[key] for key in ("energy_mae", "force_mae"))])
        rows[-1] += [own[key] for key in ("energy_rmse", "force_rmse")]
    for name, maes in PUBLISHED[element].items():
        rows.append([name, *maes, *PUBLISHED_RMSE[element].get(name, (None, None))])
    head = [
        f"{element}: {result['n_train']} frames, {result['n_sparse']} sparse points, "
        f"{result['seconds']['cpu']:.0f} CPU s, {result['peak_mib']:.0f} MiB, "
        f"energy and forces {result['ms_per_atom']:.3f} ms/atom",
        "E MAE meV/atom",
        "F MAE eV/Å",
        "E RMSE",
        "F RMSE",
    ]
    return table(head, rows)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--elements", nargs="+", choices=PUBLISHED, default=list(PUBLISHED))
    parser.add_argument("--settings", type=Path, default=HERE / "default.toml")
    parser.add_argument("--data", type=Path, default=DATA, help="folder of mlearn_Si and others")
    parser.add_argument("--subset", type=int, default=1, metavar="N", help="every Nth frame")
    parser.add_argument("--models", type=Path, help="folder to save the models in")
    add_output_option(parser)
    return parser.parse_args()


if __name__ == "__main__":
    main()
