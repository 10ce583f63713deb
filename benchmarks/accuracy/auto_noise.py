# SPDX-License-Identifier: BSD-3-Clause
"""Errors with the default noise levels and with levels that the fit finds, over all sets.

default: [noise] as it stands. auto: noise = "auto", one factor for all levels. types: a factor for
each config_type. labels: one for energies, one for forces and one for virials, with delta, as
[tune] finds them; this needs rows of its own and is made only when it is asked for.

With --held-out the errors are those on a sixth of the training frames, for choices; without, those
on test frames, which are only reported. One pass over the rows of a set serves its other fits.

  python benchmarks/accuracy/auto_noise.py --held-out
  python benchmarks/accuracy/auto_noise.py --sets Si Li --n-sparse 1000 --frames 10000
"""

import argparse
import math
import multiprocessing
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import ase.io
from common import add_output_option, describe, emit, machine, table
from sets import DATA, DEFAULT, SETS, divided, held_out, settings_of

from potential import fit
from potential.scores.metrics import ALL
from potential.settings import FitSettings
from potential.settings.file import as_settings
from potential.validation.cross_validation import FoldFactors
from potential.validation.marginal_likelihood import maximum_likelihood
from potential.validation.row_store import prepare, read_data

VARIANTS = ("default", "auto", "types", "labels")


def main() -> None:
    arguments = _arguments()
    results, context = {}, multiprocessing.get_context("spawn")
    for name in arguments.sets:
        with ProcessPoolExecutor(1, mp_context=context) as pool:
            results[name] = pool.submit(of_set, name, arguments).result()
        print(_table({name: results[name]}), end="\n\n", file=sys.stderr, flush=True)
    information = machine(["scipy"])
    result = {
        "benchmark": "accuracy/auto_noise",
        "machine": information,
        "held_out": arguments.held_out,
        "n_sparse": arguments.n_sparse,
        "frames": arguments.frames,
        "units": {"energy": "meV/atom", "force": "meV/Å"},
        "sets": results,
    }
    where = "held-out training frames" if arguments.held_out else "test frames"
    head = f"{describe(information)}\nerrors on {where}, {arguments.n_sparse} sparse points"
    emit(f"{head}\n\n{_table(results)}", result, arguments.json)


def of_set(name: str, arguments: argparse.Namespace) -> dict:
    """Errors of all fits to a set."""
    with tempfile.TemporaryDirectory() as folder:
        divide = held_out if arguments.held_out else divided
        data = {
            key: [_thinned(file, arguments.frames) for file in files]
            for key, files in divide(name, Path(folder), data=arguments.data).items()
        }
        template = {"terms": [{"n_sparse": arguments.n_sparse}]}
        default, auto = (
            settings_of(name, template | noise, data) for noise in ({}, {"noise": "auto"})
        )
        variants = {"default": default, "auto": auto}
        types = {frame.info.get("config_type", DEFAULT) for frame in _frames(data["train"])}
        if len(types) > 1:
            by_type = {key: {} for key in sorted(types)}  # with the word from [noise]
            variants["types"] = auto | {"noise": auto["noise"] | {"config_type": by_type}}
        factor = Path(folder) / "fit.factor"
        found = {
            key: _errors(fit(settings, factor=factor, progress=False))
            for key, settings in variants.items()
            if key in arguments.variants
        }
        if "labels" in arguments.variants:
            found["labels"] = _errors(fit(label_levels(default), progress=False))
        return found


def label_levels(settings: dict) -> FitSettings:
    """The settings with the most likely levels of each kind of label, and delta."""
    own = as_settings(settings)
    factors = FoldFactors(prepare(own, read_data(own)), 2)
    return maximum_likelihood(factors, own, delta=True)


def _thinned(file: str, n: int) -> str:
    """At most n frames of a file, evenly spread."""
    return f"{file}@::{math.ceil(len(ase.io.read(file, ':')) / n)}"


def _frames(files: list[str]) -> list[ase.Atoms]:
    return [frame for file in files for frame in ase.io.read(file)]


def _errors(fitted) -> dict:
    energy, force = (fitted.test_errors[ALL].get(label) for label in ("energy", "force"))
    record = fitted.provenance
    return {
        "n_train": len(fitted.train),
        "n_test": len(fitted.test),
        "energy_mae": 1e3 * energy.mae,
        "energy_rmse": 1e3 * energy.rmse,
        "force_mae": 1e3 * force.mae if force else None,
        "force_rmse": 1e3 * force.rmse if force else None,
        "residual_per_label": record["residual_per_label"],
        "noise": record.get("noise", []),
        "delta_factor": record.get("delta_factor"),
        "seconds": record["seconds"],
        "warnings": fitted.warnings,
    }


def _table(results: dict) -> str:
    head = ["", "noise", "train / test", "E MAE meV/atom", "E RMSE", "F MAE meV/Å", "F RMSE"]
    rows = []
    for name, fits in results.items():
        for key, own in fits.items():
            size = f"{own['n_train']} / {own['n_test']}"
            errors = [own[k] for k in ("energy_mae", "energy_rmse", "force_mae", "force_rmse")]
            levels = _levels(own["noise"][0]) if len(own["noise"]) == 1 else ""
            rows.append([name, key, size, *errors, own["residual_per_label"], levels])
            rows[-1].append(own["delta_factor"])
    return table([*head, "residual per label", "levels", "delta"], rows)


def _levels(found: dict) -> str:
    return " ".join(f"{level:.2g}" for level in found["levels"].values())


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=VARIANTS[:3])
    parser.add_argument("--held-out", action="store_true", help="errors for choices")
    parser.add_argument("--n-sparse", type=int, default=200, help="per species; default 200")
    parser.add_argument(
        "--frames", type=int, default=150, help="at most, of each kind; default 150"
    )
    parser.add_argument("--data", type=Path, default=DATA)
    add_output_option(parser)
    return parser.parse_args()


if __name__ == "__main__":
    main()
