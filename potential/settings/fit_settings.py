# SPDX-License-Identifier: BSD-3-Clause
"""The settings of a fit: fit.toml as frozen dataclasses."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from potential.schema import (
    Beads,
    BySpecies,
    Choice,
    File,
    Files,
    Flag,
    Group,
    Kinds,
    Nested,
    Number,
    Place,
    SettingError,
    Settings,
    Symbols,
    Tables,
    setting,
)
from potential.schema.limits import MOST_CUTOFF, ZBL_CORE
from potential.schema.settings import declared
from potential.settings.compress import CompressSettings
from potential.settings.kinds import KINDS
from potential.settings.noise import WORDS, NoiseSettings, Sigmas
from potential.settings.presets import BALANCED, NOISE, PRESETS, DataTraits, preset_terms
from potential.settings.targets import TargetSettings, check_targets
from potential.settings.terms import KernelTermSettings, TermSettings
from potential.settings.uncertainty import FOLDS, Dealing, UncertaintySettings
from potential.species import is_element
from potential.structures.label_names import LabelKeys
from potential.structures.labels import LARGEST
from potential.structures.structure import Structure

BASELINES = ("fit", "average", "isolated_atom", "zero")


@dataclass(frozen=True)
class DataSettings(Settings):
    """[data]: files as ``name``, ``glob*`` or ``name@start:stop:step``, absolute or as given."""

    table: ClassVar[str] = "data"

    train: tuple[str, ...] = setting(  # none only where frames are given in their place
        (), Files(help="training files: a name or a list of names", required=True)
    )
    test: tuple[str, ...] = setting(
        (), Files(help="test files: only for errors, which are printed and stored in the model")
    )
    keys: LabelKeys = setting(LabelKeys(), Group(LabelKeys))
    extra_species: tuple[str, ...] = setting(
        (),
        Symbols(
            help="elements that the training structures lack and the model shall know all the "
            "same, through `alchemy` in every term; their $e^0$ is given in `[baseline]`"
        ),
    )
    beads: tuple[str, ...] = setting(
        (), Beads(help="names of the particles of a coarse-grained model, such as `MW`")
    )


@dataclass(frozen=True)
class ZblSettings(Settings):
    """[baseline] zbl: distances in Å between which it is switched off; None: by element."""

    table: ClassVar[str] = "baseline.zbl"

    inner: float | None = setting(
        None,
        Number(
            above=ZBL_CORE,
            most=MOST_CUTOFF,
            unit="Å",
            limit="< `outer`",
            help="up to here the full repulsion, eq. (21a); none: 0.35 times the sum of the "
            "covalent radii (at most half of `outer`)",
        ),
    )
    outer: float | None = setting(
        None,
        Number(
            above=0,
            most=MOST_CUTOFF,
            unit="Å",
            help="from here on nothing; none: 0.7 times the sum of the covalent radii",
        ),
    )

    def check(self) -> None:
        if self.inner and self.outer and self.inner >= self.outer:
            place = self.place().at("inner")
            raise place.error(self.inner, f"less than outer = {self.outer:g}")


@dataclass(frozen=True)
class BaselineSettings(Settings):
    """[baseline]: what is taken off the labels before the regression.

    isolated_atom_energies: the name of a method, or eV by chemical symbol; pair_table: a file.
    """

    table: ClassVar[str] = "baseline"

    isolated_atom_energies: str | Mapping[str, float] = setting(
        "fit",
        BySpecies(
            Choice(BASELINES),
            Number(
                least=-LARGEST, most=LARGEST, words=f"an energy in eV, at most {LARGEST:g} in size"
            ),
            unit="eV",
            limit="or by species",
            help="$e^0$ of each species: taken off before the regression, added back after it, "
            "eq. (8), (15)",
        ),
    )
    zbl: ZblSettings | None = setting(
        None,
        Nested(ZblSettings, help="adds the repulsion of bare nuclei at short distance, eq. (21)"),
    )
    pair_table: str | None = setting(None, File(help="adds a tabulated pair potential"))


@dataclass(frozen=True)
class SolverSettings(Settings):
    """[solver]: jitter is relative to the mean diagonal of K_MM."""

    table: ClassVar[str] = "solver"

    jitter: float = setting(
        1e-10,
        Number(
            least=0,
            most=1,
            help="τ of eq. (13a), relative to the mean diagonal of the kernel matrix",
        ),
    )
    keep_factor: bool = setting(
        False, Flag(help="whether the triangular factor R, eq. (13b), is kept in the model")
    )
    sparse_tolerance: float | None = setting(
        None,
        Number(
            least=0,
            most=1,
            help="of the sparse points that were chosen the fewest are kept with which the error "
            "of labels that are left out is larger by this part at most, eq. (19b); none: all",
        ),
    )


@dataclass(frozen=True)
class FitSettings(Settings):
    """Everything fit.toml says."""

    other_keys: ClassVar[tuple[str, ...]] = ("tune",)  # soap-gpr tune reads it

    data: DataSettings = setting(DataSettings(), Nested(DataSettings))
    # none only until ``for_data`` has put those of the preset there
    terms: tuple[TermSettings, ...] = setting((), Kinds(KINDS, may_lack=True))
    baseline: BaselineSettings = setting(BaselineSettings(), Nested(BaselineSettings))
    # of the preset, or the defaults where there are terms
    noise: NoiseSettings = setting(None, Nested(NoiseSettings, words=WORDS))
    solver: SolverSettings = setting(SolverSettings(), Nested(SolverSettings))
    targets: tuple[TargetSettings, ...] = setting((), Tables(TargetSettings, most=50))
    uncertainty: UncertaintySettings | None = setting(None, Nested(UncertaintySettings))
    compress: CompressSettings | None = setting(None, Nested(CompressSettings))
    preset: str | None = setting(
        None,
        Choice(
            PRESETS,
            help="what stands in the place of `[[terms]]`, by the data, [presets.md](presets.md); "
            f'none: `"{BALANCED}"` where there are no `[[terms]]`',
        ),
    )
    file: str = Place.source

    @classmethod
    def given(cls, values: dict[str, Any], place: Place) -> dict[str, Any]:
        """With the levels of [noise] of the preset, unless there are [[terms]]."""
        preset, noise = values.get("preset"), values.get("noise", {})
        if "terms" in values:
            if not values["terms"]:
                raise place.at("terms").error(values["terms"], "at least one [[terms]] table")
            if preset is not None:
                raise place.at("preset").says(
                    f"found {preset!r} beside [[terms]], expected one of them; soap-gpr settings "
                    "--preset writes the [[terms]] of a preset, to be changed"
                )
            return values
        name = Choice(PRESETS).checked(preset or BALANCED, place.at("preset"))
        if isinstance(noise, Mapping) and NOISE[name]:
            values = values | {"noise": {**NOISE[name], **noise}}
        return values

    @property
    def preset_in_use(self) -> str | None:
        """The preset that stands in the place of terms; None where there are terms."""
        return None if self.terms else self.preset or BALANCED

    def for_data(self, structures: Collection[Structure]) -> FitSettings:
        """The same with the terms of the preset for these training structures, where there are no
        terms. Raises SettingError where the other settings do not go with them."""
        if self.preset_in_use is None:
            return self
        tables = preset_terms(self.preset_in_use, DataTraits.of(structures))
        terms = Kinds(KINDS).checked(tables, Place(self.file, key="terms"))
        with self.placing():
            return replace(self, preset=None, terms=terms)

    @contextmanager
    def placing(self, term: int | None = None) -> Iterator[None]:
        """SettingErrors that are raised within name the file, and the term, from 0 on, whose
        settings they are about."""
        try:
            yield
        except SettingError as error:
            file = Place(self.file)
            raise error.within(file if term is None else self.place_of(term)) from None

    def place_of(self, term: int) -> Place:
        """The place of a term, from 0 on, in the file."""
        return Place(self.file, key="terms").nth(term, len(self.terms))

    def check(self) -> None:
        if self.noise is None:
            levels = NOISE.get(self.preset_in_use or "", {})
            object.__setattr__(self, "noise", NoiseSettings(Sigmas(**levels)))
        if self.terms:
            check_targets(self.targets, self.terms)
        derivatives = any(
            getattr(own, "sparse_basis", "environments") == "derivatives" for own in self.terms
        )
        if self.uncertainty is not None and derivatives:
            raise self.uncertainty.place().says(
                'found [[terms]] with sparse_basis = "derivatives", expected sparse '
                "environments, which stay the same whatever the weights are"
            )
        if self.compress is not None:
            self._check_compress(self.compress, derivatives)
        if self.solver.sparse_tolerance is not None:
            self._check_elimination(derivatives)
        of_terms = ((self.place_of(t), own) for t, own in enumerate(self.terms))
        others = ((own.place(), own) for own in (self.baseline, *self.targets))
        for place, names in _tables_by_species([*others, *of_terms]):
            self._require_known(place, names, "the key ")
        self._require_known(self.data.place().at("extra_species"), self.data.extra_species)

    def _check_compress(self, own: CompressSettings, derivatives: bool) -> None:
        place = own.place()
        if self.terms and not any(isinstance(term, KernelTermSettings) for term in self.terms):
            raise place.says(
                'found no [[terms]] of kind "soap" or "acsf", expected one: others cannot be '
                "compressed"
            )
        if self.solver.keep_factor:
            raise place.says(
                "found [solver] keep_factor = true, expected false: weights of a compressed model "
                "cannot be fitted again"
            )
        if own.targets is not None and not self.targets:
            raise place.at("targets").says("found it without [[targets]], expected none")
        if own.refit and self.uncertainty is not None:
            raise place.at("refit").says(
                "found true with [uncertainty], expected false: members and variances are those of "
                "the fit before"
            )
        if own.refit and derivatives:
            raise place.at("refit").says(
                'found true with sparse_basis = "derivatives", expected false, or sparse '
                "environments"
            )

    def _check_elimination(self, derivatives: bool) -> None:
        place, found = self.solver.place().at("sparse_tolerance"), self.solver.sparse_tolerance
        if derivatives:
            raise place.says(
                f'found {found:g} with sparse_basis = "derivatives", expected sparse environments, '
                "of which each has one weight"
            )
        if self.targets:
            raise place.says(
                f"found {found:g} with [[targets]], expected one of them: the sparse points would "
                "be those that the potential needs"
            )

    def _require_known(self, place: Place, names: Iterable[str], what: str = "") -> None:
        for name in names:
            if not is_element(name) and name not in self.data.beads:
                raise place.says(
                    f"found {what}{name!r}, expected a chemical symbol or a bead that "
                    "[data] beads names"
                )

    @property
    def dealing(self) -> Dealing | None:
        """How structures are dealt to blocks that are left out of fits in turn; None where nothing
        asks for it."""
        if self.uncertainty is not None:
            return self.uncertainty.dealing
        if self.solver.sparse_tolerance is not None:
            return Dealing("[solver] sparse_tolerance", usual=FOLDS)
        return None

    @property
    def other_files(self) -> list[str]:
        """Files other than data that the settings name."""
        return [name for own in (self.baseline, *self.terms) for name in own.files.values()]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types for the model file; an infinite sigma becomes the string "inf"."""
        values = super().to_dict()
        values["data"] |= values["data"].pop("keys")
        for key in ("uncertainty", "compress"):
            if getattr(self, key) is None:
                del values[key]
        return values


def _tables_by_species(
    tables: Iterable[tuple[Place, Settings]],
) -> Iterator[tuple[Place, Iterable[str]]]:
    """The species that settings name, and those in them."""
    for place, own in tables:
        for key, value in declared(type(own)).items():
            given, at = getattr(own, key), place.at(key)
            if isinstance(value, BySpecies) and isinstance(given, Mapping):
                yield at, given
            elif isinstance(given, Settings):
                yield from _tables_by_species([(at.sub(), given)])
            elif isinstance(value, Tables):
                n = len(given)
                yield from _tables_by_species((at.nth(k, n), of) for k, of in enumerate(given))
