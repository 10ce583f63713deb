# SPDX-License-Identifier: BSD-3-Clause
"""gap_fit commands as fit.toml: every option is mapped or named, and the result fits."""

import tomllib

import numpy as np
import pytest
from training_data import emt_frames, write_frames

from potential.cli import main
from potential.errors import SoapGprError
from potential.gap.convert import ALIASES, convert
from potential.gap.read.option_text import options, split
from potential.settings.file import load_settings, parse_settings
from potential.settings.toml_text import toml_text
from potential.training.fitting import fit

SOAP = (
    "soap cutoff=4.0 cutoff_transition_width=1.0 atom_sigma=0.5 n_max=4 l_max=3 zeta=2 delta=0.7 "
    "covariance_type=dot_product sparse_method=cur_points n_sparse=30"
)
COMMAND = f"gap_fit at_file=train.xyz gap={{{SOAP}}} default_sigma={{0.001 0.05 0.02 0.0}}"
# the options of gap_fit --help of quippy-ase 0.10.3 beside the three that are mandatory
EVERY_OPTION = """
config_type_kernel_regularisation={a:1:2:3:4} kernel_regularisation_is_per_atom=T e0={Cu:-3:Au:-2}
local_property0=0 e0_offset=0.5 e0_method=average hessian_displacement=0.01 sparse_jitter=1.0d-8
default_kernel_regularisation_local_property=0.001 baseline_param_filename=a.xml verbosity=NORMAL
baseline_ip_args={IP Glue} energy_parameter_name=E local_property_parameter_name=l rnd_seed=3
force_parameter_name=F virial_parameter_name=V stress_parameter_name=S hessian_parameter_name=H
config_type_parameter_name=t kernel_regularisation_parameter_name=s force_mask_parameter_name=m
local_property_mask_parameter_name=n do_copy_atoms_file=T gap_file=a.xml mpi_print_all=F dryrun=F
sparse_separate_file=T sparse_use_actual_gpcov=F openmp_chunk_size=0 do_ip_timing=F
template_file=t.xyz sparsify_only_no_fit=F condition_number_norm=O linear_system_dump_file=d
mpi_blocksize_rows=0 mpi_blocksize_cols=100 export_covariance=F
"""


def test_values_go_where_they_belong():
    settings = convert(COMMAND).settings
    parsed = parse_settings(settings)
    term = parsed.terms[0]
    assert (term.cutoff, term.cutoff_width, term.n_max, term.l_max) == (4.0, 1.0, 4, 3)
    assert term.cutoff_function == "cosine"  # GAP's, not our default
    assert (term.zeta, term.delta, term.n_sparse, term.sparse_method) == (2, 0.7, 30, "cur")
    assert term.radial_scaling["exponent"] == 0  # GAP's default, not ours
    sigmas = parsed.noise.default
    assert (sigmas.energy_per_atom, sigmas.force, sigmas.virial_per_atom) == (0.001, 0.05, 0.02)
    assert parsed.baseline.isolated_atom_energies == "isolated_atom"
    assert parsed.solver.jitter == pytest.approx(1e-10 / 0.7**2)


def test_every_option_is_mapped_or_named():
    result = convert(COMMAND + EVERY_OPTION.replace("\n", " "))
    parse_settings(result.settings)
    mapped = {
        *("e0", "e0_offset", "sparse_jitter", "rnd_seed", "gap_file", "energy_parameter_name"),
        *("force_parameter_name", "virial_parameter_name", "e0_method"),
        *("config_type_kernel_regularisation", "kernel_regularisation_is_per_atom"),
        *("force_mask_parameter_name", "kernel_regularisation_parameter_name"),
    }
    shorter = {name: alias for alias, name in ALIASES.items()}
    for key in options(EVERY_OPTION)[1]:
        named = any(note.startswith((key, shorter.get(key, key))) for note in result.notes)
        assert (key in mapped) != named, key
    assert not any("unknown" in note for note in result.notes)
    assert result.settings["baseline"] == {"isolated_atom_energies": {"Cu": -2.5, "Au": -1.5}}
    assert result.settings["terms"][0]["seed"] == 3
    assert result.model_file == "a.sgpr"
    assert result.settings["data"]["energy_key"] == "E"
    assert "stress_key" not in result.settings["data"]
    assert result.settings["data"]["force_mask_key"] == "m"
    assert result.settings["data"]["sigma_key"] == "s"


