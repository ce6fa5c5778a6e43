"""The phantoms: the same on every call, well-formed, and hard in the way that each docstring says."""

from __future__ import annotations

import hashlib
from functools import cache
from itertools import islice

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from skimage.filters import threshold_otsu

from multiresunet.data.sources.phantom import LABELS, Phantom, draw
from multiresunet.errors import UserError
from multiresunet.registries import PHANTOMS

SHAPES = {
    "nuclei": (1, 96, 96),
    "membranes": (1, 96, 96),
    "lesions": (3, 72, 96),
    "polyps": (3, 72, 96),
    "tumours": (4, 32, 32, 16),
}
NAMES = list(PHANTOMS)
FRAMES = PHANTOMS.entries["polyps"].facts["frames"]
names = pytest.mark.parametrize("name", NAMES)


@cache
def drawn(name: str) -> list[Phantom]:
    return list(draw(name, 30, seed=1))


def digest(phantom: Phantom) -> str:
    parts = (phantom.sample.encode(), phantom.group.encode(), phantom.image.tobytes(), phantom.mask.tobytes())
    return hashlib.sha256(b"|".join(parts)).hexdigest()


def jaccard(prediction: np.ndarray, truth: np.ndarray) -> float:
    return float((prediction & truth).sum() / (prediction | truth).sum())


def otsu(phantom: Phantom) -> np.ndarray:
    grey = phantom.image.mean(axis=0)
    return np.asarray(grey > threshold_otsu(grey))


@names
def test_same_bytes_on_every_call_whatever_global_state(name: str) -> None:
    np.random.seed(3)  # noqa: NPY002 - what the phantoms must not listen to
    first = [digest(each) for each in draw(name, 4, seed=5)]
    np.random.seed(4)  # noqa: NPY002
    assert first == [digest(each) for each in draw(name, 4, seed=5)]


@settings(max_examples=15, deadline=None)
@given(name=st.sampled_from(NAMES), samples=st.integers(1, 7), data=st.data())
def test_a_sample_does_not_depend_on_how_many_are_drawn(name: str, samples: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, samples - 1))
    one = next(islice(draw(name, samples, seed=1), index, None))
    assert digest(one) == digest(drawn(name)[index])


@names
def test_every_sample_and_every_seed_is_another(name: str) -> None:
    everything = [*drawn(name), *draw(name, 3, seed=2)]
    assert len({each.image.tobytes() for each in everything}) == len(everything)
    assert len({each.mask.tobytes() for each in everything}) == len(everything)


@names
def test_shapes_types_and_values(name: str) -> None:
    for index, each in enumerate(drawn(name)):
        assert each.sample == f"{name}_{index:03d}"
        assert each.image.shape == SHAPES[name]
        assert each.mask.shape == SHAPES[name][1:]
        assert each.mask.dtype == np.uint8
        if name == "tumours":
            assert each.image.dtype == np.float32
            assert np.isfinite(each.image).all()
            assert each.image.min() >= 0
            assert set(np.unique(each.mask)) == set(LABELS)  # every region in every volume
        else:
            assert each.image.dtype == np.uint8
            assert set(np.unique(each.mask)) == {0, 255}  # neither empty nor full


@names
def test_samples_sort_in_the_order_in_which_they_are_drawn(name: str) -> None:
    order = [each.sample for each in drawn(name)]
    assert order == sorted(order)


@names
def test_groups_only_where_frames_come_in_sequences(name: str) -> None:
    groups = [each.group for each in drawn(name)]
    assert groups == [f"seq{index // FRAMES + 1:02d}" if name == "polyps" else "" for index in range(len(groups))]


@pytest.mark.parametrize("samples", [0, 1])
def test_an_unknown_name_is_refused_at_once_and_the_known_ones_named(samples: int) -> None:
    with pytest.raises(UserError, match="'kidneys'") as refusal:
        draw("kidneys", samples, seed=1)
    assert all(name in str(refusal.value) for name in NAMES)


