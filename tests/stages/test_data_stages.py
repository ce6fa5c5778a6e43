"""fetch, validate and preprocess on a user's folder: the way through, and one line where there is none."""

from __future__ import annotations

import copy
import errno
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tifffile
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from multiresunet.data.dataset import PreparedDataset
from multiresunet.data.description import DataDescription
from multiresunet.data.sources import folder
from multiresunet.errors import UserError
from stages import fetch, preprocess, running, validate
from tests.data.making import declared, folder_of, pair, save, truncate

ROOT = Path(__file__).parents[2]
MIRROR = ROOT.parent / "shared" / "mirror"
REAL = ["murphy", "isbi2012", "cvc_clinicdb", "msd_hippocampus"]
NAMES = [f"s{index:02d}" for index in range(9)]


class Workspace:
    """A checkout's params.yaml and expectations/, and one data set, `mine`, a folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.mine = folder_of(root / "data" / "incoming" / "mine", NAMES)
        shutil.copytree(ROOT / "expectations", root / "expectations")
        self.tree = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
        self.tree["datasets"]["mine"] = declared().model_dump() | {"size": [32, 48]}
        self.tree["run"] |= {"datasets": ["mine"], "tuned": {"datasets": [], "models": []}}
        self.pin()

    def pin(self) -> None:
        """Write params.yaml with the folder's digest as it is now."""
        digest = folder.digest(folder.scan(self.mine))
        self.tree["datasets"]["mine"]["source"] = {"kind": "folder", "path": "mine", "digest": digest}
        (self.root / "params.yaml").write_text(yaml.safe_dump(self.tree, sort_keys=False), encoding="utf-8")

    def outputs(self) -> dict[str, bytes]:
        """Everything that the stages have written."""
        places = [self.root / "data" / name for name in ("raw", "validated", "prepared")]
        files = (path for place in places for path in sorted(place.rglob("*")) if path.is_file())
        return {str(path.relative_to(self.root)): path.read_bytes() for path in files}


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MULTIRESUNET_DATA", raising=False)
    return Workspace(tmp_path)


