# SPDX-License-Identifier: BSD-3-Clause
"""What all benchmarks share: pinning, the description of the machine, timing, output."""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

# The cutoff function of a soap term when the tables of these benchmarks were made.
COSINE = {"cutoff_width": 0.5, "cutoff_function": "cosine"}
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "RAYON_NUM_THREADS",
)


CORES = os.sched_getaffinity(0)

# Digits of the ticks, the finest that gives MOST ticks or fewer.
DIGITS = ((1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8), (1, 2, 5), (1, 3), (1,))
MOST = 6


def pin_to_one_core() -> None:
    """One core and one thread for everything in this process; call it before importing numpy."""
    for variable in THREAD_VARIABLES:
        os.environ[variable] = "1"
    if "avx512f" in Path("/proc/cpuinfo").read_text():
        # what OpenBLAS finds out itself, or an environment set for another machine, may be AVX2
        os.environ["OPENBLAS_CORETYPE"] = "SkylakeX"
    os.sched_setaffinity(0, {max(CORES)})


@contextmanager
def all_cores() -> Iterator[None]:
    """Undoes the pinning for what is started inside."""
    pinned = os.sched_getaffinity(0)
    os.sched_setaffinity(0, CORES)
    try:
        yield
    finally:
        os.sched_setaffinity(0, pinned)


def cache_folder() -> Path:
    """Where generated potentials are kept between runs: outside of the repository."""
    base = os.environ.get("SOAP_GPR_BENCHMARK_CACHE") or tempfile.gettempdir()
    folder = Path(base) / f"soap_gpr_benchmarks_{os.getuid()}"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def machine(packages: Sequence[str] = ()) -> dict[str, Any]:
    """Processor, compiler, load and the versions of the named distributions."""
    from potential.scores.benchmark import processor  # imports numpy, after pin_to_one_core

    compiler = shutil.which("c++") or shutil.which("g++")
    return {
        "processor": processor(),
        "cores": os.cpu_count(),
        "load_average": os.getloadavg()[0],
        "system": platform.platform(),
        "compiler": _first_line([compiler, "--version"]) if compiler else None,
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in ("soap-gpr", "numpy", *packages)},
    }


def cpu_seconds(function: Callable[[], Any]) -> float:
    """CPU time of one call: waiting for a core that others use does not count."""
    start = time.process_time()
    function()
    return time.process_time() - start


def alternate(
    functions: Mapping[str, Callable[[], Any]], seconds: float, least: int = 5
) -> dict[str, list[float]]:
    """CPU seconds of each function, called in turn for about `seconds`, at least `least` times.

    The k-th times of all functions were taken one after the other: their ratios are free of
    whatever the machine did meanwhile.
    """
    times: dict[str, list[float]] = {name: [] for name in functions}
    for function in functions.values():
        function()
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(next(iter(times.values()))) < least:
        for name, function in functions.items():
            times[name].append(cpu_seconds(function))
    return times


def summary(values: Sequence[float], scale: float = 1.0) -> dict[str, float]:
    """Median, quartiles, smallest and number of the values × scale."""
    scaled = sorted(scale * value for value in values)
    quartiles = statistics.quantiles(scaled, n=4) if len(scaled) > 1 else 3 * scaled
    return {
        "median": statistics.median(scaled),
        "quartiles": [quartiles[0], quartiles[2]],
        "least": scaled[0],
        "count": len(scaled),
    }


def ratios(slow: Sequence[float], fast: Sequence[float]) -> dict[str, float]:
    """Summary of slow/fast taken pair by pair."""
    return summary([a / b for a, b in zip(slow, fast, strict=True)])


def table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Plain text; the first column is left-aligned, numbers get three significant digits."""
    body = [list(head), *([_cell(value) for value in row] for row in rows)]
    widths = [max(len(row[column]) for row in body) for column in range(len(head))]
    lines = [
        "  ".join(
            cell.rjust(width) if column else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in body
    ]
    return "\n".join([lines[0], "-" * max(map(len, lines)), *lines[1:]])


def number(value: float) -> str:
    """Three significant digits, never an exponent for large values."""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def interval(values: Sequence[float]) -> str:
    """Two numbers as low–high."""
    return "–".join(map(number, values))


def beside(program: str) -> str | None:
    """A program of this Python's environment, else of the path."""
    own = Path(sys.executable).with_name(program)
    return str(own) if own.exists() else shutil.which(program)


def add_output_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", metavar="FILE", help="write the JSON here, not to the terminal")


def emit(text: str, result: Mapping[str, Any], path: str | None) -> None:
    """Print the table, and the JSON to a file or below it."""
    print(text)
    document = json.dumps(result, indent=1)
    if path:
        Path(path).write_text(document + "\n")
        print(f"\nJSON: {path}")
    else:
        print(f"\n{document}")


def save_figure(figure: Any, path: str, salt: str) -> None:
    """Write a figure of matplotlib; the ending of the path decides the format, and the same numbers
    give the same file. salt: of the names inside an SVG, one for each figure of a page."""
    from matplotlib import rc_context  # imports numpy, after pin_to_one_core

    with rc_context({"svg.hashsalt": salt}):
        figure.savefig(path, dpi=130, metadata={"Date": None} if path.endswith(".svg") else None)


def log_axes(axes: Any, which: str = "xy") -> None:
    """Logarithmic axes with plain numbers at their ticks, once all is drawn."""
    from matplotlib.ticker import FuncFormatter, NullFormatter

    axes.set(**{f"{name}scale": "log" for name in which})
    for name in which:
        axis, limits = getattr(axes, f"{name}axis"), getattr(axes, f"get_{name}lim")()
        axis.set_ticks(ticks(*limits))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.set_minor_formatter(NullFormatter())


def ticks(low: float, high: float) -> list[float]:
    """Of a logarithmic axis: round numbers, as many as there is room for."""
    for digits in DIGITS:
        found = [digit * 10.0**power for power in range(-6, 7) for digit in digits]
        found = [tick for tick in found if low <= tick <= high]
        if len(found) <= MOST:
            break
    return found


def describe(information: Mapping[str, Any]) -> str:
    """The machine in two lines above a table."""
    versions = ", ".join(f"{name} {version}" for name, version in information["versions"].items())
    return (
        f"{information['processor']}, {information['cores']} cores, "
        f"load {information['load_average']:.1f}, {information['compiler']}\n{versions}"
    )


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    if not isinstance(value, float):
        return str(value)
    return number(value)


def _first_line(command: Sequence[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True).stdout.split("\n")[0]


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
