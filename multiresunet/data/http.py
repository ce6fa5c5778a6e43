"""A catalog of files on the web, each pinned by its SHA-256."""

from __future__ import annotations

import logging
import shutil
import urllib.parse
from pathlib import Path, PurePosixPath

import pandas as pd
import pooch
import requests
from rich.progress import Progress

from multiresunet.data import manifest
from multiresunet.data.manifest import Sample
from multiresunet.errors import UserError
from multiresunet.files import sha256

COLUMNS = ("sample", "role", "group", "url", "bytes", "sha256")
RETRIES = 3


def read_catalog(path: Path, pinned: str) -> pd.DataFrame:
    """Read a catalog (sample, role, group, url, bytes, sha256) and check its own SHA-256.

    Raises:
        UserError: if it is missing, changed, or lacks a column or a role.
    """
    if not path.is_file():
        raise UserError(f"{path}: this catalog is missing; restore it from git")
    found = sha256(path)
    if found != pinned:
        raise UserError(f"{path}: its SHA-256 is {found}, params.yaml pins {pinned}; restore it, or pin the new one")
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except ValueError as error:
        raise UserError(f"{path}: not a readable CSV file ({error}); mend it") from None
    if list(table.columns) != list(COLUMNS):
        raise UserError(f"{path}: columns are {', '.join(table.columns)}, expected {', '.join(COLUMNS)}")
    if table.empty:
        raise UserError(f"{path}: this catalog lists no file; give each sample an image and a mask")
    manifest.check_names(path, table["sample"])
    odd_size = table.loc[~table["bytes"].str.fullmatch("[0-9]+"), ["url", "bytes"]]
    if len(odd_size):
        url, size = odd_size.iloc[0]
        raise UserError(f"{path}: {url} has {size!r} bytes; write a whole number")
    roles = table.groupby("sample")["role"].agg(lambda r: ",".join(sorted(r)))
    odd = sorted(roles.index[roles != "image,mask"])
    if odd:
        raise UserError(f"{path}: sample {odd[0]!r} has {roles[odd[0]]}, expected one image and one mask")
    groups = table.groupby("sample")["group"].nunique()
    if (groups > 1).any():
        raise UserError(f"{path}: sample {groups.idxmax()!r} is in two groups; give its image and its mask the same")
    return table


def download(catalog: pd.DataFrame, store: Path, target: Path) -> list[Sample]:
    """Bring every file of a catalog to `target` as images/<sample>.<ext> and masks/<sample>.<ext>.

    Files that `store` has are not downloaded again, so that a broken run goes on where it was.

    Args:
        catalog: from `read_catalog`.
        store: folder that keeps downloads between runs.
        target: folder of the data set.

    Raises:
        UserError: naming the URL that can't be had, or whose content isn't the catalog's.
    """
    pooch.get_logger().setLevel(logging.ERROR)  # the progress bar says it all
    rows = catalog.to_dict("records")
    files = {row["url"]: f"{row['sha256']}{_extension(row['url'])}" for row in rows}
    keeper = pooch.create(
        store,
        base_url="",
        registry={files[row["url"]]: f"sha256:{row['sha256']}" for row in rows},
        urls={name: url for url, name in files.items()},
        retry_if_failed=RETRIES,
    )
    found: dict[str, dict[str, str]] = {}
    with Progress(transient=True) as progress:
        task = progress.add_task("downloading", total=int(catalog["bytes"].astype(int).sum()))
        for row in rows:
            role, url = row["role"], row["url"]
            kept = _fetch(keeper, files[url], url)
            place = f"{role}s/{row['sample']}{_extension(url)}"
            (target / place).parent.mkdir(exist_ok=True)
            shutil.copyfile(kept, target / place)
            found.setdefault(row["sample"], {"group": row["group"]}).update(
                {role: place, f"{role}_sha256": row["sha256"]}
            )
            progress.advance(task, int(row["bytes"]))
    return [Sample(sample=name, **parts) for name, parts in sorted(found.items())]


def _fetch(keeper: pooch.Pooch, name: str, url: str) -> Path:
    try:
        return Path(keeper.fetch(name, downloader=pooch.HTTPDownloader(timeout=60)))
    except requests.exceptions.RequestException as error:
        reason = f"HTTP {error.response.status_code}" if error.response is not None else type(error).__name__
        raise UserError(f"{url}: can't be downloaded ({reason}); check the network and run again") from None
    except ValueError:  # what pooch raises for another checksum
        raise UserError(
            f"{url}: what came has another SHA-256 than the catalog says; "
            "see whether the file has changed there, or a proxy sends something else"
        ) from None


def _extension(url: str) -> str:
    name = PurePosixPath(urllib.parse.unquote(urllib.parse.urlparse(url).path)).name
    return ".nii.gz" if name.endswith(".nii.gz") else PurePosixPath(name).suffix
