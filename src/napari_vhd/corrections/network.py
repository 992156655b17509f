"""Whether a folder lies on this machine: on a network folder SQLite's WAL is unsafe.

WAL needs memory that all who have the file open share, which two machines do not. There the ledger
keeps a rollback journal instead (``journal_mode=DELETE``): as safe, slower, one writer at a time.
"""

from __future__ import annotations

from pathlib import Path

MOUNTS = Path("/proc/mounts")
WAL, DELETE = "wal", "delete"

_NETWORK = frozenset(
    {
        *("nfs", "nfs4", "cifs", "smb", "smb2", "smb3", "smbfs", "afs", "9p", "davfs", "ncpfs"),
        *("fuse.sshfs", "fuse.davfs2", "fuse.rclone", "fuse.s3fs", "fuse.gcsfuse"),
        *("ceph", "fuse.ceph-fuse", "glusterfs", "fuse.glusterfs", "lustre", "gpfs", "beegfs"),
    }
)


def journal_mode(folder: Path, mounts: Path = MOUNTS) -> str:
    """Choose SQLite's journal mode for a folder: ``"wal"`` here, ``"delete"`` on a network."""
    return DELETE if file_system(folder, mounts) in _NETWORK else WAL


def file_system(folder: Path, mounts: Path = MOUNTS) -> str:
    """Name the type of the file system that a folder lies on; "" where it cannot be told."""
    try:
        lines = mounts.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return ""
    place = folder.resolve()
    found, longest = "", -1
    for line in lines:
        parts = line.split(" ")
        if len(parts) < 3:
            continue
        point = Path(_plain(parts[1]))
        # The last of equals is the one mounted on top.
        if (place == point or point in place.parents) and len(point.parts) >= longest:
            found, longest = parts[2], len(point.parts)
    return found


def _plain(escaped: str) -> str:
    r"""Undo the kernel's writing of blanks as ``\040`` and the like."""
    for code, plain in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        escaped = escaped.replace(code, plain)
    return escaped
