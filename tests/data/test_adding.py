"""What `data add` does with pages, and what it shows and says where a person has to look."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from multiresunet.data import adding, manifest, readers
from multiresunet.errors import UserError
from tests.data.adding import Project, project
from tests.data.making import Array, disc, pair, save

SIZE = (40, 48)
SHEET = Path("reports/data/x-contact-sheet.png")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Project:
    return project(tmp_path, monkeypatch, capsys)


def tinted(path: Path) -> float:
    """The share of a contact sheet's pictures that is tinted."""
    pixels = np.asarray(Image.open(path)).astype(int)
    pixels = pixels[(pixels < 255).any(axis=-1)]
    return float((pixels[:, 2] - pixels[:, 0] > 20).mean())


def colours_of(path: Path) -> set[tuple[int, ...]]:
    return {tuple(pixel) for pixel in np.asarray(Image.open(path).convert("RGB")).reshape(-1, 3).tolist()}


def test_a_folder_stands_for_all_files_below_it(tmp_path: Path) -> None:
    place = tmp_path / "scans [2020]"
    for name in ("a.png", "p1/b.png", ".DS_Store"):
        save(place / "x.png", pair(0, SIZE)[0])
        (place / name).parent.mkdir(exist_ok=True)
        (place / "x.png").rename(place / name)
    files, litter = adding.files_of_pattern(f"{place}/")
    assert [path.relative_to(place).as_posix() for path in files] == ["a.png", "p1/b.png"]
    assert litter == [place / ".DS_Store"]


def test_folders_pair_as_patterns_do(here: Project) -> None:
    for index in range(4):
        image, mask = pair(index, SIZE)
        save(Path(f"in/images/p{index // 2}/{index}.png"), image)
        save(Path(f"in/masks/p{index // 2}/{index}.png"), mask)
    with adding.found(adding.Given(images="in/images", masks="in/masks"), None) as by_folder:
        pass
    with adding.found(adding.Given(images="in/images/*/*", masks="in/masks/*/*"), None) as by_pattern:
        pass
    assert by_folder == by_pattern
    assert len(by_folder.paired) == 4


def stacks() -> dict[str, tuple[Array, Array]]:
    """Two TIFF stacks of three pages, with masks of three pages."""
    truth = {}
    for stack in range(2):
        pages = [pair(10 * stack + page, SIZE) for page in range(3)]
        images, masks = (np.stack([one[role].reshape(SIZE) for one in pages]) for role in (0, 1))
        for role, array in (("images", images), ("masks", masks)):
            Path("in", role).mkdir(parents=True, exist_ok=True)
            tifffile.imwrite(f"in/{role}/s{stack}.tif", array, photometric="minisblack")
        truth |= {f"s{stack}_{page:04d}": one for page, one in enumerate(pages)}
    return truth


def test_pages_can_be_samples_and_a_stack_is_their_group(here: Project) -> None:
    truth = stacks()
    here.add(pages="samples")
    arrays = here.arrays()
    assert sorted(arrays) == sorted(truth)
    for name, (image, labels) in arrays.items():
        np.testing.assert_array_equal(image, truth[name][0])
        np.testing.assert_array_equal(labels * 255, truth[name][1])
    lines = Path("data/raw/x/manifest.csv").read_text().splitlines()
    assert [line.split(",")[3] for line in lines[1:]] == ["s0"] * 3 + ["s1"] * 3


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_a_page_that_becomes_a_sample_keeps_all_its_channels(tmp_path: Path, channels: int, kind: type) -> None:
    pages = np.random.default_rng(channels).integers(0, 255, (4, channels, 8, 9)).astype(kind)
    for role, array, axes in (("images", pages, "ZCYX"), ("masks", np.zeros((4, 8, 9), np.uint8), "ZYX")):
        (tmp_path / role).mkdir()
        tifffile.imwrite(tmp_path / role / "a.tif", array, imagej=True, metadata={"axes": axes})
    manifest.write(tmp_path, [manifest.Sample("a", "images/a.tif", "masks/a.tif")])
    adding.part_pages(tmp_path)
    for page, sample in zip(pages, manifest.read(tmp_path), strict=True):
        read = readers.decode_image(tmp_path / sample.image)
        np.testing.assert_array_equal(read.array, page)
        assert read.notes == ()


def test_the_same_pages_become_the_same_bytes(tmp_path: Path) -> None:
    pages, made = np.random.default_rng(0).integers(0, 255, (2, 4, 8, 9)).astype(np.uint8), []
    for place in (tmp_path / "first", tmp_path / "second"):
        for role, array, axes in (("images", pages, "ZCYX"), ("masks", np.zeros((2, 8, 9), np.uint8), "ZYX")):
            (place / role).mkdir(parents=True)
            tifffile.imwrite(place / role / "a.tif", array, imagej=True, metadata={"axes": axes})
        manifest.write(place, [manifest.Sample("a", "images/a.tif", "masks/a.tif")])
        adding.part_pages(place)
        made.append([(place / sample.image).read_bytes() for sample in manifest.read(place)])
    assert made[0] == made[1]


