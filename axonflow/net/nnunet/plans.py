"""From nnU-Net's plans.json, of the new format or the old, to a :class:`~axonflow.net.nnunet.plan.NnUNetPlan`.

What a plan asks for beyond that is refused: nothing of nnU-Net is at hand to do it, and leaving it out would give other
labels than nnU-Net's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import fields
from math import isfinite, prod
from typing import Any, get_args

from axonflow.kernel.documents import shortened, shown
from axonflow.net.nnunet.plan import Layers, NnUNetPlan, Normalisation

__all__ = ["is_fold", "plan_from_json", "plan_of"]

_MOST_LEVELS, _MOST_FEATURES, _MOST_CONVOLUTIONS, _LARGEST_KERNEL, _LARGEST_STRIDE = 12, 4096, 32, 15, 8
_LARGEST_PATCH = 4096
_ENDS = {"conv_op": ".Conv2d", "norm_op": ".InstanceNorm2d", "nonlin": ".LeakyReLU"}
_KNOWN = {
    *("n_stages", "features_per_stage", "conv_op", "kernel_sizes", "strides", "n_conv_per_stage", "n_blocks_per_stage"),
    *("n_conv_per_stage_decoder", "conv_bias", "norm_op", "norm_op_kwargs", "dropout_op", "dropout_op_kwargs"),
    *("nonlin", "nonlin_kwargs", "deep_supervision"),
}


def plan_of(
    plans: Mapping[str, Any], dataset: Mapping[str, Any], configuration: str, folds: tuple[str, ...]
) -> NnUNetPlan:
    """Return what plans say of a 2-D configuration, with no axis mirrored yet: a checkpoint tells that.

    Raises
    ------
    KeyError, TypeError, ValueError
        If something is missing, of another kind, or asks for what axonflow does not do.
    """
    content = _configuration(plans, configuration)
    patch = _pair(content["patch_size"], "patch_size", 8, _LARGEST_PATCH)
    if [*plans.get("transpose_forward", [0, 1, 2])] not in ([0, 1, 2], [0, 1]):
        raise ValueError("its images are transposed (transpose_forward), which axonflow does not")
    if content.get("previous_stage") is not None:
        raise ValueError("it is the second stage of a cascade, which axonflow does not run")
    if [float(side) for side in content["spacing"]][-2:] != [1.0, 1.0]:
        raise ValueError(f"a spacing of 1 px should be in plans.json, {shown(content['spacing'], 40)} came")
    layers = _layers(content)
    if any(side % prod(stride[axis] for stride in layers.strides) for axis, side in enumerate(patch)):
        raise ValueError(f"sides that its strides divide should be its patch_size, {list(patch)} came")
    names = dataset.get("channel_names", dataset.get("modality"))
    if not isinstance(names, dict) or len(names) not in (1, 3):
        raise ValueError(f"one channel, or three of RGB, should be in dataset.json, {shown(names, 60)} came")
    channels = tuple(shortened(str(names[str(i)]), 60) for i in range(len(names)))
    return NnUNetPlan(layers, patch, channels, _normalisations(content, len(channels)), (), folds)


def plan_from_json(content: Any) -> NnUNetPlan:
    """Return the plan that a contract holds, written by :func:`dataclasses.asdict`.

    Raises
    ------
    KeyError, TypeError, ValueError
        If it is none.
    """
    if not isinstance(content, dict) or content.keys() != {each.name for each in fields(NnUNetPlan)}:
        raise ValueError(
            f"{', '.join(each.name for each in fields(NnUNetPlan))} were expected, {shown(content, 80)} came"
        )
    layers = content["layers"]
    if not isinstance(layers, dict) or layers.keys() != {each.name for each in fields(Layers)}:
        raise ValueError(f"{', '.join(each.name for each in fields(Layers))} were expected, {shown(layers, 80)} came")
    if any(type(layers[name]) is not bool for name in ("residual", "bias", "affine")):
        raise TypeError("residual, bias and affine should be true or false")
    channels, mirrors, folds = (content[name] for name in ("channels", "mirrors", "folds"))
    if not isinstance(channels, list) or len(channels) not in (1, 3) or not all(isinstance(n, str) for n in channels):
        raise ValueError(f"names of one channel or three were expected, {shown(channels, 60)} came")
    if mirrors not in ([], [0], [1], [0, 1], [1, 0]):
        raise ValueError(f"axes 0 and 1 to mirror were expected, {shown(mirrors, 40)} came")
    if not isinstance(folds, list) or not folds or len({*map(str, folds)}) < len(folds) or not all(map(is_fold, folds)):
        raise ValueError(f"names of different folds were expected, {shown(folds, 60)} came")
    return NnUNetPlan(
        layers=_checked(
            "ResidualEncoderUNet" if layers["residual"] else "PlainConvUNet",
            **{
                name: layers[name]
                for name in ("features", "kernels", "strides", "encoder", "decoder", "bias", "affine")
            },
            levels=len(layers["features"]) if isinstance(layers["features"], list) else 0,
            epsilon=_real(layers["epsilon"], "epsilon"),
            slope=_real(layers["slope"], "slope"),
        ),
        patch=_pair(content["patch"], "patch", 8, _LARGEST_PATCH),
        channels=tuple(channels),
        normalisations=_normalisations({"normalization_schemes": content["normalisations"]}, len(channels)),
        mirrors=tuple(mirrors),
        folds=tuple(folds),
        step=_real(content["step"], "step"),
    )


def is_fold(name: object) -> bool:
    """Tell whether a fold may be called so."""
    return isinstance(name, str) and re.fullmatch(r"[A-Za-z0-9]{1,20}", name) is not None


def _configuration(plans: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return a configuration with all that it takes over from others."""
    content: dict[str, Any] = {}
    seen: list[object] = []
    known: Any = plans["configurations"]
    wanted: Any = name
    if not isinstance(known, dict):
        raise TypeError("configurations by name should be in plans.json")
    while wanted is not None:
        if wanted in seen or not isinstance(wanted, str) or not isinstance(known.get(wanted), dict):
            raise ValueError(
                f"the configuration {shown(wanted, 40)} should be in plans.json, {shown([*known], 80)} are"
            )
        seen.append(wanted)
        content = known[wanted] | content
        wanted = known[wanted].get("inherits_from")
    return content


