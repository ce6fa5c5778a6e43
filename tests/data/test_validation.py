"""Validation: every way a data set can be wrong is named with its samples, and a sound one passes.

Great Expectations takes seconds to import, so everything that needs it is here (and in the stages' tests).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from multiresunet.config import Dataset
from multiresunet.data import validation
from multiresunet.data.profile import profile
from multiresunet.data.sources.folder import scan
from multiresunet.errors import UserError
from multiresunet.files import write_json
from tests.data.making import declared, disc, folder_of, pair, save, truncate

SUITE = Path(__file__).parents[2] / "expectations" / "samples.json"
NAMES = ["a", "b", "c", "d"]
LABELS = {"values": [0, 1, 2], "foreground": [1, 2]}


@pytest.fixture
def discs(tmp_path: Path) -> Path:
    return folder_of(tmp_path / "discs", NAMES)


@pytest.fixture
def balls(tmp_path: Path) -> Path:
    """Four volumes with two channels."""
    for index, name in enumerate(NAMES):
        volume = np.random.default_rng(index).normal(100, 10, (2, 6, 7, 8)).astype(np.float32)
        save(tmp_path / "balls" / "images" / f"{name}.nii.gz", volume)
        save(tmp_path / "balls" / "masks" / f"{name}.nii.gz", disc((6, 7, 8), radius=3).astype(np.uint8))
    return tmp_path / "balls"


def judge(folder: Path, dataset: Dataset) -> tuple[list[dict[str, Any]], str | None]:
    facts = profile(folder, scan(folder), dataset)
    findings = validation.judge(facts, SUITE, dataset.mask)
    line = validation.complaint("discs", facts, findings)
    assert (line is None) == all(f["success"] for f in findings if f["severity"] != "warning")
    assert line is None or len(line.splitlines()) == 1
    return findings, line


def complaint(folder: Path, **changes: Any) -> str:
    line = judge(folder, declared(**changes))[1]
    assert line is not None
    return line


def test_a_sound_data_set_passes_every_expectation(discs: Path) -> None:
    findings, line = judge(discs, declared())
    assert line is None
    assert len(findings) == len(json.loads(SUITE.read_text())["expectations"])
    assert all(finding["samples"] == [] and finding["column"] != "" for finding in findings[1:])


def test_sound_volumes_pass(balls: Path) -> None:
    assert judge(balls, declared(size=[16, 16, 16], channels=2, mask=LABELS))[1] is None


SIZE = (40, 48)
CASES: dict[str, tuple[Callable[[Path], Any], str]] = {
    "size": (
        lambda d: save(d / "masks" / "b.png", pair(1, (40, 40))[1]),
        "image and mask differ in size; export the mask again at the image's size (b)",
    ),
    "empty mask": (
        lambda d: save(d / "masks" / "b.png", np.zeros(SIZE, np.uint8)),
        "mask is empty; draw it, or take the sample out (b), or, if that is right, allow it with mask.empty: 0.25 in "
        "params.yaml",
    ),
    "full mask": (
        lambda d: save(d / "masks" / "b.png", np.full(SIZE, 255, np.uint8)),
        "mask is full; draw it, or take the sample out (b), or, if that is right, allow it with mask.full: 0.25 in "
        "params.yaml",
    ),
    "undeclared values": (
        lambda d: save(d / "masks" / "b.png", np.maximum(pair(1)[1], 7)),
        "mask holds values that mask.values in params.yaml doesn't declare; fix the mask or the declaration (b)",
    ),
    "constant image": (
        lambda d: save(d / "images" / "b.png", np.full((1, *SIZE), 9, np.uint8)),
        "image is of one constant value; replace it (b)",
    ),
    "duplicates": (
        lambda d: save(d / "images" / "b.png", pair(0)[0]),
        "the same image occurs more than once; keep one (a, b)",
    ),
    "channels": (
        lambda d: save(d / "images" / "b.png", pair(1, channels=3)[0]),
        "number of channels isn't what params.yaml declares; fix channels or convert the images (b)",
    ),
    "truncated image": (
        lambda d: truncate(d / "images" / "b.png"),
        "{}/images/b.png: damaged or not readable (image file is truncated); replace it or take it out",
    ),
    "empty file": (
        lambda d: (d / "masks" / "b.png").write_bytes(b""),
        "{}/masks/b.png: an empty file, not an image that can be read; replace it or take it out",
    ),
    "too few": (
        lambda d: [p.unlink() for n in "bcd" for p in d.rglob(f"{n}.png")],
        "at least two samples are needed (the whole data set)",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_wrong_with_one_sample_is_named_with_it_alone(discs: Path, case: str) -> None:
    spoil, words = CASES[case]
    spoil(discs)
    assert complaint(discs) == f"discs: {words.format(discs)}"


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_volumes_with_values_that_are_not_finite_are_named(balls: Path, value: float) -> None:
    volume = np.random.default_rng(1).normal(100, 10, (2, 6, 7, 8)).astype(np.float32)
    volume[1, 2, 3, 4] = value
    save(balls / "images" / "b.nii.gz", volume)
    line = complaint(balls, size=[16, 16, 16], channels=2, mask=LABELS)
    assert line == "discs: values are NaN or infinite; repair the images (b)"


def test_volumes_where_images_are_declared_are_named(balls: Path) -> None:
    line = complaint(balls, size=[16, 16], channels=2, mask=LABELS)
    assert line == ("discs: images have other axes than the data set's size in params.yaml; fix size (a, b, c, d)")


def test_all_that_is_wrong_is_named_at_once_and_the_same_on_every_run(tmp_path: Path) -> None:
    place = folder_of(tmp_path / "discs", [f"s{i}" for i in range(9)])
    truncate(place / "images" / "s0.png")
    (place / "masks" / "s1.png").write_bytes(b"\0")
    save(place / "masks" / "s2.png", pair(2, (40, 40))[1])
    save(place / "masks" / "s3.png", np.zeros((40, 48), np.uint8))
    save(place / "masks" / "s4.png", pair(4)[1] // 5)
    save(place / "images" / "s5.png", pair(6)[0])
    save(place / "images" / "s7.png", pair(7, channels=3)[0])
    texts = []
    for _ in range(2):
        findings, line = judge(place, declared())
        write_json(tmp_path / "validation.json", findings)
        texts.append((tmp_path / "validation.json").read_bytes())
    assert texts[0] == texts[1]
    assert line is not None
    for words in (
        "images/s0.png: damaged",
        "masks/s1.png: not an image",
        "differ in size; export the mask again at the image's size (s2)",
        "mask is empty; draw it, or take the sample out (s3, s4)",
        "mask holds values",
        "(s4)",
        "the same image occurs more than once; keep one (s5, s6)",
        "number of channels",
        "(s7)",
    ):
        assert words in line, line
    assert "s8" not in line


def test_nothing_that_can_be_read_is_all_named(discs: Path) -> None:
    for path in (discs / "images").iterdir():
        truncate(path)
    line = complaint(discs)
    assert all(f"images/{name}.png: damaged" in line for name in NAMES)
    assert "the whole data set" not in line


def test_more_than_five_samples_are_counted(tmp_path: Path) -> None:
    place = folder_of(tmp_path / "discs", [f"s{i}" for i in range(8)])
    for path in (place / "masks").iterdir():
        save(path, np.zeros((40, 48), np.uint8))
    assert "(s0, s1, s2, s3, s4 and 3 more)" in complaint(place)
    for path in (place / "images").iterdir():
        truncate(path)
    assert complaint(place).count("damaged") == 5
    assert complaint(place).endswith("replace it or take it out and 3 more")


def failing(folder: Path, **changes: Any) -> dict[str, list[str]]:
    findings, _ = judge(folder, declared(**changes))
    return {finding["title"]: finding["samples"] for finding in findings if not finding["success"]}


def test_a_share_of_masks_may_be_empty_if_it_is_declared(discs: Path) -> None:
    save(discs / "masks" / "b.png", np.zeros(SIZE, np.uint8))
    rule = {"values": [0, 255], "foreground": [255]}
    assert judge(discs, declared(mask=rule | {"empty": 0.25}))[1] is None
    assert "mask is empty" in complaint(discs, mask=rule | {"empty": 0.2})
    assert "mask is empty" in complaint(discs, mask=rule | {"full": 1.0})


def test_groups_that_are_declared_must_be_there(discs: Path) -> None:
    assert "the manifest has no groups" in complaint(discs, groups=True)


def test_warnings_do_not_stop_and_name_their_samples(discs: Path) -> None:
    mask = pair(1)[1]
    mask[0] = 100
    save(discs / "masks" / "b.png", mask)
    (discs / "masks" / "c.png").unlink()
    Image.fromarray(pair(2)[1]).save(discs / "masks" / "c.jpg")
    rule = {"above": 127}
    assert judge(discs, declared(mask=rule))[1] is None
    found = failing(discs, mask=rule)
    assert found["Masks stored as JPEG"] == ["c"]
    assert found["Masks with grey edges"] == ["b", "c"]


def test_the_same_pixels_in_another_format_are_the_same_image(discs: Path) -> None:
    (discs / "images" / "b.png").unlink()
    Image.fromarray(pair(0)[0][0]).save(discs / "images" / "b.bmp")
    assert "the same image occurs more than once; keep one (a, b)" in complaint(discs)


def test_a_data_set_can_add_expectations_of_its_own(discs: Path, tmp_path: Path) -> None:
    (tmp_path / "samples.json").write_text(SUITE.read_text())
    assert validation.suites(tmp_path, "mine") == [tmp_path / "samples.json"]
    own = {
        "name": "mine",
        "expectations": [
            {
                "type": "expect_column_values_to_be_between",
                "kwargs": {"column": "mean", "max_value": 10},
                "notes": "brighter than 10",
            }
        ],
    }
    (tmp_path / "mine.json").write_text(json.dumps(own))
    assert validation.suites(tmp_path, "mine")[1:] == [tmp_path / "mine.json"]
    (finding,) = validation.judge(profile(discs, scan(discs), declared()), tmp_path / "mine.json")
    assert (finding["success"], finding["severity"], finding["samples"]) == (False, "critical", NAMES)


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"name": "x", "expectations": [{"type": "expect_wonders", "kwargs": {}}]}',
        '{"name": "x", "expectations": [{"type": "expect_column_values_to_be_unique", "kwargs": {"column": "hue"}}]}',
    ],
)
def test_a_suite_that_cannot_be_judged_is_one_line(discs: Path, tmp_path: Path, text: str) -> None:
    (tmp_path / "mine.json").write_text(text)
    with pytest.raises(UserError, match=r"mine\.json") as caught:
        validation.judge(profile(discs, scan(discs), declared()), tmp_path / "mine.json")
    assert len(str(caught.value).splitlines()) == 1
