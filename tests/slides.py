"""Small slides and masks of known tissue, a network nobody trained, and runs and commands in this process.

What a run leaves can be digested, to be compared.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image
from typer.testing import CliRunner

from axonflow.cli import app
from axonflow.engine.events import Event, StageDone
from axonflow.engine.profile import Profile
from axonflow.kernel.classes import AXON_MYELIN
from axonflow.kernel.classes import Classes as ClassList
from axonflow.ngff import Blocks, Pyramid
from axonflow.workflow.config import Config
from axonflow.workflow.job import prepare, run_job

Classes = NDArray[np.uint8]

GREYS = np.array([128, 205, 60], np.uint8)
"""Of background, myelin and axon."""


def tissue(shape: tuple[int, int], seed: int = 0) -> Classes:
    """Axons in rings of myelin: one larger than a chunk of 64 px, one over a corner of four, others anywhere."""
    random = np.random.default_rng(seed)
    h, w = shape
    fibers = [(h / 2, w / 2, 45.0, 6.0), (64.0, 64.0, 5.0, 3.0), (h - 2.0, w / 3, 9.0, 4.0)]
    anywhere = random.uniform((0, 0, 1, 0), (h, w, 11, 5), (h * w // 1500, 4))
    y, x = np.mgrid[:h, :w]
    classes = np.zeros(shape, np.uint8)
    for at_y, at_x, radius, myelin in (*fibers, *anywhere):
        away = np.hypot(y - at_y, x - at_x)
        classes[(away <= radius + myelin) & (away > radius)] = 1
        classes[away <= radius] = 2
    classes[h // 2 - 30 : h // 2 + 30 : 7, w // 2 - 20 : w // 2 + 20] = 1  # myelin inside the large axon
    return classes


def picture(classes: Classes, dtype: str = "uint8", seed: int = 0) -> NDArray[Any]:
    """What a microscope sees of tissue: the grey of each class, and noise."""
    grey = GREYS[classes] + np.random.default_rng(seed).normal(0, 12, classes.shape)
    if dtype == "uint8":
        return np.clip(grey, 0, 255).astype(np.uint8)
    return np.clip(grey * 200, 0, 65535).astype(np.uint16) if dtype == "uint16" else (grey / 100 - 1).astype(np.float32)


def write_slide(path: Path, pixels: NDArray[Any], side_um: float | None = 0.1, **options: Any) -> Path:
    """Write a TIFF, tiled and compressed unless told otherwise, that says its pixel size."""
    if side_um is not None:
        options |= {"resolution": (1e4 / side_um, 1e4 / side_um), "resolutionunit": "CENTIMETER"}
    tifffile.imwrite(path, pixels, **({"tile": (64, 64), "compression": "zlib"} | options))
    return path


def write_labels(path: Path, classes: Classes) -> Path:
    """Write classes as one image of 0, 127 and 255."""
    Image.fromarray(np.array([0, 127, 255], np.uint8)[classes]).save(path)
    return path


def write_masks(folder: Path, classes: Classes) -> tuple[Path, Path]:
    """Write classes as an axon and a myelin mask."""
    axon, myelin = folder / "axon.png", folder / "myelin.png"
    Image.fromarray(((classes == 2) * 255).astype(np.uint8)).save(axon)
    Image.fromarray(((classes == 1) * 255).astype(np.uint8)).save(myelin)
    return axon, myelin


def write_sample(top: Path, name: str, classes: Classes, seed: int = 0) -> Path:
    """Write a picture of tissue with its masks into a BIDS folder, whose pixel size is the caller's; return it."""
    subject = name.split("_")[0]
    micr, truth = top / subject / "micr", top / "derivatives" / "labels" / subject / "micr"
    for folder in (micr, truth):
        folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture(classes, seed=seed)).save(micr / f"{name}.png")
    for kind, number in (("myelin", 1), ("axon", 2)):
        mask = Image.fromarray(((classes == number) * 255).astype(np.uint8))
        mask.save(truth / f"{name}_seg-{kind}-manual.png")
    return micr / f"{name}.png"


def write_model(
    folder: Path, lattice_px: int = 64, pixel_size_um: float = 0.1, classes: ClassList = AXON_MYELIN
) -> Path:
    """Write a network with random weights, of which no class gets the better everywhere."""
    import torch

    from axonflow.net.architecture import TEM
    from axonflow.net.checkpoint import Checkpoint
    from axonflow.net.unet import UNet

    torch.manual_seed(3)
    net = UNet(TEM, classes=len(classes))
    with torch.no_grad():
        for module in net.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                assert module.running_mean is not None
                assert module.running_var is not None
                module.running_mean.uniform_(-0.2, 0.2)
                module.running_var.uniform_(0.5, 2)
        scores = net.eval()(torch.randn(1, 1, 128, 128))[0].reshape(len(classes), -1)
        assert isinstance(net.head, torch.nn.Conv2d)
        assert net.head.bias is not None
        net.head.weight.mul_(3 / scores.std(dim=1).reshape(-1, 1, 1, 1))
        net.head.bias.sub_(net(torch.randn(1, 1, 128, 128)).mean(dim=(0, 2, 3)))
    name = f"tiny{lattice_px}"
    Checkpoint(name, "tem", pixel_size_um, False, lattice_px, 25, 0.0, "", classes=classes).save(net, folder)
    return folder / f"{name}.json"


LOCAL = Profile.find("local").but(workers=1)


def processes(patch: pytest.MonkeyPatch) -> Profile:
    """Return the profile of two workers here that are processes, as many more of them would be."""
    patch.setattr("axonflow.engine.profile.THREADS", 1)
    return Profile.find("local").but(workers=2, memory=1)


def analyse(config: Config, **options: Any) -> list[str]:
    """Run in this process; return the names of the stages that were not done yet."""
    ended: list[str] = []

    def note(event: Event) -> None:
        if isinstance(event, StageDone):
            ended.append(event.stage.name)

    run_job(prepare(config), LOCAL, on_event=note, **options)
    return ended


def contents(store: Path) -> dict[str, str]:
    """Digest what must not depend on how the slide was cut: all levels of all images, sums, tables, maps."""
    found = {}
    names = ["", "resampled", *(f"labels/{name}" for name in ("semantic", "axons", "fibers"))]
    names += [f"probabilities/{name}" for name in ("background", "myelin", "axon")]
    for name in names:
        if (store / name / "s0").exists():
            pyramid = Pyramid.open(store / name)
            for level in range(pyramid.count):
                array = np.asarray(pyramid.array(level)[:])
                found[f"{name}/s{level}"] = f"{array.shape} {array.dtype} {sha256(array.tobytes()).hexdigest()}"
    if (store / "traits").exists():
        sums = np.asarray(Blocks.open(store / "traits").array()[:])
        found["traits"] = f"{sums.shape} {sha256(sums.tobytes()).hexdigest()}"
    for path in (*_files(store / "tables"), *_files(store / "maps")):
        found[str(path.relative_to(store))] = sha256(path.read_bytes()).hexdigest()
    return found


def files(store: Path) -> dict[str, str]:
    """Digest every file of a store but its record, its log, the report of both, and the journal."""
    return {
        str(path.relative_to(store)): sha256(path.read_bytes()).hexdigest()
        for path in _files(store)
        if path.name not in {"run.json", "run.log", "report.html"} and ".axonflow" not in path.parts
    }


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file())


class Ran(NamedTuple):
    """How a command ended: its exit code, and what it said."""

    code: int
    out: str
    err: str


def command(*arguments: object) -> Ran:
    """Run ``axonflow`` in this process."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Ran(result.exit_code, result.stdout, result.stderr)
