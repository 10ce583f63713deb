# SPDX-License-Identifier: BSD-3-Clause
"""Presets: what a fit.toml without [[terms]] stands for, and the file that says the same."""

import tomllib
from itertools import product

import numpy as np
import pytest
from training_data import emt_frames, write_frames

from potential import Model, fit
from potential.cli import main
from potential.errors import SoapGprError
from potential.settings import FitSettings
from potential.settings.file import load_settings, parse_settings
from potential.settings.presets import (
    ACCURATE,
    BALANCED,
    FAST,
    PRESETS,
    DataTraits,
    preset_tables,
)
from potential.structures.structure import structure_from_atoms
from potential.validation.search_space import parse_tune

DATA = {"train": ["train.xyz"]}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    write_frames(tmp_path / "train.xyz", emt_frames(4, seed=1))
    write_frames(tmp_path / "test.xyz", emt_frames(2, seed=2))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def traits_of(frames):
    return DataTraits.of([structure_from_atoms(atoms) for atoms in frames])


def plain_terms(model):
    return model.metadata["settings"]["terms"]


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("traits", [DataTraits(*own) for own in product((False, True), repeat=3)])
def test_preset_is_ordinary_settings(preset, traits):
    tables = preset_tables(preset, traits)
    settings = parse_settings({"data": DATA, **tables})
    assert len(settings.terms) == len(tables["terms"]) and settings.preset is None
    asked = parse_settings({"data": DATA, "preset": preset})
    assert asked.terms == () and asked.noise == settings.noise


def test_traits_are_those_of_the_data():
    frames = emt_frames(2)
    assert traits_of(frames) == DataTraits(energies_only=False, finite=False)
    for atoms in frames:
        atoms.pbc = False
    assert traits_of(frames[:1]) == DataTraits(energies_only=False, finite=True)
    energies = emt_frames(2, labels=("energy",))
    assert traits_of(energies) == DataTraits(energies_only=True, finite=False)
    hydride = emt_frames(1)
    hydride[0].numbers[0] = 1
    assert traits_of([*frames, *hydride]) == DataTraits(False, False, hydrogen=True)
    # an atom alone is neither a molecule nor without forces
    assert traits_of([*energies, energies[0][:1]]) == DataTraits(True, False)


@pytest.mark.parametrize("preset", PRESETS)
def test_lengths_are_shorter_with_hydrogen(preset):
    others, own = (preset_tables(preset, DataTraits(False, False, h))["terms"] for h in (0, 1))
    assert len(own) == len(others)
    for key, extreme in (("cutoff", max), ("atom_sigma", min)):
        found, expected = (extreme(term.get(key, 0.5) for term in t) for t in (own, others))
        assert found < expected
    molecules = [preset_tables(preset, DataTraits(True, True, h)) for h in (False, True)]
    assert molecules[0] == molecules[1]


@pytest.mark.parametrize("preset", [None, FAST])
def test_fit_without_terms_is_that_of_the_written_file(folder, preset, capsys):
    named = {} if preset is None else {"preset": preset}
    result = fit({"data": DATA, **named}, progress=False)
    assert result.provenance["preset"] == (preset or BALANCED)
    option = f" --preset {preset}" if preset else ""
    assert main(f"settings train.xyz{option} -o fit.toml".split()) == 0
    assert main(["fit", "fit.toml", "-o", "model.sgpr"]) == 0
    written = Model.load("model.sgpr")
    assert "preset" not in written.metadata["provenance"]
    assert plain_terms(written) == plain_terms(result.model)
    assert written.arrays.keys() == result.model.arrays.keys()
    for name, own in result.model.arrays.items():
        assert np.array_equal(own, written.arrays[name]), name


def test_written_file_names_files_from_its_folder_and_all_levels(folder, capsys):
    (folder / "run").mkdir()
    line = "settings train.xyz --test test.xyz --energy-key energy --preset accurate"
    assert main([*line.split(), "-o", "run/fit.toml"]) == 0
    values = tomllib.loads((folder / "run/fit.toml").read_text())
    assert values["data"]["train"] == ["../train.xyz"] and values["data"]["test"] == ["../test.xyz"]
    assert values["data"]["energy_key"] == "energy"
    assert set(values["noise"]) == {"energy_per_atom", "force", "virial_per_atom"}
    assert load_settings("run/fit.toml").terms
    capsys.readouterr()
    assert main(line.split()) == 0
    printed = capsys.readouterr().out
    assert tomllib.loads(printed)["terms"] == values["terms"]
    assert printed.startswith('# preset = "accurate", for periodic structures with energies and')


def test_dry_run_and_info_name_the_preset(folder, capsys):
    (folder / "fit.toml").write_text('preset = "fast"\n[data]\ntrain = ["train.xyz"]\n')
    assert main(["fit", "fit.toml", "--dry-run"]) == 0
    assert capsys.readouterr().out.startswith("Preset         fast\n")
    assert main(["fit", "fit.toml", "-o", "model.sgpr"]) == 0
    assert "Preset         fast\n" in capsys.readouterr().out
    assert main(["info", "model.sgpr"]) == 0
    assert "Preset         fast\n" in capsys.readouterr().out


def test_levels_of_noise_are_those_that_are_given(folder):
    (folder / "fit.toml").write_text(
        'preset = "accurate"\n[data]\ntrain = ["train.xyz"]\n[noise]\nforce = 0.3\n'
    )
    settings = load_settings("fit.toml").for_data([])
    assert settings.noise.default.force == 0.3
    expected = preset_tables(ACCURATE, DataTraits(True, True))["noise"]["energy_per_atom"]
    assert settings.noise.default.energy_per_atom == expected


def test_terms_and_preset_together_are_refused(folder, capsys):
    (folder / "fit.toml").write_text(
        'preset = "fast"\n[data]\ntrain = ["train.xyz"]\n[[terms]]\ncutoff = 4.0\n'
    )
    assert main(["fit", "fit.toml"]) == 1
    error = capsys.readouterr().err
    assert "fit.toml: preset: found 'fast' beside [[terms]], expected one of them" in error
    with pytest.raises(SoapGprError, match=r'preset: found "quick", expected one of "fast"'):
        parse_settings({"data": DATA, "preset": "quick"})
    with pytest.raises(SoapGprError, match="expected at least one"):
        parse_settings({"data": DATA, "terms": []})
    with pytest.raises(SoapGprError, match=r"\[\[terms\]\]: missing.*soap-gpr settings"):
        parse_tune({"data": DATA, "tune": {"search": {"noise.force": [0.1]}}}, "fit.toml")


def test_settings_made_in_python_have_the_preset_as_well(folder):
    asked = FitSettings(DATA)
    assert asked == parse_settings({"data": DATA}) and asked.terms == ()
    own = asked.for_data([structure_from_atoms(atoms) for atoms in emt_frames(1)])
    assert own == parse_settings(
        {"data": DATA, **preset_tables(BALANCED, DataTraits(False, False))}
    )
    assert own.for_data([]) is own


def test_missing_data_is_one_sentence_and_no_file_is_written(folder, capsys):
    assert main(["settings", "no.xyz", "-o", "fit.toml"]) == 1
    error = capsys.readouterr().err
    assert "no.xyz" in error and len(error.splitlines()) == 1
    assert not (folder / "fit.toml").exists()
    assert main(["settings", "train.xyz", "-o", "train.xyz"]) == 1
    assert "train.xyz" in capsys.readouterr().err