SHARES = {  # of foreground: lowest, highest sample, as in the real data
    "nuclei": (0.08, 0.45),
    "membranes": (0.70, 0.84),
    "lesions": (0.03, 0.30),
    "polyps": (0.05, 0.25),
    "tumours": (0.02, 0.18),
}


@names
def test_foreground_share(name: str) -> None:
    lowest, highest = SHARES[name]
    assert all(lowest < (each.mask > 0).mean() < highest for each in drawn(name))


BASELINES = {  # mean Jaccard index that no baselines method may exceed; small networks reach 0.15 more
    "nuclei": 0.45,
    "membranes": 0.76,
    "lesions": 0.60,
    "polyps": 0.25,
    "tumours": 0.25,
}


@names
@pytest.mark.parametrize("seed", [1, 2])
def test_simple_baselines_stay_low(name: str, seed: int) -> None:
    phantoms = drawn(name) if seed == 1 else list(draw(name, 30, seed))
    truths = [each.mask > 0 for each in phantoms]
    bright = np.mean([jaccard(otsu(each), truth) for each, truth in zip(phantoms, truths, strict=True)])
    dark = np.mean([jaccard(~otsu(each), truth) for each, truth in zip(phantoms, truths, strict=True)])
    everything = np.mean([truth.mean() for truth in truths])
    assert max(bright, dark, everything) < BASELINES[name]


def test_nuclei_are_outshone_by_debris() -> None:
    for each in drawn("nuclei"):
        image, nuclei = each.image[0], each.mask > 0
        away = ndimage.distance_transform_edt(~nuclei) > 3
        assert image[away].max() > np.percentile(image[nuclei], 99)


def test_nuclei_differ_in_brightness_and_some_are_hardly_brighter_than_the_background() -> None:
    ratios, lowest_share = [], []
    for each in drawn("nuclei"):
        labels, count = ndimage.label(each.mask)
        sizes = ndimage.sum_labels(each.mask > 0, labels, range(1, count + 1))
        means = ndimage.median(each.image[0], labels, 1 + np.flatnonzero(sizes > 40))
        haze = np.median(each.image[0][each.mask == 0])
        ratios.append(max(means) / min(means))
        lowest_share.append(min(means) - haze)
    assert np.median(ratios) > 1.8
    assert np.median(lowest_share) < 0.1 * 255


def test_touching_nuclei_are_kept_apart_by_a_line_of_background() -> None:
    """Closing the gaps must join nuclei in most images: there are neighbours, and a line between them."""
    joined = []
    for each in drawn("nuclei"):
        nuclei = each.mask > 0
        closed = ndimage.binary_closing(np.pad(nuclei, 4), iterations=2)[4:-4, 4:-4]
        joined.append(ndimage.label(nuclei)[1] - ndimage.label(closed)[1])
    assert np.median(joined) >= 2


def test_membranes_are_the_thin_minority_and_darker_than_cells() -> None:
    for each in drawn("membranes"):
        membrane = each.mask == 0
        assert each.image[0][membrane].mean() < each.image[0][~membrane].mean() - 25
        assert np.median(ndimage.distance_transform_edt(membrane)[membrane]) <= 2
    assert 0.70 < np.mean([(each.mask > 0).mean() for each in drawn("membranes")]) < 0.80


def test_cells_hold_things_as_dark_as_membrane() -> None:
    shares = []
    for each in drawn("membranes"):
        membrane = each.mask == 0
        inside = ndimage.distance_transform_edt(~membrane) > 2
        shares.append((each.image[0][inside] < np.median(each.image[0][membrane])).mean())
    assert np.mean(shares) > 0.02


