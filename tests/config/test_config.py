"""params.yaml: what is allowed loads; everything else is refused in one line with key, value and remedy."""

from __future__ import annotations

import copy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from multiresunet import config
from multiresunet.config import Dataset, Params
from multiresunet.data.geometry import input_size
from multiresunet.errors import UserError
from multiresunet.paper import STEP
from tests.config.making import GONE, ORIGINAL, changed, refusal


def tree_of(path: str) -> dict[str, Any]:
    """A copy of a part of params.yaml."""
    tree = ORIGINAL
    for key in path.split("."):
        tree = tree[key]
    return copy.deepcopy(tree)


def test_the_repository_s_own_file_loads(repository: Path) -> None:
    loaded = config.load(repository / "params.yaml")
    assert loaded.recipe is loaded.recipes[loaded.run.recipe]
    assert set(loaded.run.datasets) <= set(loaded.datasets)
    assert isinstance(loaded.dataset(loaded.run.datasets[0]), Dataset)


@pytest.mark.parametrize("recipe", ORIGINAL["recipes"])
@pytest.mark.parametrize("name", ORIGINAL["datasets"])
def test_every_data_set_can_be_halved_in_every_recipe(name: str, recipe: str) -> None:
    loaded = config.parse(ORIGINAL)
    size = input_size(loaded.datasets[name], loaded.recipes[recipe])
    assert len(size) == len(loaded.datasets[name].size)
    assert all(side % STEP == 0 and side > 0 for side in size)


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        # unknown keys, at every depth
        ("colour", "blue", ["colour", "'blue'", "isn't known"]),
        ("run.dataset", ["nuclei"], ["run.dataset", "nuclei", "isn't known"]),
        ("datasets.brats17.source.url", "x", ["datasets.brats17.source.url", "'x'", "isn't known"]),
        (
            "recipes.quick.deep_supervision",
            {"weight": 1.0},
            ["recipes.quick.deep_supervision.weight = 1.0", "did you mean weights?"],
        ),
        ("recipes.quick.optimiser.momentum", 0.9, ["recipes.quick.optimiser.momentum", "0.9", "isn't known"]),
        # absent keys
        ("seed", GONE, ["seed", "is missing", "add"]),
        ("datasets.nuclei.mask.values", GONE, ["datasets.nuclei.mask", "values is missing", "above"]),
        # names that a table's reader takes for something else
        ("datasets.nuclei.mask.classes", {"NA": [255], "b": [0]}, ["mask.classes.NA", "'NA'", "reads as a number or"]),
        ("datasets.nuclei.mask.classes", {"1e5": [255], "b": [0]}, ["mask.classes.1e5", "reads as a number or"]),
        ("datasets.2018", ORIGINAL["datasets"]["nuclei"], ["datasets.2018", "reads as a number or"]),
        # wrong types
        ("seed", "2020", ["seed", "'2020'", "integer"]),
        ("seed", True, ["seed", "True", "integer"]),
        ("seed", -1, ["seed", "-1", "greater than or equal to 0"]),
        ("run.datasets", "nuclei", ["run.datasets", "'nuclei'", "list"]),
        ("run.datasets", [], ["run.datasets", "[]", "at least 1"]),
        ("datasets.nuclei.channels", 1.0, ["datasets.nuclei.channels", "1.0", "integer"]),
        ("datasets.nuclei.channels", 0, ["datasets.nuclei.channels", "0", "greater than 0"]),
        ("datasets.nuclei.groups", "no", ["datasets.nuclei.groups", "'no'", "boolean"]),
        ("datasets.nuclei", None, ["datasets.nuclei", "None"]),
        # PyYAML reads 1e-7 (without a point) as text
        ("recipes.quick.optimiser.epsilon", "1e-7", ["optimiser.epsilon", "'1e-7'", "number"]),
        # what run names must exist
        ("run.datasets", ["nuclei", "nukleii"], ["run.datasets", "'nukleii'", "murphy"]),
        ("run.models", ["vnet"], ["run.models", "'vnet'", "multiresunet"]),
        ("run.recipe", "slow", ["run.recipe", "'slow'", "quick, cpu, paper"]),
        ("run.models", ["unet", "unet"], ["models", "twice", "unet"]),
        ("run.seeds", [3, 3], ["seeds", "twice", "3"]),
        ("run.tuned.models", ["multiresunet", "multiresunet"], ["tuned.models", "twice", "multiresunet"]),
        ("run.seeds", [], ["run.seeds", "[]", "at least 1"]),
        ("run.seeds", GONE, ["run.seeds", "missing"]),
        # models
        ("models.unet.network", "vnet", ["models.unet.network", "'vnet'", "unet_respath", "import path"]),
        ("models.unet.network", "monai..UNet", ["models.unet.network", "'monai..UNet'", "import path"]),
        ("models.unet.filters", GONE, ["models.unet", "needs filters", "add"]),
        ("models.unet.arguments", {"dropout": 0.1}, ["models.unet", "has no arguments", "remove"]),
        ("models.attention_unet.arguments", GONE, ["models.attention_unet", "needs arguments", "{}"]),
        ("models.attention_unet.filters", 32, ["models.attention_unet", "has no filters", "remove"]),
        ("models.unet.filters", 0, ["models.unet.filters", "0", "greater than or equal to 2"]),
        ("models.unet.alpha", 1.67, ["models.unet", "alpha", "1.67", "remove"]),
        ("models.unet.longer", 3, ["models.unet.longer", "must say for which recipe", "{quick: 3}"]),
        ("run.tuned.models", ["unet_bn", "unett"], ["run", "tuned.models names unett, which models doesn't"]),
        ("run.tuned.datasets", ["murphy"], ["run", "tuned.datasets names murphy", "remove it, or add it there"]),
        ("models.multiresunet_tuned", ORIGINAL["models"]["unet"], ["models.multiresunet_tuned", "choose another"]),
        ("models.multiresunet.alpha", GONE, ["models.multiresunet", "alpha", "add"]),
        ("models.multiresunet.alpha", 0, ["models.multiresunet.alpha", "0", "greater than 0"]),
        ("models.multiresunet.alpha", -1.67, ["models.multiresunet.alpha", "-1.67", "greater than 0"]),
        ("models.multiresunet.alpha", float("inf"), ["models.multiresunet.alpha", "inf", "finite"]),
        ("models.multiresunet.alpha", float("nan"), ["models.multiresunet.alpha", "nan", "finite"]),
        ("models.a/b", ORIGINAL["models"]["unet"], ["models.a/b", "letters, digits and underscores"]),
        # sizes
        ("datasets.nuclei.size", [48, 40], ["datasets.nuclei.size.1", "40", "multiple of 16"]),
        ("datasets.nuclei.size", [0, 48], ["datasets.nuclei.size.0", "0", "multiple of 16"]),
        ("datasets.nuclei.size", [48], ["datasets.nuclei.size", "[48]", "at least 2"]),
        ("datasets.nuclei.size", [48] * 4, ["datasets.nuclei.size", "at most 3"]),
        ("recipes.quick.longest_side", 50, ["recipes.quick.longest_side", "50", "multiple of 16"]),
        # masks
        ("datasets.nuclei.mask.foreground", [7], ["datasets.nuclei.mask", "[7]", "[0, 255]"]),
        ("datasets.nuclei.mask.foreground", [0, 255], ["datasets.nuclei.mask", "[0, 255]", "not all"]),
        ("datasets.nuclei.mask.foreground", [], ["datasets.nuclei.mask.foreground", "[]", "at least 1"]),
        ("datasets.nuclei.mask.values", [255], ["datasets.nuclei.mask.values", "[255]", "at least 2"]),
        ("datasets.nuclei.mask", {"above": 127, "values": [0, 255]}, ["datasets.nuclei.mask", "two rules", "values"]),
        ("datasets.nuclei.mask", {"above": 127.5}, ["datasets.nuclei.mask.above", "127.5", "integer"]),
        ("datasets.nuclei.mask", {}, ["datasets.nuclei.mask", "values is missing"]),
        ("datasets.nuclei.mask.empty", 1.5, ["datasets.nuclei.mask.empty", "1.5", "less than or equal to 1"]),
        # channels and folds
        ("datasets.polyps.channel", 0, ["datasets.polyps", "channel 0", "set channels to 1"]),
        ("datasets.nuclei.channel", -1, ["datasets.nuclei.channel", "-1"]),
        ("recipes.quick.folds.stratify", 1, ["recipes.quick.folds.stratify", "1", "greater than or equal to 2"]),
        # sources
        (
            "datasets.brats17.source.digest",
            "abc",
            ["datasets.brats17.source.digest", "'abc'", "64", "--digest"],
        ),
        ("datasets.brats17.source.digest", "A" * 64, ["datasets.brats17.source.digest", "lower case"]),
        ("datasets.brats17.source.kind", "ftp", ["datasets.brats17.source", "'ftp'", "'folder'"]),
        ("datasets.nuclei.source.draw", "cats", ["datasets.nuclei.source.draw", "'cats'", "one of nuclei, membranes"]),
        ("datasets.nuclei.source.samples", 0, ["datasets.nuclei.source.samples", "0", "greater than 0"]),
        ("datasets.brats17.source.layout", "brats18", ["datasets.brats17.source.layout", "'brats18'", "'brats17'"]),
        (
            "datasets.brats17.source",
            {"kind": "archive", "layout": "msd", "files": [{"url": "ftp://x/y", "sha256": "0" * 64}]},
            ["datasets.brats17.source.files.0.url", "'ftp://x/y'", "https://"],
        ),
        ("datasets.brats17.source", {"kind": "archive", "layout": "msd", "files": []}, ["files", "at least 1"]),
        # downloads
        ("fetch.mirror", {"from": "x.org", "to": "https://m.org"}, ["fetch.mirror.from", "'x.org'", "https://"]),
        ("fetch.mirror", {"from": "https://x.org", "to": "/disk"}, ["fetch.mirror.to", "'/disk'", "file://"]),
        ("fetch.mirror", {"from": "https://x.org"}, ["fetch.mirror.to", "is missing"]),
        ("fetch.connections", 0, ["fetch.connections", "0", "greater than or equal to 1"]),
        (
            "datasets.tumours.mask.classes",
            {"core": [1, 4], "rest": [4, 2]},
            ["datasets.tumours.mask", "each value of foreground [1, 2, 4] once"],
        ),
        ("datasets.tumours.mask.classes", {"core": [1, 4]}, ["datasets.tumours.mask.classes", "at least 2"]),
        ("datasets.tumours.mask.classes", {"a b": [1], "c": [2, 4]}, ["mask.classes.a b", "letters"]),
        (
            "datasets.tumours.mask",
            {"above": 1, "classes": {"a": [1], "b": [2]}},
            ["datasets.tumours.mask", "classes need values and foreground"],
        ),
        # recipes
        ("recipes.quick.folds.count", 0, ["recipes.quick.folds.count", "0", "greater than or equal to 2"]),
        ("recipes.quick.folds.count", 1, ["recipes.quick.folds.count", "1", "greater than or equal to 2"]),
        ("recipes.quick.folds.by", "patient", ["recipes.quick.folds.by", "'patient'", "'group'"]),
        ("recipes.quick.loss", "mse", ["recipes.quick.loss", "'mse'", "one of bce, dice, dice_bce"]),
        ("recipes.quick.optimiser.name", "sgd", ["recipes.quick.optimiser.name", "'sgd'", "'adamw'"]),
        ("recipes.quick.optimiser.name", "adamw", ["recipes.quick.optimiser", "needs weight_decay"]),
        ("recipes.quick.optimiser.weight_decay", 0.1, ["recipes.quick.optimiser", "no weight_decay", "0.1"]),
        ("recipes.quick.schedule.final", 0.1, ["recipes.quick.schedule", "constant has no final", "0.1"]),
        ("recipes.quick.schedule.name", "cosine", ["recipes.quick.schedule", "cosine needs warm_up_epochs"]),
        ("recipes.modern.schedule.warm_up_epochs", 150, ["recipes.modern", "warm_up_epochs = 150", "epochs = 20"]),
        ("recipes.quick.ema", 1.0, ["recipes.quick.ema", "1.0", "less than 1"]),
        ("recipes.quick.precision", "float16", ["recipes.quick.precision", "'float16'", "'bfloat16'"]),
        ("recipes.modern.augment.flip", 1.5, ["recipes.modern.augment.flip", "1.5", "less than or equal to 1"]),
        ("recipes.modern.augment.affine.shear", 1.0, ["recipes.modern.augment.affine.shear", "isn't known"]),
        ("recipes.modern.augment.noise", 0.1, ["recipes.modern.augment.noise", "0.1"]),
        ("machine.devices", 0, ["machine.devices", "0", "greater than 0"]),
        ("machine.strategy", "fsdp", ["machine.strategy", "'fsdp'", "'ddp'"]),
        ("machine.save_every", 0.0, ["machine.save_every", "0.0", "greater than 0"]),
        ("recipes.quick.updates", 0, ["recipes.quick.updates", "0", "greater than 0"]),
        ("recipes.quick.updates", GONE, ["recipes.quick", "needs updates, or epochs; add one"]),
        ("recipes.paper.updates", 60, ["recipes.paper", "updates = 60 and epochs = 150; remove one"]),
        # the search and the scores
        ("tune.validation_share", 1.0, ["tune.validation_share", "1.0", "less than 1"]),
        ("tune.scope", "all", ["tune.scope", "'all'", "'nested' or 'shared'"]),
        ("tune.trials", 0, ["tune.trials", "0", "greater than 0"]),
        ("tune.minutes", 0.0, ["tune.minutes", "0.0", "greater than 0"]),
        ("tune.pruning", {"rule": "best"}, ["tune.pruning", "'best'", "'median', 'hyperband'"]),
        ("tune.pruning", {"rule": "median", "first_epoch": 0, "startup": 5}, ["tune.pruning.first_epoch = 0", "0"]),
        ("tune.select.budget", -1.0, ["tune.select.budget", "-1.0", "greater than 0"]),
        # empty spaces, and networks that can't be
        ("tune.space.alpha", {"low": 2.5, "high": 1.0}, ["tune.space.alpha", "2.5", "1.0", "greater", "empty"]),
        ("tune.space.alpha", {"low": 2.0, "high": 2.0}, ["tune.space.alpha", "2.0", "greater", "empty"]),
        ("tune.space.alpha", {"low": 0.0, "high": 2.0}, ["tune.space.alpha", "0.0", "greater than 0"]),
        ("tune.space.alpha", {"low": -1.0, "high": 2.0}, ["tune.space.alpha", "-1.0", "greater than 0"]),
        ("tune.space.alpha", {"low": 1.0}, ["tune.space.alpha", "low and high", "choices"]),
        ("tune.space.alpha", {"low": 1.0, "high": 2.0, "choices": [1.0]}, ["tune.space.alpha", "either"]),
        ("tune.space.alpha", {"choices": []}, ["tune.space.alpha.choices", "at least 1"]),
        ("tune.space.alpha", {"choices": [1.67, 0.0]}, ["tune.space.alpha", "0.0", "greater than 0"]),
        (
            "tune.space.filters_factor",
            {"choices": [0.5, -1.0]},
            ["tune.space.filters_factor", "-1.0", "greater than 0"],
        ),
        ("tune.space.respath", {"low": 0, "high": 4}, ["tune.space.respath", "0 must be greater than 0"]),
        ("tune.space.respath", {"choices": [1.5]}, ["tune.space.respath.choices.0", "1.5", "integer"]),
        ("tune.space.shares", {"choices": [[0.3, 0.3, 0.5]]}, ["tune.space.shares", "[0.3, 0.3, 0.5]", "more than 1"]),
        (
            "tune.space.shares",
            {"choices": [[0.3, 0.0, 0.5]]},
            ["tune.space.shares.choices.0.1", "0.0", "greater than 0"],
        ),
        ("tune.space.shares", {"choices": [[0.5, 0.5]]}, ["tune.space.shares.choices.0", "at least 3"]),
        (
            "tune.space.shares",
            {"low": [0.4] * 3, "high": [0.5] * 3},
            ["tune.space.shares", "[0.4, 0.4, 0.4]", "more than 1"],
        ),
        (
            "tune.space.shares",
            {"low": [0.1, 0.3, 0.3], "high": [0.2, 0.3, 0.4]},
            ["tune.space.shares", "high (0.3) must be greater than low (0.3)", "empty"],
        ),
        (
            "tune.space.alpha",
            {"low": 0.5, "high": 2.0},
            ["tune.space", "multiresunet", "6 filters and alpha 0.5 has a convolution without filters"],
        ),
        (
            "tune.space.filters_factor",
            {"choices": [0.25, 1.0]},
            ["2 filters", "without filters", "(0.167, 0.333, 0.5)"],
        ),
        (
            "tune.space.shares",
            {"low": [0.05, 0.3, 0.4], "high": [0.2, 0.4, 0.5]},
            ["tune.space", "6 filters", "at shares (0.05, 0.3, 0.4)", "raise"],
        ),
        ("evaluate.threshold", 0, ["evaluate.threshold", "0", "greater than 0"]),
    ],
)
def test_refused_in_one_line(path: str, value: Any, words: list[str]) -> None:
    line = refusal(changed(path, value))
    assert [word for word in ["params.yaml: ", *words] if word not in line] == [], line


