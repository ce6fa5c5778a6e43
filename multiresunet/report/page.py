"""reports/index.html: one self-contained page: verdicts, tables, curves, every image, and where it all comes from."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from multiresunet import config
from multiresunet.errors import UserError
from multiresunet.evaluation import BASELINES
from multiresunet.files import write_text
from multiresunet.paths import EVALUATED, METRICS, PAGE, PARAMS, RAW
from multiresunet.report import (
    advice,
    answer,
    charts,
    costs,
    current,
    dataset_page,
    export,
    provenance,
    tables,
    verdicts,
)
from multiresunet.report.sections import section

SAVED = ("summary", "paper", "claims", "comparisons", "cost", "classes", "matched_cost")
"""Tables of all data sets together that a reader can save from the page."""


def render() -> Path:
    """Render the page from metrics/, data/evaluated/ and data/validated/.

    Raises:
        UserError: if one of them isn't there.
    """
    before, loaded = current.inputs(), config.load()
    datasets = loaded.run.datasets
    for path in [*tables.files(METRICS), *(EVALUATED / name / "gallery.json" for name in datasets)]:
        if not path.exists():
            raise UserError(f"{path} is missing; run `dvc repro`")
    for name in datasets:
        # DVC may have restored a data set without running the stage that writes its page: there is none, or an old one.
        if (RAW / name).is_dir():
            dataset_page.render(name, loaded.datasets[name])
    kept = tables.read(METRICS)
    paper = tables.beside_the_paper(kept["summary"], {name: loaded.datasets[name].modality for name in datasets})
    made = provenance.provenance()
    shown = [section(name, loaded, kept) for name in datasets]
    poor = {one["name"]: one["poor"] for one in shown}
    control, others = answer.control_of(loaded), len(loaded.run.models) > 1
    environment = Environment(
        loader=PackageLoader("multiresunet.report"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    text = environment.get_template("page.html.j2").render(
        matrices=verdicts.matrices(kept["claims"], loaded),
        ablation=verdicts.ablation(kept["claims"], datasets),
        headline=[
            *answer.headline(kept, loaded, poor),
            *answer.unfinished({one["name"]: one["warned"] for one in shown}, loaded),
            *verdicts.in_a_sentence(kept["claims"], loaded),
        ],
        poor=poor,
        control=control,
        forest=Markup(charts.forest(kept["comparisons"], control, poor)) if control and others else "",
        seeds=int(kept["intervals"]["seeds"].max()),
        sections=shown,
        overview=Markup(charts.overview(kept["intervals"], datasets)),
        paper=paper.to_dict("records"),
        links={name: export.links(name, {**kept, "paper": paper}[name]) for name in SAVED},
        classes=kept["classes"].to_dict("records"),
        matched=tables.records(kept["matched_cost"]),
        cost=costs.rows(kept["cost"], control, loaded.evaluate.epochs.decisive),
        signs=verdicts.SIGNS,
        recipe_name=loaded.run.recipe,
        recipe=loaded.recipe,
        run=loaded.run,
        rule=loaded.evaluate.verdict,
        evaluate=loaded.evaluate,
        baselines=BASELINES,
        fails=advice.BASELINE,
        parameters=PARAMS.read_text(encoding="utf-8"),
        provenance=made,
        short=provenance.short(made["commit"]),
    )
    write_text(PAGE, text)
    current.note(before)
    return PAGE
