# SPDX-License-Identifier: BSD-3-Clause
"""The demo's page: what was run, what came out, and how to run it again."""

from __future__ import annotations

import datetime
import os
import platform
import shutil
import subprocess
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import demo_plots as plots
import numpy as np
from demo_analysis import Drift
from demo_ipi import CLIENTS, IpiRun
from demo_lammps import LammpsRun
from demo_liquid import Liquid

from potential import metrics
from potential.baseline import composition
from potential.data import read_structures
from potential.evaluation import evaluate_structures
from potential.html_page import Page
from potential.model import Model
from potential.provenance import summary
from potential.report_plots import parity
from potential.settings import LabelKeys

PACKAGES = ("soap-gpr", "lammps", "mpich", "ipi", "numpy", "scipy", "ase")
Cards = list[tuple[str, str, str, str]]


@dataclass(frozen=True)
class Results:
    """Everything the page tells."""

    model: Path
    test_data: Path
    nvt: LammpsRun
    nve: LammpsRun
    pimd: IpiRun
    liquid: Liquid
    drift: Drift
    seconds: dict[str, float]  # step -> wall time
    commands: dict[str, list[str]]  # step -> what to type


def write_report(results: Results, path: Path, picture: Path) -> None:
    """Write the HTML page and the PNG picture."""
    model = Model.load(results.model)
    accuracy = _Accuracy(model, results.test_data)
    page = Page(
        "Liquid water from one model file",
        "Trained on GFN2-xTB reference data, run by LAMMPS on two MPI ranks and by i-PI as path "
        "integrals: everything on this page was made by make demo.",
    )
    page.cards(_cards(results, accuracy))
    _add_accuracy(page, results, accuracy)
    _add_conservation(page, results)
    _add_liquid(page, results)
    _add_timing(page, results)
    if model.metadata["provenance"].get("train"):
        page.heading("The model")
        page.details("Training summary", summary(model))
    page.heading("The machine")
    page.table(("what", "found"), environment(results), text_columns=(0, 1))
    page.footer(f"soap-gpr {version('soap-gpr')}, {_today()}")
    page.write(path)
    plots.picture(picture, _panels(results, accuracy))


class _Accuracy:
    """Predictions on the test data."""

    def __init__(self, model: Model, data: Path):
        structures = read_structures([str(data)], LabelKeys())
        predictions = evaluate_structures(model, structures)
        self.errors = metrics.errors(structures, predictions)
        self.pairs = metrics.label_pairs(structures, predictions)
        self.structures = structures
        self.types = np.array([structure.config_type for structure in structures])
        e0 = model.arrays["e0"]
        shift = [e0 @ composition(s, model.species) / len(s) for s in structures]
        self.e0 = np.array(shift)  # (n_structures,) eV/atom

    def rmse(self, label: str, config_type: str = metrics.ALL) -> str:
        """With its unit, as shown to people."""
        _, unit, factor = metrics.UNITS[label]
        return f"{factor * self.errors[config_type][label].rmse:.3g} {unit}"


def _cards(results: Results, accuracy: _Accuracy) -> Cards:
    energy, energy_unit = accuracy.rmse("energy").split()
    force, force_unit = accuracy.rmse("force").split()
    note = f"{len(accuracy.structures)} test structures"
    width = 1e3 * np.array([results.liquid.classical.bond_width, results.liquid.quantum.bond_width])
    return [
        ("Energy RMSE", energy, energy_unit, note),
        ("Force RMSE", force, force_unit, note),
        ("Energy drift", _signed(results.drift.slope), "", "meV/atom/ps, constant energy"),
        ("O–H bond width", f"{width[0]:.0f} → {width[1]:.0f}", "mÅ", "classical → quantum"),
        (
            "LAMMPS",
            f"{results.nvt.microseconds:.0f}",
            "µs/atom/step",
            f"wall time on {results.nvt.ranks} ranks",
        ),
    ]