@pytest.mark.parametrize(
    ("path", "value", "hint"),
    [
        ("recipes.quick.epoch", 10, "recipes.quick.epoch = 10: this key isn't known here (did you mean epochs?)"),
        ("Seed", 1, "Seed = 1: this key isn't known here (did you mean seed?)"),
        ("datasets.brats17.source.digset", "x", "datasets.brats17.source.digset = 'x': this key isn't known here (did"),
        ("tune.space.alpha.hihg", 3.0, "tune.space.alpha.hihg = 3.0: this key isn't known here (did you mean high?)"),
        (
            "fetch.mirror",
            {"form": "x", "to": "https://m.org"},
            "fetch.mirror.form = 'x': this key isn't known here (did",
        ),
        ("datasets.nuclei.source.kind", "phantm", "(did you mean phantom?)"),
        ("datasets.nuclei.source.draw", "nucleii", "(did you mean nuclei?)"),
        ("datasets.nuclei.fit", "resise", "(did you mean resize?)"),
        ("models.unet.network", "unet_nb", "(did you mean unet_bn?)"),
        ("recipes.quick.loss", "dice_bec", "(did you mean dice_bce?)"),
        ("evaluate.perturbations.blurr", [1.0] * 5, "(did you mean blur?)"),
        (
            "run.datasets",
            ["nucleii"],
            "run.datasets: 'nucleii' is unknown (did you mean nuclei?); allowed: nuclei, membranes",
        ),
        ("run.models", ["multiresnet"], "run.models: 'multiresnet' is unknown (did you mean multiresunet?)"),
        ("run.recipe", "quik", "run.recipe: 'quik' is unknown (did you mean quick?)"),
        ("evaluate.references", ["unett"], "evaluate.references: 'unett' is unknown (did you mean unet?)"),
        ("evaluate.perturbed.cpuu", {"images": 1, "severities": [1]}, "evaluate.perturbed: 'cpuu' is unknown (did you"),
        ("models.unet.learning_rate.quik", 0.1, "models.unet.learning_rate: 'quik' is unknown (did you mean quick?)"),
        ("models.unet.longer.quik", 2, "models.unet.longer: 'quik' is unknown (did you mean quick?)"),
    ],
)
def test_a_misspelt_word_is_answered_with_the_nearest_one(path: str, value: Any, hint: str) -> None:
    assert hint in refusal(changed(path, value))


