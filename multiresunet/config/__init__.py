"""Typed view of params.yaml, a module a section; names in it come from the registries."""

from multiresunet.config.base import Strict, first_finding
from multiresunet.config.data import (
    ArchiveFile,
    ArchiveSource,
    Dataset,
    FolderSource,
    HttpSource,
    MaskRule,
    PhantomSource,
    Source,
)
from multiresunet.config.evaluation import (
    ClaimName,
    EpochsClaim,
    Evaluate,
    LowContrastClaim,
    OutliersClaim,
    Perturbed,
    Statistics,
    Verdict,
)
from multiresunet.config.machine import Fetch, Machine, Mirror
from multiresunet.config.models import Model
from multiresunet.config.params import TUNED, Params
from multiresunet.config.reading import load, parse, parse_text, text_of, tree_of
from multiresunet.config.recipes import (
    Affine,
    Augment,
    DeepSupervision,
    Folds,
    Optimiser,
    Recipe,
    Schedule,
    Strength,
)
from multiresunet.config.run import Run, Tuned
from multiresunet.config.tuning import (
    HyperbandPruning,
    MedianPruning,
    Select,
    SharesSpan,
    Space,
    Span,
    Tune,
)
from multiresunet.config.verify import Verify

__all__ = [
    "TUNED",
    "Affine",
    "ArchiveFile",
    "ArchiveSource",
    "Augment",
    "ClaimName",
    "Dataset",
    "DeepSupervision",
    "EpochsClaim",
    "Evaluate",
    "Fetch",
    "FolderSource",
    "Folds",
    "HttpSource",
    "HyperbandPruning",
    "LowContrastClaim",
    "Machine",
    "MaskRule",
    "MedianPruning",
    "Mirror",
    "Model",
    "Optimiser",
    "OutliersClaim",
    "Params",
    "Perturbed",
    "PhantomSource",
    "Recipe",
    "Run",
    "Schedule",
    "Select",
    "SharesSpan",
    "Source",
    "Space",
    "Span",
    "Statistics",
    "Strength",
    "Strict",
    "Tune",
    "Tuned",
    "Verdict",
    "Verify",
    "first_finding",
    "load",
    "parse",
    "parse_text",
    "text_of",
    "tree_of",
]
