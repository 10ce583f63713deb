# SPDX-License-Identifier: BSD-3-Clause
"""The tutorial of active learning, short and with a coarse model, runs to its plot."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from potential.settings.file import load_settings

EXAMPLES = Path(__file__).parents[1] / "examples"
if not EXAMPLES.is_dir():
    pytest.skip("the examples are not here", allow_module_level=True)

SHORT = ["--seeds", "1", "--thin", "32", "--begin", "4", "--n", "2", "--labels", "2"]


def test_tutorial_compares_a_committee_with_chance_and_all_frames(tmp_path):
    own = shutil.copytree(EXAMPLES / "active_learning", tmp_path / "active_learning")
    (tmp_path / "water").symlink_to(EXAMPLES / "water")
    assert load_settings(str(own / "fit.toml")).uncertainty.committee == 16
    text = (own / "fit.toml").read_text()
    for key, value in (("n_max", 2), ("l_max", 1), ("n_sparse", 50), ("committee", 4)):
        text = "\n".join(
            f"{key} = {value}" if line.startswith(f"{key} =") else line
            for line in text.splitlines()
        )
    (own / "fit.toml").write_text(text)
    command = [sys.executable, str(own / "run.py"), *SHORT, "--folder", str(tmp_path / "found")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "generation 1: selected 2 of" in done.stdout

    found = json.loads((tmp_path / "found" / "learning.json").read_text())
    full, starts = found["full"], []
    assert sorted(found["loops"]) == ["committee", "random"]
    for (rows,) in found["loops"].values():
        assert [row["frames"] for row in rows] == [4, 6] and full["frames"] > 6
        assert full["components"] > rows[1]["components"] > rows[0]["components"]
        starts.append(rows[0]["errors"])
    assert starts[0] == pytest.approx(starts[1], rel=1e-4)
    assert (tmp_path / "found" / "learning.png").read_bytes().startswith(b"\x89PNG")
