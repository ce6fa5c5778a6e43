"""report: the summary tables in metrics/, the figures, and the page."""

from __future__ import annotations

from multiresunet import params
from multiresunet.files import replacing, write_csv, write_json
from multiresunet.report import figures, page, tables
from stages.running import FACTS, METRICS, REPORTS, SCORES, keep_only, run


def report() -> None:
    """Write metrics/summary.csv, metrics/summary.json, metrics/folds.csv and reports/figures/; render the page."""
    datasets = params.load().run.datasets
    for folder in (SCORES, FACTS):
        keep_only(folder, datasets)
    folds, history = (tables.gather(SCORES, datasets, name) for name in ("folds.csv", "history.csv"))
    summary = tables.summary(folds)
    write_csv(METRICS / "summary.csv", summary, tables.DIGITS)
    write_csv(METRICS / "folds.csv", folds, tables.DIGITS)
    write_json(METRICS / "summary.json", tables.as_tree(summary))
    with replacing(REPORTS / "figures") as draft:
        for name in datasets:
            figures.learning_curves(name, history[history["dataset"] == name], draft / f"{name}-curves.png")
            figures.gallery(SCORES / name / "examples.npz", draft / f"{name}-examples.png")
        figures.overview(summary, draft / "overview.png")
    print(f"Report: {page.render()}")


if __name__ == "__main__":
    run(report)
