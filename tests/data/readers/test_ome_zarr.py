"""OME-Zarr as microscopes' programs write it: NGFF 0.4 and 0.5, images and volumes, the full resolution."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from multiresunet.data import readers
from multiresunet.errors import UserError
from tests.data.adding import Project, project
from tests.data.making import Array, disc, pair

RNG = np.random.default_rng(1)


def ome(path: Path, array: Array, axes: str, version: str = "0.5", *, step: float = 2.0, **more: Any) -> Path:
    """An image of two resolutions; steps are in micrometres."""
    group = zarr.open_group(str(path), mode="w", zarr_format=2 if version == "0.4" else 3)
    halved = array[..., ::2, ::2]
    for name, level in (("0", array), ("1", halved)):
        group.create_array(name, data=level, chunks=(1,) * (level.ndim - 2) + level.shape[-2:])
    kinds = {"c": "channel", "t": "time"}
    named = [{"name": axis, "type": kinds.get(axis, "space")} for axis in axes]
    named = [one if one["type"] != "space" else one | {"unit": "micrometer"} for one in named]
    scales = [[1.0 if axis in kinds else step * factor for axis in axes] for factor in (1, 2)]
    sets = [
        {"path": str(level), "coordinateTransformations": [{"type": "scale", "scale": scale}]}
        for level, scale in enumerate(scales)
    ]
    scaled = {"multiscales": [{"axes": named, "datasets": sets, **more}]}
    group.attrs.update(scaled if version == "0.4" else {"ome": {"version": version, **scaled}})
    return path


@pytest.mark.parametrize("version", ["0.4", "0.5"])
@pytest.mark.parametrize(
    ("axes", "shape"),
    [
        ("yx", (10, 12)),
        ("cyx", (3, 10, 12)),
        ("zyx", (5, 10, 12)),
        ("czyx", (2, 5, 10, 12)),
        ("tczyx", (1, 2, 1, 8, 8)),
    ],
)
def test_the_full_resolution_is_read(tmp_path: Path, version: str, axes: str, shape: tuple[int, ...]) -> None:
    array = RNG.integers(0, 60000, shape, dtype=np.uint16)
    read = readers.decode_image(ome(tmp_path / "a.ome.zarr", array, axes, version))
    want = array.reshape([side for axis, side in zip(axes, shape, strict=True) if axis != "t" and side > 1])
    np.testing.assert_array_equal(read.array, want if "c" in axes else want[None])
    assert read.container == "OME-Zarr"
    assert read.spacing == (0.002,) * (read.array.ndim - 1)


def test_a_scale_of_all_resolutions_counts_too(tmp_path: Path) -> None:
    every = [{"type": "scale", "scale": [3.0, 1.0, 0.5]}]
    path = ome(tmp_path / "a.zarr", np.zeros((5, 10, 12), np.uint8), "zyx", coordinateTransformations=every)
    assert readers.decode_image(path).spacing == pytest.approx((0.006, 0.002, 0.001))


def test_a_bare_array_is_an_image(tmp_path: Path) -> None:
    array = RNG.integers(0, 255, (10, 12), dtype=np.uint8)
    zarr.save_array(str(tmp_path / "a.zarr"), array)
    read = readers.decode_mask(tmp_path / "a.zarr")
    np.testing.assert_array_equal(read.array, array)
    assert read.spacing is None


def test_time_steps_are_refused(tmp_path: Path) -> None:
    path = ome(tmp_path / "a.zarr", np.zeros((4, 10, 12), np.uint8), "tyx")
    with pytest.raises(UserError, match=r"a\.zarr: holds 4 time steps; save one"):
        readers.decode_image(path)


def test_a_claim_of_terabytes_is_refused_at_once(tmp_path: Path) -> None:
    zarr.create_array(str(tmp_path / "a.zarr"), shape=(10**5, 10**5, 10**3), chunks=(64, 64, 64), dtype="u1")
    with pytest.raises(UserError, match=r"claims 9313\.2 GiB"):
        readers.decode_image(tmp_path / "a.zarr")


def test_a_pickle_is_never_opened(tmp_path: Path) -> None:
    zarr.create_array(str(tmp_path / "a.zarr"), shape=(4, 4), dtype="u1", zarr_format=2)
    text = (tmp_path / "a.zarr/.zarray").read_text()
    (tmp_path / "a.zarr/.zarray").write_text(text.replace('"filters": null', '"filters": [{"id": "pickle"}]'))
    assert "pickle" in (tmp_path / "a.zarr/.zarray").read_text()
    with pytest.raises(UserError, match=r"no OME-Zarr that can be read .*pickle"):
        readers.decode_image(tmp_path / "a.zarr")


def test_folders_are_samples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    here: Project = project(tmp_path, monkeypatch, capsys)
    for index, name in enumerate("abcd"):
        image, mask = pair(index, (32, 48))
        ome(Path("in/images", f"{name}.ome.zarr"), image, "cyx")
        ome(Path("in/masks", f"{name}.ome.zarr"), mask, "yx")
    said = here.add("in/images/*.zarr", "in/masks/*.zarr")
    assert "4 pairs" in said
    assert "spacing: 0.002×0.002 mm (median of 4 samples)" in said
    for index, (image, labels) in enumerate(here.arrays().values()):
        np.testing.assert_array_equal(image, pair(index, (32, 48))[0])
        np.testing.assert_array_equal(labels * 255, pair(index, (32, 48))[1])
    pinned = next(Path("data/incoming/x/images").rglob("c/**/*"))
    assert pinned.exists()


def test_a_volume_s_mask_in_zarr(tmp_path: Path) -> None:
    ball = disc((5, 10, 12), radius=3).astype(np.uint8)
    read = readers.decode_mask(ome(tmp_path / "m.zarr", ball, "zyx"))
    np.testing.assert_array_equal(read.array, ball)
