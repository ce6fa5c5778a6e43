"""Section `datasets`: where data sets come from, and what the network sees of them."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from multiresunet.config.base import Colour, Name, Sha256, Side, Strict, Url, registered
from multiresunet.registries import PHANTOMS


class PhantomSource(Strict):
    """Generated images, seeded; needs no data."""

    kind: Literal["phantom"]
    draw: Annotated[str, registered(PHANTOMS)]
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
    ignore: a value that says that nobody knows; such pixels count nowhere.
    alpha: whether the alpha channel is the mask, or is dropped; only where files have one that isn't opaque.
    colours: the label of each colour, as {"#ff0000": 1}; `values` and the rest are of these labels.
    """

    values: Annotated[list[int], Field(min_length=2)] | None = None
    foreground: Annotated[list[int], Field(min_length=1)] | None = None
    above: int | None = None
    classes: Annotated[dict[Name, Annotated[list[int], Field(min_length=1)]], Field(min_length=2)] | None = None
    empty: Annotated[float, Field(ge=0, le=1)] | None = None
    full: Annotated[float, Field(ge=0, le=1)] | None = None
    ignore: int | None = None
    alpha: bool | None = None
    colours: Annotated[dict[Colour, int], Field(min_length=2)] | None = None

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
    def _ignored_is_no_foreground(self) -> Self:
        if self.ignore is not None and self.ignore in (self.foreground or []):
            raise ValueError(f"ignore {self.ignore} is listed in foreground too; keep one")
        return self

    @model_validator(mode="after")
    def _colours_are_what_is_read(self) -> Self:
        if self.colours is not None and self.alpha:
            raise ValueError("alpha: true and colours are two masks; keep one")
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
    pages: what the pages of an image's TIFF are, where it doesn't say: slices (z) if absent.
    spacing: a pixel's size in mm along each axis, to which images are resampled; with `fit: spacing` or patches.
    one_block: all samples are neighbours in one specimen, so that together they are one independent unit.
    """

    modality: str
    source: Annotated[Source, Field(discriminator="kind")]
    size: Annotated[list[Side], Field(min_length=2, max_length=3)]
    channels: PositiveInt
    fit: Literal["resize", "pad", "spacing", "patches"]
    normalisation: Literal["rescale", "zscore"]
    mask: MaskRule
    groups: bool
    channel: NonNegativeInt | None = None
    one_block: bool = False
    pages: Literal["channels", "z"] | None = None
    spacing: Annotated[list[PositiveFloat], Field(min_length=2, max_length=3)] | None = None

    @model_validator(mode="after")
    def _spacing_where_it_means_something(self) -> Self:
        if self.fit == "spacing" and self.spacing is None:
            raise ValueError("fit: spacing needs spacing, in mm along each axis; add it")
        if self.spacing is not None and self.fit not in ("spacing", "patches"):
            raise ValueError(f"fit: {self.fit} has no use for spacing; remove spacing, or say fit: spacing")
        if self.spacing is not None and len(self.spacing) != len(self.size):
            raise ValueError(
                f"spacing has {len(self.spacing)} numbers and size {len(self.size)}; give one for each axis"
            )
        return self

    @model_validator(mode="after")
    def _one_channel_of_the_file(self) -> Self:
        if self.channel is not None and self.channels != 1:
            raise ValueError(f"channel {self.channel} takes one channel of the file; set channels to 1")
        return self