def test_a_word_that_is_like_no_other_is_answered_without_a_guess() -> None:
    assert "did you mean" not in refusal(changed("recipes.quick.zzz", 1))


def test_everything_that_is_wrong_is_named_at_once() -> None:
    tree = changed("recipes.quick.epoch", 10)
    del tree["recipes"]["quick"]["updates"]
    tree["seed"] = "x"
    tree["run"]["models"] = ["multiresunet", "multiresnet"]
    tree["datasets"]["brats17"]["source"]["digest"] = "abc"
    tree["models"]["unet"]["alpha"] = 1.67
    line = refusal(tree)
    assert line.startswith("params.yaml: 5 things to fix: (1) ")
    for number, words in enumerate(
        [
            "seed = 'x'",
            "brats17.source.digest",
            "models.unet: network unet has no alpha",
            "quick.epoch = 10",
            "multiresnet",
        ],
        start=1,
    ):
        assert words in line.split(f"({number}) ")[1].split(f"({number + 1}) ")[0]
    assert "needs updates" not in line  # named by its misspelt form


def test_a_long_list_is_cut() -> None:
    tree = copy.deepcopy(ORIGINAL)
    tree["recipes"]["quick"] |= {f"zz{number}": number for number in range(30)}
    line = refusal(tree)
    assert "30 things to fix" in line
    assert line.endswith("; and 18 more")