def _normalisations(content: Mapping[str, Any], channels: int) -> tuple[Normalisation, ...]:
    schemes = content["normalization_schemes"]
    if not isinstance(schemes, list) or len(schemes) != channels:
        raise ValueError(
            f"a normalisation for each of {channels} channels should be in plans.json, {shown(schemes, 60)} came"
        )
    if odd := [scheme for scheme in schemes if scheme not in get_args(Normalisation)]:
        raise ValueError(
            f"normalisations among {', '.join(get_args(Normalisation))} should be in plans.json, {shown(odd[0], 60)} "
            "came, which axonflow does not do"
        )
    if "ZScoreNormalization" in schemes and any(content.get("use_mask_for_norm") or []):
        raise ValueError(
            "its mean and deviation are those of non-zero pixels (use_mask_for_norm), which axonflow does not do"
        )
    return tuple(schemes)


def _layers(content: Mapping[str, Any]) -> Layers:
    if "architecture" not in content:
        return _old(content)
    kind = _last(content["architecture"]["network_class_name"])
    given = content["architecture"]["arch_kwargs"]
    for name, end in _ENDS.items():
        if not f".{given[name]}".endswith(end):
            raise ValueError(f"the {name} {end[1:]} should be in plans.json, {shown(given[name], 60)} came")
    if unknown := sorted(set(given) - _KNOWN):
        raise ValueError(f"it asks for {', '.join(unknown)[:80]} of its network, which axonflow does not know")
    norm, active = (given.get(name) or {} for name in ("norm_op_kwargs", "nonlin_kwargs"))
    if set(norm) - {"eps", "affine"} or set(active) - {"inplace", "negative_slope"}:
        raise ValueError(
            f"an eps and affine of its norm, a slope of its ReLU were expected, {shown([norm, active], 80)} came"
        )
    if not isinstance(given.get("conv_bias", False), bool) or not isinstance(norm.get("affine", False), bool):
        raise TypeError("conv_bias and affine should be true or false in plans.json")
    return _checked(
        kind,
        features=given["features_per_stage"],
        kernels=given["kernel_sizes"],
        strides=given["strides"],
        encoder=given["n_blocks_per_stage" if kind == "ResidualEncoderUNet" else "n_conv_per_stage"],
        decoder=given["n_conv_per_stage_decoder"],
        levels=given["n_stages"],
        bias=given.get("conv_bias", False),
        epsilon=_real(norm.get("eps", 1e-5), "eps"),
        affine=norm.get("affine", False),
        slope=_real(active.get("negative_slope", 0.01), "negative_slope"),
    )


