"""Processes with their children; sizes of what a lock names."""

import os
import subprocess
import sys

import pytest

from benchmarks import processes, size

LOCK = """
click==8.5.1 \\
    --hash=sha256:00
uvloop==0.23.0 ; sys_platform != 'win32' \\
    --hash=sha256:11
"""


def test_a_tree_holds_children_and_theirs_and_nobody_else():
    assert processes.tree(1, {1: 0, 2: 1, 3: 2, 4: 0, 5: 4}) == {1, 2, 3}


def test_a_child_is_found_below_its_parent_with_memory_of_its_own():
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        groups = processes.grouped(os.getpid(), {"child": child.pid})
        assert groups["child"] == {child.pid}
        assert os.getpid() in groups["launcher"]
        assert child.pid not in groups["launcher"]
        assert processes.pss_mb(groups["child"]) > 0
    finally:
        child.communicate(b"\n")


def test_a_process_that_is_gone_used_nothing_and_holds_nothing():
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    assert processes.cpu_s([child.pid]) == 0
    assert processes.pss_mb([child.pid]) == 0


def test_the_time_of_a_child_that_ended_stays_with_its_parent():
    before = processes.cpu_s([os.getpid()])
    subprocess.run([sys.executable, "-c", "sum(range(3_000_000))"], check=True)
    assert processes.cpu_s([os.getpid()]) > before


def test_names_of_a_lock_are_found_with_their_conditions():
    assert size.locked_names(LOCK) == [("click", False), ("uvloop", True)]


def test_the_lock_of_the_repository_names_what_is_installed():
    names = dict(size.locked_names((size.ROOT / "requirements.lock").read_text()))
    assert len(names) > 40
    assert names["msgspec"] is False


def test_a_distribution_that_is_not_there_is_no_smaller_installation(tmp_path):
    lock = tmp_path / "requirements.lock"
    lock.write_text("no-such-distribution==1.0 \\\n")
    with pytest.raises(size.PackageNotFoundError):
        size.installed_mb(lock)
    lock.write_text("no-such-distribution==1.0 ; sys_platform == 'win32' \\\n")
    assert size.installed_mb(lock) == 0


def test_an_installed_distribution_has_a_size(tmp_path):
    lock = tmp_path / "requirements.lock"
    lock.write_text("click==8.5.1 \\\n")
    assert 0.1 < size.installed_mb(lock) < 10
