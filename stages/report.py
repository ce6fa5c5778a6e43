"""report: the tables in metrics/, the figures, and the page."""

from __future__ import annotations

from multiresunet import config
from multiresunet.files import replacing, write_csv, write_json, write_text
from multiresunet.paths import EVALUATED, METRICS, REPORTS, VALIDATED
from multiresunet.report import charts, export, figures, page, svg, tables
from stages.running import keep_only, run


def report() -> None:
    """Write metrics/, reports/figures/ and reports/tables/ (Markdown and LaTeX); render the page."""
    loaded = config.load()
    datasets = loaded.run.datasets
    for folder in (EVALUATED, VALIDATED):
        keep_only(folder, datasets)
    gathered = {name: tables.gather(EVALUATED, datasets, f"{name}.csv") for name in tables.GATHERED}
    summary = tables.summary(gathered["folds"], gathered["tuning"])
    for name, table in {"summary": summary, **gathered}.items():
        write_csv(METRICS / f"{name}.csv", table, tables.DIGITS)
    write_json(METRICS / "summary.json", tables.as_tree(summary))

    modalities = {name: loaded.datasets[name].modality for name in datasets}
    with replacing(REPORTS / "tables") as draft:
        for name, table in {
            "summary": summary,
            "paper": tables.beside_the_paper(summary, modalities),
            **gathered,
        }.items():
            write_text(draft / f"{name}.md", export.markdown(table))
            write_text(draft / f"{name}.tex", export.latex(table))
    with replacing(REPORTS / "figures") as draft:
        write_text(draft / "overview.svg", svg.standalone(charts.overview(gathered["intervals"], datasets)))
        figures.overview(summary, draft / "overview.png")
        for name in datasets:
            for chart in charts.of_dataset(page.tables_of(name)):
                write_text(draft / f"{name}-{chart.name}.svg", svg.standalone(chart.svg))
            figures.gallery(EVALUATED / name / "examples.npz", draft / f"{name}-examples.png")
    print(f"Report: {page.render()}")


if __name__ == "__main__":
    run(report)
