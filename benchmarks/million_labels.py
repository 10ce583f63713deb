# SPDX-License-Identifier: BSD-3-Clause
"""A fit to a million labels: time, memory at every tenth, and whether the progress bar is right.

The training frames of the Si set of Zuo et al. (../shared/data beside the repository) are repeated
until there are as many labels as asked for. They teach nothing new; they only have the size.

  python benchmarks/million_labels.py
  python benchmarks/million_labels.py --labels 100000 --n-sparse 500
"""

import argparse
import resource
import tempfile
import time
from pathlib import Path

from common import add_output_option, describe, emit, machine, table

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "mlearn_Si" / "train.xyz"


def main() -> None:
    arguments = _arguments()
    if not DATA.exists():
        raise SystemExit(f"{DATA} was not found: the benchmark repeats the frames of that file")
    from potential.structures.read import read_structures
    from potential.training.fitting import fit
    from potential.training.memory import regression_bytes

    structures = read_structures([str(DATA)])
    labels = sum(1 + 3 * len(s) + (6 if s.virial is not None else 0) for s in structures)
    copies = -(-arguments.labels // labels)
    watch = Watch()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "train.xyz"
        file.write_text(DATA.read_text() * copies)
        settings = {"data": {"train": [str(file)]}, "terms": [{"n_sparse": arguments.n_sparse}]}
        result = fit(settings, progress=watch)
    record = result.provenance
    bound = regression_bytes(result.model.n_weights, max(len(s) for s in structures)) / 2**20
    emit(
        _text(arguments, record, watch, bound),
        {
            "benchmark": "million_labels",
            "machine": machine(["scipy"]),
            "labels": record["fitted_labels"],
            "weights": result.model.n_weights,
            "seconds": record["seconds"],
            "regression_bound_MiB": bound,
            "tenths": watch.tenths,
        },
        arguments.json,
    )


class Watch:
    """Takes the place of the progress bar; notes time and memory at every tenth of the regression.

    A bar's forecast at the fraction f is elapsed / f.
    """

    def __init__(self):
        self.tenths: list[dict[str, float]] = []

    def __call__(self, items, what):
        return self._regression(list(items)) if what == "regression" else items

    def _regression(self, items):
        start = time.perf_counter()
        for k, item in enumerate(items):
            yield item
            tenth = 10 * (k + 1) // len(items)
            if tenth > len(self.tenths):
                elapsed = time.perf_counter() - start
                peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
                forecast = elapsed * len(items) / (k + 1)
                self.tenths.append({"elapsed": elapsed, "forecast": forecast, "peak_MiB": peak})
                print(f"{10 * tenth:3d} % after {elapsed:.0f} s, {peak:.0f} MiB", flush=True)


def _text(arguments, record, watch, bound) -> str:
    rows = [
        (f"{10 * (k + 1)} %", f"{t['elapsed']:.0f}", f"{t['forecast']:.0f}", f"{t['peak_MiB']:.0f}")
        for k, t in enumerate(watch.tenths)
    ]
    return "\n".join(
        [
            describe(machine(["scipy"])),
            f"{record['fitted_labels']} labels, {record['weights']} weights; seconds: "
            + ", ".join(f"{step} {value:.0f}" for step, value in record["seconds"].items()),
            f"the regression's own bound is {bound:.0f} MiB, whatever the number of labels",
            table(("regression", "s", "forecast of the whole, s", "peak memory, MiB"), rows),
        ]
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--labels", type=int, default=1_000_000)
    parser.add_argument("--n-sparse", type=int, default=3000)
    add_output_option(parser)
    return parser.parse_args()


if __name__ == "__main__":
    main()
