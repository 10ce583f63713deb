# SPDX-License-Identifier: BSD-3-Clause
"""Loops of active learning that sample with i-PI."""

from pathlib import Path

import ase.io
import numpy as np
import pytest
from loops import COMMITTEE, LOOP, states, write_loop

from potential.active_learning import loop
from potential.cli import main
from potential.model import Model

SAMPLER = """\
[[samplers]]
kind = "ipi"
input = "input.xml"
structures = ["train.xyz"]
temperature = [300]
"""
INPUT = """\
<simulation verbosity="low">
  <output prefix="${output}">
    <trajectory stride="2" filename="positions" format="xyz" cell_units="angstrom">
      positions{angstrom} </trajectory>
  </output>
  <total_steps>4</total_steps>
  <prng><seed>${seed}</seed></prng>
  <ffsocket name="model" mode="unix" pbc="False"><address>${address}</address></ffsocket>
  <system>
    <initialize nbeads="2">
      <file mode="ase">${start}</file>
      <velocities mode="thermal" units="kelvin">${temperature}</velocities>
    </initialize>
    <forces><force forcefield="model"/></forces>
    <motion mode="dynamics">
      <dynamics mode="nve"><timestep units="femtosecond">1</timestep></dynamics>
    </motion>
    <ensemble><temperature units="kelvin">${temperature}</temperature></ensemble>
  </system>
</simulation>
"""


@pytest.fixture(autouse=True)
def few_pages(monkeypatch):
    monkeypatch.setattr(loop, "write_report", lambda *about: None)


def sockets():
    return set(Path("/tmp").glob("ipi_soap-gpr-learn-*"))


@pytest.mark.parametrize("prefix", ["", "/tmp/ipi_soap-gpr-learn-own_"])
def test_beads_of_a_run_are_sampled_and_labelled(tmp_path, capsys, prefix):
    before = sockets()
    own = f'<simulation sockets_prefix="{prefix}"' if prefix else "<simulation"
    (tmp_path / "input.xml").write_text(INPUT.replace("<simulation", own))
    assert main(["learn", write_loop(tmp_path, loop=LOOP, samplers=SAMPLER)]) == 0
    frames = ase.io.read(next(tmp_path.glob("loop/generation_001/sample/*/*/frames.xyz")), ":")
    assert len(frames) == 6, "two beads at three times"
    model = Model.load(tmp_path / "loop/generation_000/model.sgpr")
    own = model.evaluate(frames[0]).energy
    starts = ase.io.read(tmp_path / "train.xyz", ":")
    found = [atoms for atoms in starts if abs(model.evaluate(atoms).energy - own) < 1e-4]
    assert len(found) == 1, "turned, as i-PI has its cells"
    assert frames[0].info["config_type"] == found[0].info["config_type"]
    assert np.abs(frames[2].positions - frames[0].positions).max() > 1e-3
    assert states(tmp_path)[1]["label"]["labels"] == 3
    assert sockets() == before


def test_run_that_fails_is_one_sentence_and_leaves_no_socket(tmp_path, capsys):
    before = sockets()
    (tmp_path / "input.xml").write_text(INPUT.replace("timestep", "time_step"))
    assert main(["learn", write_loop(tmp_path, loop=LOOP, samplers=SAMPLER)]) == 1
    last = capsys.readouterr().err.splitlines()[-1]
    assert "[[samplers]] input: " in last and "input.xml: i-PI wrote no structure: " in last
    assert "time_step" in last and "i-pi.log" in last, "the last line of what i-PI says"
    assert sockets() == before


def test_committee_of_i_pi_gets_the_forces_of_members(tmp_path, capsys):
    text = INPUT.replace(
        '<ffsocket name="model"',
        '<ffcommittee name="model">\
<parse_json>True</parse_json><ffsocket name="members"',
    )
    (tmp_path / "input.xml").write_text(text.replace("</ffsocket>", "</ffsocket></ffcommittee>"))
    path = write_loop(tmp_path, loop=LOOP, samplers=SAMPLER, fit=COMMITTEE)
    assert main(["learn", path]) == 0
    assert states(tmp_path)[1]["sample"]["structures"] == 6
