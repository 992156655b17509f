"""Where WAL is unsafe, the ledger keeps another journal, and says so."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from napari_vhd.corrections import ledger, network

MOUNTS = """sysfs /sys sysfs rw 0 0
/dev/vda1 / ext4 rw,relatime 0 0
server:/data {share} {kind} rw 0 0
/dev/vdb1 {share}/local xfs rw 0 0
"""


@pytest.fixture
def share(tmp_path, monkeypatch):
    """A folder that the kernel says to be on a network; gives a function of the type."""
    folder = tmp_path / "lab share"
    (folder / "local").mkdir(parents=True)

    def mounted(kind: str):
        mounts = tmp_path / "mounts"
        mounts.write_text(MOUNTS.format(share=str(folder).replace(" ", "\\040"), kind=kind))
        choose = network.journal_mode
        monkeypatch.setattr(network, "journal_mode", lambda place: choose(place, mounts))
        return folder

    return mounted


@pytest.mark.parametrize("kind", ["nfs4", "nfs", "cifs", "smb3", "fuse.sshfs"])
def test_a_network_folder_gets_a_rollback_journal_and_a_notice(share, kind):
    folder = share(kind)
    path = folder / "ledger.sqlite"
    ledger.create(path)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    with closing(ledger.Ledger.open(path)) as opened:
        assert "network folder" in opened.notice
    assert network.journal_mode(folder / "local") == network.WAL
    assert network.journal_mode(folder / "deep" / "er") == network.DELETE


def test_a_ledger_that_was_copied_to_a_network_folder_changes_its_journal(share, tmp_path):
    path = tmp_path / "ledger.sqlite"
    ledger.create(path)
    folder = share("nfs")
    moved = path.rename(folder / "ledger.sqlite")
    with closing(ledger.Ledger.open(moved)) as opened:
        assert opened.notice
    with closing(sqlite3.connect(moved)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)


def test_a_local_folder_has_no_notice(share, tmp_path):
    share("ext4")
    path = tmp_path / "ledger.sqlite"
    ledger.create(path)
    with closing(ledger.Ledger.open(path)) as opened:
        assert opened.notice == ""