def collide(name: str) -> dict[str, bytes]:
    """Stacks of three pages: s0, and one that has the name of a page, or nearly."""
    stacks()
    for role in ("images", "masks"):
        Path(f"in/{role}/s1.tif").rename(f"in/{role}/{name}.tif")
    return {str(path): path.read_bytes() for path in sorted(Path("in").rglob("*.tif"))}


@pytest.mark.parametrize("name", ["s0_0000", "s0_0002", "S0_0001"])
def test_a_page_and_a_file_of_one_name_are_refused_and_the_file_stays(here: Project, name: str) -> None:
    before = collide(name)
    line = here.refusal(pages="samples")
    assert line == (
        f"in/images/s0.tif: its page {int(name[-4:]) + 1} would be the sample {name.lower()}, and "
        f"in/images/{name}.tif has that name; rename one of the two"
    )
    assert {path: Path(path).read_bytes() for path in before} == before


@pytest.mark.parametrize("name", ["s0_0003", "s0_1", "s0_00001"])
def test_names_that_no_page_gets_are_no_hindrance(here: Project, name: str) -> None:
    before = collide(name)
    here.add(pages="samples")
    assert sorted(here.arrays()) == sorted(f"{stack}_{page:04d}" for stack in ("s0", name) for page in range(3))
    assert {path: Path(path).read_bytes() for path in before} == before


def test_a_page_is_never_written_into_a_file_that_is_there(tmp_path: Path) -> None:
    for role in ("images", "masks"):
        (tmp_path / role).mkdir()
        tifffile.imwrite(tmp_path / role / "a.tif", np.zeros((3, 8, 9), np.uint8), photometric="minisblack")
    original = tmp_path / "original.tif"
    original.write_bytes(b"the user's")
    (tmp_path / "images/a_0001.tif").hardlink_to(original)
    manifest.write(tmp_path, [manifest.Sample("a", "images/a.tif", "masks/a.tif")])
    with pytest.raises(FileExistsError):
        adding.part_pages(tmp_path)
    assert original.read_bytes() == b"the user's"


def test_pages_can_be_slices(here: Project) -> None:
    truth = stacks()
    here.add(pages="z")
    for name, (image, labels) in here.arrays().items():
        np.testing.assert_array_equal(image[0], np.stack([truth[f"{name}_{page:04d}"][0][0] for page in range(3)]))
        assert labels.shape == (3, *SIZE)


def test_pages_that_are_no_pairs_are_named(here: Project) -> None:
    stacks()
    tifffile.imwrite("in/masks/s1.tif", np.zeros((2, *SIZE), np.uint8), photometric="minisblack")
    line = here.refusal(pages="samples")
    assert "in/images/s1.tif: image and mask have 3 and 2 pages" in line


def of_masks(masks: list[Any]) -> None:
    for index, mask in enumerate(masks):
        save(Path("in/images", f"k{index}.png"), pair(index, SIZE)[0])
        Path("in/masks").mkdir(exist_ok=True)
        Image.fromarray(mask).save(f"in/masks/k{index}.png")


def test_two_readings_are_shown_with_shares_and_pictures(here: Project) -> None:
    of_masks([np.where(pair(index, SIZE)[1] > 0, 1, 2).astype(np.uint8) for index in range(4)])
    line = here.refusal()
    assert "the masks can be read in 2 ways" in line
    assert "reports/data/x-contact-sheet-1.png, reports/data/x-contact-sheet-2.png show each" in line
    first, second = (tinted(SHEET.with_stem(f"{SHEET.stem}-{number}")) for number in (1, 2))
    assert first > 2 * second  # 2, around the object, is foreground in the first, 1 in the second
    said = here.add(write=False)
    assert "values 1 (" in said
    assert '--mask \'{"values": [1, 2], "foreground": [1]}\'' in said
    assert str(SHEET.with_stem(f"{SHEET.stem}-2")) in said
    here.add(mask="{values: [1, 2], foreground: [1]}")
    for index, (_, labels) in enumerate(here.arrays().values()):
        np.testing.assert_array_equal(labels * 255, pair(index, SIZE)[1])


def test_colours_are_shown_as_they_are(here: Project) -> None:
    red, green = np.array([200, 0, 0]), np.array([0, 250, 90])
    discs = [pair(index, SIZE)[1] > 0 for index in range(4)]
    of_masks([np.where(one[..., None], red, green).astype(np.uint8) for one in discs])
    line = here.refusal()
    assert f"#00fa5a {1 - np.mean(discs[0]):.1%}, #c80000 {np.mean(discs[0]):.1%}" in line
    assert f"{SHEET} shows the masks as they are" in line
    drawn = np.asarray(Image.open(SHEET))
    assert (drawn[..., 0].astype(int) - drawn[..., 1] > 100).any()
    assert (drawn[..., 1].astype(int) - drawn[..., 0] > 100).any()


