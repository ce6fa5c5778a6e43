"""Keep a run as results/<name>/: its parameters, tables and pictures, and where they come from."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from multiresunet.errors import UserError
from multiresunet.files import replacing, sha256, write_json
from multiresunet.report.page import FIGURES, FOLDS, SUMMARY, provenance

KEPT = (Path("params.yaml"), Path("dvc.lock"), SUMMARY, SUMMARY.with_suffix(".json"), FOLDS)


def keep(target: Path) -> None:
    """Copy the current run's files to `target`, with provenance.json.

    Raises:
        UserError: if the pipeline hasn't run.
    """
    for path in (*KEPT, FIGURES):
        if not path.exists():
            raise UserError(f"{path} is missing; run `dvc repro` first")
    with replacing(target) as draft:
        for path in KEPT:
            shutil.copyfile(path, draft / path.name)
        for figure in sorted(FIGURES.glob("*.png")):
            shutil.copyfile(figure, draft / figure.name)
        write_json(draft / "provenance.json", {**provenance(), "requirements.lock": sha256(Path("requirements.lock"))})


if __name__ == "__main__":
    try:
        keep(Path(sys.argv[1]))
    except UserError as error:
        raise SystemExit(f"error: {error}") from None
    except IndexError:
        raise SystemExit("usage: python -m multiresunet.report.keep results/NAME") from None
