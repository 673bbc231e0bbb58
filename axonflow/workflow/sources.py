"""Settings → what a run reads: the slide, opened, and what its labels come from, masks or a model put to work."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import cast

from axonflow.errors import InputError, PixelSizeError
from axonflow.kernel.classes import AXON_MYELIN, Classes
from axonflow.kernel.units import PixelSize
from axonflow.net.checkpoint import Checkpoint
from axonflow.net.nnunet.plan import NnUNetPlan
from axonflow.net.precision import Precisions
from axonflow.net.seams import DEPTH
from axonflow.slide import Slide, find_bar, open_slide, open_stored, without_bar
from axonflow.stages.colours import open_colours
from axonflow.stages.convert import naming_the_way_on
from axonflow.stages.drawn_masks import MaskRole, is_drawn, open_drawn
from axonflow.stages.labels import LabelImage, open_labels, open_numbers
from axonflow.stages.masks import Mask, open_mask
from axonflow.stages.own_masks import OwnMasks
from axonflow.stages.segment_mended import MENDED_FROM
from axonflow.stages.segmentation import Masks, Network, NnUNet
from axonflow.workflow.config import Config

__all__ = ["cut_masks", "network_of", "opened_masks", "opened_slide", "pixel_size_of"]

FAST_STEP = 0.75
"""Between windows, of the patch, with --fast."""


def opened_slide(config: Config) -> Slide:
    """Open the slide of a run, without its info bar unless that is kept."""
    with naming_the_way_on():
        slide = open_slide(
            config.slide,
            series=config.series,
            channel=config.channel,
            pixel_size=config.pixel_size,
            incomplete=config.on_bad_tile == "fill",
        )
    bar = find_bar(slide)
    if bar is None:
        return slide
    return replace(slide, bar=bar) if config.keep_bar else without_bar(slide, bar)


def pixel_size_of(slide: Slide) -> PixelSize:
    """Return the pixel size of a slide; a PixelSizeError says how to give it."""
    if slide.pixel_size is None:
        raise PixelSizeError(
            f"The pixel size of {slide.path} was expected in the file, but it is {slide.pixel_size_source}; "
            "give it with --pixel-size (µm per pixel), for example --pixel-size 0.1, or beside the slide, as PixelSize "
            "in a BIDS JSON file or in pixel_size_in_micrometer.txt."
        )
    return slide.pixel_size


def opened_masks(config: Config, slide: Slide) -> Masks:
    """Open the masks of a user who has given some for a slide."""
    if config.labels is not None:
        if is_drawn(config.labels):
            raise InputError(
                f"An image was expected with --labels, {config.labels} holds outlines; give it with --axon-mask and, "
                "if it tells the classes apart, with --myelin-mask, too."
            )
        image = open_stored(config.labels)
        if config.classes is not None:
            return Masks((open_numbers(image, Classes.from_words(config.classes)),))
        return Masks((open_labels(image, AXON_MYELIN),))
    given: dict[MaskRole, Path | None]
    given = {"axon": config.axon_mask, "myelin": config.myelin_mask, "unmyelinated": config.uaxon_mask}
    masks = (_opened_mask(path, role, config, slide) for role, path in given.items() if path)
    return Masks(cast("OwnMasks", tuple(masks)))


def _opened_mask(path: Path, role: MaskRole, config: Config, slide: Slide) -> Mask:
    if is_drawn(path):
        return open_drawn(path, role, config.outlines_unit, slide.shape, pixel_size_of(slide))
    return open_mask(open_stored(path))


def cut_masks(masks: Masks, shape: tuple[int, int]) -> Masks:
    """Return masks that end where a slide of this shape does."""

    def cut(mask: LabelImage | Mask) -> LabelImage | Mask:
        return replace(mask, image=replace(mask.image, slide=replace(mask.image.slide, shape=shape)))

    return Masks(cast("OwnMasks", tuple(map(cut, masks.images))))


def computes_integers(config: Config, checkpoint: Checkpoint) -> bool:
    """Tell whether a model is to have whole numbers, which are those of the statistics of its training."""
    return bool(checkpoint.integers) and config.adapt_to_slide != "on"


def network_of(config: Config, slide: Slide, checkpoint: Checkpoint, precisions: Callable[[], Precisions]) -> Network:
    """Put a model to work on a slide; what is computed best is asked for only where it decides anything."""
    if checkpoint.plan is not None:
        return _nnunet(config, slide, checkpoint, checkpoint.plan, precisions)
    if config.fast or config.step is not None:
        name = "--fast" if config.fast else "--step"
        raise InputError(
            f"A model of nnU-Net was expected with {name}, {checkpoint.name!r} came, which has nothing that could be "
            "left out; leave it out."
        )
    exact = checkpoint.shape.radius
    if config.halo == "exact":
        halo = exact
    elif config.halo == "mend":
        halo = max(checkpoint.halo_px, DEPTH)
    else:
        halo = checkpoint.halo_px if config.halo is None else config.halo
    adapted, integers = config.adapt_to_slide == "on", computes_integers(config, checkpoint)
    chosen = config.precision or precisions().of(integers=integers and checkpoint.integers_path.exists())
    if chosen == "int8" and adapted:
        raise InputError(
            "Another precision than int8 was expected with --adapt-to-slide on: whole numbers were chosen for the "
            "statistics of the training; leave --precision out."
        )
    if chosen == "int8":
        checkpoint.integer_network()
    return Network(
        checkpoint,
        halo,
        chosen,
        config.keep_probabilities,
        adapted,
        MENDED_FROM if config.halo == "mend" and halo < exact else None,  # an exact halo leaves nothing to mend
    )


def _nnunet(
    config: Config, slide: Slide, checkpoint: Checkpoint, exact: NnUNetPlan, precisions: Callable[[], Precisions]
) -> NnUNet:
    """Put a model of nnU-Net to work, as nnU-Net runs it unless a faster way is asked for."""
    if config.halo is not None:
        raise InputError(
            f"No --halo was expected with {checkpoint.name!r}, a model of nnU-Net: its windows lie as nnU-Net lays "
            "them, and there are no seams; leave it out."
        )
    if config.precision is not None:
        raise InputError(
            f"No --precision was expected with {checkpoint.name!r}, a model of nnU-Net, which computes in float32, and "
            "with --fast in half precision where that is faster; leave it out."
        )
    if config.adapt_to_slide == "on":
        raise InputError(
            f"No --adapt-to-slide on was expected with {checkpoint.name!r}, a model of nnU-Net: its networks normalise "
            "each window by itself, and have no statistics of a training to mix others into; leave it out."
        )
    if slide.dtype.kind == "f" and "ZScoreNormalization" in exact.normalisations:
        raise InputError(
            f"A slide of integers was expected by the model {checkpoint.name!r}, {slide.path} holds floats; save it "
            "with 16 bits."
        )
    plan = replace(exact, step=FAST_STEP, mirrors=()) if config.fast else exact
    if config.step is not None:
        plan = replace(plan, step=config.step)
    colours = open_colours(slide, config.slide, config.series, config.channel) if len(exact.channels) == 3 else None
    return NnUNet(
        checkpoint,
        0,
        precisions().floats if config.fast else "float32",
        config.keep_probabilities,
        False,
        None,
        plan,
        exact,
        colours is None and slide.channels not in {"grey", "LA"} and slide.dtype.kind == "u",
        colours,
    )
