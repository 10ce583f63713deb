# SPDX-License-Identifier: BSD-3-Clause
"""The command soap-gpr: what it prints, its exit codes, and one sentence for every mistake."""

import json
import os
import re
import subprocess
import sys

import ase.io
import numpy as np
import pytest
from models import random_model
from training_data import emt_frames, small_toml, write_frames

from potential.cli import COMMANDS, main
from potential.model import Model

pytestmark = pytest.mark.check

SETTINGS = small_toml(20)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Data, settings and a fitted model."""
    folder = tmp_path_factory.mktemp("cli")
    write_frames(folder / "train.xyz", emt_frames(12, seed=1))
    write_frames(folder / "test.xyz", emt_frames(4, seed=2))
    (folder / "fit.toml").write_text(SETTINGS)
    assert main(["fit", str(folder / "fit.toml"), "-o", str(folder / "model.sgpr")]) == 0
    return folder


@pytest.fixture
def run(folder, capsys, monkeypatch):
    """Runs a command in the folder; returns (exit code, stdout, stderr)."""
    monkeypatch.chdir(folder)
    # SETTINGS names files relative to the folder, so no command may depend on where it is started

    def run(line):
        try:
            code = main(line.split())
        except SystemExit as stop:  # argparse
            code = stop.code
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def assert_fails(outcome, *words):
    code, out, err = outcome
    assert code == 1
    assert err.startswith("soap-gpr: error: ") and err.count("\n") == 1, err
    for word in words:
        assert word in err
    assert "Traceback" not in out + err


def test_fit_prints_a_summary(run, folder):
    code, out, err = run("fit fit.toml -o again.sgpr")
    assert code == 0 and err == "soap-gpr: wrote again.sgpr\n"
    assert "Training data  12 structures, 96 atoms, 12 energies, 288 force components" in out
    assert re.search(r"Regression +\d+ labels, 40 weights, condition number \d", out)
    assert "Test errors" in out and "meV/Å" in out and "GPa" in out
    first, second = Model.load(folder / "model.sgpr"), Model.load(folder / "again.sgpr")
    for name, array in first.arrays.items():
        assert np.array_equal(array, second.arrays[name])


def test_evaluate_prints_the_errors_of_the_fit(run, folder):
    code, out, _ = run("evaluate model.sgpr test.xyz --json errors.json")
    assert code == 0
    written = json.loads((folder / "errors.json").read_text())
    stored = Model.load(folder / "model.sgpr").metadata["provenance"]["test_errors"]["errors"]
    assert written["errors"]["all"]["force"] == pytest.approx(stored["all"]["force"])
    assert written["units"]["energy"] == "eV/atom"
    assert set(written["errors"]) == {"all", "even", "odd"}
    assert f"{1e3 * stored['odd']['force']['rmse']:.3f}" in out


def test_evaluate_writes_predictions_beside_the_labels(run, folder):
    assert run("evaluate model.sgpr test.xyz -o out.xyz")[0] == 0
    before, after = (ase.io.read(folder / name, ":") for name in ("test.xyz", "out.xyz"))
    model = Model.load(folder / "model.sgpr")
    for old, new in zip(before, after, strict=True):
        expected = model.evaluate(old.numbers, old.positions, old.cell.array, old.pbc)
        assert new.get_potential_energy() == pytest.approx(expected.energy, abs=1e-6)
        assert np.allclose(new.get_forces(), expected.forces, atol=1e-6)
        stress = -expected.virial / old.get_volume()
        assert np.allclose(new.get_stress(voigt=False), stress, atol=1e-6)
        assert new.info["reference_energy"] == pytest.approx(old.get_potential_energy())
        assert np.allclose(new.arrays["reference_forces"], old.get_forces(), atol=1e-6)
        assert new.info["config_type"] == old.info["config_type"]
        assert new.info["name"] == old.info["name"]


def test_evaluate_predicts_unlabelled_structures(run, folder):
    frames = emt_frames(2, seed=9)
    for atoms in frames:
        atoms.calc = None
    write_frames(folder / "bare.xyz", frames)
    assert_fails(run("evaluate model.sgpr bare.xyz"), "found no energies, forces")
    code, out, _ = run("evaluate model.sgpr bare.xyz@0 -o bare_out.xyz")
    assert code == 0 and out == ""
    assert ase.io.read(folder / "bare_out.xyz").get_forces().shape == (8, 3)


def test_evaluate_never_writes_over_what_it_reads(run, folder):
    before = (folder / "test.xyz").read_bytes()
    assert_fails(run("evaluate model.sgpr test.xyz -o test.xyz"), "is the file to read")
    assert_fails(run("evaluate model.sgpr test.xyz --json model.sgpr"), "is the file to read")
    assert (folder / "test.xyz").read_bytes() == before


def test_evaluate_takes_other_keys(run, folder):
    frames = emt_frames(2, seed=9)
    for atoms in frames:
        atoms.info["dft_energy"] = atoms.get_potential_energy()
        atoms.calc = None
    write_frames(folder / "dft.xyz", frames)
    code, out, _ = run("evaluate model.sgpr dft.xyz --energy-key dft_energy --json -")
    assert code == 0
    assert set(json.loads(out)["errors"]["all"]) == {"energy"}


def test_test_data_may_lack_a_label_of_the_training_data(run, folder):
    frames = emt_frames(6, seed=1)
    for atoms in frames:
        atoms.info["dft_virial"] = -atoms.get_stress(voigt=False) * atoms.get_volume()
    write_frames(folder / "with_virials.xyz", frames)
    text = SETTINGS.replace("train.xyz", "with_virials.xyz")
    (folder / "v.toml").write_text(
        text.replace("[[terms]]", 'virial_key = "dft_virial"\n[[terms]]')
    )
    assert run("fit v.toml -o v.sgpr")[0] == 0
    code, out, _ = run("evaluate v.sgpr test.xyz --json -")
    assert code == 0 and set(json.loads(out)["errors"]["all"]) == {"energy", "force"}
    code, out, _ = run("evaluate v.sgpr test.xyz --stress-key stress --json -")
    assert code == 0 and "stress" in json.loads(out)["errors"]["all"]
    assert_fails(run("evaluate v.sgpr test.xyz --virial-key virial"), "no frame has 'virial'")


def test_info_tells_the_model(run):
    code, out, _ = run("info model.sgpr")
    assert code == 0
    for words in ("Species        Cu, Au; cutoff 4 Å", "Sparse points  Cu 20, Au 20", "sha256"):
        assert words in out


def test_info_tells_a_model_that_was_never_fitted(run):
    random_model().save("random.sgpr")
    code, out, _ = run("info random.sgpr")
    assert code == 0
    assert "H 5, O 5 (soap, cutoff 3.5" in out


def test_info_tells_a_model_of_another_program(run, folder):
    model = random_model()
    record = {"program": "other 1.0", "train": {"structures": 3}, "fitted_labels": 7}
    zero = model.with_weights(np.zeros(model.n_weights))
    zero.with_record(provenance=record).save(folder / "other.sgpr")
    code, out, _ = run("info other.sgpr")
    assert code == 0 and "other 1.0" in out and "H 5, O 5" in out


def test_info_json_is_complete(run):
    code, out, _ = run("info model.sgpr --json")
    content = json.loads(out)
    assert code == 0 and content["species"] == ["Cu", "Au"] and content["cutoff"] == 4.0
    assert content["settings"]["terms"][0]["n_sparse"] == 20
    assert content["arrays"]["term0.weights.0"] == [20]


def test_report_is_one_file_without_outside_parts(run, folder):
    code, _, err = run("report model.sgpr test.xyz -o report.html")
    assert code == 0 and "wrote report.html" in err
    page = (folder / "report.html").read_text()
    assert page.count("data:image/svg+xml;base64,") == 6
    assert not re.search(r'(src|href)="(?!data:)', page)
    for words in ("Errors by config_type", "test.xyz#", "Force RMSE", "even"):
        assert words in page


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_an_example(run, command):
    code, out, _ = run(f"{command} --help")
    assert code == 0 and "example" in out and f"soap-gpr {command}" in out


def test_version(run):
    code, out, _ = run("--version")
    assert code == 0 and re.fullmatch(r"soap-gpr \S+\n", out)


@pytest.mark.parametrize(
    "line",
    ["", "fitt fit.toml", "fit", "fit fit.toml --outptu x", "evaluate model.sgpr", "info"],
)
def test_wrong_usage_is_code_2(run, line):
    code, _, err = run(line)
    assert code == 2 and "usage: soap-gpr" in err


def test_misspelt_key_is_named_with_the_nearest(run, folder):
    (folder / "bad.toml").write_text(SETTINGS.replace("cutoff =", "cutof ="))
    assert_fails(run("fit bad.toml"), "bad.toml: [[terms]] unknown key 'cutof'", "'cutoff'?")


@pytest.mark.parametrize(
    "line, words",
    [
        ("fit none.toml", ["none.toml: no such file"]),
        ("fit train.xyz", ["train.xyz: not valid TOML"]),
        ("fit fit.toml -o nowhere/model.sgpr", ["nowhere/model.sgpr", "no folder nowhere"]),
        ("fit fit.toml -o .", [".: found a folder"]),
        ("evaluate none.sgpr test.xyz", ["none.sgpr", "no such file"]),
        ("evaluate test.xyz test.xyz", ["test.xyz: "]),
        ("evaluate model.sgpr none.xyz", ["none.xyz: found nothing"]),
        ("evaluate model.sgpr fit.toml", ["fit.toml: ase.io cannot read it"]),
        ("evaluate model.sgpr test.xyz@99", ["found no frames for the slice '99'"]),
        ("evaluate model.sgpr test.xyz -o nowhere/o.xyz", ["no folder nowhere"]),
        ("evaluate model.sgpr test.xyz --energy-key e0", ["no frame has 'e0'", "energy"]),
        ("info fit.toml", ["fit.toml: "]),
        ("report model.sgpr test.xyz -o nowhere/r.html", ["no folder nowhere"]),
    ],
)
def test_bad_input_is_one_sentence(run, line, words):
    assert_fails(run(line), *words)


def test_truncated_model_is_refused(run, folder):
    (folder / "short.sgpr").write_bytes((folder / "model.sgpr").read_bytes()[:-100])
    assert_fails(run("info short.sgpr"), "short.sgpr: ")


def test_unknown_species_names_the_frame(run, folder):
    frames = emt_frames(2)
    frames[1].symbols[0] = "Ni"
    write_frames(folder / "ni.xyz", frames)
    outcome = run("evaluate model.sgpr ni.xyz")
    assert_fails(outcome, "ni.xyz#1: the model does not know Ni, it was trained for Cu, Au")


def test_coincident_atoms_name_the_frame(run, folder):
    frames = emt_frames(2)
    frames[1].positions[1] = frames[1].positions[0]
    write_frames(folder / "fused.xyz", frames)
    assert_fails(run("evaluate model.sgpr fused.xyz"), "fused.xyz#1: ")


def test_coincident_training_atoms_name_the_frame(run, folder):
    frames = emt_frames(6)
    frames[4].positions[1] = frames[4].positions[0]
    write_frames(folder / "fused_train.xyz", frames)
    (folder / "fused.toml").write_text(SETTINGS.replace("train.xyz", "fused_train.xyz"))
    assert_fails(run("fit fused.toml"), "fused_train.xyz#4: ")


def test_failed_fit_leaves_no_file(run, folder):
    (folder / "empty.toml").write_text(SETTINGS.replace('"train.xyz"', '"none*.xyz"'))
    before = set(os.listdir(folder))
    assert_fails(run("fit empty.toml -o new.sgpr"), "none*.xyz: found nothing")
    assert set(os.listdir(folder)) == before


def test_interrupt_is_one_line(run, monkeypatch):
    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr("potential.training.fitting.fit", interrupted)
    assert run("fit fit.toml") == (130, "", "soap-gpr: interrupted\n")


def test_closed_pipe_is_silent(folder):
    line = f"{sys.executable} -m potential.cli info model.sgpr --json | head -c 10"
    done = subprocess.run(line, shell=True, cwd=folder, capture_output=True, text=True)
    assert done.stderr == "" and len(done.stdout) == 10


def test_installed_command_runs(folder):
    command = os.path.join(os.path.dirname(sys.executable), "soap-gpr")
    if not os.path.exists(command):
        pytest.skip("the console script is not installed beside this Python")
    done = subprocess.run([command, "info", "none.sgpr"], capture_output=True, text=True)
    assert done.returncode == 1 and done.stderr.startswith("soap-gpr: error: none.sgpr: ")