def _old(content: Mapping[str, Any]) -> Layers:
    """Read what versions before 2.4 wrote, as later ones do."""
    encoder = content["n_conv_per_stage_encoder"]
    if not isinstance(encoder, list):
        raise TypeError(f"a list of convolutions should be in plans.json, {shown(encoder, 40)} came")
    first = _whole(content["UNet_base_num_features"], "UNet_base_num_features", 1, _MOST_FEATURES)
    most = _whole(content["unet_max_num_features"], "unet_max_num_features", 1, _MOST_FEATURES)
    return _checked(
        _last(content["UNet_class_name"]),
        features=[min(first * 2**level, most) for level in range(min(len(encoder), _MOST_LEVELS + 1))],
        kernels=content["conv_kernel_sizes"],
        strides=content["pool_op_kernel_sizes"],
        encoder=encoder,
        decoder=content["n_conv_per_stage_decoder"],
        levels=len(encoder),
        bias=True,
        epsilon=1e-5,
        affine=True,
        slope=0.01,
    )


def _checked(
    kind: str, *, features: Any, kernels: Any, strides: Any, encoder: Any, decoder: Any, levels: Any, **more: Any
) -> Layers:
    if kind not in ("PlainConvUNet", "ResidualEncoderUNet"):
        raise ValueError(f"a PlainConvUNet or ResidualEncoderUNet should be in plans.json, {shown(kind, 60)} came")
    n = _whole(levels, "n_stages", 2, _MOST_LEVELS)
    encoder, decoder = (
        [value] * k if isinstance(value, int) else value for value, k in ((encoder, n), (decoder, n - 1))
    )
    counts = {"features": features, "kernel_sizes": kernels, "strides": strides, "encoder": encoder, "decoder": decoder}
    for name, values in counts.items():
        if not isinstance(values, list) or len(values) != n - (name == "decoder"):
            raise ValueError(
                f"{n - (name == 'decoder')} levels should be in {name} of plans.json, {shown(values, 60)} came"
            )
    sides = tuple(_pair(kernel, "kernel_sizes", 1, _LARGEST_KERNEL) for kernel in kernels)
    steps = tuple(_pair(stride, "strides", 1, _LARGEST_STRIDE) for stride in strides)
    if steps[0] != (1, 1) or any(side % 2 == 0 for kernel in sides for side in kernel):
        raise ValueError("convolutions of odd sides, the first of stride 1, should be in plans.json")
    return Layers(
        residual=kind == "ResidualEncoderUNet",
        features=tuple(_whole(value, "features", 1, _MOST_FEATURES) for value in features),
        kernels=sides,
        strides=steps,
        encoder=tuple(_whole(value, "encoder", 1, _MOST_CONVOLUTIONS) for value in encoder),
        decoder=tuple(_whole(value, "decoder", 1, _MOST_CONVOLUTIONS) for value in decoder),
        **more,
    )


def _last(name: object) -> str:
    return str(name).rpartition(".")[2]


def _whole(value: object, name: str, least: int, most: int) -> int:
    if type(value) is not int or not least <= value <= most:
        raise ValueError(f"{name} of {least} to {most} should be in plans.json, {shown(value, 40)} came")
    return value


def _real(value: object, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value) or not 0 <= value <= 1:
        raise ValueError(f"{name} of 0 to 1 should be in plans.json, {shown(value, 40)} came")
    return float(value)


def _pair(value: Any, name: str, least: int, most: int) -> tuple[int, int]:
    if not isinstance(value, Sequence) or len(value) != 2:
        raise ValueError(f"two numbers each should be in {name} of plans.json, {shown(value, 40)} came")
    return _whole(value[0], name, least, most), _whole(value[1], name, least, most)
