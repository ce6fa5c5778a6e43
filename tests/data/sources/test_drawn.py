"""Annotations become the masks that their programs show: LabelMe, COCO and ImageJ, pixel by pixel."""

from __future__ import annotations

import base64
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import roifile
from PIL import Image

from multiresunet.data import readers
from multiresunet.data.sources.drawn import class_names, draw, rule_of
from multiresunet.errors import UserError
from tests.data.adding import Project, project
from tests.data.making import Array, disc, pair, save

SIZE = (20, 30)
SQUARE = [[3, 2], [9, 2], [9, 8], [3, 8]]  # x and y, from the picture's corner: columns 3 to 8, rows 2 to 7


def square(value: int = 1) -> Array:
    found = np.zeros(SIZE, np.uint8)
    found[2:8, 3:9] = value
    return found


@pytest.fixture
def images(tmp_path: Path) -> list[Path]:
    return [save(tmp_path / "images" / f"{name}.png", np.full((1, *SIZE), 80, np.uint8)) for name in "ab"]


def labelme(path: Path, *shapes: dict[str, Any], **more: Any) -> Path:
    tree = {"shapes": list(shapes), "imageHeight": SIZE[0], "imageWidth": SIZE[1], **more}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(tree))
    return path


def coco(path: Path, *areas: Any, **more: Any) -> Path:
    tree = {
        "images": [{"id": 7, "file_name": "some/folder/a.png"}, {"id": 9, "file_name": "b.png"}],
        "categories": [{"id": 3, "name": "cell"}, {"id": 5, "name": "yeast"}],
        "annotations": [
            {"id": number, "image_id": 7, "category_id": 3 + 2 * (number > 0), "segmentation": area}
            for number, area in enumerate(areas)
        ],
    }
    path.write_text(json.dumps(tree | more))
    return path


def masks(images: list[Path], files: list[Path], target: Path) -> tuple[list[Array], dict[str, int]]:
    pairs, numbers = draw(images, files, target)
    assert [image for image, _ in pairs] == images
    return [readers.read_mask(mask) for _, mask in pairs], numbers


def encoded(mask: Array) -> str:
    buffer = io.BytesIO()
    Image.fromarray(mask.astype(np.uint8) * 255).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def runs(mask: Array) -> list[int]:
    """Run lengths down the columns, the first of background, as COCO has them."""
    flat = np.concatenate([[False], mask.T.ravel() > 0])
    ends = np.flatnonzero(np.diff(np.append(flat, ~flat[-1])))
    return np.diff(np.concatenate([[0], ends])).tolist() if not flat[1] else [0, *np.diff(np.r_[0, ends[1:]]).tolist()]


def packed(counts: list[int]) -> str:
    """COCO's own packing of run lengths: of all but the first three the difference to the one before the last."""
    text = ""
    for index, count in enumerate(counts):
        rest, more = count - (counts[index - 2] if index > 2 else 0), True
        while more:
            bits, rest = rest & 31, rest >> 5
            more = rest != (-1 if bits & 16 else 0)
            text += chr(bits + 48 + 32 * more)
    return text


def test_labelme_s_shapes(images: list[Path], tmp_path: Path) -> None:
    part = disc((9, 9), radius=4)
    files = [
        labelme(tmp_path / "j/a.json", {"label": "cell", "points": SQUARE, "shape_type": "polygon"}),
        labelme(
            tmp_path / "j/b.json",
            {"label": "yeast", "points": [[9, 8], [3, 2]], "shape_type": "rectangle"},
            {"label": "cell", "points": [[20, 10], [20, 15]], "shape_type": "circle"},
            {"label": "spot", "points": [[-3, 11], [6, 20]], "shape_type": "mask", "mask": encoded(part)},
        ),
    ]
    (first, second), numbers = masks(images, files, tmp_path / "drawn")
    assert numbers == {"cell": 1, "spot": 2, "yeast": 3}
    np.testing.assert_array_equal(first, square(1))
    np.testing.assert_array_equal(second == 3, square() > 0)
    assert (second == 1).sum() == pytest.approx(np.pi * 25, rel=0.06)
    np.testing.assert_allclose(np.argwhere(second == 1).mean(axis=0), (9.5, 19.5), atol=0.1)
    np.testing.assert_array_equal(second[11:20, :6] == 2, part[:, 3:])  # what is left of the picture's edge is cut off
    assert rule_of(numbers)["classes"] == {"cell": [1], "spot": [2], "yeast": [3]}


