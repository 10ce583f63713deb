# SPDX-License-Identifier: BSD-3-Clause
"""soap-gpr check --atom-key: labels of atoms unlike those of like environments."""

import json

from targets import labelled
from training_data import write_frames

from potential.cli import main


def test_check_finds_labels_unlike_those_of_like_environments(tmp_path, capsys):
    frames = labelled(60, seed=5, labels=())
    clean = write_frames(tmp_path / "clean.xyz", frames)
    assert main(["check", clean, "--atom-key", "site_energy"]) == 0
    assert "odd labels" not in capsys.readouterr().out
    frames[7].arrays["two"][frames[7].numbers == 79, 0] += 1.0
    frames[31].arrays["two"][0, 0] -= 1.5  # of Cu
    wrong = write_frames(tmp_path / "wrong.xyz", frames)
    column = ["--atom-key", "two", "--atom-column", "0"]
    assert main(["check", wrong, *column, "--strict", "--json"]) == 1
    findings = json.loads(capsys.readouterr().out)["findings"]
    found = {f["message"].split(" of ")[1][:2]: f["frames"] for f in findings if "odd" in f["kind"]}
    assert found == {"Cu": [f"{wrong}#31"], "Au": [f"{wrong}#7"]}


def test_check_of_labels_of_atoms_says_what_is_missing(tmp_path, capsys):
    few = write_frames(tmp_path / "few.xyz", labelled(4, seed=5, labels=()))
    assert main(["check", few, "--atom-key", "site_energy"]) == 1
    assert "found fewer than 60 labels of every species that vary" in capsys.readouterr().err
    assert main(["check", few, "--atom-column", "0"]) == 1
    assert "expected --atom-key with it" in capsys.readouterr().err


def test_check_of_labels_of_atoms_says_what_it_could_not_compare(tmp_path, capsys):
    frames = labelled(40, seed=5, labels=())
    frames[3].numbers[0] = 47
    data = write_frames(tmp_path / "silver.xyz", frames)
    assert main(["check", data, "--atom-key", "site_energy"]) == 0
    said = capsys.readouterr().out
    assert (
        "note: site_energy of Ag was not compared: fewer than 30 labels in a half, or all equal"
        in said
    )
    assert (
        "note: site_energy of 1 frame was not compared: its species are not in both halves" in said
    )