def test_a_space_that_varies_nothing_is_refused() -> None:
    line = refusal(changed("tune.space", dict.fromkeys(ORIGINAL["tune"]["space"])))
    assert "tune.space: varies nothing; give at least one of alpha, filters_factor" in line


def test_a_data_set_named_like_a_kind_of_source_keeps_its_name_in_the_message() -> None:
    tree = changed("datasets.folder", copy.deepcopy(ORIGINAL["datasets"]["brats17"]))
    tree["datasets"]["folder"]["channels"] = 0
    assert "datasets.folder.channels = 0" in refusal(tree)


@pytest.mark.parametrize("tree", [None, [], "text", 3, {}])
def test_no_mapping_at_all_is_refused(tree: Any) -> None:
    assert "run" in refusal(tree)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, ["is missing", "root"]),
        (b"", ["None", "run, "]),
        (b"run: [a\nb: }", ["line 2", "not valid YAML", "flow sequence that begins in line 1", "'b: }'"]),
        (b"seed: 1\nrun: x: y\n", ["line 2", "mapping values are not allowed", "'run: x: y'"]),
        (b"seed: 1\n\trun: 2\n", ["line 2", "not valid YAML"]),
        (b"seed: 1\nrun: 2\nseed: 3\n", ["line 3", "'seed' is given twice"]),
        (b"recipes:\n  quick: {epochs: 1, epochs: 2}\n", ["line 2", "'epochs' is given twice"]),
        (b"seed: *gone\n", ["line 1", "alias"]),
        (b"seed: \x00\n", ["not valid YAML"]),
        (b"run: \xff\xfe", ["not valid YAML"]),
    ],
)
def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path, content: bytes | None, words: list[str]) -> None:
    path = tmp_path / "params.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError) as caught:
        config.load(path)
    line = str(caught.value)
    assert len(line.splitlines()) == 1
    assert [word for word in ["params.yaml", *words] if word not in line] == [], line


