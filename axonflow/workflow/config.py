"""Everything a user can ask of a run, as one frozen value; each of its settings is written here and nowhere else.

The command line, pipelines, manifests, the Python API, the journal and the store's record all take it from here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from axonflow.engine.profile import TOPIC
from axonflow.errors import InputError
from axonflow.fiber.rules import Border
from axonflow.kernel.classes import Classes
from axonflow.kernel.documents import shown
from axonflow.kernel.kinds import (
    FILE,
    NUMBER,
    PIXEL_SIZE,
    TEXT,
    WHOLE,
    YES_NO,
    choice,
    is_one_line,
    name_or_path,
    path_or,
    whole_or,
)
from axonflow.kernel.setting import check, refuse_unknown, setting, settings
from axonflow.kernel.units import LARGEST_UM, SMALLEST_UM, PixelSize

if TYPE_CHECKING:
    from axonflow.net.checkpoint import Precision

__all__ = ["AxonShape", "Config", "Halo", "MaskUnit", "OnBadTile", "OnOff"]

Halo = int | Literal["exact", "mend"]
MaskUnit = Literal["px", "um"]
OnBadTile = Literal["stop", "fill"]
OnOff = Literal["on", "off"]
AxonShape = Literal["circle", "ellipse"]
_UNIT = choice("px", "um")

_SLIDE, _NETWORK, _MASKS = "The slide", "The network", "Own masks in place of the network"
_MAPS, _AXONS = "Maps and regions", "Which axons count, and how they are measured"


def _rule(purpose: str, flag: str, **bounds: Any) -> Any:
    """Make a field the setting of a rule, which bounds nothing unless given."""
    return setting(NUMBER, purpose, flag=flag, topic=_AXONS, usual="no bound", decides=("measure.rules",), **bounds)


def _is_side(value: Any) -> bool:
    return type(value) in (int, float) and 0 < value < 1e9


@dataclass(frozen=True, slots=True)
class Config:
    """What a run is asked to do: the slide, the store, and settings that each say at their place what they are.

    Attributes
    ----------
    slide : Path
        The image file.
    out : Path
        The store; ``slide.ome.zarr`` beside the slide unless given (:meth:`default_out`).

    Raises
    ------
    InputError
        If a value is of another kind or out of bounds, or some do not go together.
    """

    slide: Path
    out: Path
    series: int | None = setting(
        WHOLE, "Which image of a file that holds several.", flag="--series", topic=_SLIDE, decides=("convert",)
    )
    channel: int | None = setting(
        WHOLE,
        "Which channel of an OME-Zarr, such as a dye's.",
        flag="--channel",
        topic=_SLIDE,
        usual="the only one, or the luminance of RGB",
        least=0,
        decides=("convert",),
    )
    pixel_size: PixelSize | None = setting(
        PIXEL_SIZE,
        "Side of a pixel in µm, or height,width; overrides the file.",
        flag="--pixel-size",
        topic=_SLIDE,
        usual="the file's",
        decides=("convert", "segment"),
    )
    keep_bar: bool = setting(
        YES_NO,
        "Analyse the info bar that a scanning electron microscope wrote below the image, too.",
        default=False,
        flag="--keep-bar",
        topic=_SLIDE,
        decides=("convert", "segment"),
    )
    on_bad_tile: OnBadTile = setting(
        choice("stop", "fill"),
        "Where a tile of the slide is damaged or pixels are no finite numbers: stop, or fill the place with 0 and do "
        "not measure it.",
        default="stop",
        flag="--on-bad-tile",
        topic=_SLIDE,
        decides=("convert", "measure"),
    )
    model: str | None = setting(
        name_or_path("a model"),
        "An embedded model, one of yours, or the path of one or of a folder of nnU-Net.",
        flag="--model",
        topic=_NETWORK,
        usual="the embedded one nearest in pixel size",
        decides=("segment", "segment.seams"),
    )
    working_pixel_size_um: float | None = setting(
        NUMBER,
        "Resample the slide to pixels of this side before a model of nnU-Net sees it, µm.",
        flag="--working-pixel-size",
        topic=_NETWORK,
        usual="the slide's own",
        unit="µm",
        least=SMALLEST_UM,
        most=LARGEST_UM,
        decides=("resample",),
    )
    halo: Halo | None = setting(
        whole_or("exact", "mend", unit="px"),
        "Pixels each window of the network sees around its core; 'exact': all that can reach it; 'mend': the usual "
        "ones, and all where neighbours disagree.",
        flag="--halo",
        topic=_NETWORK,
        usual="the model's, 25",
        least=0,
        unit="px",
        decides=("segment", "segment.seams"),
    )
    adapt_to_slide: OnOff | None = setting(
        choice("on", "off"),
        "Adapt the network to the slide: mix statistics of its own windows into those of batch norm, which models of "
        "nnU-Net have not.",
        flag="--adapt-to-slide",
        topic=_NETWORK,
        usual="off",
        decides=("segment", "segment.seams"),
    )
    precision: Precision | None = setting(
        choice("int8", "bfloat16", "float16", "float32"),
        "Compute the network in this precision; int8 are whole numbers, the same on every processor, which a model "
        "must have.",
        flag="--precision",
        topic=_NETWORK,
        usual="float16 on a GPU; on a processor the fastest that it and the model have",
        decides=("segment", "segment.seams"),
    )
    fast: bool = setting(
        YES_NO,
        "Run a model of nnU-Net faster: no mirror images, fewer windows, half precision. Labels differ a little from "
        "nnU-Net's; the record says how much.",
        default=False,
        flag="--fast",
        topic=_NETWORK,
        decides=("segment",),
    )
    step: float | None = setting(
        NUMBER,
        "Largest distance between windows of nnU-Net, as a part of one.",
        flag="--step",
        topic=_NETWORK,
        usual="0.5, nnU-Net's; 0.75 with --fast",
        above=0,
        most=1,
        decides=("segment",),
    )
    keep_probabilities: bool = setting(
        YES_NO,
        "Store the class probabilities.",
        default=False,
        flag="--keep-probabilities",
        topic=_NETWORK,
        decides=("segment",),
    )
    axon_mask: Path | None = setting(
        FILE,
        "Own axon mask in place of the network (non-zero is axon), or outlines: GeoJSON, ROIs of ImageJ.",
        flag="--axon-mask",
        topic=_MASKS,
        decides=("segment",),
    )
    myelin_mask: Path | None = setting(
        FILE, "Own myelin mask, with --axon-mask.", flag="--myelin-mask", topic=_MASKS, decides=("segment",)
    )
    uaxon_mask: Path | None = setting(
        FILE, "Own mask of unmyelinated axons, with both.", flag="--uaxon-mask", topic=_MASKS, decides=("segment",)
    )
    outlines_unit: MaskUnit | None = setting(
        _UNIT,
        "Unit of masks that are outlines: px of the slide, or um.",
        flag="--outlines-unit",
        topic=_MASKS,
        usual="px",
        decides=("segment",),
    )
    labels: Path | None = setting(
        FILE,
        "Own masks as one image: 0 background, 127 myelin, 255 axon.",
        flag="--labels",
        topic=_MASKS,
        decides=("segment",),
    )
    classes: str | None = setting(
        TEXT,
        "What the values in --labels are, such as 0=background,1=myelin,2=axon,3=unmyelinated,4=nuclei.",
        flag="--classes",
        topic=_MASKS,
        usual="0, 127, 255 or 0, 1, 2",
        decides=("segment",),
    )
    cell_um: float = setting(
        NUMBER,
        "Side of a map's cell, µm.",
        default=50.0,
        flag="--cell",
        topic=_MAPS,
        unit="µm",
        above=0,
        decides=("map",),
    )
    mask: Path | None = setting(
        FILE,
        "What counts: an image of any resolution, or GeoJSON polygons.",
        flag="--mask",
        topic=_MAPS,
        usual="the whole slide",
        decides=("measure.rules", "measure.regions", "map"),
    )
    mask_unit: MaskUnit = setting(
        _UNIT,
        "Unit of the polygons: px of the slide, or um.",
        default="px",
        flag="--mask-unit",
        topic=_MAPS,
        decides=("measure.rules", "measure.regions", "map"),
    )
    regions: Path | None = setting(
        FILE,
        "Regions (tracts) to describe one by one: GeoJSON polygons, or an image of their numbers.",
        flag="--regions",
        topic=_MAPS,
        decides=("measure.regions",),
    )
    regions_unit: MaskUnit = setting(
        _UNIT,
        "Unit of their polygons: px, or um.",
        default="px",
        flag="--regions-unit",
        topic=_MAPS,
        decides=("measure.regions",),
    )
    rules: str | None = setting(
        path_or("none"),
        "Which axons count: a TOML file of the rules below, or 'none': all that are found, as in AxonDeepSeg.",
        flag="--rules",
        topic=_AXONS,
        usual="the counting frame alone",
        decides=("label.survey", "measure.rules"),
    )
    border: Border | None = setting(
        choice("frame", "inside", "all"),
        "Of the axons that the slide's border cuts, count those of the upper and left side alone (frame), none "
        "(inside), or all.",
        flag="--border",
        topic=_AXONS,
        usual="frame",
        decides=("measure.rules",),
    )
    min_axon_area_um2: float | None = setting(
        NUMBER,
        "Take what is smaller for no axon: it gets no id and no row, µm².",
        flag="--min-axon-area",
        topic=_AXONS,
        usual="the model's; 0 for own masks",
        unit="µm²",
        least=0,
        decides=("label.survey",),
    )
    min_unmyelinated_area_um2: float | None = setting(
        NUMBER,
        "The same of unmyelinated axons, µm².",
        flag="--min-unmyelinated-area",
        topic=_AXONS,
        usual="0.005 of a network, or the model's limit for axons if smaller; 0 for own masks",
        unit="µm²",
        least=0,
        decides=("label.survey",),
    )
    max_axon_area_um2: float | None = _rule("Leave out larger axons, µm².", "--max-axon-area", unit="µm²", above=0)
    min_diameter_um: float | None = _rule("Leave out thinner axons, µm.", "--min-diameter", unit="µm", least=0)
    max_diameter_um: float | None = _rule("Leave out thicker axons, µm.", "--max-diameter", unit="µm", above=0)
    min_solidity: float | None = _rule(
        "Leave out axons whose outline is more ragged.", "--min-solidity", least=0, most=1
    )
    max_eccentricity: float | None = _rule("Leave out longer axons.", "--max-eccentricity", least=0, most=1)
    need_myelin: bool | None = setting(
        YES_NO,
        "Leave out axons of which no myelin was found.",
        flag="--need-myelin",
        topic=_AXONS,
        usual="no",
        decides=("measure.rules",),
    )
    min_gratio: float | None = _rule(
        "Leave out axons with myelin of a smaller g-ratio.", "--min-gratio", least=0, most=1
    )
    max_gratio: float | None = _rule(
        "Leave out axons with myelin of a greater g-ratio.", "--max-gratio", above=0, most=1
    )
    min_axon_probability: float | None = _rule(
        "Leave out axons of which the network was less sure: of a smaller mean probability of their class.",
        "--min-axon-probability",
        least=0,
        most=1,
    )
    max_myelin_um: float = setting(
        NUMBER,
        "Longest way from an axon through its myelin, µm; myelin farther away belongs to none.",
        default=5.0,
        flag="--max-myelin",
        topic=_AXONS,
        unit="µm",
        above=0,
        most=1000,
        decides=("measure",),
    )
    axon_shape: AxonShape = setting(
        choice("circle", "ellipse"),
        "An axon's diameter: of the disk of its area (circle), or the short axis of its ellipse (ellipse).",
        default="circle",
        flag="--axon-shape",
        topic=_AXONS,
        decides=("measure",),
    )
    chunk: int | None = setting(
        WHOLE,
        "Side of the square that one task computes, px; does not change the result.",
        flag="--chunk",
        topic=TOPIC,
        usual="4096, less if small",
        unit="px",
        least=64,
        most=65_536,
        multiple=64,
        decides=("convert", "segment"),
    )

    def __post_init__(self) -> None:
        check(self)
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, str | Path) and not is_one_line(str(value)):
                raise InputError(
                    f"A name in UTF-8 without control characters was expected for {field.name}, {str(value)!a} came; "
                    "rename it, or give a link with another name."
                )
        if (self.axon_mask is None) != (self.myelin_mask is None):
            raise InputError("--axon-mask and --myelin-mask were expected together, one came; give both, or --labels.")
        if self.uaxon_mask is not None and self.axon_mask is None:
            raise InputError(
                "--uaxon-mask was expected with --axon-mask and --myelin-mask, it came alone; give them, too."
            )
        if self.labels is not None and self.axon_mask is not None:
            raise InputError("Either --labels or --axon-mask with --myelin-mask was expected, both came; give one.")
        if self.outlines_unit is not None and self.axon_mask is None:
            raise InputError("--outlines-unit was expected with --axon-mask and --myelin-mask; give them, too.")
        if self.classes is not None and self.labels is None:
            raise InputError("--classes was expected with --labels, it came alone; give the image that it is about.")
        if self.classes is not None:
            try:
                Classes.from_words(self.classes)
            except ValueError as error:
                raise InputError(
                    f"--classes was expected to be like 0=background,1=myelin,2=axon,3=unmyelinated: {error}."
                ) from error

    @property
    def own_masks(self) -> bool:
        """Whether masks are given, so that no network is needed."""
        return self.labels is not None or self.axon_mask is not None

    @staticmethod
    def default_out(slide: Path) -> Path:
        """Return the store that belongs to a slide: the same name beside it, ending in ``.ome.zarr``."""
        slide = slide if slide.name else slide.resolve()
        stem = slide.name
        if not stem:
            raise InputError(f"A slide was expected, the folder {slide} came; give the image file.")
        for ending in (".ome.zarr", ".zarr", ".ome.tiff", ".ome.tif", slide.suffix):
            if ending and stem.lower().endswith(ending.lower()):
                stem = stem[: -len(ending)]
                break
        out = slide.with_name(f"{stem}.ome.zarr")
        return out if out != slide else slide.with_name(f"{stem}.axonflow.ome.zarr")

    def to_json(self) -> dict[str, Any]:
        """Return the value as JSON; paths are absolute, so that it means the same from any folder."""
        here, content = Path.cwd(), asdict(self) | {"pixel_size": None}
        content |= {name: str(here / content[name]) for name in ("slide", "out")}
        for name, known in settings(Config).items():
            if known.kind.under and content[name] is not None:
                content[name] = str(known.kind.under(content[name], here))
        if self.pixel_size is not None:
            content["pixel_size"] = asdict(self.pixel_size)
        if self.adapt_to_slide is None:  # records of runs without it are as they were before there was such a setting
            del content["adapt_to_slide"]
        if self.precision is None:  # likewise
            del content["precision"]
        return content

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Config:
        """Build the value from what :meth:`to_json` returned; unknown names, and values of other kinds, are refused."""
        refuse_unknown(content, [field.name for field in fields(cls)])
        for name in ("slide", "out", *(name for name, known in settings(cls).items() if known.kind is FILE)):
            if not isinstance(content.get(name), str if name in ("slide", "out") else str | None):
                raise InputError(f"{name} was expected to be a path, {shown(content.get(name))} came.")
        size = content.get("pixel_size")
        sides = size.values() if isinstance(size, dict) and size.keys() == {"y", "x"} else [None]
        if size is not None and not all(map(_is_side, sides)):
            raise InputError(f"pixel_size was expected to be y and x, {shown(size)} came.")
        values = dict(content) | {name: Path(content[name]) for name in ("slide", "out")}
        for name, setting_ in settings(cls).items():
            if setting_.kind is FILE and values.get(name) is not None:
                values[name] = Path(values[name])
        if values.get("pixel_size") is not None:
            values["pixel_size"] = PixelSize(**values["pixel_size"])
        return cls(**values)
