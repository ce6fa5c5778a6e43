"""Typed view of params.yaml: the one place that knows its shape.

Values that change a result have no defaults here, so that params.yaml, which DVC tracks, holds them all.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Generic, Literal, Self, TypeVar, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    ValidationError,
    model_validator,
)
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from multiresunet.errors import UserError

HALVINGS = 4  # the networks go down four levels
STEP = 2**HALVINGS

NetworkName = Literal["unet", "unet_bn", "unet_respath", "unet_multires", "multiresunet"]
WITH_ALPHA = {"unet_multires", "multiresunet"}
PAPERS_SHARES = (0.167, 0.333, 0.5)
SUM_SLACK = 1e-9  # of shares that are written with a few decimals
READ_AS_NO_NAME = {"na", "nan", "null", "none", "inf", "infinity", "true", "false"}  # by pandas, in a CSV file
PhantomName = Literal["nuclei", "membranes", "lesions", "polyps", "tumours"]


def _halvable(side: int) -> int:
    if side < STEP or side % STEP:
        raise ValueError(f"must be a multiple of {STEP}, so that the network can halve it four times")
    return side


def _is_number(name: str) -> bool:
    try:
        float(name)
    except ValueError:
        return False
    return True


def _plain_name(name: str) -> str:
    if not name.replace("_", "").isalnum():
        raise ValueError("must be made of letters, digits and underscores, since it names files")
    if name.lower() in READ_AS_NO_NAME or _is_number(name):
        raise ValueError("reads as a number or as nothing where it stands in a table; choose a word")
    return name


def _network(name: str) -> str:
    if name not in get_args(NetworkName) and not ("." in name and all(map(str.isidentifier, name.split(".")))):
        own = ", ".join(get_args(NetworkName))
        raise ValueError(f"must be one of {own}, or the import path of a class, as monai.networks.nets.UNet")
    return name


def _sha256(digest: str) -> str:
    if len(digest) != 64 or set(digest) - set("0123456789abcdef"):
        raise ValueError(
            "must be a SHA-256 of 64 hexadecimal digits, in lower case; "
            "`python -m stages.fetch --digest PATH` prints a folder's own"
        )
    return digest


def _url(url: str, schemes: tuple[str, ...] = ("http", "https")) -> str:
    if not url.startswith(tuple(f"{scheme}://" for scheme in schemes)):
        raise ValueError(f"must start with {' or '.join(f'{scheme}://' for scheme in schemes)}")
    return url


def _url_or_file(url: str) -> str:
    return _url(url, ("http", "https", "file"))


Side = Annotated[int, AfterValidator(_halvable)]
Name = Annotated[str, AfterValidator(_plain_name)]
Sha256 = Annotated[str, AfterValidator(_sha256)]
Url = Annotated[str, AfterValidator(_url)]
UrlOrFile = Annotated[str, AfterValidator(_url_or_file)]
Share = Annotated[float, Field(gt=0, lt=1)]
Probability = Annotated[float, Field(ge=0, le=1)]


class Strict(BaseModel):
    """No unknown keys, no silent conversion of types, no infinity, no change afterwards."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, frozen=True)


class Run(Strict):
    """What one commit's tables contain."""

    datasets: Annotated[list[Name], Field(min_length=1)]
    models: Annotated[list[Name], Field(min_length=1)]
    recipe: str

    @model_validator(mode="after")
    def _no_repeats(self) -> Self:
        for key, names in (("datasets", self.datasets), ("models", self.models)):
            if len(set(names)) < len(names):
                raise ValueError(f"{key} names something twice: {', '.join(names)}")
        return self


class PhantomSource(Strict):
    """Generated images, seeded; needs no data."""

    kind: Literal["phantom"]
    draw: PhantomName
    samples: PositiveInt
    seed: NonNegativeInt


class FolderSource(Strict):
    """A folder under MULTIRESUNET_DATA or data/incoming/: images/, masks/ and perhaps manifest.csv, or another layout.

    While `digest` is null, fetch stops and says what it is. `card` is a file with citation and terms.
    """

    kind: Literal["folder"]
    path: str
    digest: Sha256 | None
    layout: Literal["brats17"] | None = None
    card: str | None = None


class HttpSource(Strict):
    """The files of a catalog (sample, role, group, url, bytes, sha256), itself pinned by its SHA-256."""

    kind: Literal["http"]
    catalog: str
    sha256: Sha256


