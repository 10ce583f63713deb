# SPDX-License-Identifier: BSD-3-Clause
"""Labels by a calculator of ASE."""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ase

from potential.active_learning.frames import (
    ENERGY,
    FORCES,
    VIRIAL,
    Labelling,
    difference,
    labels_in,
    source_of,
)
from potential.active_learning.label.labeller import Failed, Labeller
from potential.active_learning.settings import CalculatorSettings
from potential.errors import SoapGprError
from potential.schema import Place
from potential.structures.labels import volume_of


class CalculatorLabeller(Labeller):
    """A calculator, made once in the folder of loop.toml, where modules are looked for too."""

    def __init__(self, settings: CalculatorSettings, place: Place, labelling: Labelling):
        self._home, self._labelling = Path(place.source).parent, labelling
        with self._at_home():
            self._calculator = _made(settings, place)

    def label(self, frames: Sequence[ase.Atoms], folders: Sequence[Path]) -> list[ase.Atoms]:
        with self._at_home():
            return [self._labelled(atoms) for atoms in frames]

    def _labelled(self, frame: ase.Atoms) -> ase.Atoms:
        atoms = frame.copy()
        atoms.calc = self._calculator
        source = source_of(frame)
        try:
            self._calculate(atoms)
            found = labels_in(atoms, source)
            if other := difference(frame, atoms):
                raise Failed(f"{source}: the calculator changed the structure: {other}")
        except Failed:
            raise
        except (KeyboardInterrupt, MemoryError):
            raise
        except SoapGprError as error:  # labels that are not finite
            raise Failed(str(error)) from None
        except (Exception, SystemExit) as error:  # of others' code, when it does not converge
            text = " ".join(f"{type(error).__name__}: {error}".split())
            raise Failed(f"{source}: {text[:500]}") from None
        return self._labelling.frame(frame, found, source)

    def _calculate(self, atoms: ase.Atoms) -> None:
        wanted = self._labelling.wanted
        if ENERGY in wanted:
            atoms.get_potential_energy()
        if FORCES in wanted:
            atoms.get_forces()
        if VIRIAL in wanted and volume_of(atoms.cell.array, atoms.pbc):
            atoms.get_stress()

    def _at_home(self):
        return contextlib.chdir(self._home)


def _made(settings: CalculatorSettings, place: Place) -> Any:
    """The calculator. Raises SettingError."""
    module, _, name = settings.calculator.partition(":")
    sys.path.insert(0, str(Path.cwd()))  # modules beside loop.toml
    try:
        found: Any = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
    except Exception as error:  # anything that others' modules raise when they are imported
        raise place.at("calculator").says(
            f"{settings.calculator} cannot be imported: {error}"
        ) from None
    finally:
        sys.path.pop(0)
    if not callable(found):
        raise place.at("calculator").says(f"{settings.calculator} is no class or function")
    try:
        made = found(**settings.arguments)
    except Exception as error:
        raise place.at("arguments").says(
            f"{settings.calculator} does not take them: {error}"
        ) from None
    if not hasattr(made, "get_potential_energy"):
        raise place.at("calculator").says(
            f"found {type(made).__name__} from {settings.calculator}, expected a calculator of ASE"
        )
    return made
