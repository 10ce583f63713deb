# SPDX-License-Identifier: BSD-3-Clause
"""fit.toml: defaults, every kind of mistake, and the words of the message."""

import dataclasses
import json
import math
from pathlib import Path

import pytest

from potential.errors import SoapGprError
from potential.settings import (
    BaselineSettings,
    LabelKeys,
    Sigmas,
    SoapTermSettings,
    SolverSettings,
)
from potential.settings.file import load_settings, parse_settings

pytestmark = pytest.mark.check

FULL = """
[data]
train = ["a.xyz", "/abs/b*.xyz@::10"]
test = "c.xyz"
energy_key = "dft_energy"
virial_key = "dft_virial"

[baseline]
isolated_atom_energies = {O = -432.1, H = -13}

[[terms]]
kind = "soap"
cutoff = 4
cutoff_width = 1.0
n_max = 6
l_max = 4
atom_sigma = {O = 0.4, H = 0.3}
zeta = 2
basis = "laplacian"
radial_scaling = {exponent = 4, scale = 2.0, rate = 0.5}
central_weight = 0.0
n_sparse = {O = 80, H = 120}
sparse_method = "cur"
delta = 0.5
seed = 7

[[terms]]
cutoff = 6.0

[noise]
energy_per_atom = 0.002
[noise.config_type.liquid]
force = 0.1
[noise.config_type."no stress"]
virial_per_atom = inf

[solver]
jitter = 1e-9
"""


def write(tmp_path, text):
    path = tmp_path / "fit.toml"
    path.write_text(text)
    return path


def test_full_file_is_read(tmp_path):
    settings = load_settings(write(tmp_path, FULL))
    assert settings.data.train == (str(tmp_path / "a.xyz"), "/abs/b*.xyz@::10")
    assert settings.data.test == (str(tmp_path / "c.xyz"),)
    assert settings.data.keys.energy_key == "dft_energy"
    assert settings.data.keys.stress_key is None
    assert settings.baseline.isolated_atom_energies == {"O": -432.1, "H": -13}
    first, second = settings.terms
    assert (first.cutoff, first.atom_sigma, first.seed) == (4.0, {"O": 0.4, "H": 0.3}, 7)
    assert first.radial_scaling == {"exponent": 4.0, "scale": 2.0, "rate": 0.5}
    assert (second.cutoff, second.n_sparse, second.delta) == (6.0, 1000, 1.0)
    noise = settings.noise
    assert noise.default.energy_per_atom == 0.002 and noise.default.force == 0.05
    assert noise.config_type["liquid"].force == 0.1
    assert noise.config_type["liquid"].energy_per_atom == 0.002
    assert math.isinf(noise.config_type["no stress"].virial_per_atom)
    assert settings.solver.jitter == 1e-9


def test_minimal_file_has_the_documented_defaults(tmp_path):
    settings = load_settings(write(tmp_path, '[data]\ntrain = ["a.xyz"]\n[[terms]]\n'))
    (term,) = settings.terms
    assert (term.cutoff, term.cutoff_width, term.n_max, term.l_max) == (6.0, None, 8, 6)
    assert (term.cutoff_function, term.f_c().width) == ("smooth", 3.0)
    assert (term.atom_sigma, term.zeta, term.basis, term.delta) == (0.5, 4, "gto", 1.0)
    assert (term.n_sparse, term.sparse_method) == (1000, "fps")
    assert term.normalize is True and term.offset == 0.0 and type(term.zeta) is int
    assert settings.solver.keep_factor is False
    assert settings.baseline.isolated_atom_energies == "fit"
    sigmas = settings.noise.default
    assert (sigmas.energy_per_atom, sigmas.force, sigmas.virial_per_atom) == (0.002, 0.05, 0.02)
    assert term.radial_scaling == {"scale": 3.0, "exponent": 4.0, "rate": 1.0}


def test_to_dict_is_strict_json(tmp_path):
    values = load_settings(write(tmp_path, FULL)).to_dict()
    again = json.loads(json.dumps(values, allow_nan=False))
    assert again["data"]["energy_key"] == "dft_energy"
    assert again["noise"]["config_type"]["no stress"]["virial_per_atom"] == "inf"