def _add_accuracy(page: Page, results: Results, accuracy: _Accuracy) -> None:
    page.heading("Accuracy on test data")
    page.text(
        "The model has not seen these structures: they come from trajectories of their own. "
        "Energies are per atom, relative to isolated atoms."
    )
    figures = []
    for label, name in (("energy", "energy above e0"), ("force", "force")):
        if label not in accuracy.pairs:
            continue
        pairs = accuracy.pairs[label]
        shift = accuracy.e0[pairs.structure] if label == "energy" else 0.0
        groups = accuracy.types[pairs.structure]
        unit = metrics.UNITS[label][0]
        fig = parity(pairs.reference - shift, pairs.predicted - shift, groups, name, unit)
        figures.append((fig, f"{name.capitalize()}: {pairs.reference.size} values"))
    page.figures(figures)
    page.text("Errors by kind of structure; components of forces and stresses count one by one.")
    head = ("config_type", "label", "count", "RMSE", "MAE", "largest", "unit")
    page.table(head, metrics.rows(accuracy.errors), text_columns=(0, 1, 6))
    _add_commands(page, results, "fit", "test")


def _add_conservation(page: Page, results: Results) -> None:
    run, line = results.nve, results.drift
    page.heading("Energy conservation")
    page.text(
        f"{run.time[-1] - run.time[0]:.1f} ps at constant energy in LAMMPS, from where the "
        f"300 K run ended: {run.atoms} atoms, time step 0.25 fs. The total energy drifts by "
        f"{_signed(line.slope)} meV/atom/ps and scatters about that line by {line.scatter:.3f} "
        "meV/atom; only forces that are exact derivatives of the energy can do this."
    )
    total, potential = run.thermo["TotEng"], run.thermo["PotEng"]
    conserved = partial(
        plots.draw_conservation, time=run.time, total=total, line=line, n_atoms=run.atoms
    )
    exchange = partial(
        plots.draw_exchange, time=run.time, potential=potential, total=total, n_atoms=run.atoms
    )
    page.figures(
        [
            (plots.single(conserved), "Total energy, enlarged"),
            (plots.single(exchange), "Total and potential energy on one scale"),
        ]
    )
    _add_commands(page, results, "nve")


def _add_liquid(page: Page, results: Results) -> None:
    liquid, pimd = results.liquid, results.pimd
    beads = pimd.frames.shape[1]
    page.heading("Classical and quantum nuclei")
    page.text(
        f"The same box of {results.nvt.atoms // 3} molecules at 300 K, twice: "
        f"{results.nvt.time[-1]:.1f} ps of classical molecular dynamics in LAMMPS and "
        f"{pimd.properties['time'][-1]:.1f} ps of path integrals with {beads} beads in i-PI. "
        f"Zero-point motion widens the O–H bond from {1e3 * liquid.classical.bond_width:.0f} to "
        f"{1e3 * liquid.quantum.bond_width:.0f} mÅ (standard deviation). Bands are two standard "
        "errors from blocks of the trajectory; runs this short show the effect, not its last digit."
    )
    figures = [(plots.single(draw), title) for title, draw in _liquid_draws(liquid)]
    page.figures(figures[:2])
    page.text(
        "The first peak of g(OH) beyond the bond is the hydrogen bond; the first peak of g(HH) is "
        "the distance between the two hydrogens of a molecule."
    )
    page.figures(figures[2:])
    page.text(
        "A classical nucleus is a point and its kinetic energy is 3/2 kT; a quantum nucleus is a "
        "ring of beads, and its kinetic energy is the centroid-virial estimate."
    )
    page.table(("", "classical", "quantum", "unit"), liquid.rows(), text_columns=(0, 3))
    _add_commands(page, results, "nvt", "pimd")


