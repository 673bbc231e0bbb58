"""How the page colours pixels: small programs in GLSL, and the colour bars that go with them."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
from matplotlib.colors import to_hex, to_rgb

from axonflow.kernel.classes import Classes

__all__ = ["SLIDE", "class_colours", "colour_map", "colours", "two_colours"]

SLIDE = """#uicontrol invlerp brightness
void main() { emitGrayscale(brightness()); }
"""
"""Greys between the two that are shown black and white."""

STOPS = 65
"""Of a colour map; between two of them it is straight to less than a 255th."""


def class_colours(classes: Classes) -> str:
    """Return the program that shows semantic labels, each class in its colour; background is transparent."""
    controls = {each: each.name.replace(" ", "_") for each in classes.legend}
    choices = "\n".join(
        f'#uicontrol vec3 {control} color(default="{each.colour}")' for each, control in controls.items()
    )
    cases = "\n  ".join(
        f"{'else ' if i else ''}if (found == {each.number}u) emitRGB({control});"
        for i, (each, control) in enumerate(controls.items())
    )
    return f"""{choices}
void main() {{
  uint found = getDataValue().value;
  {cases}
  else emitTransparent();
}}
"""


def two_colours(no: str, yes: str) -> str:
    """Return the program that shows 0 and 1 in these colours; NaN is transparent."""
    first, second = (", ".join(f"{part:.3f}" for part in to_rgb(colour)) for colour in (no, yes))
    return f"""void main() {{
  float value = getDataValue();
  if ((floatBitsToUint(value) & 0x7fffffffu) > 0x7f800000u) {{ emitTransparent(); return; }}  // NaN
  emitRGB(value > 0.5 ? vec3({second}) : vec3({first}));
}}
"""


def colours(name: str) -> list[str]:
    """Return the colours of a colour map of matplotlib, from the lowest to the highest, as CSS writes them."""
    return [to_hex(mpl.colormaps[name](place)) for place in np.linspace(0, 1, STOPS)]


def colour_map(name: str) -> str:
    """Return the program that shows numbers in a colour map of matplotlib; NaN is transparent."""
    rgb = mpl.colormaps[name](np.linspace(0, 1, STOPS))[:, :3]
    stops = ", ".join(f"vec3({r:.3f}, {g:.3f}, {b:.3f})" for r, g, b in rgb)
    return f"""#uicontrol invlerp range
const vec3 stops[{STOPS}] = vec3[{STOPS}]({stops});
void main() {{
  float value = getDataValue();
  if ((floatBitsToUint(value) & 0x7fffffffu) > 0x7f800000u) {{ emitTransparent(); return; }}  // NaN
  float place = clamp(range(), 0.0, 1.0) * {STOPS - 1}.0;
  int below = min(int(place), {STOPS - 2});
  emitRGB(mix(stops[below], stops[below + 1], place - float(below)));
}}
"""