@pytest.mark.parametrize(
    "line, words",
    [
        ("cutof = 5.0", ["[[terms]] unknown key 'cutof'", "did you mean 'cutoff'?"]),
        ("Zeta = 2", ["did you mean 'zeta'?"]),
        ("sparse = 3", ["did you mean 'n_sparse'?"]),
        ("xyzzy = 1", ["unknown key 'xyzzy'", "known keys: kind, cutoff"]),
        ('cutoff = "5"', ['[[terms]] cutoff: found "5", expected a number > 0 and <= 100']),
        ("cutoff = -1.0", ["cutoff: found -1.0"]),
        ("cutoff = 1e6", ["cutoff: found 1000000.0, expected a number > 0 and <= 100"]),
        ("atom_sigma = 1e-9", ["atom_sigma: found 1e-09, expected a number >= 0.01"]),
        ("atom_sigma = {O = 1e-9}", ["atom_sigma.O: found 1e-09, expected a width in Å >= 0.01"]),
        ("cutoff = inf", ["cutoff: found inf"]),
        ("cutoff = nan", ["cutoff: found nan"]),
        ("cutoff = true", ["cutoff: found True"]),
        ("cutoff_width = 9.5", ["[[terms]] cutoff_width: found 9.5 Å, expected at most cutoff"]),
        ("n_max = 8.5", ["n_max: found 8.5, expected an integer from 1 to"]),
        ("n_max = 0", ["n_max: found 0"]),
        ("l_max = -1", ["l_max: found -1"]),
        ("zeta = 0.5", ["zeta: found 0.5, expected a number >= 1 and <= 32"]),
        ("zeta = 33.5", ["zeta: found 33.5, expected a number >= 1 and <= 32"]),
        ("zeta = 1.5\nsparse_method = 'cur'", ["zeta: found 1.5, expected an integer with spars"]),
        ("zeta = 1.5\nsparse_basis = 'derivatives'", ["zeta: found 1.5, expected an integer with"]),
        ("normalize = 1", ["[[terms]] normalize: found 1, expected true or false"]),
        (
            "normalize = false\nsparse_basis = 'derivatives'",
            ["normalize: found False, expected tru"],
        ),
        ("normalise = false", ["did you mean 'normalize'?"]),
        ("offset = -0.1", ["offset: found -0.1, expected a number >= 0"]),
        ("offset = 0.1\nsparse_basis = 'derivatives'", ["offset: found 0.1, expected 0 with"]),
        ('basis = "gtos"', ['basis: found "gtos"', "did you mean 'gto'?"]),
        ('kind = "sop"', ["did you mean 'soap'?"]),
        ('sparse_method = "farthest"', ['one of "fps", "cur", "leverage", "random"']),
        ("n_sparse = 0", ["n_sparse: found 0"]),
        ("n_sparse = {O = 1.5}", ["n_sparse.O: found 1.5, expected an integer from 1 to"]),
        ("n_sparse = {Oxygen = 5}", ["found the key 'Oxygen', expected a chemical symbol"]),
        ("n_sparse = {}", ["for at least one species"]),
        ("n_sparse = 9\nn_sparse_config_type = {a = 5, b = 5}", ["at most n_sparse = 9 together"]),
        ("n_sparse_config_type = {a = 0}", ["n_sparse_config_type] a: found 0"]),
        ('sparse_method = "file"', ['sparse_file: missing, with sparse_method = "file"']),
        ('sparse_file = "a.xyz"', ['found "a.xyz", expected nothing without sparse_method']),
        ('n_sparse = 3\nsparse_method = "file"\nsparse_file = "a"', ["n_sparse: found 3, exp"]),
        ("atom_sigma = {O = -0.5}", ["atom_sigma.O: found -0.5"]),
        ("radial_scaling = {exponent = 1.5}", ["[[terms]] radial_scaling.exponent"]),
        ("radial_scaling = {expo = 2, scale = 1}", ["'expo'", "did you mean 'exponent'?"]),
        ("radial_scaling = 3", ["[terms.radial_scaling] found 3, expected a table"]),
        ("radial_scaling = {rate = 0}", ["[terms.radial_scaling] rate: found 0"]),
        ("delta = 0", ["delta: found 0, expected a number >= 1e-08 and <= 1e+08"]),
        ("seed = -1", ["seed: found -1"]),
    ],
)
def test_bad_term_is_one_sentence(tmp_path, line, words):
    path = write(tmp_path, f'[data]\ntrain = ["a.xyz"]\n[[terms]]\n{line}\n')
    with pytest.raises(SoapGprError) as error:
        load_settings(path)
    message = str(error.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    for word in words:
        assert word in message


@pytest.mark.parametrize(
    "text, words",
    [
        ("", ["data: missing"]),
        ("[data]\n", ["[data] train: missing"]),
        ('[data]\ntrian = ["a"]\n', ["train: missing", "did you mean it by 'trian'?"]),
        ("[data]\ntrain = []\n", ["train: found [], expected a list of file names"]),
        ("[data]\ntrain = [1]\n", ["train: found [1]"]),
        ('[data]\ntrain = "a"\nenergy_key = ""\n', ["energy_key", "non-empty string"]),
        ('[data]\ntrain = "a"\nforce_key = "f"\n', ["did you mean 'forces_key'?"]),
        ("data = 3\n", ["[data] found 3, expected a table"]),
        ('[data]\ntrain = "a"\n[term]\n', ["unknown key 'term'", "did you mean 'terms'?"]),
        ('[data]\ntrain = "a"\n[terms]\ncutoff = 3\n', ["at least one [[terms]] table"]),
        ('[data]\ntrain = "a"\n[noise]\nforces = 1\n', ["[noise]", "did you mean 'force'?"]),
        ('[data]\ntrain = "a"\n[noise]\nforce = 0\n', ["[noise] force: found 0"]),
        (
            '[data]\ntrain = "a"\n[noise.config_type.liquid]\nenergy = 1\n',
            ["[noise.config_type.liquid] unknown key 'energy'", "'energy_per_atom'"],
        ),
        (
            '[data]\ntrain = "a"\n[baseline]\nisolated_atom_energies = "isolated"\n',
            ["did you mean 'isolated_atom'?"],
        ),
        (
            '[data]\ntrain = "a"\n[baseline]\nisolated_atom_energies = {O = "x"}\n',
            ['isolated_atom_energies.O: found "x", expected an energy in eV'],
        ),
        ('[data]\ntrain = "a"\n[solver]\nkeep_factor = "R"\n', ["keep_factor: found", "true or"]),
        ('[data]\ntrain = "a"\n[solver]\njitter = -1\n', ["[solver] jitter: found -1"]),
        ("[data\n", ["not valid TOML"]),
    ],
)
def test_bad_file_is_one_sentence(tmp_path, text, words):
    path = write(tmp_path, text)
    with pytest.raises(SoapGprError) as error:
        load_settings(path)
    assert str(error.value).startswith(f"{path}: ")
    for word in words:
        assert word in str(error.value)


def test_second_term_is_named_in_the_message(tmp_path):
    text = '[data]\ntrain = "a"\n[[terms]]\n[[terms]]\ncutof = 1\n'
    with pytest.raises(SoapGprError, match=r"\[\[terms\]\] number 2 unknown key"):
        load_settings(write(tmp_path, text))


def test_missing_file_is_named(tmp_path):
    with pytest.raises(SoapGprError, match=r"nothing\.toml: no such file"):
        load_settings(tmp_path / "nothing.toml")


def test_settings_from_dictionaries():
    settings = parse_settings({"data": {"train": ["a.xyz"]}, "terms": [{"cutoff": 4.0}]})
    assert settings.terms[0].cutoff == 4.0
    assert settings.data.train == ("a.xyz",)


@pytest.mark.parametrize("written, kept", [("2", 2), ("2.0", 2), ("2.5", 2.5)])
def test_zeta_is_an_integer_where_it_is_one(written, kept):
    term = parse_settings({"data": {"train": "a"}, "terms": [{"zeta": float(written)}]}).terms[0]
    assert term.zeta == kept and json.dumps(term.to_dict()["zeta"]) == json.dumps(kept)
    assert SoapTermSettings(zeta=float(written)) == term


def test_data_are_needed_where_no_frames_are_given():
    assert parse_settings({}, data_required=False).data.train == ()
    with pytest.raises(SoapGprError, match="data: missing"):
        parse_settings({})


def test_documentation_names_every_key_and_its_example_is_valid(tmp_path):
    text = (Path(__file__).parents[1] / "docs" / "fit_toml.md").read_text()
    example = text.split("```toml\n")[1].split("```")[0]
    load_settings(write(tmp_path, example))
    for settings in (LabelKeys, SoapTermSettings, Sigmas, SolverSettings, BaselineSettings):
        for field in dataclasses.fields(settings):
            assert f"`{field.name}`" in text, field.name