def _liquid_draws(liquid: Liquid) -> list[tuple[str, plots.Draw]]:
    first, second = liquid.classical, liquid.quantum
    bond = partial(
        plots.draw_curves, classical=first.bond, quantum=second.bond, label="probability (1/Å)"
    )
    draws: list[tuple[str, plots.Draw]] = [
        ("Length of the O–H bonds", partial(bond, x_label="O–H distance (Å)"))
    ]
    # g_OH starts beyond the bond, whose peak is ten times as high and has its own plot
    for pair, beyond, start in (("OO", 2.0, 2.0), ("OH", 1.3, 1.2), ("HH", 1.0, 1.0)):
        draw = partial(
            plots.draw_rdf,
            classical=first.rdf[pair],
            quantum=second.rdf[pair],
            pair=pair,
            beyond=beyond,
            start=start,
        )
        caption = {"OO": "Oxygen–oxygen", "OH": "Oxygen–hydrogen, beyond the bond"}
        draws.append((caption.get(pair, "Hydrogen–hydrogen"), draw))
    return draws


def _add_timing(page: Page, results: Results) -> None:
    page.heading("Time")
    page.text(
        "Wall time on this machine, per atom and step, and the same multiplied by the number of "
        "processes. A step of a path integral counts once for every bead; i-PI's own work is "
        "included."
    )
    atoms = results.nvt.atoms
    rows = (
        [["fit", "", f"{results.seconds['fit']:.0f}", "", ""]] if "fit" in results.seconds else []
    )
    for name, run in (("LAMMPS, NVT", results.nvt), ("LAMMPS, NVE", results.nve)):
        what = f"{atoms} atoms, {run.steps} steps, {run.ranks} ranks"
        per_core = f"{run.microseconds * run.ranks:.1f}"
        rows.append([name, what, f"{run.seconds:.0f}", f"{run.microseconds:.1f}", per_core])
    pimd = results.pimd
    what = f"{atoms} atoms, {pimd.frames.shape[1]} beads, {pimd.steps} steps, {CLIENTS} clients"
    per_core = f"{pimd.microseconds * CLIENTS:.1f}"
    rows.append(["i-PI, PIMD", what, f"{pimd.seconds:.0f}", f"{pimd.microseconds:.1f}", per_core])
    head = ("", "", "seconds", "µs/atom/step", "µs × processes")
    page.table(head, rows, text_columns=(0, 1))


def _add_commands(page: Page, results: Results, *steps: str) -> None:
    lines = [line for step in steps for line in results.commands[step]]
    page.details("Run it again", "\n".join(["source .venv/bin/activate", "cd demo", *lines]))


def _panels(results: Results, accuracy: _Accuracy) -> list[tuple[str, plots.Draw]]:
    run, forces = results.nve, accuracy.pairs["force"]
    draws = dict(_liquid_draws(results.liquid))
    parity_plot = partial(
        plots.draw_parity,
        reference=forces.reference,
        predicted=forces.predicted,
        rmse=f"RMSE {accuracy.rmse('force')}",
    )
    conserved = partial(
        plots.draw_conservation,
        time=run.time,
        total=run.thermo["TotEng"],
        line=results.drift,
        n_atoms=run.atoms,
    )
    return [
        ("Forces on test structures", parity_plot),
        ("LAMMPS on 2 MPI ranks, constant energy", conserved),
        ("O–H bonds: LAMMPS and i-PI", draws["Length of the O–H bonds"]),
        ("Oxygen–oxygen: LAMMPS and i-PI", draws["Oxygen–oxygen"]),
    ]


def environment(results: Results) -> list[tuple[str, str]]:
    """(name, value): processor, system, compiler and versions."""
    rows = [
        ("Date", _today()),
        ("Processor", f"{_processor()}, {len(os.sched_getaffinity(0))} cores available"),
        ("System", f"{platform.platform()}, Python {platform.python_version()}"),
        ("Compiler found", _compiler()),
    ]
    found = []
    for name in PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return [*rows, ("Packages", ", ".join(found)), ("LAMMPS", results.nvt.version)]


def _signed(value: float) -> str:
    return f"{value:+.4f}".replace("-", "−")


def _today() -> str:
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _compiler() -> str:
    program = shutil.which("c++") or shutil.which("g++")
    if program is None:
        return "none"
    return subprocess.check_output([program, "--version"], text=True).splitlines()[0]