def test_prefix_of_names_is_that_of_masks_and_sigmas_too():
    result = convert(f"{COMMAND} parameter_name_prefix=dft_ force_mask_parameter_name=out")
    assert result.settings["data"]["force_mask_key"] == "dft_out"
    assert "sigma_key" not in result.settings["data"]
    assert any("sigma_key is for a dft_sigma" in note for note in result.notes)
    assert any("config_type takes none" in note for note in result.notes)


def test_several_descriptors():
    gap = (
        f"{{{{distance_2b cutoff=4.5 covariance_type=ard_se delta=2 theta_uniform=1.2}}:{{{SOAP}}}:"
    )
    gap += "{angle_3b cutoff=3 covariance_type=ard_se delta=0.5 theta_fac=0.5 n_sparse=50}}"
    result = convert(f"at_file=a.xyz gap={gap} default_sigma={{1 1 1 1}}")
    pair, soap, triplet = parse_settings(result.settings).terms
    # gap_fit counts every pair and every triplet of angle_3b twice
    assert (pair.kind, pair.delta, pair.length_scale) == ("pair", 4.0, 1.2)
    assert (soap.kind, soap.n_sparse) == ("soap", 30)
    assert (triplet.kind, triplet.delta, triplet.n_sparse) == ("triplet", 1.0, 50)
    assert any(note.startswith("angle_3b theta") for note in result.notes)


def test_soap_turbo_of_all_centres_is_one_soap_term():
    turbo = (
        "soap_turbo l_max=8 alpha_max={8 7} atom_sigma_r={0.5 0.4} atom_sigma_t={0.5 0.5} zeta=4 "
        "delta=0.1 rcut_soft=4.5 rcut_hard=5.0 basis=poly3gauss species_Z={6 14} n_species=2 "
        "central_weight={1.0 1.0} compress_mode=trivial add_species=F covariance_type=dot_product "
        "sparse_method=cur_points"
    )
    gap = f"{{{turbo} n_sparse=10 central_index=1}}:{{{turbo} n_sparse=20 central_index=2}}"
    result = convert(f"at_file=a.xyz gap={{{gap}}} default_sigma={{1 1 1 0}}")
    (term,) = parse_settings(result.settings).terms
    assert (term.cutoff, term.cutoff_width, term.n_max, term.l_max) == (5.0, 0.5, 8, 8)
    assert (term.zeta, term.delta, term.n_sparse) == (4, 0.1, 20)
    assert term.atom_sigma == pytest.approx(0.45)
    text = " ".join(result.notes)
    for word in ("soap comes nearest", "of several the mean", "one term here", "compress_mode"):
        assert word in text


@pytest.mark.parametrize(
    ("old", "new", "note"),
    [
        ("zeta=2", "zeta=2.5", "zeta: 2.5 is not an integer"),
        ("zeta=2", "zeta=2 normalise=F", "soap normalise: no equivalent"),
        ("zeta=2", "zeta=2 radial_scaling=1", "soap radial_scaling: gap_fit ignores it too"),
        ("zeta=2", "zeta=2 nu_R=1", "soap nu_r: no equivalent"),
        ("zeta=2", "zeta=2 fast", "soap fast: found a word without a value"),
        (SOAP, f"distance_2b cutoff=4 delta=1 Z1=1 Z2=8 : {SOAP}", "not those of Z alone"),
        ("sparse_method=cur_points", "sparse_method=uniform", "fps comes nearest"),
        ("sparse_method=cur_points", "sparse_method=file sparse_file=p", "takes structures"),
        ("default_sigma", "colour=red default_sigma", "colour: unknown to gap_fit"),
        ("default_sigma", "sigma_per_atom=F default_sigma", "is_per_atom=F"),
    ],
)
def test_what_has_no_equivalent_is_named(old, new, note):
    result = convert(COMMAND.replace(old, new))
    parse_settings(result.settings)
    assert any(note in found for found in result.notes), result.notes


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("gap_fit at_file=a.xyz default_sigma={1 1 1 0}", "gap: missing"),
        (COMMAND.replace("0.02 0.0}", "}"), "default_kernel_regularisation: found '0.001 0.05'"),
        (COMMAND.replace("0.001", "-1"), "and Hessian, not below 0"),
        (COMMAND.replace("0.001 0.05 0.02", "0 0 0"), "and Hessian, not below 0"),
        ("gap_fit config_file=none", "config_file: none: cannot be read as text"),
        (COMMAND.replace("cutoff=4.0 ", ""), "gap: soap cutoff: missing"),
        (COMMAND.replace("cutoff=4.0", "cutoff=four"), "soap cutoff: found 'four', expected a num"),
        (COMMAND.replace("soap cut", "soap_express cut"), "soap_express has no equivalent"),
        (COMMAND.replace("soap cut", "soap_turbo cut"), "soap_turbo atom_sigma_r: missing"),
        (COMMAND[:-3], "unbalanced brace"),
        (COMMAND.replace("zeta=2", "normalise=1"), "normalise: found '1', expected T or F"),
        (COMMAND.replace("zeta=2", "covariance_sigma0=a"), "covariance_sigma0: found 'a'"),
        (COMMAND.replace("n_max=4", "n_max=4.5"), "soap n_max: found '4.5', expected a count"),
        (COMMAND.replace("n_sparse=30", "n_sparse=-3"), "n_sparse: found '-3', expected a count"),
        (COMMAND.replace("delta=0.7", "delta=0"), "soap delta: found '0', expected a number above"),
        (COMMAND + " e0={Xy:1}", "e0: found 'Xy', expected a chemical symbol or atomic number"),
        (COMMAND + " e0={Cu:1:2}", "e0: found 'Cu:1:2', expected names and numbers by turns"),
    ],
)
def test_bad_commands_are_one_sentence(command, message):
    with pytest.raises(SoapGprError, match=message.replace("'", ".").replace("(", ".")):
        convert(command)


