# SPDX-License-Identifier: BSD-3-Clause
"""Memory that a fit may use: machine, control groups, ranks that share a machine."""

import pytest

from potential.errors import SoapGprError
from potential.runtime.memory import left_by_control_groups
from potential.training import memory

MIB = 2**20


def write(folder, **files):
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(f"{text}\n")


@pytest.mark.parametrize("version", [1, 2])
def test_limits_of_control_groups_count(tmp_path, version):
    groups, root = tmp_path / "cgroup", tmp_path / "fs"
    if version == 2:
        groups.write_text("0::/job/step\n")
        own, above, base = root / "job" / "step", root / "job", root
        write(own, memory__max="max", memory__current=5 * MIB, memory__stat="inactive_file 0")
        stat = f"anon 7\ninactive_file {2 * MIB}"
        write(above, memory__max=100 * MIB, memory__current=40 * MIB, memory__stat=stat)
    else:
        groups.write_text("5:cpu,cpuacct:/job\n4:memory:/elsewhere\n")
        base = root / "memory"  # inside of a container the group itself is not to be seen
        stat = f"total_inactive_file {2 * MIB}"
        write(
            base,
            memory__limit_in_bytes=100 * MIB,
            memory__usage_in_bytes=40 * MIB,
            memory__stat=stat,
        )
    assert list(left_by_control_groups(groups, root)) == [62 * MIB]
    assert list(left_by_control_groups(tmp_path / "none", root)) == []


def test_ranks_of_one_machine_share_its_memory(monkeypatch):
    monkeypatch.setenv("MPI_LOCALNRANKS", "4")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    needed = memory.regression_bytes(500, 10)
    monkeypatch.setattr(memory, "available_bytes", lambda: 3 * needed)
    memory.require_memory(500, 10)  # one process, whatever the batch system could start
    memory.require_memory(500, 10, n_ranks=3)
    with pytest.raises(SoapGprError, match=r"on each of 4 ranks of this machine .* fewer ranks"):
        memory.require_memory(500, 10, n_ranks=4)
    with pytest.raises(SoapGprError, match=r"about 0\.\d GiB and 0\.\d GiB are free: lower n_sp"):
        memory.require_memory(500, 10, more=3 * needed)
