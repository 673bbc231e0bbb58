"""What a test runs as ``dandi download`` where the real program is not installed: the same flags, the same requests."""

from __future__ import annotations

import hashlib
import json
import sys
from argparse import ArgumentParser
from pathlib import Path
from urllib.request import urlopen


def etag_of(content: bytes) -> str:
    return f"{hashlib.md5(hashlib.md5(content).digest()).hexdigest()}-1"


def main() -> None:
    parser = ArgumentParser()
    parser.add_argument("command", choices=["download"])
    parser.add_argument("--existing", choices=["overwrite-different"], required=True)
    parser.add_argument("--output-dir", type=Path, required=True)
    parser.add_argument("url")
    given = parser.parse_args()
    api, _, dandiset = given.url.partition("/dandisets/")
    page: str | None = f"{given.url}assets/?order=path"
    while page:
        with urlopen(page) as answer:
            listing = json.load(answer)
        for asset in listing["results"]:
            with urlopen(f"{api}/assets/{asset['asset_id']}/") as answer:
                expected = json.load(answer)["digest"]["dandi:dandi-etag"]
            path = given.output_dir / dandiset.partition("/")[0] / asset["path"]
            if path.exists() and etag_of(path.read_bytes()) == expected:
                continue
            with urlopen(f"{api}/assets/{asset['asset_id']}/download/") as answer:
                content = answer.read()
            if etag_of(content) != expected:
                sys.exit(f"{path}: {etag_of(content)} != {expected}")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        page = listing["next"]


if __name__ == "__main__":
    main()
