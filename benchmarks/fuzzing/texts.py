"""Settings as text: profiles and pipelines in TOML, manifests in CSV."""

from __future__ import annotations

import csv
import io
import random
import shutil
from pathlib import Path

from axonflow.errors import AxonflowError
from benchmarks.fuzzing.kind import ClaimError, Kind, change_one, only_one, replaced
from benchmarks.fuzzing.values import WORDS, changed_bytes, changed_toml

__all__ = ["KINDS"]


def _make_profiles(folder: Path) -> None:
    (folder / "own.toml").write_text(
        'system = "slurm"\nworkers = 4\ncores = 8\nmemory = 16\nwalltime = "02:00:00"\npartition = "short"\n'
        'account = "me"\nprologue = ["module load x"]\ndirectives = ["--exclusive"]\ninterface = "ib0"\n'
        'scratch = "$TMPDIR"\ndashboard = "127.0.0.1:0"\ngpus = 0\ndriver_memory = 2\ndriver_walltime = "24:00:00"\n'
    )
    (folder / "extending.toml").write_text('extends = "slurm"\nadapt = "0:8"\nprologue = ["true"]\nworkers = 3\n')


def _use_profile(_chance: random.Random, folder: Path) -> None:
    from axonflow.engine.jobs import driver_job, worker_script
    from axonflow.engine.profile import Profile

    profile = Profile.find(str(only_one(folder)))
    str(profile)
    if profile.queued:
        for text in (worker_script(profile), driver_job(profile, ["true"], folder).job_script()):
            if any(ord(letter) < 32 and letter not in "\n\t" for letter in text):
                raise ClaimError("a control character stands in a job's script")


def _make_pipelines(folder: Path) -> None:
    (folder / "run.toml").write_text(
        '[run]\nmodel = "sem"\nchunk = 1024\nhalo = 64\ncell_um = 50\nmax_myelin_um = 10.0\nmin_axon_area_um2 = 0.1\n'
        'pixel_size = [0.1, 0.1]\nseries = 0\nmask = "mask.png"\nmask_unit = "px"\nregions = "tracts.geojson"\n'
    )
    shipped = Path(__file__).parents[2] / "pipelines"
    for name in ("paper", "finetune", "mouse-tem"):
        shutil.copy(shipped / f"{name}.toml", folder)


def _use_pipeline(_chance: random.Random, folder: Path) -> None:
    from axonflow.training.recipe import Recipe
    from axonflow.workflow.settings import configure, read_pipeline

    path = only_one(folder)
    try:
        Recipe.read(path)
    except AxonflowError:
        configure(folder / "slide.tif", read_pipeline(path) if path.stem == "run" else {})
        read_pipeline(path)


_HEADER = ("slide", "level", "pixel_size", "mask", "out", "cell_um", "chunk", "series", "min_axon_area_um2")


def _make_manifest(folder: Path) -> None:
    rows = [
        _HEADER,
        ("a.tif", "C2", "0.1", "", "", "50", "1024", "", "0.2"),
        ("b.tif", "C3", "", "", "x", "", "", "0", ""),
    ]
    out = io.StringIO()
    csv.writer(out).writerows(rows)
    (folder / "slides.csv").write_text(out.getvalue())


def _change_manifest(chance: random.Random, folder: Path) -> None:
    path = folder / "slides.csv"
    cells = [*csv.reader(io.StringIO(path.read_text()))]
    for _ in range(chance.choice((1, 1, 2, 4))):
        row = chance.choice(cells)
        at = chance.randrange(len(row)) if row else 0
        special = chance.choice((*WORDS, "9" * 5_000, "x" * 200_000, "0,1", "'=1", "=cmd|x", '"', "1e400", "nan", "-0"))
        match chance.randrange(7):
            case 0 | 1 | 2 if row:
                row[at] = special
            case 3 if row:
                del row[at]
            case 4:
                row.insert(at, special)
            case 5:
                cells.insert(chance.randrange(len(cells)), [*row])
            case _:
                cells[0] = [chance.choice((name, name.upper(), "keep_probabilities", "halo")) for name in cells[0]]
    out = io.StringIO()
    csv.writer(out, delimiter=chance.choice(",,,;\t|")).writerows(cells)
    text = chance.choice(("", "", "", "sep=;\n", "sep=\0\n", "sep=\n", 'sep="\n', "sep=\r\n")) + out.getvalue()
    content = text.encode(chance.choice(("utf-8", "utf-8", "utf-16", "utf-8-sig")), errors="surrogatepass")
    replaced(chance, path, lambda: changed_bytes(chance, content) if chance.random() < 0.2 else content)


def _use_manifest(_chance: random.Random, folder: Path) -> None:
    from axonflow.workflow.batch import open_batch
    from axonflow.workflow.manifest import read_manifest

    slides = read_manifest(folder / "slides.csv")
    open_batch(slides, {}, folder / "stores")
    for slide in slides:
        slide.config({}, folder / "stores")


def _change_toml(chance: random.Random, content: bytes) -> bytes:
    return changed_toml(chance, content.decode())


KINDS = (
    Kind("profiles", 8, _make_profiles, change_one(_change_toml), _use_profile, single=True),
    Kind("pipelines", 7, _make_pipelines, change_one(_change_toml), _use_pipeline, single=True),
    Kind("manifests", 9, _make_manifest, _change_manifest, _use_manifest),
)
