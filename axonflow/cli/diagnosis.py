"""What this machine can do for axonflow, and what to install for what it cannot: asked, never assumed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from platform import platform, python_version

__all__ = ["BROWSERS", "Finding", "diagnose"]

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
"""Commands of the browser that draws without a display."""

PACKAGE = "axonflow-histology"

PATIENCE_S = 10.0
"""For a command to answer."""

_CODECS = ("jpeg", "jpeg2k", "lzw", "deflate", "zstd", "webp", "packbits", "lerc", "jpegxl", "jpegxr")
"""Of TIFF tiles; the first four are those of scanners."""

_MEANT_FOR = {
    "astih": "downloading the ASTIH data sets",
    "tensorboard": "the curve of a training, drawn",
}
"""What an extra is for."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was asked.

    Attributes
    ----------
    part : str
    found : str
        In plain words.
    advice : str
        What to do, where something is missing or could be better.
    """

    part: str
    found: str
    advice: str = ""


def diagnose() -> Iterator[Finding]:
    """Yield what there is, part by part; what cannot be asked is a finding, too."""
    for part, ask in _PARTS.items():
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            try:
                yield from ask()
            except Exception as error:  # whatever is broken is what one came to hear
                yield Finding(part, f"cannot be asked: {type(error).__name__}: {error}", "install axonflow again")
        for warning in {str(warning.message) for warning in said}:
            yield Finding(part, warning)


def _processor() -> Iterator[Finding]:
    from dask.system import CPU_COUNT

    from axonflow.net.machine import features, processor_name
    from axonflow.net.precision import best_precisions

    there = os.cpu_count() or 1
    cores = f"{CPU_COUNT} of {there} cores may be used" if there > CPU_COUNT else f"{there} cores"
    yield Finding("processor", f"{processor_name()}, {cores}; {', '.join(features()) or 'no features known'}")
    precisions = best_precisions()
    slow = precisions == ("float32", False)
    advice = "a processor with avx2, avx512_vnni or AMX, or a GPU, is several times as fast" if slow else ""
    own = "sem, tem and others that have whole numbers compute in int8, " if precisions.bytes else ""
    yield Finding("precision", f"{own}networks{' without' * bool(own)} compute in {precisions.floats}", advice)


def _memory() -> Iterator[Finding]:
    import psutil
    from distributed.system import MEMORY_LIMIT

    memory = psutil.virtual_memory()
    limit = "" if memory.total <= MEMORY_LIMIT else f"; this process may take {_gib(MEMORY_LIMIT)}"
    yield Finding("memory", f"{_gib(memory.available)} free of {_gib(memory.total)}{limit}")
    scratch = tempfile.gettempdir()
    yield Finding("scratch", f"{_gib(shutil.disk_usage(scratch).free)} free in {scratch}")


def _loops() -> Iterator[Finding]:
    from axonflow.kernel.compiled import kept_in

    folder = kept_in()
    if folder is None:
        yield Finding(
            "loops",
            "compiled loops are kept nowhere, every process compiles them anew",
            "export NUMBA_CACHE_DIR=FOLDER, one that can be written",
        )
    else:
        yield Finding("loops", f"compiled loops are kept in {folder}")


def _gpu() -> Iterator[Finding]:
    from axonflow.net.device import works
    from axonflow.net.machine import cards, cuda_version

    there = list(cards())
    for card in there:
        found = card.fault or f"{_gib(card.free)} free of {_gib(card.total)}"
        yield Finding("GPU", f"{card.name}: {found}", "look at nvidia-smi" if card.fault else "")
    fault = works()
    if there and fault:
        yield Finding("GPU", f"the first one does not compute: {fault}", "look at nvidia-smi")
    if there:
        return
    seen = _answer("nvidia-smi", "--list-gpus")
    if seen is None or not seen.startswith("GPU"):
        found = f"none that works: {fault}" if fault else "none; networks are computed by the processor"
        yield Finding("GPU", found, "ask for a GPU, or leave CUDA_VISIBLE_DEVICES empty" if fault else "")
    elif cuda_version() is None:
        yield Finding(
            "GPU",
            f"{seen.splitlines()[0]}, but this torch was built without CUDA",
            "pip install a torch built for CUDA, see https://pytorch.org/get-started/locally",
        )
    else:
        yield Finding("GPU", f"{seen.splitlines()[0]}, but torch cannot use it: {fault}", "update the NVIDIA driver")


def _codecs() -> Iterator[Finding]:
    import imagecodecs
    import numpy as np
    import zarr
    from zarr.codecs import BloscCodec, ZstdCodec

    numbers = np.arange(999)
    broken = []
    for codec in (ZstdCodec(), BloscCodec(cname="zstd")):
        array = zarr.create_array(zarr.storage.MemoryStore(), data=numbers, compressors=codec)
        if not np.array_equal(np.asarray(array[:]), numbers):
            broken.append(type(codec).__name__)
    yield Finding(
        "stores",
        f"{' and '.join(broken)} return other numbers than went in" if broken else "zstd and blosc compress them",
        "pip install --force-reinstall numcodecs zarr" if broken else "",
    )
    missing = [name for name in _CODECS if not getattr(imagecodecs, name.upper()).available]
    yield Finding(
        "slides",
        "TIFF tiles in " + ", ".join(name for name in _CODECS if name not in missing),
        f"for {', '.join(missing)}: pip install --force-reinstall imagecodecs" if missing else "",
    )


def _queues() -> Iterator[Finding]:
    from axonflow.engine.queues import QUEUES

    there = [system for system in QUEUES.values() if shutil.which(system.own_command)]
    for system in there:
        question = system.partitions_question
        answer = _ask(*question)
        if answer.returncode == 0:
            partitions = system.partitions(answer.stdout)
            named = f", partitions {', '.join(partitions)}" if partitions else ""
            yield Finding("queue", f"{system.title} answers{named}")
        else:
            lines = (answer.stderr or answer.stdout).strip().splitlines() or ["no word"]
            yield Finding(
                "queue",
                f"{system.title}: {system.own_command} is here, but {question[0]} does not answer: {lines[-1]}",
                "log in to a node from which jobs may be submitted, or ask those who run the cluster",
            )
    if not there:
        titles = ", ".join(system.title for system in QUEUES.values())
        yield Finding("queue", f"none of {titles}; runs stay on this machine")


def _profiles() -> Iterator[Finding]:
    from axonflow.engine.profile import profile_names, site_profiles

    own = sorted(path.stem for path in site_profiles().glob("*.toml"))
    shipped = ", ".join(name for name in profile_names() if name not in own)
    said = f"{', '.join(own)} in {site_profiles()}, and" if own else f"none of this site in {site_profiles()};"
    yield Finding("profiles", f"{said} {shipped} that come with axonflow")


def _browser() -> Iterator[Finding]:
    there = next((command for command in map(shutil.which, BROWSERS) if command), None)
    if there:
        yield Finding("browser", f"{(_answer(there, '--version') or 'does not say its version').strip()}, {there}")
        return
    yield Finding(
        "browser",
        "no Chromium or Chrome; axonflow view works with a browser elsewhere",
        "for axonflow view --screenshot install chromium (Debian, Ubuntu: apt install chromium)",
    )


def _versions() -> Iterator[Finding]:
    there, missing, extra = [f"Python {python_version()}"], [], []
    for wanted in [PACKAGE, *(requires(PACKAGE) or ())]:
        name = re.split(r"[^\w.-]", wanted, maxsplit=1)[0]
        needed_for = re.search(r"extra == ['\"](.+?)['\"]", wanted)
        try:
            there.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            extra.append((name, needed_for[1])) if needed_for else missing.append(name)
    yield Finding("versions", ", ".join(there), f"pip install {' '.join(missing)}" if missing else "")
    for name, purpose in extra:
        yield Finding("optional", f"no {name}, for {_MEANT_FOR.get(purpose, purpose)}", f"pip install {name}")


def _place() -> Iterator[Finding]:
    yield Finding("system", f"{platform(terse=True)}; axonflow lies in {Path(__file__).parents[1]}")


_PARTS: dict[str, Callable[[], Iterator[Finding]]] = {
    "system": _place,
    "processor": _processor,
    "memory": _memory,
    "loops": _loops,
    "GPU": _gpu,
    "stores": _codecs,
    "queue": _queues,
    "profiles": _profiles,
    "browser": _browser,
    "versions": _versions,
}


def _ask(*command: str) -> subprocess.CompletedProcess[str]:
    """Run a command; that it is not there or does not end is an answer, too."""
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 1, "", f"nothing came within {PATIENCE_S:g} s")
    except OSError as error:
        return subprocess.CompletedProcess(command, 1, "", str(error))


def _answer(*command: str) -> str | None:
    answer = _ask(*command)
    return answer.stdout if answer.returncode == 0 else None


def _gib(size: float) -> str:
    return f"{size / 2**30:.1f} GiB"
