"""A folder on a disk that takes nothing, for one command, in a namespace of its own; root is refused as well."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

SPACE = "unshare", "--map-root-user", "--mount", "sh", "-ec"
DISKS = {
    "read-only": 'mount --bind "$0" "$0"; mount -o remount,ro,bind "$0"; cd "$0"; exec "$@"',
    # Not a byte is free, but files can be made, as on most full disks.
    "full": 'mkdir -p "$0.copy"; mount -t tmpfs -o size=256m none "$0.copy"; cp -a "$0/." "$0.copy"; '
    'mount --bind "$0.copy" "$0"; cd "$0"; cat /dev/zero > filler 2>/dev/null || true; exec "$@"',
}


def _can_mount() -> bool:
    command = [*SPACE, "mount -t tmpfs none /mnt"]
    return shutil.which("unshare") is not None and subprocess.run(command, capture_output=True).returncode == 0


mounted = pytest.mark.skipif(not _can_mount(), reason="nothing can be mounted here")
every_disk = pytest.mark.parametrize(
    ("disk", "told"),
    [
        pytest.param("read-only", "nothing can be written to this file system", marks=pytest.mark.slow),
        ("full", "the disk is full"),
    ],
    ids=DISKS,
)


def run_on(
    disk: str, folder: Path, command: list[str], environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command in a folder that lies on such a disk."""
    whole = [*SPACE, DISKS[disk], str(folder), *command]
    return subprocess.run(whole, env=environment, capture_output=True, text=True, timeout=400)


def complaint(done: subprocess.CompletedProcess[str]) -> str:
    """The last line of a command that has failed in one line."""
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr, done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith("error: ")
    return last