@pytest.fixture
def fails(monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Run a stage as its command line does, and return the one line it ends with."""

    def act(stage: Callable[..., None], *words: str) -> str:
        monkeypatch.setattr(sys, "argv", ["stage", *words])
        with pytest.raises(SystemExit) as caught:
            running.run(stage)
        assert isinstance(caught.value.code, str)  # what Python prints, with exit status 1
        assert caught.value.code.startswith("error: ")
        assert len(caught.value.code.splitlines()) == 1
        return caught.value.code

    return act


@pytest.fixture
def succeeds(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Run a stage as its command line does, and see that its status is 0."""

    def act(stage: Callable[..., None], *words: str) -> None:
        monkeypatch.setattr(sys, "argv", ["stage", *words])
        with pytest.raises(SystemExit) as caught:
            running.run(stage)
        assert caught.value.code == 0

    return act


def through(name: str) -> None:
    fetch.fetch(name)
    validate.validate(name)
    preprocess.preprocess(name)


def test_the_way_through(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    through("mine")
    said = capsys.readouterr().out
    assert "mine: 9 samples from folder" in said
    assert "mine: 9 samples pass" in said
    assert "mine: 9 samples at 32×48, 3 folds by image" in said
    assert set(workspace.outputs()) == {
        *(f"data/raw/mine/{role}/{name}.png" for role in ("images", "masks") for name in NAMES),
        *(f"data/raw/mine/{name}" for name in ("manifest.csv", "source.json")),
        *(f"data/validated/mine/{name}" for name in ("facts.csv", "notes.json", "validation.json")),
        *(
            f"data/prepared/mine/{name}"
            for name in ("dataset.json", "folds.csv", "images.npy", "masks.npy", "samples.csv")
        ),
    }
    data = PreparedDataset.open(Path("data/prepared/mine"))
    assert data.images.shape == (9, 1, 32, 48)
    assert data.masks.shape == (9, 32, 48)
    assert data.table["sample"].tolist() == NAMES
    assert np.bincount(data.folds).tolist() == [3, 3, 3]
    described = DataDescription.open(Path("data/prepared/mine"))
    assert (described.name, described.size, described.images, described.types) == ("mine", (32, 48), 9, ("uint8",))
    facts = pd.read_csv("data/validated/mine/facts.csv")
    assert described.intensity["mean"] == (facts["mean"].min(), facts["mean"].max())
    sides = [tuple(map(int, shape.split("×"))) for shape in facts["image_shape"]]
    assert described.sides == tuple((min(side), max(side)) for side in zip(*sides, strict=True))
    assert described.scale == (np.median([side[0] for side in sides]) / 32, np.median([s[1] for s in sides]) / 48)
    shares = pd.read_csv("data/validated/mine/facts.csv")["foreground_share"]
    np.testing.assert_allclose(data.masks.mean(axis=(1, 2)), shares, rtol=0.05)


def test_the_same_bytes_again_without_any_state(workspace: Workspace) -> None:
    through("mine")
    before = workspace.outputs()
    for place in ("data/raw", "data/validated", "data/prepared", ".state"):
        shutil.rmtree(workspace.root / place)
    for path in workspace.mine.rglob("*.png"):
        path.touch()
    through("mine")
    assert workspace.outputs() == before


def test_groups_stay_whole_where_the_data_set_says_so(workspace: Workspace) -> None:
    lines = [f"images/{name}.png,masks/{name}.png,video{index // 2}" for index, name in enumerate(NAMES)]
    (workspace.mine / "manifest.csv").write_text("\n".join(["image,mask,group", *lines]) + "\n")
    workspace.tree["datasets"]["mine"]["groups"] = True
    workspace.pin()
    through("mine")
    table = PreparedDataset.open(Path("data/prepared/mine")).table
    assert table["group"].nunique() == 5
    assert table.groupby("group")["fold"].nunique().max() == 1


def test_volumes_go_through(workspace: Workspace) -> None:
    shutil.rmtree(workspace.mine)
    for index in range(4):
        volume = np.random.default_rng(index).normal(0, 10.0**index, (2, 12, 14, 10)).astype(np.float32)
        save(workspace.mine / "images" / f"v{index}.nii.gz", volume)
        save(workspace.mine / "masks" / f"v{index}.nii.gz", (volume[0] > 0).astype(np.uint8) * 4)
    workspace.tree["datasets"]["mine"] |= {
        "size": [16, 16, 16],
        "channels": 2,
        "fit": "pad",
        "normalisation": "zscore",
        "mask": {"values": [0, 1, 4], "foreground": [1, 4]},
    }
    workspace.pin()
    through("mine")
    assert PreparedDataset.open(Path("data/prepared/mine")).images.shape == (4, 2, 16, 16, 16)


SPOILS: dict[str, tuple[Callable[[Path], Any], str]] = {
    "deleted mask": (lambda d: (d / "masks" / "s03.png").unlink(), "images/s03.png has no partner"),
    "truncated image": (lambda d: truncate(d / "images" / "s03.png"), "changed: images/s03.png"),
    "mask of another size": (lambda d: save(d / "masks" / "s03.png", pair(3, (40, 40))[1]), "changed: masks/s03.png"),
    "folder gone": (shutil.rmtree, "data/incoming/mine: this folder is missing"),
}


@pytest.mark.parametrize("spoil", SPOILS)
def test_fetch_names_what_was_spoilt_and_leaves_earlier_outputs(
    workspace: Workspace, fails: Callable[..., str], spoil: str
) -> None:
    through("mine")
    before = workspace.outputs()
    act, words = SPOILS[spoil]
    act(workspace.mine)
    line = fails(fetch.main, "mine")
    assert "data/incoming/mine" in line
    assert words in line
    assert workspace.outputs() == before
    if spoil != "folder gone":
        assert fails(fetch.main, "--check") == line


@pytest.mark.parametrize(
    ("spoil", "words"),
    [("truncated image", "images/s03.png: damaged"), ("mask of another size", "image and mask differ in size")],
)
def test_validate_names_what_was_pinned_although_it_is_spoilt(
    workspace: Workspace, fails: Callable[..., str], spoil: str, words: str
) -> None:
    through("mine")
    before = workspace.outputs()
    SPOILS[spoil][0](workspace.mine)
    workspace.pin()
    fetch.fetch("mine")
    line = fails(validate.validate, "mine")
    assert line.startswith("error: mine: ")
    assert words in line
    assert "s03" in line
    after = workspace.outputs()
    assert {k: v for k, v in after.items() if "prepared" in k} == {k: v for k, v in before.items() if "prepared" in k}
    facts = pd.read_csv("data/validated/mine/facts.csv", keep_default_na=False)  # written all the same, to look into
    assert "s03" in facts["sample"].tolist()


def test_a_mask_that_vanishes_from_the_raw_data_is_named_by_validate(
    workspace: Workspace, fails: Callable[..., str]
) -> None:
    fetch.fetch("mine")
    Path("data/raw/mine/masks/s03.png").unlink()
    assert "data/raw/mine/masks/s03.png: this file is missing" in fails(validate.validate, "mine")


def test_too_few_samples_for_the_folds(workspace: Workspace, fails: Callable[..., str]) -> None:
    workspace.tree["recipes"]["quick"]["folds"]["count"] = 10
    workspace.pin()
    fetch.fetch("mine")
    validate.validate("mine")
    assert "10 folds need at least 10 images, there are 9" in fails(preprocess.preprocess, "mine")
    assert not Path("data/prepared/mine").exists()


@pytest.mark.parametrize("stage", [fetch.main, validate.validate, preprocess.preprocess])
def test_an_unknown_data_set_is_one_line(
    workspace: Workspace, fails: Callable[..., str], stage: Callable[..., None]
) -> None:
    assert "'murfy' is unknown (did you mean murphy?); params.yaml has nuclei, " in fails(stage, "murfy")


@pytest.mark.parametrize("stage", [validate.validate, preprocess.preprocess])
def test_a_stage_before_its_input_is_one_line(
    workspace: Workspace, fails: Callable[..., str], stage: Callable[..., None]
) -> None:
    assert fails(stage, "mine") == "error: data/raw/mine is missing; run `dvc repro fetch@mine` first"


def test_preprocess_before_validate_is_one_line(workspace: Workspace, fails: Callable[..., str]) -> None:
    fetch.fetch("mine")
    line = fails(preprocess.preprocess, "mine")
    assert line == "error: data/validated/mine/facts.csv is missing; run `dvc repro validate@mine` first"


def test_a_command_line_ends_with_status_1_and_one_line(workspace: Workspace) -> None:
    (workspace.mine / "masks" / "s03.png").unlink()
    command = [sys.executable, "-m", "stages.fetch", "mine"]
    done = subprocess.run(
        command, capture_output=True, text=True, env={"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"}
    )
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "error: data/incoming/mine: images/s03.png has no partner of the same name in masks/; "
        "add it or take the image out"
    ]
    assert not Path("data/raw/mine").exists()


# fetch --check and --digest


def test_check_is_silent_where_nothing_changed_or_nothing_is_at_hand(
    workspace: Workspace, succeeds: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    succeeds(fetch.main, "--check")
    shutil.rmtree(workspace.mine)
    succeeds(fetch.main, "--check")
    assert capsys.readouterr().out == ""


def test_check_looks_at_this_run_s_data_sets_only(workspace: Workspace, succeeds: Callable[..., None]) -> None:
    workspace.tree["datasets"]["other"] = copy.deepcopy(workspace.tree["datasets"]["mine"])
    workspace.pin()
    folder_of(workspace.root / "data" / "incoming" / "other", ["a"])
    succeeds(fetch.main, "--check")


def test_digest_prints_what_is_to_be_pinned(
    workspace: Workspace, succeeds: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    succeeds(fetch.main, "--digest", "mine")
    assert capsys.readouterr().out.strip() == workspace.tree["datasets"]["mine"]["source"]["digest"]


@pytest.mark.parametrize("words", [(), ("mine", "--check"), ("--check", "--digest", "a")])
def test_other_command_lines_get_the_usage(fails: Callable[..., str], words: tuple[str, ...]) -> None:
    assert "usage: python -m stages.fetch DATASET | --check | --digest FOLDER" in fails(fetch.main, *words)


# What all stages share


def test_a_full_disk_and_a_forbidden_file_are_one_line(fails: Callable[..., str]) -> None:
    def raising(error: Exception) -> Callable[[], None]:
        def stage() -> None:
            raise error

        return stage

    full = OSError(errno.ENOSPC, "No space left on device", "data/raw/x")
    assert "disk is full while writing data/raw/x; make room" in fails(raising(full))
    assert "a.csv: no permission" in fails(raising(PermissionError(errno.EACCES, "Permission denied", "a.csv")))
    for error in (OSError(errno.EIO, "broken"), ValueError("a mistake in the code")):
        with pytest.raises(type(error)):
            fails(raising(error))


def test_keep_only_removes_what_earlier_runs_left(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / name / "deep").mkdir(parents=True)
    (tmp_path / "stray.txt").write_text("x")
    running.keep_only(tmp_path, ["a", "c", "not there"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "c"]


def test_the_page_shows_what_is_wrong_though_validation_fails(workspace: Workspace, fails: Callable[..., str]) -> None:
    save(workspace.mine / "masks" / "s03.png", np.zeros((40, 48), np.uint8))
    truncate(workspace.mine / "images" / "s05.png")
    workspace.pin()
    fetch.fetch("mine")
    fails(validate.validate, "mine")
    page = Path("reports/data/mine.html").read_text(encoding="utf-8")
    assert "2 things have" in page
    for words in ("Masks with nothing marked", "draw it, or take the sample out", "s03", "s05", "can&#39;t be shown"):
        assert words in page or words.replace("&#39;", "'") in page, words
    assert page.count("data:image/png;base64,") >= 1
    assert "http" not in page
    assert "s07" not in page.split("Worth a look")[0]


def test_the_fold_table_says_how_the_folds_leak(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    for index, name in enumerate(NAMES):  # threes of one scene
        image, mask = pair(index // 3)
        image[0, 0, index] ^= 1
        save(workspace.mine / "images" / f"{name}.png", image)
        save(workspace.mine / "masks" / f"{name}.png", mask)
    lines = [f"images/{name}.png,masks/{name}.png,scene{index // 3}" for index, name in enumerate(NAMES)]
    (workspace.mine / "manifest.csv").write_text("\n".join(["image,mask,group", *lines]) + "\n")
    workspace.tree["datasets"]["mine"]["groups"] = True
    workspace.pin()
    through("mine")
    table = pd.read_csv("data/prepared/mine/folds.csv")
    assert table["images"].tolist() == [3, 3, 3]
    assert table["groups"].tolist() == [1, 1, 1]
    assert (table["leak"] == 0).all()
    assert table["leak_of_random_folds"].mean() > 0.5
    assert "0% of test images have a near-duplicate in training; in random folds" in capsys.readouterr().out
    assert "leak of random folds" in Path("reports/data/mine.html").read_text(encoding="utf-8")


def test_warnings_say_what_where_and_how_to_fix(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    save(workspace.mine / "images" / "s07.png", pair(7)[0] // 12)
    workspace.tree["datasets"]["mine"]["size"] = [16, 16]
    workspace.pin()
    through("mine")
    said = capsys.readouterr().out
    assert "warning: mine: Unusually bright or dark (s07): brightness is unlike the others'; see whether" in said
    page = Path("reports/data/mine.html").read_text(encoding="utf-8")
    assert "usual spread" not in page
    assert re.search(r"brightness \d+\S*, usually about \d+", page)
    assert "What the networks see" in page
    assert "At 16×16 masks keep" in page


def test_a_clean_data_set_shows_its_pictures(workspace: Workspace) -> None:
    fetch.fetch("mine")
    validate.validate("mine")
    page = Path("reports/data/mine.html").read_text(encoding="utf-8")
    examples = page.split("<h2>Examples</h2>")[1]
    assert examples.count("data:image/png;base64,") >= 5
    assert "<b>s00</b>" in examples


FILES = st.sampled_from(["png", "bmp", "tif", "tif16", "jpg", "nii.gz", "rgb.png", "empty", "junk", "stack.tif", "gif"])


def scribble(path: Path, kind: str, seed: int, size: tuple[int, int], mask: bool) -> None:
    """Write a file of some kind, sound or not; masks hold 0 and 255 unless the kind says otherwise."""
    rng = np.random.default_rng(seed)
    array = rng.integers(0, 256, size, dtype=np.uint8)
    array = np.where(array > 128, 255, 0).astype(np.uint8) if mask else array
    path = path.with_name(f"{path.name}.{'tif' if kind == 'tif16' else 'png' if kind in ('empty', 'junk') else kind}")
    path.parent.mkdir(parents=True, exist_ok=True)
    match kind:
        case "empty" | "junk":
            path.write_bytes(b"" if kind == "empty" else bytes(rng.integers(0, 256, 99, dtype=np.uint8)))
        case "tif16":
            tifffile.imwrite(path, array.astype(np.uint16) * 257)
        case "stack.tif":
            tifffile.imwrite(path, np.stack([array] * 5))
        case "nii.gz":
            save(path, np.stack([array] * 6))
        case "rgb.png":
            save(path, np.stack([array] * 3))
        case _:
            Image.fromarray(array).save(path)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    kinds=st.lists(st.tuples(FILES, FILES), min_size=1, max_size=3),
    uniform=st.booleans(),
    size=st.sampled_from([(20, 30), (1, 1), (33, 16)]),
    entry=st.fixed_dictionaries(
        {
            "size": st.sampled_from([[16, 16], [32, 48], [16, 16, 16]]),
            "channels": st.sampled_from([1, 1, 3]),
            "fit": st.sampled_from(["resize", "pad"]),
            "normalisation": st.sampled_from(["rescale", "zscore"]),
            "mask": st.sampled_from([{"values": [0, 255], "foreground": [255]}, {"above": 127}, {"above": 0}]),
            "groups": st.booleans(),
        }
    ),
)
def test_whatever_comes_there_is_a_result_or_one_line(
    workspace: Workspace,
    kinds: list[tuple[str, str]],
    uniform: bool,
    size: tuple[int, int],
    entry: dict[str, Any],
) -> None:
    for place in (workspace.mine, workspace.root / "data" / "prepared"):
        shutil.rmtree(place, ignore_errors=True)
    for index in range(4):
        image, mask = kinds[0] if uniform else kinds[index % len(kinds)]
        scribble(workspace.mine / "images" / f"s{index}", image, index, size, False)
        scribble(workspace.mine / "masks" / f"s{index}", mask, index + 9, size, True)
    workspace.tree["datasets"]["mine"] |= entry
    workspace.tree["recipes"]["quick"]["longest_side"] = None
    try:
        workspace.pin()
        through("mine")
    except UserError as error:
        assert len(str(error).splitlines()) == 1
        assert not (workspace.root / "data" / "prepared" / "mine").exists()
    else:
        data = PreparedDataset.open(Path("data/prepared/mine"))
        assert np.isfinite(data.images).all()
        assert data.masks.max() <= 1
        assert data.images.shape == (4, entry["channels"], *entry["size"])


# The real data


@pytest.fixture
def public(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """A checkout's params.yaml and catalogs, with a mirror of the public data sets in the place of the internet."""
    if not MIRROR.is_dir():
        pytest.skip("no mirror of the public data sets is at hand")
    monkeypatch.setenv("MULTIRESUNET_MIRROR", str(MIRROR))
    shutil.copytree(ROOT / "catalog", workspace.root / "catalog")
    shutil.copy(ROOT / "params.yaml", workspace.root / "params.yaml")
    return workspace


@pytest.mark.slow
def test_random_folds_of_cvc_leak_and_grouped_ones_hardly(public: Workspace) -> None:
    through("cvc_clinicdb")
    table = pd.read_csv("data/prepared/cvc_clinicdb/folds.csv")
    assert table["groups"].sum() == 29
    assert table["leak_of_random_folds"].mean() > 0.3
    assert table["leak"].mean() < table["leak_of_random_folds"].mean() / 2


@pytest.mark.slow
@pytest.mark.parametrize("name", REAL)
def test_real_data_goes_through(public: Workspace, name: str) -> None:
    through(name)
    data = PreparedDataset.open(Path("data/prepared") / name)
    facts = pd.read_csv(f"data/validated/{name}/facts.csv", keep_default_na=False)
    assert len(facts) == len(data.table) == len(data.images) == len(data.masks)
    entry = public.tree["datasets"][name]
    assert data.channels == entry["channels"]
    assert data.masks.any(axis=tuple(range(1, data.masks.ndim))).all()  # no foreground was lost in resizing
    shares = facts["foreground_share"].to_numpy(dtype=float)
    if entry["fit"] == "resize":
        assert data.masks.mean() == pytest.approx(shares.mean(), rel=0.03)
    if entry["groups"]:
        assert data.table.groupby("group")["fold"].nunique().max() == 1
    folds = np.bincount(data.folds)
    assert len(folds) == public.tree["recipes"][public.tree["run"]["recipe"]]["folds"]["count"]
    if entry["normalisation"] == "rescale":
        assert data.images.dtype == np.uint8
    else:
        assert np.isfinite(data.images).all()
