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
from multiresunet.report.provenance import provenance, training_speed
from multiresunet.review.archived import PROVENANCE
from multiresunet.review.recorded import changed_tables, of_status

KEPT = (PARAMS, LOCK, SUMMARY.with_suffix(".json"), *tables.files(METRICS))


def archive(target: Path) -> None:
    """Copy the current run's files to `target`: tables, figures, tables/ as Markdown and LaTeX, provenance.json.

    A tuned model's studies go into a folder DATASET-MODEL; an older archive there is replaced, but for its README.md.

    Raises:
        UserError: if the pipeline hasn't run as this folder is now, or `target` isn't a new folder or an archive.
    """
    new = "name a new folder, such as results/NAME"
    if not target.name:
        raise UserError(f"{target} is no folder for an archive; {new}")
    if target.is_file():
        raise UserError(f"{target} is a file; {new}")
    if target.is_dir() and any(target.iterdir()) and not (target / PROVENANCE).is_file():
        raise UserError(f"{target} holds other files; {new}")
    for path in (*KEPT, FIGURES, TABLES):
        if not path.exists():
            raise UserError(f"{path} is missing; run `dvc repro` first")
    if found := made_otherwise():
        raise UserError(f"{found[0]}; run `dvc repro` first")
    readme = target / "README.md"
    with replacing(target) as draft:
        for path in (*KEPT, *sorted(FIGURES.glob("*.*")), *([readme] if readme.exists() else [])):
            shutil.copyfile(path, draft / path.name)
        shutil.copytree(TABLES, draft / "tables")
        for source in studies.of_run(config.load()):
            shutil.copytree(source, draft / f"{source.parent.name}-{source.name}")
        about = {"training, with validation": training_speed(), "requirements.lock": sha256(Path("requirements.lock"))}
        write_json(draft / PROVENANCE, provenance() | about)


def made_otherwise() -> list[str]:
    """The parameters, the code and the tables here that aren't those of the run which dvc.lock records, a line each."""
    findings, notes = of_status(Path())
    return [*findings, *notes, *changed_tables(Path())]


if __name__ == "__main__":
    try:
        archive(Path(sys.argv[1]))
    except UserError as error:
        raise SystemExit(f"error: {error}") from None
    except IndexError:
        raise SystemExit("usage: python -m multiresunet.report.archive results/NAME") from None
