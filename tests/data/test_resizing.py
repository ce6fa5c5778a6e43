"""After resizing: what masks have lost is measured, and a mask that has lost all stops the run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageDraw

from multiresunet.config import load
from multiresunet.data import preview
from multiresunet.data.preprocessing import prepare
from multiresunet.data.resizing import Kept, emptied, kept, loss, resized_labels
from multiresunet.data.sources.folder import scan
from multiresunet.errors import UserError
from tests.data.making import Array, declared, disc, folder_of, save


def vessels(place: Path, count: int = 4, width: int = 2) -> Path:
    """Retina-like: thin lines in 512×512."""
    rng = np.random.default_rng(14)
    for n in range(count):
        drawn = Image.new("L", (512, 512))
        for _ in range(6):
            points = [(int(x), int(y)) for x, y in rng.integers(20, 490, (3, 2))]
            ImageDraw.Draw(drawn).line(points, fill=255, width=width)
        mask = np.asarray(drawn)
        image = (rng.normal(80, 6, (512, 512)) + 100 * (mask > 0)).clip(0, 255).astype(np.uint8)
        save(place / "images" / f"v{n}.png", image[None])
        save(place / "masks" / f"v{n}.png", mask)
    return place


def spots(*places: tuple[int, int], side: int = 64) -> Array:
    mask = np.zeros((side, side), np.uint8)
    for row, column in places:
        mask[row : row + 2, column : column + 2] = 1
    return mask


def test_thin_structures_that_vanish_stop_the_run_and_name_the_remedies(tmp_path: Path) -> None:
    place, target = vessels(tmp_path / "in"), tmp_path / "out"
    target.mkdir()
    with pytest.raises(UserError) as caught:
        prepare(place, scan(place), [0, 1, 0, 1], declared(size=[64, 64]), (64, 64), target)
    line = str(caught.value)
    assert "at 64×64 the masks of v0, v1, v2, v3 become empty" in line
    assert "raise the data set's size and the recipe's longest_side, or say fit: patches" in line


def test_thin_structures_that_shrink_are_measured(tmp_path: Path) -> None:
    place, target = vessels(tmp_path / "in", width=7), tmp_path / "out"
    target.mkdir()
    made = prepare(place, scan(place), [0, 1, 0, 1], declared(size=[128, 128]), (128, 128), target)
    written = pd.read_csv(target / "samples.csv")
    assert written["original_size"].tolist() == ["512×512"] * 4
    for name, share in zip(written["sample"], written["foreground_kept"], strict=True):
        before = np.asarray(Image.open(place / "masks" / f"{name}.png")) > 0
        after = np.load(target / "masks.npy")[int(name[1:])]
        assert share == pytest.approx(min(1, after.mean() / before.mean()), abs=1e-6)
    assert made["foreground_kept"].max() <= 1


def test_nothing_is_lost_where_nothing_is_resized() -> None:
    mask = spots((3, 3))
    assert kept(mask, mask) == Kept(1.0, 1.0)
    assert not emptied(np.zeros_like(mask), np.zeros((32, 32), np.uint8))


def test_components_are_counted_apart_from_area() -> None:
    before = np.asarray(disc((64, 64), radius=20)).astype(np.uint8) | spots((1, 1), (60, 1), (1, 60))
    after = resized_labels(before, (16, 16))
    found = kept(before, after)
    assert found.components == 1 / 4  # of the disc and three spots, the disc
    assert found.foreground > 0.9


def test_the_class_that_lost_most_counts() -> None:
    before = np.asarray(disc((64, 64), radius=20)).astype(np.uint8)
    before[30:32, 30:32] = 2
    found = kept(before, resized_labels(before, (16, 16)))
    assert found == Kept(0.0, 0.0)


def test_what_is_lost_is_said_with_the_worst_samples_and_the_remedy() -> None:
    table = pd.DataFrame(
        {"sample": ["a", "b", "c"], "foreground_kept": [0.95, 0.5, 0.89], "components_kept": [1.0, 0.91, 1.0]}
    )
    line = loss(table, (64, 48))
    assert line is not None
    assert line.startswith(
        "at 64×48 2 of 3 masks lose more than a tenth of what they mark (b keeps 50%, c keeps 89%); raise the data"
    )
    assert "components" not in line
    assert loss(table[:1], (64, 48)) is None


def test_a_proposal_says_what_each_size_would_lose(tmp_path: Path, repository: Path) -> None:
    recipe = load(repository / "params.yaml").recipes["quick"]
    place = vessels(tmp_path / "in", width=3)
    own, *of_recipe = preview.losses(place, scan(place), declared(size=[512, 512]), recipe)
    assert own == "the data set's size: 512×512 keeps what the masks mark"
    assert of_recipe[0].startswith("this recipe's size: at 64×64 ")
    assert "fit: patches" in of_recipe[-1]
    discs = folder_of(tmp_path / "discs", ["a", "b"], size=(64, 64))
    assert preview.losses(discs, scan(discs), declared(size=[64, 64]), recipe) == [
        "the data set's size: 64×64 keeps what the masks mark"
    ]