def test_sigma_zero_leaves_labels_out():
    result = convert(COMMAND.replace("0.05 0.02", "0.05 0"))
    assert parse_settings(result.settings).noise.default.virial_per_atom == np.inf
    assert any("virial_per_atom: gap_fit's 0" in note for note in result.notes)
    assert "virial_per_atom = inf" in toml_text(result.settings)


def test_commands_as_people_write_them():
    wanted = convert(COMMAND + " e0={Cu:-3:Au:-2}").settings
    lines = COMMAND.replace("gap=", "\\\n  gap = ").replace("0.001 0.05", "0.001, 0.05,")
    pasted = f"! OMP_NUM_THREADS=4 mpirun -np 2 ./bin/{lines} e0={{29 : -3: Au:-2}} > out 2>&1 &"
    assert convert(pasted).settings == wanted
    assert not any("word" in note or "unknown" in note for note in convert(pasted).notes)
    assert convert(COMMAND.replace("soap", "SOAP").replace("cutoff", "CUTOFF", 1))


def test_config_file_of_a_command(tmp_path):
    (tmp_path / "gap.config").write_text(COMMAND)
    named = convert("gap_fit config_file=gap.config zeta=9", tmp_path)
    assert named.settings == convert(COMMAND).settings


def test_option_text_as_quip_reads_it():
    assert options("soap A=1 a=2") == (["soap"], {"a": "2"})
    with pytest.raises(SoapGprError, match="'=' without a key"):
        options("=2 soap")
    assert options("soap b = 2 c =3,d=4, e") == (["soap", "e"], {"b": "2", "c": "3", "d": "4"})
    assert options("x={ {a b} } y='c d' z=\"{e}\" x2= ")[1] == {
        "x": "a b", "y": "c d", "z": "e", "x2": ""
    }  # fmt: skip
    assert split("{a:b}:c : d", ":") == ["{a:b}", "c", "d"]


def test_the_command_writes_settings_that_fit(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_frames("train.xyz", emt_frames(10))
    config = COMMAND.replace(" default_sigma", "\ne0_method=average\ndefault_sigma")
    (tmp_path / "gap.config").write_text(config)
    (tmp_path / "binary").write_bytes(b"\x7fELF\xd0")
    assert main(["convert-gap-fit", "binary"]) == 1
    assert "binary: cannot be read as text" in capsys.readouterr().err
    assert main(["convert-gap-fit", "gap.config", "-o", "fit.toml"]) == 0
    assert "forces: gap_fit reads a column 'force'" in capsys.readouterr().err
    result = fit(load_settings("fit.toml"), progress=False)
    assert result.model.n_weights == 60
    assert main(["convert-gap-fit", *config.split(" gap=")[0].split(), f"gap={SOAP}",
                 "default_sigma=0.001 0.05 0.02 0", "e0_method=average"]) == 0  # fmt: skip
    printed = tomllib.loads(capsys.readouterr().out)
    assert printed == tomllib.loads((tmp_path / "fit.toml").read_text())
    assert tomllib.loads(toml_text(convert(config).settings)) == printed