class ArchiveFile(Strict):
    """A zip, tar or tar.gz file on the web."""

    url: Url
    sha256: Sha256


class ArchiveSource(Strict):
    """Archives as their publisher packs them; `layout` says what lies where in them. `card`: citation and terms."""

    kind: Literal["archive"]
    files: Annotated[list[ArchiveFile], Field(min_length=1)]
    layout: Literal["isic2018", "msd"]
    card: str | None = None


Source = PhantomSource | FolderSource | HttpSource | ArchiveSource


class MaskRule(Strict):
    """Which values of a mask are foreground: those listed, of those that may occur, or all above a number.

    classes: what the foreground's values mean, name by name; without it all foreground is one thing.
    empty, full: the share of samples whose mask may be empty, or full; none if absent.
    """

    values: Annotated[list[int], Field(min_length=2)] | None = None
    foreground: Annotated[list[int], Field(min_length=1)] | None = None
    above: int | None = None
    classes: Annotated[dict[Name, Annotated[list[int], Field(min_length=1)]], Field(min_length=2)] | None = None
    empty: Annotated[float, Field(ge=0, le=1)] | None = None
    full: Annotated[float, Field(ge=0, le=1)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _one_rule(cls, tree: Any) -> Any:
        if isinstance(tree, dict) and tree.get("above") is not None:
            listed = [key for key in ("values", "foreground") if tree.get(key) is not None]
            if listed:
                raise ValueError(f"above and {listed[0]} are two rules; keep one")
        return tree

    @model_validator(mode="after")
    def _foreground_is_a_proper_part(self) -> Self:
        if self.above is not None:
            return self
        if self.values is None or self.foreground is None:
            key = "values" if self.values is None else "foreground"
            raise ValueError(f"{key} is missing; add it, or say `above: 127`")
        if not set(self.foreground) < set(self.values):
            raise ValueError(f"foreground {self.foreground} must be some, and not all, of values {self.values}")
        return self

    @model_validator(mode="after")
    def _classes_share_the_foreground_out(self) -> Self:
        if self.classes is None:
            return self
        if self.foreground is None:
            raise ValueError("classes need values and foreground; say them instead of above")
        shared = [value for values in self.classes.values() for value in values]
        if sorted(shared) != sorted(set(self.foreground)):
            raise ValueError(f"classes {self.classes} must hold each value of foreground {self.foreground} once")
        return self


class Dataset(Strict):
    """One data set: where it comes from and what the network sees of it.

    channel: take this one channel of the file, counted from 0; all of them if absent.
    """

    modality: str
    source: Annotated[Source, Field(discriminator="kind")]
    size: Annotated[list[Side], Field(min_length=2, max_length=3)]
    channels: PositiveInt
    fit: Literal["resize", "pad"]
    normalisation: Literal["rescale", "zscore"]
    mask: MaskRule
    groups: bool
    channel: NonNegativeInt | None = None

    @model_validator(mode="after")
    def _one_channel_of_the_file(self) -> Self:
        if self.channel is not None and self.channels != 1:
            raise ValueError(f"channel {self.channel} takes one channel of the file; set channels to 1")
        return self

    def input_size(self, recipe: Recipe) -> tuple[int, ...]:
        """The size that the network sees: `size`, shrunk to the recipe's longest side in multiples of 16."""
        longest = max(self.size)
        if recipe.longest_side is None or longest <= recipe.longest_side:
            return tuple(self.size)
        scale = recipe.longest_side / longest
        return tuple(max(STEP, round(side * scale / STEP) * STEP) for side in self.size)


class Model(Strict):
    """A network and its two numbers, U and α; or one from elsewhere, by import path, with its arguments.

    In the arguments `$dims`, `$channels` and `$classes` stand for what the data set has.
    """

    network: Annotated[str, AfterValidator(_network)]
    filters: Annotated[int, Field(ge=2)] | None = None
    arguments: dict[str, Any] | None = None
    alpha: PositiveFloat | None = None
    tuned: bool = False

    @model_validator(mode="after")
    def _arguments_for_networks_from_elsewhere(self) -> Self:
        elsewhere = "." in self.network
        if elsewhere != (self.arguments is not None):
            raise ValueError(
                f"network {self.network} needs arguments; add them ({{}} for none)"
                if elsewhere
                else f"network {self.network} has no arguments; remove them"
            )
        if elsewhere != (self.filters is None):
            raise ValueError(
                f"network {self.network} has no filters; remove filters, or put them into arguments"
                if elsewhere
                else f"network {self.network} needs filters; add it (the paper's is 32)"
            )
        return self

    @model_validator(mode="after")
    def _alpha_where_it_means_something(self) -> Self:
        if (self.network in WITH_ALPHA) != (self.alpha is not None):
            if self.alpha is None:
                raise ValueError(f"network {self.network} needs alpha; add it (the paper's is 1.67)")
            raise ValueError(f"network {self.network} has no alpha; remove alpha = {self.alpha}")
        if self.tuned and self.network not in WITH_ALPHA:
            raise ValueError(f"tuned = True searches α; network {self.network} has none; remove tuned")
        return self


class Folds(Strict):
    """K-fold cross-validation over images or over groups.

    stratify: spread the samples over the folds by their foreground share, in this many quantiles; not if absent.
    """

    count: Annotated[int, Field(ge=2)]
    by: Literal["image", "group"]
    stratify: Annotated[int, Field(ge=2)] | None = None


class Optimiser(Strict):
    """Adam, or AdamW with a decay of the kernels. Keras' epsilon is 1e-7, PyTorch's 1e-8."""

    name: Literal["adam", "adamw"]
    learning_rate: PositiveFloat
    epsilon: PositiveFloat
    weight_decay: NonNegativeFloat | None = None

    @model_validator(mode="after")
    def _decay_where_it_means_something(self) -> Self:
        if (self.name == "adamw") != (self.weight_decay is not None):
            raise ValueError(
                "adamw needs weight_decay; add it"
                if self.weight_decay is None
                else f"adam has no weight_decay; remove weight_decay = {self.weight_decay}, or use adamw"
            )
        return self


class Schedule(Strict):
    """The learning rate's course: constant; or a linear rise, then half a cosine down to `final` of it."""

    name: Literal["constant", "cosine"]
    warm_up_epochs: NonNegativeInt | None = None
    final: Annotated[float, Field(ge=0, le=1)] | None = None

    @model_validator(mode="after")
    def _numbers_where_they_mean_something(self) -> Self:
        for key, value in (("warm_up_epochs", self.warm_up_epochs), ("final", self.final)):
            if self.name == "cosine" and value is None:
                raise ValueError(f"cosine needs {key}; add it")
            if self.name == "constant" and value is not None:
                raise ValueError(f"constant has no {key}; remove {key} = {value}")
        return self


class Affine(Strict):
    """Rotation by up to ±degrees, zoom by up to 1 ± scale, shift by up to ±shift of each side."""

    probability: Probability
    degrees: Annotated[float, Field(ge=0, le=180)]
    scale: Annotated[float, Field(ge=0, lt=1)]
    shift: Annotated[float, Field(ge=0, lt=1)]


class Strength(Strict):
    """How often, and up to how much in units of the image's own standard deviation."""

    probability: Probability
    strength: NonNegativeFloat


class Augment(Strict):
    """What training images go through, with the chance for each image; null leaves a part out.

    flip: along each axis. turn: by a quarter to three, in a plane with equal sides; by two in any other.
    """

    flip: Probability
    turn: Probability
    affine: Affine | None
    brightness: Strength | None
    contrast: Strength | None
    noise: Strength | None


class DeepSupervision(Strict):
    """Losses of coarser decoders, beside the network's own, which counts 1: at half the size, a quarter, an eighth."""

    weights: Annotated[list[NonNegativeFloat], Field(min_length=1, max_length=HALVINGS - 1)]


class Recipe(Strict):
    """How a network is trained."""

    folds: Folds
    longest_side: Side | None
    filters: Annotated[int, Field(ge=2)] | None
    epochs: PositiveInt
    batch: PositiveInt
    loss: Literal["bce", "dice", "dice_bce"]
    deep_supervision: DeepSupervision | None
    optimiser: Optimiser
    schedule: Schedule
    ema: Share | None
    augment: Augment | None
    normalisation_momentum: Annotated[float, Field(gt=0, le=1)]
    precision: Literal["float32", "bfloat16"]
    deterministic: bool
    threads: PositiveInt

    @model_validator(mode="after")
    def _warm_up_ends(self) -> Self:
        if (self.schedule.warm_up_epochs or 0) >= self.epochs:
            raise ValueError(
                f"schedule.warm_up_epochs = {self.schedule.warm_up_epochs} must be fewer than epochs = {self.epochs}"
            )
        return self


Number = TypeVar("Number", float, int)


class Span(Strict, Generic[Number]):
    """Where a number of a search lies: from `low` to `high`, evenly in its logarithm if `log`; or one of `choices`."""

    low: Number | None = None
    high: Number | None = None
    log: bool = False
    choices: Annotated[list[Number], Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _one_form_and_not_empty(self) -> Self:
        ends: list[Number] = [end for end in (self.low, self.high) if end is not None]
        if len(ends) != (2 if self.choices is None else 0) or (self.log and self.choices is not None):
            raise ValueError("needs either low and high (with log: true if ratios count), or choices")
        for value in (*ends, *(self.choices or ())):
            if value <= 0:
                raise ValueError(f"{value} must be greater than 0")
        if self.low is not None and self.high is not None and self.high <= self.low:
            raise ValueError(f"high ({self.high}) must be greater than low ({self.low}); the range is empty")
        return self

    @property
    def least(self) -> Number:
        """The smallest number in it."""
        values: list[Number] = self.choices or [self.low]  # type: ignore[list-item]  # validated: one is there
        return min(values)


Three = Annotated[list[Share], Field(min_length=3, max_length=3)]


class SharesSpan(Strict):
    """Where the shares of W of a MultiRes block's three convolutions lie: between two triples, or one of `choices`."""

    low: Three | None = None
    high: Three | None = None
    choices: Annotated[list[Three], Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _one_form_and_not_empty(self) -> Self:
        if (self.low is None) != (self.high is None) or (self.low is None) == (self.choices is None):
            raise ValueError("needs either low and high, or choices; each of three shares")
        for low, high in zip(self.low or (), self.high or (), strict=True):
            if high <= low:
                raise ValueError(f"high ({high}) must be greater than low ({low}); the range is empty")
        for triple in (self.low, *(self.choices or ())):
            if triple is not None and sum(triple) > 1 + SUM_SLACK:
                raise ValueError(f"the shares {triple} sum to more than 1")
        return self

    @property
    def least(self) -> tuple[float, ...]:
        """The smallest value of each share."""
        return tuple(map(min, zip(*([self.low] if self.low else self.choices or []), strict=True)))


class Space(Strict):
    """What a study varies; null is not varied. `filters_factor` is of the model's filters, as the recipe caps them."""

    alpha: Span[float] | None
    filters_factor: Span[float] | None
    shares: SharesSpan | None
    respath: Span[int] | None
    learning_rate: Span[float] | None
    batch: Span[int] | None

    @model_validator(mode="after")
    def _not_all_null(self) -> Self:
        if all(getattr(self, key) is None for key in type(self).model_fields):
            raise ValueError(f"varies nothing; give at least one of {', '.join(type(self).model_fields)} a range")
        return self


class MedianPruning(Strict):
    """Stop a trial whose score after an inner epoch is below the median of the trials before it."""

    rule: Literal["median"]
    first_epoch: PositiveInt
    startup: NonNegativeInt


class HyperbandPruning(Strict):
    """Successive halving (Li et al. 2018): of `factor` trials one goes on to `factor` times the epochs."""

    rule: Literal["hyperband"]
    first_epoch: PositiveInt
    factor: Annotated[int, Field(ge=2)]


class Select(Strict):
    """Which trial a study recommends, of those within so many standard errors of the best and within the budget."""

    take: Literal["best", "cheapest"]
    standard_errors: Annotated[float, Field(ge=0)]
    budget: PositiveFloat | None


class Tune(Strict):
    """Search space, budget and rule of choice of the Optuna studies."""

    scope: Literal["nested", "shared"]
    trials: PositiveInt
    startup: NonNegativeInt
    minutes: PositiveFloat | None
    epochs_share: Annotated[float, Field(gt=0, le=1)]
    validation_share: Share
    objectives: Literal["jaccard", "jaccard and cost"]
    pruning: Annotated[MedianPruning | HyperbandPruning, Field(discriminator="rule")] | None
    space: Space
    select: Select


PerturbationName = Literal[
    "gaussian", "poisson", "speckle", "blur", "contrast", "brightness",
    "gamma", "jpeg", "missing", "bias_field", "rotation", "elastic",
]  # fmt: skip
ClaimName = Literal["epochs", "low_contrast", "perturbations", "outliers", "regions", "edges"]
SEVERITIES = 5
Severity = Annotated[int, Field(ge=1, le=SEVERITIES)]


class Statistics(Strict):
    """How sure the statements are, and how many random samples they take."""

    resamples: Annotated[int, Field(ge=100)]
    confidence: Share


class EpochsClaim(Strict):
    """Fewer epochs."""

    shares: Annotated[list[Annotated[float, Field(gt=0, le=1)]], Field(min_length=1)]
    decisive: float

    @model_validator(mode="after")
    def _decisive_is_a_share(self) -> Self:
        if self.decisive not in self.shares:
            raise ValueError(f"decisive ({self.decisive}) must be one of shares {self.shares}")
        return self


class LowContrastClaim(Strict):
    """Faint boundaries; lengths in pixels."""

    tile: PositiveInt
    reach: PositiveInt
    lowest_share: Share
    cap: PositiveFloat


class OutliersClaim(Strict):
    """Outliers."""

    tail: Share
    failure: Share


class Perturbed(Strict):
    """How much of the perturbations a recipe pays for."""

    images: PositiveInt
    severities: Annotated[list[Severity], Field(min_length=1)]


class Verdict(Strict):
    """The rule from numbers to words; params.yaml says it."""

    level: Share
    units: PositiveInt
    folds: Annotated[int, Field(ge=2)]
    folds_agree: Annotated[float, Field(ge=0, le=1)]
    above_baselines: Annotated[float, Field(ge=0, lt=1)]
    min_effect: dict[ClaimName, PositiveFloat]

    @model_validator(mode="after")
    def _every_claim_has_its_min_effect(self) -> Self:
        if absent := set(get_args(ClaimName)) - set(self.min_effect):
            raise ValueError(f"min_effect has no {', '.join(sorted(absent))}; add it")
        return self


OTHERS = "others"


class Evaluate(Strict):
    """How predictions are scored and compared."""

    threshold: Share
    tolerances: Annotated[list[PositiveFloat], Field(min_length=1)]
    references: list[Name]
    statistics: Statistics
    epochs: EpochsClaim
    low_contrast: LowContrastClaim
    outliers: OutliersClaim
    perturbations: dict[PerturbationName, Annotated[list[float], Field(min_length=SEVERITIES, max_length=SEVERITIES)]]
    perturbed: dict[str, Perturbed]
    verdict: Verdict

    @model_validator(mode="after")
    def _others_are_perturbed_somehow(self) -> Self:
        if OTHERS not in self.perturbed:
            raise ValueError(f"perturbed has no entry {OTHERS!r}, for recipes that it doesn't name; add it")
        return self


class Mirror(Strict):
    """Where files lie whose URL starts with `from`: at the same path under `to`, a URL or a folder (file://…)."""

    origin: Annotated[Url, Field(alias="from")]
    to: UrlOrFile


class Fetch(Strict):
    """How data sets are downloaded. No result depends on it, so it may be left out and makes no stage stale."""

    mirror: Mirror | None = None
    connections: Annotated[int, Field(ge=1, le=64)] = 8


class Machine(Strict):
    """How training uses the machine.

    Several devices give the same results but for rounding; apart from that nothing depends on it, so it may be left out
    and makes no stage stale.
    """

    save_every: PositiveFloat = 120.0
    heartbeat: PositiveInt = 30
    devices: PositiveInt = 1
    num_nodes: PositiveInt = 1
    strategy: Literal["ddp", "ddp_find_unused_parameters_true"] = "ddp"


class Params(Strict):
    """All of params.yaml."""

    run: Run
    seed: NonNegativeInt
    datasets: dict[Name, Dataset]
    models: dict[Name, Model]
    recipes: dict[Name, Recipe]
    tune: Tune
    evaluate: Evaluate
    fetch: Fetch = Fetch()
    machine: Machine = Machine()

    @model_validator(mode="after")
    def _run_names_what_exists(self) -> Self:
        for key, names, known in (
            ("datasets", self.run.datasets, self.datasets),
            ("models", self.run.models, self.models),
            ("recipe", [self.run.recipe], self.recipes),
        ):
            for name in names:
                if name not in known:
                    raise ValueError(f"run.{key}: {name!r} is unknown; allowed: {', '.join(known)}")
        return self

    @model_validator(mode="after")
    def _deep_supervision_where_there_are_decoders(self) -> Self:
        for name in self.run.models:
            network = self.models[name].network
            if self.recipe.deep_supervision is not None and network not in get_args(NetworkName):
                raise ValueError(
                    f"run.models: {name} is the network {network}, whose decoders aren't known here; leave it out, or "
                    f"set recipes.{self.run.recipe}.deep_supervision to null"
                )
        return self

    @model_validator(mode="after")
    def _no_filters_vanish_in_the_search(self) -> Self:
        space, recipe = self.tune.space, self.recipes[self.run.recipe]
        for name in self.run.models:
            model = self.models[name]
            if not model.tuned or model.alpha is None or model.filters is None:
                continue
            filters = least_filters(recipe.filters or model.filters, space.filters_factor)
            alpha = space.alpha.least if space.alpha else model.alpha
            for share in space.shares.least if space.shares else PAPERS_SHARES:
                if int(alpha * filters * share) < 1:
                    raise ValueError(
                        f"tune.space: model {name} with alpha {alpha} and {filters} filters has a convolution with "
                        f"int({share}·{alpha}·{filters}) = 0 filters; raise the least alpha, filters_factor or share"
                    )
        return self

    @property
    def recipe(self) -> Recipe:
        """The recipe that this run uses."""
        return self.recipes[self.run.recipe]

    @property
    def perturbed(self) -> Perturbed:
        """What this run's recipe perturbs."""
        return self.evaluate.perturbed.get(self.run.recipe, self.evaluate.perturbed[OTHERS])

    def dataset(self, name: str) -> Dataset:
        """The data set of this name.

        Raises:
            UserError: if there is none.
        """
        if name not in self.datasets:
            raise UserError(f"data set {name!r} is unknown; params.yaml has {', '.join(self.datasets)}")
        return self.datasets[name]


def least_filters(filters: int, factor: Span[float] | None) -> int:
    """The smallest U in a search around `filters`."""
    return max(2, round(filters * factor.least)) if factor else filters


def _in_one_line(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    # A discriminated union puts its tag into the location, and a bad key "[key]"; params.yaml has neither.
    path = [
        part
        for i, part in enumerate(first["loc"])
        if part != "[key]" and not (i == 3 and first["loc"][2] == "source") and first["loc"][:i] != ("tune", "pruning")
    ]
    where = ".".join(map(str, path))
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "missing":
        return f"{where} is missing; add it"
    if first["type"] == "extra_forbidden":
        return f"{where} = {first['input']!r}: this key isn't known here; remove it or fix its name"
    value = "" if isinstance(first["input"], dict | BaseModel) else f" = {first['input']!r}"
    return f"{where}{value}: {message[0].lower()}{message[1:]}" if where else message


def parse(tree: Any, origin: str = "params.yaml") -> Params:
    """Check a parsed YAML tree.

    Raises:
        UserError: in one line, the first offending key, its value, and what is allowed.
    """
    if not isinstance(tree, dict):
        raise UserError(f"{origin}: holds {tree!r}; it needs the keys {', '.join(Params.model_fields)}")
    try:
        return Params.model_validate(tree)
    except ValidationError as error:
        raise UserError(f"{origin}: {_in_one_line(error)}") from None


def parse_text(text: str, origin: str = "params.yaml") -> Params:
    """Read and check YAML, as YAML 1.2, which DVC reads too.

    Raises:
        UserError: if it isn't YAML, says with its line; or as `parse` does.
    """
    try:
        tree = YAML(typ="safe").load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f" line {mark.line + 1}" if mark else ""
        raise UserError(f"{origin}{where} is not valid YAML: {error.problem or error.context}") from None
    except YAMLError as error:
        raise UserError(f"{origin} is not valid YAML: {error}") from None
    return parse(tree, origin)


def load(path: Path = Path("params.yaml")) -> Params:
    """Read and check params.yaml.

    Raises:
        UserError: if the file is missing, isn't YAML, or holds something that isn't allowed.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UserError(f"{path} is missing; run from the repository's root") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not valid YAML: {error}") from None
    return parse_text(text, path.name)
