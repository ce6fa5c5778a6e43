"""report: the tables in metrics/, the figures, and the page."""

from __future__ import annotations

from multiresunet import config
from multiresunet.files import replacing, write_csv, write_json, write_text
from multiresunet.paths import EVALUATED, FIGURES, METRICS, TABLES, VALIDATED
from multiresunet.report import charts, export, figures, page, svg, tables
from stages.running import keep_only, needs, run


def report() -> None:
    """Write metrics/, reports/figures/ and reports/tables/ (Markdown and LaTeX); render the page."""
    loaded = config.load()
    datasets = loaded.run.datasets
    for folder, stage in ((EVALUATED, "evaluate"), (VALIDATED, "validate")):
        for name in datasets:
            needs(folder / name, f"{stage}@{name}")
        keep_only(folder, datasets)
    gathered = {name: tables.gather(EVALUATED, datasets, f"{name}.csv") for name in tables.GATHERED}
    summary = tables.summary(gathered)
    for name, table in {"summary": summary, **gathered}.items():
        write_csv(METRICS / f"{name}.csv", table, tables.DIGITS)
    write_json(METRICS / "summary.json", tables.as_tree(summary))

    paper = tables.beside_the_paper(summary, {name: loaded.datasets[name].modality for name in datasets})
    with replacing(TABLES) as draft:
        for name, table in {"summary": summary, "paper": paper, **gathered}.items():
            write_text(draft / f"{name}.md", export.markdown(table))
            write_text(draft / f"{name}.tex", export.latex(table))
    with replacing(FIGURES) as draft:
        write_text(draft / "overview.svg", svg.standalone(charts.overview(gathered["intervals"], datasets)))
        for name in datasets:
            for chart in charts.of_dataset(tables.evaluated(name)):
                write_text(draft / f"{name}-{chart.name}.svg", svg.standalone(chart.svg))
            figures.examples(EVALUATED / name / "examples.npz", draft / f"{name}-examples.png")
    print(f"Report: {page.render()}")


if __name__ == "__main__":
    run(report)