def test_membranes_vary_in_contrast_along_their_way() -> None:
    def nearby(image: np.ndarray, where: np.ndarray) -> np.ndarray:
        weight = ndimage.gaussian_filter(where.astype(float), 4) + 1e-6
        return np.asarray(ndimage.gaussian_filter(image * where, 4) / weight)

    ratios = []
    for each in drawn("membranes"):
        image, membrane = each.image[0].astype(float), each.mask == 0
        contrast = (nearby(image, ~membrane) - nearby(image, membrane))[membrane]
        ratios.append(np.percentile(contrast, 90) / np.percentile(contrast, 10))
    assert np.mean(ratios) > 1.6


def test_lesions_have_soft_borders_hairs_and_any_tone_of_skin() -> None:
    steps, darkest, skins = [], [], []
    for each in drawn("lesions"):
        grey, lesion = each.image.mean(axis=0), each.mask > 0
        depth = np.where(lesion, ndimage.distance_transform_edt(lesion), -ndimage.distance_transform_edt(~lesion))
        core = grey[(depth < -6) & (depth > -12)].mean() - grey[depth > 6].mean()
        border = grey[(depth < 0) & (depth > -2)].mean() - grey[(depth > 0) & (depth < 2)].mean()
        steps.append(border / core)
        darkest.append(np.percentile(grey[depth < -6], 0.5) / np.median(grey[depth < -6]))
        skins.append(np.median(grey[depth < -6]))
    assert np.median(steps) < 0.5  # the border is less than half of the whole contrast
    assert np.median(darkest) < 0.5  # hairs
    assert max(skins) - min(skins) > 55


def test_polyps_are_hardly_brighter_or_darker_than_the_mucosa_around_them() -> None:
    contrasts = []
    for each in drawn("polyps"):
        grey, polyp = each.image.mean(axis=0), each.mask > 0
        ring = (ndimage.distance_transform_edt(~polyp) < 8) & ~polyp & (grey > 20)
        contrasts.append(abs(np.median(grey[polyp]) - np.median(grey[ring])))
    assert np.median(contrasts) < 0.08 * 255


def test_polyps_have_highlights_on_and_off_them_and_sometimes_black_corners() -> None:
    white = [each.image.min(axis=0) > 200 for each in drawn("polyps")]
    polyp = [each.mask > 0 for each in drawn("polyps")]
    assert any((w & p).any() for w, p in zip(white, polyp, strict=True))
    assert np.mean([(w & ~p).any() for w, p in zip(white, polyp, strict=True)]) > 0.9
    black = [each.image[:, :4, :4].max() < 40 for each in drawn("polyps")]
    assert 0 < sum(black) < len(black)


def test_frames_of_a_sequence_are_near_duplicates_and_sequences_are_not() -> None:
    phantoms = drawn("polyps")

    def alike(a: int, b: int) -> float:
        return jaccard(phantoms[a].mask > 0, phantoms[b].mask > 0)

    within = [alike(i, i + 1) for i in range(29) if phantoms[i].group == phantoms[i + 1].group]
    between = [alike(i, i + FRAMES) for i in range(30 - FRAMES)]
    assert np.mean(within) > np.mean(between) + 0.2


def test_each_volume_has_its_own_scale() -> None:
    scales = [float(each.image.mean()) for each in drawn("tumours")]
    assert max(scales) / min(scales) > 1000


def test_regions_of_a_tumour_are_nested_and_seen_in_different_channels() -> None:
    flair, _, t1ce, t2 = range(4)
    for each in drawn("tumours"):
        air, healthy = each.image[0] == 0, (each.mask == 0) & (each.image[0] > 0)
        means = {label: each.image[:, each.mask == label].mean(axis=1) for label in LABELS[1:]}
        normal = np.median(each.image[:, healthy], axis=1)
        assert means[2][flair] > 1.15 * normal[flair]
        assert means[4][t1ce] > means[2][t1ce] > means[1][t1ce]
        assert means[1][t2] > normal[t2]
        necrosis = each.mask == 1
        rim = ndimage.binary_dilation(necrosis) & ~necrosis & ~air
        assert (each.mask[rim] == 4).mean() > 0.5  # necrosis lies in the enhancing rim
