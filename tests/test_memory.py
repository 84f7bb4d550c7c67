"""How much memory there is, and what is said when it is not enough."""

import os

import pytest

from coterie.errors import ConfigError
from coterie.internal import memory


def machine(folder, **files):
    """Files as Linux has them: `meminfo`, and those of a container."""
    for name, text in files.items():
        (folder / name.replace("_", ".")).write_text(text)
    return memory.available(folder / "meminfo", folder)


MEMINFO = "MemTotal: 1000 kB\nMemFree: 10 kB\nMemAvailable: 600 kB\n"
STAT = "anon 1\nfile 2048\nkernel 3\n"


def test_what_the_machine_has_left(tmp_path):
    assert machine(tmp_path, meminfo=MEMINFO) == 600 * 1024


def test_what_the_container_has_left(tmp_path):
    """Files that are only cached can be let go of."""
    parts = {"meminfo": MEMINFO, "memory_current": "102400", "memory_stat": STAT}
    assert machine(tmp_path, **parts, memory_max="409600") == 409600 - 102400 + 2048
    assert machine(tmp_path, **parts, memory_max="max") == 600 * 1024
    assert machine(tmp_path, **parts, memory_max=str(10**12)) == 600 * 1024


def test_a_system_that_does_not_say(tmp_path):
    whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert memory.available(tmp_path / "none", tmp_path) == whole


def test_there_is_some_memory_here():
    assert 10**7 < memory.available() < 10**15


def test_too_little_is_said_with_both_numbers(monkeypatch):
    monkeypatch.setattr(memory, "available", lambda: 2_000_000_000)
    memory.require_room(2_000_000_000, "a table", "make it smaller")
    with pytest.raises(ConfigError) as refused:
        memory.require_room(31_000_000_000, "a table", "make it smaller")
    assert str(refused.value) == (
        "a table would take 31 GB, but 2,000 MB of memory are available: make it smaller."
    )
