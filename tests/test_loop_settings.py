# SPDX-License-Identifier: BSD-3-Clause
"""loop.toml: what is wrong in any place of it is one sentence, before anything runs."""

import re
import textwrap
import tomllib
from pathlib import Path

import pytest
from ase.io import read, write
from loops import EMT, FILE, LOOP, POOL, SELECT, write_loop
from training_data import small_toml

from potential.active_learning.settings import load_loop, parse_loop
from potential.cli import main
from potential.cli.learn import EXAMPLE
from potential.structures.read import unlabelled

pytestmark = pytest.mark.check

ROOT = Path(__file__).parents[1]
RANDOM = '[[samplers]]\nkind = "random"\nstructures = ["pool.xyz"]\n'
LAMMPS = """\
[[samplers]]
kind = "lammps"
input = "in.lammps"
structures = ["pool.xyz"]
species = ["Cu", "Au"]
"""
IPI = '[[samplers]]\nkind = "ipi"\ninput = "input.xml"\nstructures = ["pool.xyz"]\n'
COMMAND = '[label]\nkind = "command"\ncommand = "cp {input} {output}"\n'
WAIT = '[label]\nkind = "wait"\n'
COMMITTEE = "[uncertainty]\ncommittee = 4\nvariance = false\n"
ARGUMENTS = "arguments = {colour = 3}\n"
SCRIPT = "read_data ${data}\npair_coeff * * ${model} Cu Au\ndump d all custom 1 ${output} id\n"
XML = """\
<simulation><output prefix="${output}"/>
<ffsocket mode="unix"><address>${address}</address></ffsocket>
<file>${start}</file></simulation>"""


def test_settings_have_their_defaults_and_folders(tmp_path):
    found = load_loop(write_loop(tmp_path))
    assert found.loop.fit == str(tmp_path / "fit.toml")
    assert found.samplers[0].structures == (str(tmp_path / "pool.xyz"),)
    assert found.folder == tmp_path / "loop" and found.home == tmp_path
    assert (found.select.n, found.select.fraction, found.limits.distance) == (3, 0.25, 0.5)
    assert found.label.calculator == "ase.calculators.emt:EMT" and found.label.arguments == {}


