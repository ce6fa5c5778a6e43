"""Archive a run as results/<name>/: its parameters, tables and pictures, and where they come from."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from multiresunet import config
from multiresunet.errors import UserError
from multiresunet.files import replacing, sha256, write_json
from multiresunet.paths import FIGURES, METRICS, SUMMARY, TABLES
from multiresunet.report import tables
from multiresunet.report.page import provenance, studied

KEPT = (
    *(Path("params.yaml"), Path("dvc.lock"), SUMMARY, SUMMARY.with_suffix(".json")),
    *(METRICS / f"{name}.csv" for name in tables.GATHERED),
)


def archive(target: Path) -> None:
    """Copy the current run's files to `target`: tables, pictures, tables/ as Markdown and LaTeX, provenance.json.

    What a tuned model's studies left goes into a folder DATASET-MODEL.

    Raises:
        UserError: if the pipeline hasn't run.
    """
    for path in (*KEPT, FIGURES, TABLES):
        if not path.exists():
            raise UserError(f"{path} is missing; run `dvc repro` first")
    readme = target / "README.md"
    with replacing(target) as draft:
        for path in (*KEPT, *sorted(FIGURES.glob("*.*")), *([readme] if readme.exists() else [])):
            shutil.copyfile(path, draft / path.name)
        shutil.copytree(TABLES, draft / "tables")
        for source in studied(config.load()):
            shutil.copytree(source, draft / f"{source.parent.name}-{source.name}")
        write_json(draft / "provenance.json", {**provenance(), "requirements.lock": sha256(Path("requirements.lock"))})


if __name__ == "__main__":
    try:
        archive(Path(sys.argv[1]))
    except UserError as error:
        raise SystemExit(f"error: {error}") from None
    except IndexError:
        raise SystemExit("usage: python -m multiresunet.report.archive results/NAME") from None
