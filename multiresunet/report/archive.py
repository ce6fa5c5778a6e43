"""Archive a run as results/<name>/: its parameters, tables and figures, and where they come from."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from multiresunet import config
from multiresunet.errors import UserError
from multiresunet.files import replacing, sha256, write_json
from multiresunet.paths import FIGURES, LOCK, METRICS, PARAMS, SUMMARY, TABLES
from multiresunet.report import studies, tables
from multiresunet.report.provenance import provenance

KEPT = (PARAMS, LOCK, SUMMARY.with_suffix(".json"), *tables.files(METRICS))


def archive(target: Path) -> None:
    """Copy the current run's files to `target`: tables, figures, tables/ as Markdown and LaTeX, provenance.json.

    A tuned model's studies go into a folder DATASET-MODEL; a README.md that is there stays.

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
        for source in studies.of_run(config.load()):
            shutil.copytree(source, draft / f"{source.parent.name}-{source.name}")
        write_json(draft / "provenance.json", {**provenance(), "requirements.lock": sha256(Path("requirements.lock"))})


if __name__ == "__main__":
    try:
        archive(Path(sys.argv[1]))
    except UserError as error:
        raise SystemExit(f"error: {error}") from None
    except IndexError:
        raise SystemExit("usage: python -m multiresunet.report.archive results/NAME") from None