@pytest.mark.parametrize("form", ["polygon", "runs", "packed"])
def test_coco_s_outlines_and_runs(images: list[Path], tmp_path: Path, form: str) -> None:
    ball = disc(SIZE, (12.0, 20.0), 6)
    areas: list[Any] = [[np.array(SQUARE).ravel().tolist()], {"size": list(SIZE), "counts": runs(ball)}]
    if form == "packed":
        areas[1]["counts"] = packed(runs(ball))
    if form == "polygon":
        areas[1] = [[14, 6, 26, 6, 26, 18, 14, 18], [0, 0, 2, 0, 2, 2, 0, 2]]
    (first, second), numbers = masks(images, [coco(tmp_path / "c.json", *areas)], tmp_path / "drawn")
    assert numbers == {"cell": 1, "yeast": 2}
    np.testing.assert_array_equal(first == 1, square() > 0)
    if form == "polygon":
        boxes = np.zeros(SIZE, bool)
        boxes[6:18, 14:26] = boxes[:2, :2] = True
        np.testing.assert_array_equal(first == 2, boxes)
    else:
        np.testing.assert_array_equal(first == 2, ball)
    assert not second.any()  # listed, and nothing is marked on it


TRIANGLE = [[0, 0, 2, 0, 2, 2]]


def listed(path: Path, *names: str) -> Path:
    """COCO, with a square on the first image and a triangle on the second."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return coco(
        path,
        images=[{"id": number, "file_name": name} for number, name in enumerate(names)],
        annotations=[
            {"id": number, "image_id": number, "category_id": 3, "segmentation": drawn}
            for number, drawn in enumerate([[np.array(SQUARE).ravel().tolist()], TRIANGLE][: len(names)])
        ],
    )


def test_coco_s_images_of_one_name_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    images = [save(tmp_path / "in" / name / "1.png", np.full((1, *SIZE), 80, np.uint8)) for name in "ab"]
    (first, second), _ = masks(images, [listed(tmp_path / "c.json", "data/a/1.png", "data/b/1.png")], tmp_path / "one")
    np.testing.assert_array_equal(first, square())
    assert second.sum() in (1, 3)
    (alone,), _ = masks(images[1:], [listed(tmp_path / f"{n}.json", f"{n}/1.png") for n in "ab"], tmp_path / "alone")
    np.testing.assert_array_equal(alone, square())
    # A file in each folder, as Roboflow exports them.
    each = [listed(tmp_path / "in/a/c.json", "1.png"), listed(tmp_path / "in/b/c.json", "none.png", "1.png")]
    (first, second), _ = masks(images, each, tmp_path / "two")
    np.testing.assert_array_equal(first, square())
    assert second.sum() in (1, 3)


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (("1.png",), "1.png could be "),
        (("x/1.png", "y/1.png"), "listed as x/1.png, y/1.png in "),
        (("a/1.png",), "in/b/1.png: not listed in "),
    ],
)
def test_which_of_coco_s_images_is_meant_is_never_guessed(tmp_path: Path, names: tuple[str, ...], words: str) -> None:
    images = [save(tmp_path / "in" / name / "1.png", np.full((1, *SIZE), 80, np.uint8)) for name in "ab"]
    with pytest.raises(UserError) as caught:
        draw(images, [listed(tmp_path / "c.json", *names)], tmp_path / "drawn")
    assert words in str(caught.value)


def test_two_coco_files_may_draw_on_one_image(images: list[Path], tmp_path: Path) -> None:
    files = [listed(tmp_path / "images/c.json", "a.png"), listed(tmp_path / "y/c.json", "b.png", "images/a.png")]
    (first, second), _ = masks(images, files, tmp_path / "drawn")
    assert first[2:8, 3:9].all()
    assert first[:2, :2].any()
    np.testing.assert_array_equal(second, square())


@pytest.mark.parametrize("kind", ["roi", "zip"])
def test_imagej_s_rois(images: list[Path], tmp_path: Path, kind: str) -> None:
    moved = [[x + 15, y + 5] for x, y in SQUARE]
    rois = [roifile.ImagejRoi.frompoints(np.array(corners)) for corners in (SQUARE, moved)]
    files = []
    for image in images:
        files.append(tmp_path / "rois" / f"{image.stem}.{kind}")
        files[-1].parent.mkdir(exist_ok=True)
        if kind == "roi":
            rois[0].tofile(files[-1])
            continue
        with zipfile.ZipFile(files[-1], "w") as archive:
            for number, roi in enumerate(rois):
                archive.writestr(f"{number}.roi", roi.tobytes())
    found, numbers = masks(images, files, tmp_path / "drawn")
    want = square() + (np.roll(square(), (5, 15), (0, 1)) if kind == "zip" else 0)
    for mask in found:
        np.testing.assert_array_equal(mask, want)
    assert rule_of(numbers) == {"values": [0, 1], "foreground": [1]}


def test_a_rectangle_and_an_oval_of_imagej(images: list[Path], tmp_path: Path) -> None:
    for name, kind in (("a", roifile.ROI_TYPE.RECT), ("b", roifile.ROI_TYPE.OVAL)):
        roi = roifile.ImagejRoi(roitype=kind, top=2, left=3, bottom=14, right=15)
        roi.tofile(tmp_path / f"{name}.roi")
    (box, oval), _ = masks(images, [tmp_path / "a.roi", tmp_path / "b.roi"], tmp_path / "drawn")
    want = np.zeros(SIZE, np.uint8)
    want[2:14, 3:15] = 1
    np.testing.assert_array_equal(box, want)
    assert oval.sum() == pytest.approx(np.pi * 36, rel=0.05)
    np.testing.assert_allclose(np.argwhere(oval).mean(axis=0), (7.5, 8.5), atol=0.1)


SHAPE = {"label": "cell", "points": SQUARE, "shape_type": "polygon"}


@pytest.mark.parametrize(
    ("write", "words"),
    [
        (lambda p: labelme(p, SHAPE | {"shape_type": "point"}), "'cell' is a point, which has no inside"),
        (lambda p: labelme(p, SHAPE | {"points": SQUARE[:2]}), "2 points, which enclose nothing"),
        (lambda p: labelme(p, SHAPE | {"shape_type": "mask", "mask": "x"}), "a mask that can't be read"),
        (lambda p: labelme(p, SHAPE, imageHeight=99), "drawn on 99×30 pixels, and its image has 20×30"),
        (lambda p: labelme(p), "hold no area"),
        (lambda p: labelme(p, SHAPE | {"points": "x"}), "no LabelMe that can be understood"),
        (lambda p: coco(p, None), "a box alone isn't one"),
        (lambda p: coco(p, {"size": list(SIZE), "counts": [5]}), "has no outline"),
        (lambda p: coco(p, {"size": [10**6, 10**6], "counts": [10**12]}), "claims 931.3 GiB"),
        (lambda p: coco(p, [[1, 1, 5, 1, 5, 5]], images=[{"id": 7, "file_name": "z.png"}]), "not listed in"),
        (lambda p: coco(p, [[1, 1, 5, 1, 5, 5]], images=[{"file_name": "a.png"}]), "'id' is missing"),
        (
            lambda p: coco(
                p, [[1, 1, 5, 1, 5, 5]], images=[{"id": 7, "file_name": "a.png", "height": 40, "width": 60}]
            ),
            "drawn on 40×60 pixels, and its image has 20×30",
        ),
        (lambda p: coco(p, {"size": [5, 4], "counts": [0, 20]}), "drawn on 5×4 pixels, and its image has 20×30"),
        (lambda p: p.write_text("{"), "not JSON"),
        (lambda p: p.write_text("{}"), "neither LabelMe"),
    ],
)
def test_what_encloses_nothing_or_belongs_elsewhere_is_one_line(
    images: list[Path], tmp_path: Path, write: Any, words: str
) -> None:
    path = tmp_path / "a.json"
    write(path)
    with pytest.raises(UserError) as caught:
        draw(images[:1], [path], tmp_path / "drawn")
    assert words in str(caught.value)
    assert str(path) in str(caught.value)


def test_labels_that_are_spelt_alike_stay_apart() -> None:
    assert class_names(["a b", "a_b", "a-b", "7", "c"]) == {
        "a b": "a_b",
        "a_b": "a_b_2",
        "a-b": "a_b_3",
        "7": "class_7",
        "c": "c",
    }


def test_data_add_draws_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    here: Project = project(tmp_path, monkeypatch, capsys)
    for index, name in enumerate("abcd"):
        save(Path("in", f"{name}.png"), pair(index, SIZE)[0])
        labelme(Path("in", f"{name}.json"), SHAPE, SHAPE | {"label": "bud", "points": [[0, 0], [2, 0], [2, 2], [0, 2]]})
    said = here.add("in/*.png", None, annotations="in/*.json")
    assert "masks drawn from 4 files; labels: bud (1), cell (2)" in said
    assert here.entry.mask.classes == {"bud": [1], "cell": [2]}
    for _, labels in here.arrays().values():
        np.testing.assert_array_equal(labels == 2, square() > 0)
        assert (labels == 1).sum() == 4
