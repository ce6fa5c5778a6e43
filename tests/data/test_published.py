"""Data sets as they are published, look-alikes of their trees: one command each."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from PIL import Image

from multiresunet import cli
from multiresunet.data import nnunet
from multiresunet.data.sources import folder
from multiresunet.errors import UserError
from multiresunet.files import sha256
from tests.data.adding import Project, project
from tests.data.making import Array, disc, pair, save

SIZE = (40, 48)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Project:
    return project(tmp_path, monkeypatch, capsys)


def ball(index: int, shape: tuple[int, ...] = (12, 13, 14), labels: int = 1) -> tuple[Array, Array]:
    rng = np.random.default_rng(index)
    mask = np.zeros(shape, np.uint8)
    for label in range(1, labels + 1):
        mask[disc(shape, tuple(side * (0.3 + 0.4 * (label - 1)) for side in shape), 3)] = label
    return (rng.normal(100, 9, shape) + 90 * mask).astype(np.int16), mask


def volume(path: Path, array: Array) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    affine = np.array([[-1.0, 0, 0, 5], [0, 1.5, 0, -7], [0, 0, 2, 3], [0, 0, 0, 1]])
    nibabel.save(nibabel.Nifti1Image(array, affine), path)


def test_dsb2018(here: Project) -> None:
    """stage1_train/<id>/images/<id>.png and stage1_train/<id>/masks/<hash>.png, one an instance."""
    truth = {}
    for index in range(5):
        name = f"{index:02x}" * 8
        image, _ = pair(index, SIZE)
        save(Path("stage1_train", name, "images", f"{name}.png"), image)
        truth[name] = np.zeros(SIZE, bool)
        for instance in range(2 + index % 3):
            one = disc(SIZE, (8.0 + 12 * (instance % 3), 8.0 + 12 * instance), 4)
            truth[name] |= one
            save(Path("stage1_train", name, "masks", f"{instance:05x}{index}.png"), one.astype(np.uint8) * 255)
    said = here.add("stage1_train/*/images/*.png", "stage1_train/*/masks/*.png")
    assert "5 pairs" in said
    assert "masks are 2 to 4 files each, one an instance" in said
    arrays = here.arrays()
    assert sorted(arrays) == sorted(truth)
    for name, (_, labels) in arrays.items():
        np.testing.assert_array_equal(labels > 0, truth[name])


def test_drive(here: Project) -> None:
    """training/images/21_training.tif, training/1st_manual/21_manual1.gif, test/… with other numbers and endings."""
    truth = {}
    for part, numbers, ending in (("training", (21, 22, 23), "_training"), ("test", (1, 2), "_test")):
        for number in numbers:
            image, mask = pair(number, SIZE, 3)
            save(Path("DRIVE", part, "images", f"{number:02d}{ending}.tif"), image)
            place = Path("DRIVE", part, "1st_manual", f"{number:02d}_manual1.gif")
            place.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(mask).save(place)
            save(Path("DRIVE", part, "mask", f"{number:02d}{ending}_mask.png"), np.full(SIZE, 255, np.uint8))
            truth[f"{number:02d}{ending}"] = mask
    said = here.add("DRIVE/*/images/*.tif", "DRIVE/*/1st_manual/*.gif")
    assert "5 pairs" in said
    assert not here.entry.groups
    for name, (image, labels) in here.arrays().items():
        np.testing.assert_array_equal(labels * 255, truth[name])
        assert len(image) == 3


def test_busi(here: Project) -> None:
    """benign/benign (1).png, benign (1)_mask.png, sometimes benign (1)_mask_1.png; normal ones with empty masks."""
    truth = {}
    for kind, count in (("benign", 4), ("malignant", 3), ("normal", 2)):
        for index in range(1, count + 1):
            image, mask = pair(index + 10 * count, SIZE)
            mask = mask * (kind != "normal")
            save(Path("BUSI", kind, f"{kind} ({index}).png"), image)
            save(Path("BUSI", kind, f"{kind} ({index})_mask.png"), mask)
            truth[f"{kind} ({index})"] = mask > 0
    second = disc(SIZE, (5.0, 5.0), 4)
    save(Path("BUSI/benign/benign (2)_mask_1.png"), second.astype(np.uint8) * 255)
    truth["benign (2)"] = truth["benign (2)"] | second
    said = here.add("BUSI/*/*.png", "BUSI/*/*_mask*.png")
    assert "9 pairs" in said
    assert "2 of 9 are empty" in said
    for name, (_, labels) in here.arrays().items():
        np.testing.assert_array_equal(labels > 0, truth[name])


def task(place: Path, *, cases: int = 4, channels: int = 2, decathlon: bool = False, **changes: Any) -> Path:
    """An nnU-Net folder, or a Decathlon task."""
    for index in range(cases):
        image, mask = ball(index, labels=2)
        if decathlon:
            volume(place / "imagesTr" / f"hip_{index:03d}.nii.gz", image)
            (place / "imagesTr" / f"._hip_{index:03d}.nii.gz").write_bytes(b"\0\5\x16\7")
        else:
            for channel in range(channels):
                volume(place / "imagesTr" / f"hip_{index:03d}_{channel:04d}.nii.gz", image + 10 * channel)
        volume(place / "labelsTr" / f"hip_{index:03d}.nii.gz", mask)
    names = {str(channel): f"MR{channel}" for channel in range(channels)}
    tree: dict[str, Any] = {
        "channel_names": names,
        "labels": {"background": 0, "Anterior part": 1, "Posterior": 2},
        "numTraining": cases,
        "file_ending": ".nii.gz",
    }
    if decathlon:
        tree = {"modality": {"0": "MRI"}, "labels": {"0": "background", "1": "Anterior", "2": "Posterior"}}
    (place / "dataset.json").write_text(json.dumps(tree | changes))
    return place


def test_an_nnunet_folder_goes_in_and_out_as_it_was(here: Project) -> None:
    task(Path("Dataset004_Hip"))
    said = here.add(None, None, nnunet=Path("Dataset004_Hip"))
    assert "channels: MR0, MR1" in said
    entry = here.entry
    assert (entry.channels, entry.mask.values) == (2, [0, 1, 2])
    assert entry.mask.classes == {"Anterior_part": [1], "Posterior": [2]}
    for name, (image, labels) in here.arrays().items():
        stored, truth = ball(int(name[-1]), labels=2)
        np.testing.assert_array_equal(image[1], stored[::-1] + 10)  # files run to the left, arrays to the right
        np.testing.assert_array_equal(labels, truth[::-1])
    nnunet.write("x", entry, Path("data/raw/x"), Path("out"), Path("data/incoming/x/dataset.json"))
    before = {path.relative_to("Dataset004_Hip"): sha256(path) for path in Path("Dataset004_Hip").rglob("*.gz")}
    assert {path.relative_to("out"): sha256(path) for path in Path("out").rglob("*.gz")} == before
    old, new = (json.loads(Path(place, "dataset.json").read_text()) for place in ("Dataset004_Hip", "out"))
    assert new == old
    first = folder.digest(folder.scan(Path("data/incoming/x")))
    Path("Dataset004_Hip").rename("gone")
    text = Path("params.yaml").read_text()
    Path("params.yaml").write_text(
        text[: text.index("  x:\n")] + text[text.index("groups: false", text.index("  x:\n")) + 14 :]
    )
    here.add(None, None, nnunet=Path("out"))
    assert folder.digest(folder.scan(Path("data/incoming/x"))) == first


def test_a_decathlon_task(here: Project) -> None:
    task(Path("Task04_Hip"), channels=1, decathlon=True)
    assert "4 pairs" in here.add(None, None, nnunet=Path("Task04_Hip"))
    assert here.entry.mask.classes == {"Anterior": [1], "Posterior": [2]}
    assert here.entry.source.model_dump()["path"] == "x"


def test_a_decathlon_task_by_its_patterns(here: Project) -> None:
    task(Path("Task04_Hip"), channels=1, decathlon=True)
    said = here.add("Task04_Hip/imagesTr/*", "Task04_Hip/labelsTr/*")
    assert "4 pairs" in said
    assert "4 files that systems leave lying about are left out" in said


def test_nnunet_s_ignore_label(here: Project) -> None:
    labels = {"background": 0, "organ": 1, "ignore": 2}
    task(Path("d"), labels=labels)
    here.add(None, None, nnunet=Path("d"))
    assert (here.entry.mask.foreground, here.entry.mask.ignore) == ([1], 2)


def relabel(place: Path, labels: dict[str, object], **more: object) -> None:
    tree = json.loads((place / "dataset.json").read_text())
    (place / "dataset.json").write_text(json.dumps(tree | {"labels": labels} | more))


def test_names_that_are_spelt_alike_stay_two_classes(here: Project) -> None:
    task(Path("d"), labels={"background": 0, "left-lung": 1, "left lung": 2})
    here.add(None, None, nnunet=Path("d"))
    assert here.entry.mask.classes == {"left_lung": [1], "left_lung_2": [2]}


def test_a_pattern_finds_groups_in_the_names_of_nnunet(here: Project) -> None:
    task(Path("Dataset004_Hip"))
    line = here.refusal(None, None, nnunet=Path("Dataset004_Hip"), group_pattern="^p")
    assert "--group-pattern '^p' doesn't match the name 'hip_000'" in line
    said = here.add(None, None, nnunet=Path("Dataset004_Hip"), group_pattern="[0-9]$")
    assert "groups: 4 (0, 1, 2, 3)" in said
    assert here.entry.groups
    lines = Path("data/incoming/x/manifest.csv").read_text().splitlines()
    assert [line.split(",")[3] for line in lines[1:]] == ["0", "1", "2", "3"]


def command(monkeypatch: pytest.MonkeyPatch, *words: str) -> str | int | None:
    """What the command line ends with."""
    monkeypatch.setattr(sys, "argv", ["multiresunet", *words])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    return caught.value.code


def test_export_on_the_command_line_keeps_labels_names_and_digests(
    here: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = Path("params.yaml").read_text()
    task(Path("Dataset004_Hip"), labels={"background": 0, "Vorne links": 1, "hinten": 2, "ignore": 3})
    assert command(monkeypatch, "data", "add", "x", "--nnunet", "Dataset004_Hip", "--write") == 0
    first = here.entry
    out = ("--to", "nnunet", "--out", "nnUNet_raw/Dataset101_X")
    assert command(monkeypatch, "data", "export", "x", *out) == 0
    assert "x: 4 cases in nnUNet_raw/Dataset101_X" in here.capsys.readouterr().out
    assert "is there already" in str(command(monkeypatch, "data", "export", "x", *out))
    assert "there is nnunet" in str(command(monkeypatch, "data", "export", "x", "--to", "coco", "--out", "y"))
    Path("params.yaml").write_text(before)
    assert command(monkeypatch, "data", "add", "x", "--nnunet", "nnUNet_raw/Dataset101_X", "--write") == 0
    assert here.entry == first  # labels, names, channels, and the digest of all files
    assert here.entry.mask.classes == {"Vorne_links": [1], "hinten": [2]}
    assert here.entry.mask.ignore == 3


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda d: (d / "dataset.json").unlink(), "dataset.json: missing"),
        (lambda d: (d / "dataset.json").write_text("{"), "not JSON"),
        (lambda d: (d / "dataset.json").write_text("[]"), "has no labels"),
        (lambda d: relabel(d, {"a": "b"}), "aren't whole numbers"),
        (lambda d: relabel(d, {"a": 1.5}), "aren't whole numbers"),
        (lambda d: relabel(d, {"a": []}), "aren't whole numbers"),
        (lambda d: relabel(d, {"a": 2**70}), "aren't whole numbers"),
        (lambda d: relabel(d, {"background": 0, "a": 1, "ignore": 1}), "give it one number that no other label has"),
        (lambda d: relabel(d, {"background": 0, "a": 1}, channel_names=["MR"]), "channel_names aren't names by number"),
        (lambda d: relabel(d, {"background": 0}), "no label but the background"),
        (lambda d: (d / "labelsTr/hip_001.nii.gz").unlink(), "hip_001 has only an image"),
        (lambda d: (d / "imagesTr/hip_001_0001.nii.gz").rename(d / "imagesTr/hip_001_0007.gz"), "hip_001"),
    ],
)
def test_a_broken_nnunet_folder_is_one_line(here: Project, spoil: Any, words: str) -> None:
    spoil(task(Path("d"), channels=3))
    assert words in here.refusal(None, None, nnunet=Path("d"))


def test_a_data_set_of_pictures_goes_to_nnunet(here: Project) -> None:
    for index in range(4):
        image, mask = pair(index, SIZE, 3)
        save(Path("in/images", f"a{index}.png"), image)
        save(Path("in/masks", f"a{index}.png"), mask)
    here.add()
    here.arrays()
    said = nnunet.write("x", here.entry, Path("data/raw/x"), Path("out"))
    assert "numbered 0 to 1" in said[1]
    tree = json.loads(Path("out/dataset.json").read_text())
    assert tree["labels"] == {"background": 0, "foreground": 1}
    assert (tree["file_ending"], len(tree["channel_names"])) == (".png", 3)
    assert sha256(Path("out/imagesTr/a1_0000.png")) == sha256(Path("in/images/a1.png"))
    np.testing.assert_array_equal(np.asarray(Image.open("out/labelsTr/a1.png")), pair(1, SIZE, 3)[1] // 255)
    with pytest.raises(UserError, match="is there already"):
        nnunet.write("x", here.entry, Path("data/raw/x"), Path("out"))


def test_bids_derivatives_with_two_contrasts(here: Project) -> None:
    """sub-01/anat/sub-01_T1w.nii.gz and _FLAIR, derivatives/manual/sub-01/anat/sub-01_label-lesion_mask.nii.gz."""
    for index in range(1, 7):
        sub = f"sub-{index:02d}"
        image, mask = ball(index)
        volume(Path("bids", sub, "anat", f"{sub}_T1w.nii.gz"), image)
        volume(Path("bids", sub, "anat", f"{sub}_FLAIR.nii.gz"), image + 50)
        volume(Path("bids/derivatives/manual", sub, "anat", f"{sub}_label-lesion_mask.nii.gz"), mask)
    said = here.add("bids/sub-*/anat/*.nii.gz", "bids/derivatives/manual/sub-*/anat/*_mask.nii.gz")
    assert "6 pairs" in said
    assert "in the order sub-01_FLAIR.nii.gz, sub-01_T1w.nii.gz" in said
    assert here.entry.channels == 2
    for image, labels in here.arrays().values():
        np.testing.assert_array_equal(image[0], image[1] + 50)
        assert image[1][labels > 0].min() > 140


def test_bids_with_visits_has_a_group_for_each_subject(here: Project) -> None:
    for index in range(1, 7):
        for visit in ("ses-1", "ses-2"):
            sub = f"sub-{index:02d}"
            image, mask = ball(index + 10 * int(visit[-1]))
            volume(Path("bids", sub, visit, f"{sub}_{visit}_T1w.nii.gz"), image)
            volume(Path("bids/derivatives", sub, visit, f"{sub}_{visit}_mask.nii.gz"), mask)
    said = here.add("bids/sub-*/*/*.nii.gz", "bids/derivatives/*/*/*.nii.gz")
    assert "12 pairs" in said
    assert "groups: 6 (sub-01" in said
    assert here.entry.groups
