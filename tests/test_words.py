"""The project's words: one word for each thing, common English, and nothing of how the project was made."""

from __future__ import annotations

import re
import subprocess
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# What isn't to be found, as a regular expression on lower case, and what to write instead.
WORDS = {
    # How the project was made.
    r"\blent\b": "a machine without network, or nothing",
    r"\bsessions?\b": "run, or nothing",
    r"\bthe note\b": "the paper",
    r"\bshared/": "nothing: a folder outside the repository",
    # The vocabulary before this one.
    r"\bhonest\w*|\bpaper['’]s way\b": "last epoch, best epoch",
    r"\bcan['’]t be told\b|\bdoesn['’]t hold\b|[\"'`*]holds?[\"'`*]": "supported, not supported, inconclusive",
    r"\blearns nothing\b|\btrivial\w*": "baselines",
    r"\badvantage worth\b|\bworth the name\b|`least`|^\s*least:": "smallest effect of interest, min_effect",
    r"\bfaint(er|est|ly)?\b": "low-contrast",
    r"\binvented\b|[\"'`](missed|pieces)[\"'`]": "false positives, false negatives, fragments",
    r"\bmultiply-adds an image\b": "multiply-adds per image",
    r"\bgain_(low|high)\b|[\"'`]gain[\"'`]|\btuning(['’]s)? gain": "tuning improvement",
    r"\bh(o|e)ld(s|ing)?( [\w'’]+){0,4} against\b": "compare with, check against",
    r"\bmend(s|ed|ing)?\b": "fix",
    r"\bbring(s|ing)?\b|\bbrought\b": "fetch, update, make",
    r"\bt(ell|ells|old|elling) of\b": "describe",
    r"\bleash(es)?\b": "watchdog",
    r"\bslots?\b(?!=True)": "resources, workers",
    r"\bkeepers?\b|\bwish(es|ed)?\b|\bfeed(s|er|ing)?\b": "checkpointer, stop signal, loader",
    r"\bgates?\b|\blikeness\b": "validation, near_duplicates",
    r"\bsurveys?\b|\btold_labels\b": "scan, encode_labels",
    r"normalisation['\"]?\s*[:=]+\s*['\"]?(unit|standard)\b": "rescale, zscore",
    r"\bscore@|\bstages[./]score\b|\bdata/scored\b": "the stage predict, data/predicted",
    r"(?<!config/)\bparams\.py\b|\breport[./]keep\b": "config/, report.archive",
    r"\bdataset (add|check)\b": "data add, data check",
}

# Files whose words aren't ours to choose.
SKIPPED = {
    "*.lock": "names of packages, or of files at the commit that the lock is of",
    "CHANGELOG.md": "names what was renamed",
    "tests/test_words.py": "lists the words",
}

# Where a word is the right one: file, what stands there, why.
ALLOWED = [
    ("multiresunet/inference/packages/bioimageio.py", r"\"gain\": factor_of", "BioImage.IO's key"),
    ("tests/*", r"scope=\"session\"", "pytest's word for the life of a fixture"),
]


@cache
def texts() -> dict[str, str]:
    """Every text file that git tracks, without what is skipped or allowed."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    found = {}
    for name in filter(None, listed.split("\0")):
        path = ROOT / name
        if any(fnmatch(name, pattern) for pattern in SKIPPED) or not path.is_file():
            continue
        content = path.read_bytes()
        if b"\0" not in content:
            found[name] = content.decode()
            for pattern, words, _ in ALLOWED:
                if fnmatch(name, pattern):
                    found[name] = re.sub(words, "", found[name])
    return found


@cache
def lowered() -> dict[str, str]:
    """As `texts`, in lower case: searching is much faster than with case ignored."""
    return {name: text.lower() for name, text in texts().items()}


@pytest.mark.parametrize("words", WORDS)
def test_no_file_has_words_that_were_replaced(words: str) -> None:
    hits = []
    for name, text in lowered().items():
        for hit in re.finditer(words, text, re.MULTILINE):
            line, around = text.count("\n", 0, hit.start()) + 1, text[max(0, hit.start() - 30) : hit.end() + 30]
            hits.append(f"{name}:{line}: …{' '.join(around.split())}…")
    assert not hits, f"write instead: {WORDS[words]}\n" + "\n".join(hits)


@pytest.mark.parametrize("name", ["Here", "There", "Walk"])
def test_no_class_has_the_name_of_a_former_one(name: str) -> None:
    assert not [file for file, text in texts().items() if re.search(rf"\bclass {name}\b|\b{name}\(", text)]


@pytest.mark.parametrize(("text", "banned"), [("no GPU was lent", True), ("a silent run", False), ("gateway", False)])
def test_whole_words_count(text: str, banned: bool) -> None:
    assert any(re.search(pattern, text.lower()) for pattern in WORDS) == banned


@pytest.mark.parametrize("pattern", SKIPPED)
def test_what_is_skipped_is_there(pattern: str) -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert any(fnmatch(name, pattern) for name in listed.splitlines())


@pytest.mark.parametrize(("pattern", "words"), [entry[:2] for entry in ALLOWED])
def test_what_is_allowed_is_used(pattern: str, words: str) -> None:
    paths = [path for path in ROOT.glob(pattern.replace("*", "**/*.py")) if path.is_file()]
    assert any(re.search(words, path.read_text(encoding="utf-8")) for path in paths)
