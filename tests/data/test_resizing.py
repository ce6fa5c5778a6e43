"""After resizing: what masks have lost is measured, and a mask that has lost all stops the run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageDraw
from skimage.transform import resize

from multiresunet.config import load
from multiresunet.data import preprocessing, preview, resizing
from multiresunet.data.dataset import PreparedDataset
from multiresunet.data.loading import load_image
from multiresunet.data.preprocessing import prepare
from multiresunet.data.resizing import Kept, emptied, interpolated, kept, loss, resized_labels, spacings
from multiresunet.data.sources.folder import scan
from multiresunet.errors import UserError
from multiresunet.evaluation.masks import MaskPair
from multiresunet.evaluation.metrics import units
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


@pytest.mark.parametrize("size", [(64, 48), (33, 100), (301, 403), (500, 403)])
def test_strips_make_no_difference(monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (301, 403), dtype=np.uint8)
    whole = interpolated(picture, size)
    monkeypatch.setattr(resizing, "STRIP", 2**12)
    np.testing.assert_allclose(interpolated(picture, size), whole, atol=1e-2)


def test_a_volume_is_resized_as_scikit_image_does() -> None:
    volume = np.random.default_rng(0).integers(-900, 900, (21, 34, 17), dtype=np.int16)[::-1].transpose(2, 0, 1)
    size = (16, 32, 16)
    want = resize(volume.astype(np.float32), size, order=1, mode="edge", anti_aliasing=True)
    before = volume.copy()
    np.testing.assert_array_equal(interpolated(volume, size), want)
    np.testing.assert_array_equal(interpolated(volume.astype(np.float32), size), want)
    np.testing.assert_array_equal(volume, before)


def test_components_of_a_large_mask_are_counted_in_less_detail(monkeypatch: pytest.MonkeyPatch) -> None:
    mask = np.zeros((400, 300), np.uint8)
    for row in range(20, 400, 40):
        mask[row : row + 9, 50:60] = mask[row : row + 9, 200:210] = 1
    after = resized_labels(mask, (200, 150))
    after[:60] = 0
    exact = kept(mask, after)
    assert exact.components == 0.7
    monkeypatch.setattr(resizing, "COUNTED", 2**14)
    assert kept(mask, after) == exact


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


# Spacings and units


def prepared(
    tmp_path: Path, spacings: list[tuple[float, ...] | None], monkeypatch: pytest.MonkeyPatch, **entry: Any
) -> Any:
    place, target = folder_of(tmp_path / "in", ["a", "b", "c", "d"], size=(40, 48)), tmp_path / "out"
    target.mkdir()
    samples = scan(place)
    of_file = {sample.image: spacing for sample, spacing in zip(samples, spacings, strict=True)}

    def read(folder: Path, path: str, dataset: Any) -> Any:
        return load_image(folder, path, dataset)._replace(spacing=of_file[path])

    monkeypatch.setattr(preprocessing, "load_image", read)
    entry = {"size": [32, 32], **entry}
    made = prepare(place, samples, [0, 1, 0, 1], declared(**entry), tuple(entry["size"]), target)
    return made, PreparedDataset.open(target)


def test_distances_are_in_pixels_of_the_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made, data = prepared(tmp_path, [None] * 4, monkeypatch)
    assert spacings(made) is None
    assert data.unit == "pixels"
    assert data.spacing(0) == (40 / 32, 48 / 32)
    truth = np.zeros((32, 32), bool)
    truth[10:20, 10:20] = True
    shifted = np.roll(truth, 2, axis=1)
    pair = MaskPair(shifted, truth, data.spacing(0))
    assert pair.from_truth.max() == 2 * 48 / 32


def test_distances_are_in_mm_where_all_files_say_how_large_a_pixel_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, data = prepared(tmp_path, [(0.5, 0.25)] * 4, monkeypatch)
    assert spacings(made) is None
    assert data.unit == "mm"
    assert data.spacing(3) == (0.5 * 40 / 32, 0.25 * 48 / 32)
    assert data.table["spacing"].tolist() == ["0.5×0.25"] * 4


def test_differing_and_missing_spacings_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made, data = prepared(tmp_path / "1", [(0.5, 0.5), (0.5, 0.5), (0.8, 0.5), (0.5, 0.5)], monkeypatch)
    assert data.unit == "mm"
    line = spacings(made)
    assert line is not None
    assert line.startswith("pixels are from 0.5×0.5 to 0.8×0.5 mm large")
    assert "fit: spacing" in line
    made, data = prepared(tmp_path / "2", [(0.5, 0.5), None, (0.5, 0.5), (0.5, 0.5)], monkeypatch)
    assert data.unit == "pixels"
    assert str(spacings(made)).startswith("1 of 4 files don't say how large a pixel is")


def test_fit_spacing_gives_one_length_one_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sides: list[tuple[float, ...] | None] = [(1.0, 1.0), (0.5, 0.5), (2.0, 1.0), (1.0, 1.0)]
    entry = {"fit": "spacing", "spacing": [2.0, 2.0], "size": [48, 32]}
    _, data = prepared(tmp_path, sides, monkeypatch, **entry)
    assert data.table["prepared_size"].tolist() == ["20×24", "10×12", "40×24", "20×24"]
    assert data.images.shape == (4, 1, 48, 32)
    assert [data.spacing(index) for index in range(4)] == [(2.0, 2.0)] * 4
    for index, (rows, columns) in enumerate([(20, 24), (10, 12), (40, 24), (20, 24)]):
        inside = np.zeros((48, 32), bool)
        top, left = (48 - rows) // 2, (32 - columns) // 2
        inside[top : top + rows, left : left + columns] = True
        assert not data.images[index, 0][~inside].any()
        assert data.truth(index)[inside].any()


def test_a_file_without_spacing_can_not_be_resampled_to_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = {"fit": "spacing", "spacing": [2.0, 2.0], "size": [48, 32]}
    with pytest.raises(
        UserError, match=r"images/b\.png: the file doesn't say how large a pixel is.*resampled to 2×2 mm"
    ):
        prepared(tmp_path, [(1.0, 1.0), None, (1.0, 1.0), (1.0, 1.0)], monkeypatch, **entry)


@pytest.mark.parametrize(
    ("entry", "line"),
    [
        ({"fit": "spacing"}, "fit: spacing needs spacing"),
        ({"fit": "resize", "spacing": [1.0, 1.0]}, "fit: resize has no use for spacing"),
        ({"fit": "patches", "spacing": [1.0, 1.0, 1.0]}, "spacing has 3 numbers and size 2"),
    ],
)
def test_a_spacing_stands_where_it_means_something(entry: dict[str, Any], line: str) -> None:
    with pytest.raises(ValueError, match=line):
        declared(**entry)


def test_tables_say_which_unit() -> None:
    names = ["jaccard", "hd95", "nsd_1", "asd", "asd_framed", "hd95_framed", "false_negatives"]
    assert units(names, [1, 2], "mm") == ["", "mm", "pixels of the network", "mm", "mm", "mm", ""]


def test_padding_is_no_loss(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made, data = prepared(tmp_path, [None] * 4, monkeypatch, fit="pad", size=[64, 64])
    assert (made[["foreground_kept", "components_kept"]] == 1).all(axis=None)
    assert data.spacing(0) is None