def test_photographs_as_masks_are_one_line_that_says_so(here: Project) -> None:
    for index in range(3):
        photograph, mask = pair(index, SIZE, channels=3)
        save(Path(f"in/images/{index}.png"), photograph)
        save(Path(f"in/masks/{index}.png"), mask)
    line = here.refusal("in/masks/*", "in/images/*")
    assert line.startswith("in/images/0.png: ")
    assert "(as 1.png, 2.png)" in line
    assert "no mask; see whether images and masks are swapped" in line
    assert "--colours" not in line


def test_a_palette_means_the_same_in_masks_without_its_colours(here: Project) -> None:
    palette = [0, 0, 0, 255, 255, 255, 255, 0, 0]  # black, white, red
    labels = [disc(SIZE, radius=9 + index).astype(np.uint8) for index in range(4)]
    for index, one in enumerate(labels):
        one[:3, : 8 * (index % 2)] = one[-3:, : 8 * (index % 2)] = 2  # half of the masks have no red
        save(Path(f"in/images/{index}.png"), pair(index, SIZE)[0])
        mask = Image.frombytes("P", SIZE[::-1], one.tobytes())
        mask.putpalette(palette)
        Path("in/masks").mkdir(exist_ok=True)
        mask.save(f"in/masks/{index}.png")
    line = here.refusal()
    assert line.startswith("the files found: the palettes of 2 (0, 2) masks show greys alone, and those of 2 (1, 3) c")
    assert "--colours '#000000=0 #ffffff=1 #ff0000=2'" in line
    here.add(colours="#000000=0 #ffffff=1 #ff0000=2")
    for one, (_, read) in zip(labels, here.arrays().values(), strict=True):
        np.testing.assert_array_equal(read, one)


def test_an_empty_mask_may_have_the_palette_of_the_others(here: Project) -> None:
    labels = [disc(SIZE, radius=radius).astype(np.uint8) for radius in (9, 8, 0)]
    for index, one in enumerate(labels):
        save(Path(f"in/images/{index}.png"), pair(index, SIZE)[0])
        mask = Image.frombytes("P", SIZE[::-1], one.tobytes())
        mask.putpalette([0, 0, 0, 255, 0, 0])
        Path("in/masks").mkdir(exist_ok=True)
        mask.save(f"in/masks/{index}.png")
    here.add()
    for one, (_, read) in zip(labels, here.arrays().values(), strict=True):
        np.testing.assert_array_equal(read, one)


def test_alpha_is_shown_beside_its_colours(here: Project) -> None:
    clear = [disc(SIZE, radius=9 + index).astype(np.uint8) * 255 for index in range(4)]
    grey = np.zeros((*SIZE, 3), np.uint8)
    of_masks([np.dstack([grey, alpha]) for alpha in clear])
    line = here.refusal()
    assert "alpha channel isn't opaque" in line
    assert f"{SHEET} shows the masks as they are" in line
    assert {(0, 0, 0), (255, 255, 255)} <= colours_of(SHEET)
    here.add(alpha="mask")
    for alpha, (_, labels) in zip(clear, here.arrays().values(), strict=True):
        np.testing.assert_array_equal(labels * 255, alpha)


@pytest.mark.parametrize(("inverted", "warned"), [(True, True), (False, False)])
def test_a_mask_that_looks_inverted_warns(here: Project, inverted: bool, warned: bool) -> None:
    of_masks([np.where((pair(index, SIZE)[1] > 0) != inverted, 255, 0).astype(np.uint8) for index in range(4)])
    said = here.add()
    assert ("the wrong way round" in said) is warned
    assert (tinted(SHEET) > 0.5) is warned


def test_a_mask_where_white_is_0_comes_as_stored(here: Project) -> None:
    for index in range(4):
        image, mask = pair(index, SIZE)
        save(Path("in/images", f"k{index}.png"), image)
        Path("in/masks").mkdir(exist_ok=True)
        tifffile.imwrite(f"in/masks/k{index}.tif", mask, photometric="miniswhite")
    assert "white is 0 in this file; values taken as stored (4 samples)" in here.add()
    for index, (_, labels) in enumerate(here.arrays().values()):
        np.testing.assert_array_equal(labels * 255, pair(index, SIZE)[1])


def test_what_pages_are_is_one_of_three_words(here: Project) -> None:
    stacks()
    with pytest.raises(UserError, match="--pages frames: say channels, z or samples"):
        here.add(pages="frames")


def test_a_pattern_finds_groups_in_the_names_that_pairs_lists(here: Project) -> None:
    lines = ["image,mask"]
    for index in range(4):
        name = f"p{index // 2}_{index}"
        image, mask = pair(index, SIZE)
        lines.append(f"{save(Path(f'in/images/{name}.png'), image)},{save(Path(f'in/masks/{index}.png'), mask)}")
    Path("pairs.csv").write_text("\n".join(lines) + "\n")
    assert "groups: 2 (p0, p1)" in here.add(None, None, pairs=Path("pairs.csv"), group_pattern="^p[0-9]")
    assert here.entry.groups