def test_dry_run_says_what_would_be_done(tmp_path, capsys):
    assert main(["learn", write_loop(tmp_path), "--dry-run"]) == 0
    out = capsys.readouterr().out
    for line in ("not there yet", "4 labelled", "3 labelled", "pool, 1 runs", "calculator: energy"):
        assert line in out
    assert not (tmp_path / "loop").exists()


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        # [loop]
        (dict(loop=""), ["loop.toml: loop: missing"]),
        (dict(loop="[loop]\n"), ["[loop] fit: missing"]),
        (dict(loop='[loop]\nfit = "no.toml"\n'), ["[loop] fit: ", "no.toml: no such file"]),
        (dict(loop='[loop]\nfit = "pool.xyz"\n'), ["pool.xyz: not valid TOML"]),
        (dict(loop=LOOP + "steps = 3\n"), ["[loop] unknown key 'steps'"]),
        (dict(loop=LOOP.replace("1", "0")), ["[loop] generations: found 0, expected an integer"]),
        (dict(loop=LOOP + "labels = 0\n"), ["[loop] labels: found 0"]),
        (dict(loop=LOOP + "uncertainty = -1\n"), ["[loop] uncertainty: found -1"]),
        (dict(loop=LOOP + 'refit = "part"\n'), ['[loop] refit: found "part"', '"factor"']),
        (dict(loop=LOOP + "seed = 1.5\n"), ["[loop] seed: found 1.5"]),
        (dict(loop=LOOP + 'folder = ""\n'), ["[loop] folder: found"]),
        (dict(loop=LOOP + 'folder = "pool.xyz"\n'), ["[loop] folder: found the file", "pool.xyz"]),
        (dict(loop=LOOP + 'folder = "pool.xyz/a"\n'), ["[loop] folder: found the file"]),
        (dict(loop=LOOP + 'model = "no.sgpr"\n'), ["[loop] model: ", "cannot read the model file"]),
        (dict(loop=LOOP + 'model = "pool.xyz"\n'), ["[loop] model: ", "pool.xyz: "]),
        (dict(loop=LOOP + 'test = "no.xyz"\n'), ["[loop] test: ", "no.xyz: found nothing"]),
        (dict(loop=LOOP + 'test = "bare.xyz"\n'), ["[loop] test: ", "found no energies"]),
        (dict(loop=LOOP + 'test = "."\n'), ["[loop] test: ", ": found a folder, expected an"]),
        (dict(loop="loop = 3\n"), ["[loop] found 3, expected a table"]),
        # [[samplers]]
        (dict(samplers=""), ["samplers: missing"]),
        (dict(samplers='[samplers]\nkind = "pool"\n'), ["samplers", "at least one [[samplers]]"]),
        (dict(samplers="[[samplers]]\n"), ["[[samplers]] kind: missing"]),
        (dict(samplers='[[samplers]]\nkind = "pol"\n'), ["[[samplers]] kind", "mean 'pool'"]),
        (dict(samplers='[[samplers]]\nkind = "pool"\n'), ["[[samplers]] structures: missing"]),
        (dict(samplers=POOL + "runs = 2\n"), ["[[samplers]] unknown key 'runs'"]),
        (dict(samplers=POOL.replace("pool.", "no.")), ["structures: ", "no.xyz: found nothing"]),
        (
            dict(samplers=POOL.replace('"pool.xyz"', "")),
            ["structures: found [], expected at least"],
        ),
        (dict(samplers=RANDOM + "rattle = 0\n"), ["[[samplers]] rattle: found 0 Å, expected more"]),
        (
            dict(samplers=RANDOM.replace("pool", "flat") + "strain = 0.1\n"),
            ["[[samplers]] strain: found 0.1 and", "flat.xyz#0, which is not periodic"],
        ),
        (
            dict(samplers=POOL + RANDOM + "rattle = -1\n"),
            ["[[samplers]] number 2 rattle: found -1"],
        ),
        (dict(samplers=RANDOM + "strain = 2\n"), ["[[samplers]] strain: found 2"]),
        (dict(samplers=RANDOM + "steps = -1\n"), ["[[samplers]] steps: found -1"]),
        (dict(samplers=RANDOM + "every = 0\n"), ["[[samplers]] every: found 0"]),
        (dict(samplers=RANDOM + "runs = 0\n"), ["[[samplers]] runs: found 0"]),
        (dict(samplers=LAMMPS.replace("in.la", "no.la")), ["[[samplers]] input", "no.lammps"]),
        (dict(samplers=LAMMPS.replace('"Au"', '"X"')), ["[[samplers]] species: found"]),
        (dict(samplers=LAMMPS.replace(', "Au"', "")), ["structures: found Au in", "expected Cu"]),
        (dict(samplers=POOL.replace("pool.xyz", "other.xyz")), ["structures: found Ag in"]),
        (dict(samplers=LAMMPS + "ranks = 0\n"), ["[[samplers]] ranks: found 0"]),
        (
            dict(samplers=LAMMPS + "temperature = 300\n"),
            ["temperature: found 300, expected a list"],
        ),
        (dict(samplers=LAMMPS + "temperature = [-1]\n"), ["temperature: found -1"]),
        (dict(samplers=LAMMPS + "temperature = [300]\n"), ["input: found no ${temperature} in"]),
        (dict(samplers=LAMMPS, script="${data} ${output}"), ["input: found no ${model} in"]),
        (dict(samplers=LAMMPS, script=SCRIPT + "${temperature}"), ["temperature: missing, and"]),
        (dict(samplers=LAMMPS.replace('"Au"', '"Ag"')), ["species: found Ag, expected species of"]),
        (dict(samplers=IPI, xml="<a>${start}</a>"), ["input: found no ${address} in"]),
        (
            dict(samplers=IPI, xml=XML.replace("</ff", "</f")),
            ["is not XML: mismatched tag"],
        ),
        (dict(samplers=IPI, xml=XML.replace("unix", "inet")), ['found no <ffsocket mode="unix">']),
        (dict(samplers=IPI, xml=XML + "${colour}"), ["input: found ${colour} in", "${seed}"]),
        (dict(samplers=IPI + "clients = 0\n"), ["[[samplers]] clients: found 0"]),
        # [select] and [limits]
        (dict(select="[select]\nn = 0\n"), ["[select] n: found 0"]),
        (dict(select='[select]\nby = "colour"\n'), ['[select] by: found "colour"', '"random"']),
        (dict(select="[select]\nfraction = 0\n"), ["[select] fraction: found 0"]),
        (dict(select="[select]\nthreshold = -1\n"), ["[select] threshold: found -1"]),
        (dict(select="[select]\nm = 1\n"), ["[select] unknown key 'm'"]),
        (dict(more="[limits]\ndistance = -1\n"), ["[limits] distance: found -1"]),
        (dict(more="[limits]\nuncertainty = 0\n"), ["[limits] uncertainty: found 0"]),
        (
            dict(select='[select]\nby = "random"\n', more="[limits]\nuncertainty = 1\n"),
            ["[limits] uncertainty: found 1", "random"],
        ),
        # [label]
        (dict(label=""), ["label: missing"]),
        (dict(label="[label]\n"), ["[label] kind: missing"]),
        (dict(label='[label]\nkind = "file"\n'), ["[label] structures: missing"]),
        (dict(label=EMT.replace(":EMT", "")), ["[label] calculator: found", "module:class"]),
        (dict(label=EMT.replace("emt:", "no:")), ["[label] calculator: ase.calculators.no:EMT"]),
        (dict(label=EMT.replace(":EMT", ":XXX")), ["[label] calculator: ", "cannot be imported"]),
        (dict(label=EMT + "arguments = 3\n"), ["[label] arguments", "expected a table"]),
        (
            dict(label=EMT.replace("ase.calculators.emt:EMT", "builtins:int") + ARGUMENTS),
            ["[label] arguments: builtins:int does not take them: ", "colour"],
        ),
        (
            dict(label=EMT.replace("ase.calculators.emt:EMT", "builtins:int")),
            ["[label] calculator: found int from builtins:int, expected a calculator"],
        ),
        (
            dict(label=EMT.replace("ase.calculators.emt:EMT", "math:pi")),
            ["[label] calculator: math:pi is no class or function"],
        ),
        (dict(label=FILE.replace("pool", "none")), ["structures: ", "none.xyz: found nothing"]),
        (dict(label=FILE.replace("pool", "bare")), ["[label] structures: ", "found no labels"]),
        (dict(label=COMMAND.replace("{input}", "")), ["[label] command: found", "{input}"]),
        (dict(label=COMMAND + "batch = 0\n"), ["[label] batch: found 0"]),
        (dict(label=WAIT + 'format = "none"\n'), ['[label] format: found "none"']),
        (dict(label=WAIT + 'result = "a/b"\n'), ["[label] result: found", "without a folder"]),
        (dict(label=WAIT + 'result = "input.xyz"\n'), ["[label] result", "another name"]),
        (dict(label=WAIT + 'copy = "INCAR"\n'), ["[label] copy", "INCAR"]),
        (dict(label=WAIT + 'input = "a.xyz"\ncopy = "a.xyz"\n'), ["[label] copy", "another name"]),
        (dict(label=EMT.replace("label", "labels")), ["unknown key 'labels'", "mean 'label'"]),
        (dict(loop="[loop\n"), ["loop.toml: not valid TOML"]),
    ],
)
def test_wrong_input_is_one_sentence(tmp_path, capsys, parts, words):
    script, xml = parts.pop("script", SCRIPT), parts.pop("xml", XML)
    (tmp_path / "in.lammps").write_text(script)
    (tmp_path / "input.xml").write_text(xml)
    path = write_loop(tmp_path, **parts)
    (tmp_path / "other.xyz").write_text((tmp_path / "pool.xyz").read_text().replace("Au", "Ag"))
    frame = unlabelled(read(tmp_path / "pool.xyz"))
    for name, frame.pbc in {"bare": True, "a": True, "flat": False}.items():
        write(tmp_path / f"{name}.xyz", frame, format="extxyz")
    code = main(["learn", path])
    captured = capsys.readouterr()
    lines = [line for line in captured.err.splitlines() if "warning:" not in line]
    assert code == 1 and len(lines) == 1 and lines[0].startswith("soap-gpr: error: "), captured.err
    assert all(word in lines[0] for word in words), lines[0]
    assert "generation" not in captured.out and not (tmp_path / "loop").exists()


