# SPDX-License-Identifier: BSD-3-Clause
"""A loop that is ready to run: all that its settings name is there and goes together."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

from potential.active_learning import settings as of_loop
from potential.active_learning.frames import Labelling
from potential.active_learning.label.calculator import CalculatorLabeller
from potential.active_learning.label.command import CommandLabeller
from potential.active_learning.label.labeller import Labeller
from potential.active_learning.label.lookup import FileLabeller
from potential.active_learning.label.waiting import WaitingLabeller
from potential.active_learning.sample.ipi import IpiSampler
from potential.active_learning.sample.lammps import LammpsSampler
from potential.active_learning.sample.pool import PoolSampler
from potential.active_learning.sample.random_structures import RandomSampler
from potential.active_learning.sample.sampler import Known, Sampler
from potential.active_learning.settings import LabelSettings, LoopSettings, SamplerSettings
from potential.active_learning.settings.loop import RANDOM
from potential.active_learning.state import generations_in
from potential.model import Model
from potential.schema import Place
from potential.settings import FitSettings
from potential.settings.file import load_settings
from potential.structures.label_names import LabelNames
from potential.structures.read import read_data_set
from potential.structures.structure import Structure
from potential.training.data import FitData, read_fit_data, require_known_species
from potential.training.extra_species import known_species
from potential.uncertainty.of_structures import COMMITTEE, RIGIDITY, VARIANCE, measure_of


@dataclass(frozen=True)
class Plan:
    """What a loop is made of.

    start: the labelled structures to begin with; test: those for errors; warnings: what there is to
    say of all of them.
    """

    settings: LoopSettings
    fit: FitSettings
    start: Sequence[Structure]
    names: LabelNames  # of the labels of these
    test: Sequence[Structure]
    samplers: Sequence[Sampler]
    labeller: Labeller
    wanted: Sequence[str]  # kinds of labels
    warnings: list[str] = field(default_factory=list)

    @property
    def folder(self) -> Path:
        return self.settings.folder

    def text(self) -> str:
        """What the loop would do, for people."""
        own, n = self.settings, len(generations_in(self.folder))
        there = f"with {n} generations" if n else "not there yet"
        return "\n".join(
            [
                f"{'Folder':<10s} {self.folder}, {there}",
                f"{'Start':<10s} {len(self.start)} labelled structures",
                f"{'Test':<10s} {len(self.test)} labelled structures",
                *(f"{'Sampler':<10s} {s.kind}, {s.n_runs} runs" for s in self.samplers),
                f"{'Select':<10s} {own.select.n} structures per generation",
                f"{'Labels':<10s} {own.label.kind}: {', '.join(self.wanted)}",
            ]
        )


def plan_of(settings: LoopSettings) -> Plan:
    """Read what the settings name, and make samplers and the source of labels.

    Raises SoapGprError for anything a user can put right.
    """
    place = Place(settings.file, "loop")
    with place.at("fit").naming():
        fit = load_settings(settings.loop.fit)
    _require_measure(settings, fit)
    _require_folder(settings.folder, place.at("folder"))
    fit, specs = replace(fit, data=replace(fit.data, test=())), fit.data.test
    data = read_fit_data(fit)
    fit = data.settings
    if settings.loop.test:
        with place.at("test").naming():
            test = _test(fit, data, settings.loop.test)
    else:
        test = _test(fit, data, specs)
    labelling = Labelling.as_in(data.ordered, data.names)
    labeller = _labeller(settings.label, Place(settings.file, "label"), labelling, fit.data.beads)
    known = Known(known_species(fit.data, data.ordered), fit.data.beads)
    samplers = [
        _sampler(own, settings.place_of(k), known) for k, own in enumerate(settings.samplers)
    ]
    if settings.loop.model:
        with place.at("model").naming():
            model = Model.load(settings.loop.model)
            require_known_species(model.species, data.ordered)
            if settings.select.by != RANDOM:
                measure_of(model, settings.loop.model, settings.select.by)
    return Plan(
        settings,
        fit,
        data.ordered,
        data.names,
        test,
        samplers,
        labeller,
        labelling.wanted,
        data.warnings,
    )


def _require_measure(settings: LoopSettings, fit: FitSettings) -> None:
    """Raise SettingError where the models of the fit have no measure to select by."""
    by, own = settings.select.by, fit.uncertainty
    if by != RANDOM and own is None:
        raise Place(settings.file, "loop", key="fit").says(
            f"found no [uncertainty] in {settings.loop.fit}, expected the table there, or "
            f'[select] by = "{RANDOM}"'
        )
    committee = own is not None and own.committee > 0
    variance = own is not None and own.variance
    has = {COMMITTEE: committee, VARIANCE: variance, RIGIDITY: variance}
    if by is None or by == RANDOM or has[by]:
        return
    raise Place(settings.file, "select", key="by").says(
        f'found "{by}", and [uncertainty] in {settings.loop.fit} lacks '
        f"{'a committee' if by == COMMITTEE else 'variance = true'}, expected it there, or "
        f'"{RANDOM}"'
    )


def _require_folder(folder: Path, place: Place) -> None:
    """Raise SettingError where the folder of the loop is a file, or is below one."""
    there = next(own for own in (folder, *folder.parents) if own.exists())
    if not there.is_dir():
        raise place.says(f"found the file {there}, expected a folder, or none yet")
    if not os.access(there, os.W_OK):
        raise place.says(f"{there} cannot be written to, expected another folder")


def _test(fit: FitSettings, data: FitData, specs: Sequence[str]) -> list[Structure]:
    if not specs:
        return []
    found = read_data_set(
        specs,
        fit.data.keys,
        required_keys=(),
        trained=data.names,
        beads=fit.data.beads,
        targets=[own.label for own in fit.targets],
    )
    return found.structures


def _sampler(settings: SamplerSettings, place: Place, known: Known) -> Sampler:
    match settings:
        case of_loop.PoolSettings():
            return PoolSampler(settings, place, known)
        case of_loop.RandomSettings():
            return RandomSampler(settings, place, known)
        case of_loop.LammpsSettings():
            return LammpsSampler(settings, place, known)
    return IpiSampler(cast(of_loop.IpiSettings, settings), place, known)


def _labeller(
    settings: LabelSettings, place: Place, labelling: Labelling, beads: tuple[str, ...]
) -> Labeller:
    match settings:
        case of_loop.CalculatorSettings():
            return CalculatorLabeller(settings, place, labelling)
        case of_loop.CommandSettings():
            return CommandLabeller(settings, place, labelling)
        case of_loop.WaitSettings():
            return WaitingLabeller(settings, place, labelling)
    with place.at("structures").naming():
        return FileLabeller(cast(of_loop.FileLabelSettings, settings), labelling.names, beads)