def test_an_unknown_data_set_is_named_with_those_that_exist() -> None:
    with pytest.raises(
        UserError, match=r"'murfy' is unknown \(did you mean murphy\?\); params\.yaml has nuclei, .*murphy"
    ):
        config.parse(ORIGINAL).dataset("murfy")


def places(tree: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) of a tree."""
    keys = list(tree) if isinstance(tree, dict) else range(len(tree)) if isinstance(tree, list) else []
    return [pair for key in keys for pair in ((tree, key), *places(tree[key]))]


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(),
    st.binary(max_size=5),
    st.dates(),
    st.datetimes(),
)
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(SCALARS, inner, max_size=3)),
    max_leaves=5,
)


@given(data=st.data())
@settings(max_examples=300, deadline=None)
def test_whatever_stands_in_the_file_it_loads_or_is_refused_in_one_line(data: st.DataObject) -> None:
    tree = copy.deepcopy(ORIGINAL)
    for _ in range(data.draw(st.integers(1, 3))):
        container, key = data.draw(st.sampled_from(places(tree)))
        match data.draw(st.sampled_from(["replace", "remove", "add"])):
            case "replace":
                container[key] = data.draw(ANYTHING)
            case "remove":
                del container[key]
            case "add" if isinstance(container, dict):
                container[data.draw(SCALARS)] = data.draw(ANYTHING)
            case "add":
                container.append(data.draw(ANYTHING))
    try:
        assert isinstance(config.parse(tree), Params)
    except UserError as error:
        assert len(str(error).splitlines()) == 1


def test_params_are_read_without_what_takes_seconds_to_import(repository: Path) -> None:
    code = (
        "import sys; from multiresunet import config; config.load();"
        "print([name for name in ('torch', 'scipy', 'pandas', 'numpy', 'monai') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=repository, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