@pytest.mark.parametrize(
    ("by", "table", "words"),
    [
        ('by = "committee"\n', "[uncertainty]\n", "lacks a committee"),
        (
            'by = "variance"\n',
            COMMITTEE,
            "variance = true",
        ),
    ],
)
def test_fit_without_the_measure_is_refused(tmp_path, capsys, by, table, words):
    path = write_loop(tmp_path, select=SELECT + by)
    (tmp_path / "fit.toml").write_text(small_toml(20) + table)
    assert main(["learn", path]) == 1
    err = capsys.readouterr().err
    assert "[select] by: found" in err and words in err and '"random"' in err


@pytest.mark.parametrize("by", ["", 'by = "rigidity"\n'])
def test_fit_without_uncertainty_is_refused(tmp_path, capsys, by):
    assert main(["learn", write_loop(tmp_path, select=SELECT + by, fit="")]) == 1
    err = capsys.readouterr().err
    assert "[loop] fit: found no [uncertainty] in " in err and 'or [select] by = "random"' in err


def test_model_to_begin_with_needs_the_measure_before_anything_runs(tmp_path, capsys):
    path = write_loop(tmp_path, loop=LOOP + 'model = "model.sgpr"\n', fit="")
    assert main(["fit", str(tmp_path / "fit.toml"), "-o", str(tmp_path / "model.sgpr")]) == 0
    write_loop(tmp_path, loop=LOOP + 'model = "model.sgpr"\n')
    assert main(["learn", path]) == 1
    err = capsys.readouterr().err
    assert "loop.toml: [loop] model: " in err and "found no measure of uncertainty" in err
    assert not (tmp_path / "loop").exists()


def test_random_choice_cannot_stop_by_an_uncertainty(tmp_path, capsys):
    path = write_loop(
        tmp_path, loop=LOOP + "uncertainty = 0.1\n", select='[select]\nby = "random"\n'
    )
    assert main(["learn", path]) == 1
    assert "[loop] uncertainty: found 0.1, expected none" in capsys.readouterr().err


def test_sections_that_have_defaults_may_be_absent(tmp_path):
    found = load_loop(write_loop(tmp_path, select=""))
    assert found.select.n == 20 and found.limits.uncertainty is None
    assert SELECT not in (tmp_path / "loop.toml").read_text()


def test_examples_of_the_documents_are_valid():
    page = ROOT / "docs/active_learning.md"
    if not page.exists():
        pytest.skip("the documents are not here")
    (block,) = re.findall(r"^```\n(\[loop\].*?)^```$", page.read_text(), re.M | re.S)
    help_text = EXAMPLE.partition("loop.toml:\n")[2].partition("\nexamples:")[0]
    for text in (block, textwrap.dedent(help_text)):
        found = parse_loop(tomllib.loads(text))
        assert found.samplers[0].kind == "lammps" and found.label.kind == "calculator"
