"""The page in a browser: it sorts, walks, changes its theme and prints, and asks nobody for anything."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import shutil
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pandas as pd
import pytest
import yaml
from scipy import ndimage

from multiresunet.data.dataset import PreparedDataset
from multiresunet.evaluation import gallery
from multiresunet.report import current, page, studies, tables, verdicts
from stages.report import report
from tests.disks import complaint, every_disk, mounted, run_on
from tests.report.chromium import BINARY, Browser
from tests.report.finished import MODELS

in_browser = pytest.mark.skipif(BINARY is None, reason="no Chromium here")


@pytest.fixture
def browser(chromium: Browser) -> Browser:
    """A tab of its own for each test."""
    chromium.anew()
    return chromium


@pytest.fixture
def opened(browser: Browser, made: Path) -> Browser:
    """The page, with its first gallery in view."""
    browser.open(made / "reports/index.html")
    browser.run("document.querySelector('.gallery').scrollIntoView()")
    browser.until(SHOWN)
    return browser


SHOWN = "document.querySelector('.gallery').dataset.sample"


def shows(browser: Browser, sample: str) -> None:
    """Wait until the gallery shows a sample."""
    browser.until(SHOWN, lambda name: name == sample)


def ranked(made: Path, by: str = "mean") -> list[str]:
    """Samples from worst to best."""
    images = pd.read_csv(made / "data/evaluated/nuclei/images.csv")
    table = images.pivot_table(index="sample", columns="model", values="jaccard")[list(MODELS)]
    scores = table.mean(axis=1) if by == "mean" else table[by]
    return list(scores.round(4).sort_values(kind="stable").index)


def choose(browser: Browser, select: str, value: str) -> None:
    browser.run(f"(() => {{ const s = document.querySelector('{select}'); s.value = {value!r}; s.onchange(); }})()")


@in_browser
def test_nothing_is_asked_for_and_nothing_complains(opened: Browser, made: Path) -> None:
    assert opened.run("document.title") == "MultiResUNet, measured"
    opened.until("[...document.querySelectorAll('.viewer canvas')].length", lambda n: n == 8)
    assert opened.requests() == [(made / "reports/index.html").resolve().as_uri()]
    assert opened.complaints() == []


@in_browser
def test_a_complaint_would_be_heard(opened: Browser) -> None:
    opened.run(
        "(() => { const i = new Image(); i.src = 'https://example.org/x.png'; setTimeout(() => nobody(), 0); })()"
    )
    for words in ("Content Security Policy", "nobody is not defined"):
        opened.until("1", lambda _, words=words: words in json.dumps(opened.complaints()))


@in_browser
def test_the_worst_comes_first_and_the_order_can_be_changed(opened: Browser, made: Path) -> None:
    worst = ranked(made)
    shows(opened, worst[0])
    choose(opened, ".order", "best")
    shows(opened, worst[-1])
    choose(opened, ".by", "1")
    choose(opened, ".order", "worst")
    shows(opened, ranked(made, MODELS[1])[0])
    items = json.loads((made / "data/evaluated/nuclei/gallery.json").read_text())["items"]
    for order in ("disagreement", "distance"):
        choose(opened, ".order", order)
        shows(opened, max(items, key=lambda item: item[order])["sample"])


@in_browser
def test_arrow_keys_walk_and_stop_at_the_ends(opened: Browser, made: Path) -> None:
    worst = ranked(made)
    for expected in worst[1:4]:
        opened.press("ArrowRight")
        shows(opened, expected)
    for expected in (worst[2], worst[1], worst[0], worst[0]):
        opened.press("ArrowLeft")
        shows(opened, expected)


@in_browser
def test_arrow_keys_are_left_to_what_is_focused(opened: Browser, made: Path) -> None:
    worst = ranked(made)
    shows(opened, worst[0])
    opened.press("ArrowRight", shift=True)
    opened.run(
        "(() => { const w = document.querySelector('.wide'); w.tabIndex = 0; w.focus(); w.style.width = '9rem'; })()"
    )
    opened.press("ArrowRight")
    opened.until("document.querySelector('.wide').scrollLeft")
    assert opened.run(SHOWN) == worst[0]
    opened.run("document.querySelector('.gallery .next').focus()")
    opened.press("ArrowRight")
    shows(opened, worst[1])


@in_browser
def test_the_pictures_are_those_of_the_sample(opened: Browser, made: Path) -> None:
    data = PreparedDataset.open(made / "data/prepared/nuclei")
    row = list(data.table["sample"]).index(opened.run(SHOWN))
    script = """(() => { const c = document.querySelectorAll('.viewer canvas')[1];
        return [...c.getContext('2d').getImageData(0, 0, c.width, c.height).data].filter((_, i) => i % 4 === 0); })()"""
    truth = (data.masks[row].ravel() * 255).tolist()
    opened.until(script, lambda pixels: pixels == truth)


@in_browser
def test_the_theme_can_be_chosen(opened: Browser) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    seen = {}
    for _ in range(3):
        opened.run("document.getElementById('theme').click()")
        seen[opened.run("document.documentElement.dataset.theme || 'auto'")] = opened.run(ground)
    assert set(seen) == {"auto", "light", "dark"}
    assert seen["light"] == "rgb(255, 255, 255)"
    assert seen["dark"] != seen["light"]


@in_browser
def test_it_prints(opened: Browser) -> None:
    pdf = base64.b64decode(opened.call("Page.printToPDF", printBackground=True)["data"])
    assert pdf.startswith(b"%PDF")
    assert pdf.count(b"/Type /Page\n") + pdf.count(b"/Type /Page ") + pdf.count(b"/Type/Page") >= 2
    assert len(pdf) > 30_000


@in_browser
def test_two_thousand_images_stay_few_on_the_page(browser: Browser, made: Path, tmp_path: Path) -> None:
    page_of_many = many(made, tmp_path, 2000)
    browser.open(page_of_many)
    browser.run("document.querySelector('.gallery').scrollIntoView()")
    browser.until(SHOWN)
    for share in (0.3, 0.9, 1.0, 0.5):
        browser.run(
            f"(() => {{ const s = document.querySelector('.strip'); s.scrollLeft = s.scrollWidth * {share}; }})()"
        )
        browser.until("document.querySelectorAll('.tile').length", lambda n: 5 < n < 60)
        top = "c.getContext('2d').getImageData(0, 0, c.width, 1).data[3]"
        drawn = f"[...document.querySelectorAll('.tile canvas')].every((c) => {top} === 255)"
        browser.until(drawn)
    assert browser.run("document.querySelector('.where').textContent") == "1 of 2000"
    # This test reads the canvases again and again, which the browser advises against.
    assert [one for one in browser.complaints() if "Canvas2D: Multiple readback" not in str(one)] == []


def many(made: Path, folder: Path, count: int) -> Path:
    """The page with a gallery of `count` images of 128×128 in colour, and four models."""
    rng = np.random.default_rng(0)
    smooth = ndimage.gaussian_filter(rng.normal(size=(20, 4, 128, 128)), (0, 0, 4, 4))
    images = np.clip(smooth[:, :3] * 1500 + 128 + rng.normal(0, 10, (20, 3, 128, 128)), 0, 255).astype(np.uint8)
    masks = smooth[:, 3] > 0.02
    table = pd.DataFrame({"sample": [f"s{i}" for i in range(20)], "group": "", "fold": 0})
    names = ("unet", "unet_respath", "unet_multires", "multiresunet")
    predicted = {name: ndimage.binary_dilation(masks, iterations=1 + i, axes=(1, 2)) for i, name in enumerate(names)}
    scores = [{"model": n, "sample": s, "jaccard": rng.random()} for n in names for s in table["sample"]]
    built = gallery.build(
        PreparedDataset(images, masks.astype(np.uint8), table), predicted, pd.DataFrame(scores), np.arange(20.0)
    )
    items: list[dict[str, Any]] = [
        {**built["items"][i % 20], "sample": f"s{i}", "scores": rng.random(4).round(4).tolist()} for i in range(count)
    ]
    text = (made / "reports/index.html").read_text()
    original = (made / "data/evaluated/nuclei/gallery.json").read_text().replace("<", "\\u003c")
    assert original in text
    (folder / "many.html").write_text(text.replace(original, json.dumps({**built, "items": items})))
    return folder / "many.html"


def test_every_table_can_be_saved_and_every_figure_says_where_it_is_from(made: Path) -> None:
    text = (made / "reports/index.html").read_text()
    figures, tables = text.count("<figure"), text.count('<table class="verdicts">') + text.count("<thead>")
    assert figures == 2 + 6 + len(studies.PICTURES)
    assert text.count("Commit ") >= figures
    assert text.count('download="') == 3 * text.count('class="save"')
    assert text.count('class="save"') >= tables - 2  # the one of verdicts counts twice
    assert "data:text/csv" in text


def test_the_first_screen_answers_then_shows_the_forest_and_the_claims(made: Path) -> None:
    text = (made / "reports/index.html").read_text()
    places = [text.index(part) for part in ('class="answer"', "Jaccard points above unet<", "the four claims", "<nav>")]
    assert places == sorted(places)
    for number, title in enumerate(verdicts.CLAIMS.values(), start=1):
        assert f"{number}. {title}" in text
    # Networks fresh from their initial weights: nothing on them is decided, and the page says what to do.
    assert text.count("hardly beats the baselines") >= len(MODELS)
    assert "Remedy:" in text


def test_distances_have_the_data_sets_unit(made: Path) -> None:
    intervals = pd.read_csv(made / "metrics/intervals.csv").set_index("measure")
    unit = intervals.loc["hd95", "unit"].iloc[0]
    assert f"; distances in {unit}." in (made / "reports/index.html").read_text()


def test_no_link_of_the_page_is_dead(made: Path) -> None:
    text = (made / "reports/index.html").read_text()
    inner = {link for link in re.findall(r'href="(?!data:)([^"]+)"', text) if link.startswith("#")}
    assert inner
    for link in inner:
        assert f'id="{link[1:]}"' in text, link
    others = set(re.findall(r'href="(?!data:|#)([^"]+)"', text))
    assert [link for link in others if not (made / "reports" / link).is_file()] == []
    assert "data/nuclei.html" not in text  # this data set's page couldn't be made


@in_browser
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_phone_shows_it_without_sideways_scroll(browser: Browser, made: Path, theme: str) -> None:
    browser.call("Emulation.setDeviceMetricsOverride", width=390, height=844, deviceScaleFactor=1, mobile=True)
    browser.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": theme}])
    browser.open(made / "reports/index.html")
    browser.run("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    browser.run("document.querySelector('#provenance ~ table td.l').textContent = 'a'.repeat(40)")  # a commit
    assert browser.run("document.scrollingElement.scrollWidth") == 390
    assert browser.run("getComputedStyle(document.body).backgroundColor === 'rgb(255, 255, 255)'") == (theme == "light")
    # The answer has the screen's width, and the forest plot's letters can be read.
    assert browser.run("document.querySelector('.answer').getBoundingClientRect().width") > 340
    assert browser.run("document.querySelector('.overview text').getBoundingClientRect().height") > 9


def test_a_model_whose_study_saw_all_images_is_marked_and_its_pictures_shown(made: Path) -> None:
    text = (made / "reports/index.html").read_text()
    summary = text[text.index("<table>", text.index('id="scores"')) :]
    [row] = [row for row in summary[: summary.index("</table>")].split("<tr") if "multiresunet_tuned" in row]
    assert ">optimistic<" in row
    assert "tuning improvement" in row
    assert summary.count(">optimistic<") == 1
    for name in studies.PICTURES:
        picture = base64.b64encode((made / f"data/tuned/nuclei/multiresunet/{name}.png").read_bytes()).decode()
        assert picture in text
    summary_csv = pd.read_csv(made / "metrics/summary.csv").set_index("model")
    assert summary_csv.loc["multiresunet_tuned", "study"] == "shared (optimistic)"


def test_networks_of_equal_cost_have_their_own_table(made: Path, tmp_path: Path) -> None:
    assert 'id="matched"' not in (made / "reports/index.html").read_text()  # none in that run
    copy = Path(shutil.copytree(made, tmp_path / "copy", symlinks=True))
    common = {"dataset": "nuclei", "share": 1.02, "parameters": 617032, "p": 0.01, "units": 15}
    wide = {"model": "unet", "network": "unet", "multiply_adds": 33_600_000, "jaccard": 0.923}
    anchor = {"model": "multiresunet", "network": "multiresunet", "multiply_adds": 33_200_000, "jaccard": 0.897}
    rows = [wide | common | {"difference": 0.026, "low": 0.022, "high": 0.031}, anchor | common]
    written = pd.DataFrame(rows)[list(pd.read_csv(copy / "metrics/matched_cost.csv"))]
    written.to_csv(copy / "metrics/matched_cost.csv", index=False)
    with contextlib.chdir(copy):
        page.render()
    text = (copy / "reports/index.html").read_text()
    table = text[text.index('id="matched"') :]
    cells = re.findall(r"<td[^>]*>(.*?)</td>", table[: table.index("</table>")])
    assert [re.sub("<.*?>", "", cell) for cell in cells] == [
        *("nuclei", "unet hardly beats the baselines", "33.6 M", "617,032", "92.3", "+2.6", "2.2 to 3.1", "0.010"),
        *("nuclei", "multiresunet hardly beats the baselines", "33.2 M", "617,032", "89.7", "–", "–", "0.010"),
    ]


def test_a_score_that_is_never_reached_is_a_bound(made: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(made, tmp_path / "copy", symlinks=True))
    path = copy / "data/evaluated/nuclei/history.csv"
    history = pd.read_csv(path)
    history["test_jaccard"] = (history["model"] == "unet").astype(float)
    history.to_csv(path, index=False)
    with contextlib.chdir(copy):
        page.render()
    text = (copy / "reports/index.html").read_text()
    table = re.sub("<.*?>", "", text[text.index('id="cost"') : text.index('id="provenance"')])
    count = history.groupby(["fold", "seed"]).ngroups
    assert f"0 of {count} trainings" in table
    assert table.count("≥") == 2 + 1  # of two models, and where the sign is explained


def test_several_seeds_are_named_where_they_matter(made: Path, tmp_path: Path) -> None:
    words = [
        "each the mean of its 3 seeds",
        "each image by the network of its fold, with seed 4, last epoch",
        "A network beside itself is its first two seeds",
        "; mean over seeds)",
        "all folds of a seed",
    ]
    assert not [part for part in words if part in (made / "reports/index.html").read_text()]
    copy = Path(shutil.copytree(made, tmp_path / "copy", symlinks=True))
    tree = yaml.safe_load((copy / "params.yaml").read_text())
    tree["run"]["seeds"] = [4, 2, 3]
    (copy / "params.yaml").write_text(yaml.safe_dump(tree))
    for name, values in (("intervals", {"seeds": 3}), ("outliers", {"failures": 13 / 3})):
        pd.read_csv(copy / f"metrics/{name}.csv").assign(**values).to_csv(copy / f"metrics/{name}.csv", index=False)
    with contextlib.chdir(copy):
        page.render()
    text = (copy / "reports/index.html").read_text()
    assert [part for part in words if part not in text] == []
    assert "<td>4.3 of 15</td>" in text


def test_the_page_is_the_same_again(made: Path) -> None:
    before = (made / "reports/index.html").read_bytes()
    with contextlib.chdir(made):
        page.render()
    assert (made / "reports/index.html").read_bytes() == before


def test_a_data_sets_page_of_an_older_run_is_drawn_again(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = shutil.copytree(made, tmp_path / "copy")
    drawn: list[str] = []
    monkeypatch.setattr("multiresunet.report.dataset_page.render", lambda name, _: drawn.append(name))
    with contextlib.chdir(folder):
        page.render()
        assert drawn == []  # nothing to draw
        Path("data/raw/nuclei").mkdir(parents=True)
        Path("reports/data").mkdir(exist_ok=True)
        Path("reports/data/nuclei.html").write_text("of an older run")
        page.render()
    assert drawn == ["nuclei"]


def test_a_column_of_the_summary_is_added_in_one_function(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = shutil.copytree(made, tmp_path / "copy")
    summary = tables.summary
    monkeypatch.setattr(tables, "summary", lambda gathered: summary(gathered).assign(worst=0.125))
    with contextlib.chdir(folder):
        report()
    assert (pd.read_csv(folder / "metrics/summary.csv")["worst"] == 0.125).all()
    assert (folder / "reports/tables/summary.md").read_text().splitlines()[0].endswith(" | worst |")
    assert quote("tuning_improvement_high,worst\n") in (folder / "reports/index.html").read_text()


@mounted
@every_disk
def test_a_disk_that_takes_nothing_is_one_line(
    made: Path, tmp_path: Path, repository: Path, disk: str, told: str
) -> None:
    folder = Path(shutil.copytree(made, tmp_path / "made"))
    (folder / current.RENDERED).unlink()
    environment = os.environ | {"PYTHONPATH": str(repository)}
    done = run_on(disk, folder, [sys.executable, "-m", "multiresunet.report"], environment)
    assert told in complaint(done)
