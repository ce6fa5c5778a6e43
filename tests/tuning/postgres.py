"""A PostgreSQL server of one's own, for as long as a block lasts; it listens on a Unix socket alone."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def binaries() -> Path | None:
    """Where the server's programs lie; None if there is no server on this machine."""
    found = shutil.which("pg_ctl")
    places = [Path(found).parent] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((place for place in places if (place / "pg_ctl").exists() and (place / "initdb").exists()), None)


@contextmanager
def server() -> Iterator[str]:
    """Start a server with an empty database, give its URL, and stop it."""
    programs = binaries()
    assert programs is not None
    # pytest's folders are for the user alone, but PostgreSQL refuses to run as root.
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))
    user = "nobody" if os.geteuid() == 0 else None
    if user:
        os.chown(folder, pwd.getpwnam(user).pw_uid, -1)

    def call(program: str, *words: str) -> None:
        subprocess.run(
            [programs / program, *words], user=user, cwd=folder, check=True, capture_output=True, timeout=120
        )

    data = str(folder / "data")
    try:
        call(
            "initdb",
            "--pgdata",
            data,
            "--username",
            "tuner",
            "--auth",
            "trust",
            "--no-sync",
            "--no-locale",
            "--encoding",
            "UTF8",
        )
        options = f"-c listen_addresses='' -k {folder} -c fsync=off -c max_connections=50"
        # Its output goes to a file: a pipe would stay open for as long as the server runs.
        call("pg_ctl", "--pgdata", data, "--log", str(folder / "log"), "--options", options, "--wait", "start")
        try:
            yield f"postgresql://tuner@/postgres?host={folder}"
        finally:
            call("pg_ctl", "--pgdata", data, "--mode", "immediate", "--wait", "stop")
    finally:
        shutil.rmtree(folder)
