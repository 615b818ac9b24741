"""The colours of report.css, measured: contrast by WCAG 2.2, distance by CIE 1976."""

import itertools
import math
import re

import pytest

from mcp_perf import folders

CSS = (folders.shipped("templates") / "report.css").read_text(encoding="utf-8")
SCHEMES = dict(
    zip(
        ("light", "dark"),
        (
            dict(re.findall(r"--([\w-]+): (#\w{6})", block))
            for block in re.findall(r":root \{(.*?)\}", CSS, re.DOTALL)
        ),
        strict=False,
    )
)
ARMS = [f"arm-{i}" for i in range(6)]

# Machado, Oliveira and Fernandes, "A Physiologically-based Model for Simulation of Color Vision
# Deficiency", 2009: severity 1.0, on linear RGB.
VISION = {
    "usual": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protanopia": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "deuteranopia": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
    "tritanopia": (
        (1.255528, -0.076749, -0.178779),
        (-0.078411, 0.930809, 0.147602),
        (0.004733, 0.691367, 0.303900),
    ),
}


def linear(colour):
    """Undo the transfer function of sRGB."""
    channels = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]


def luminance(colour):
    """Give the relative luminance (WCAG 2.2)."""
    return sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear(colour), strict=True))


def contrast(one, other):
    """Give the contrast ratio of two colours (WCAG 2.2)."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def lab(rgb):
    """Convert linear sRGB to CIE L*a*b* under D65."""
    rows = ((0.4124, 0.3576, 0.1805), (0.2126, 0.7152, 0.0722), (0.0193, 0.1192, 0.9505))
    white = (0.95047, 1.0, 1.08883)
    x, y, z = (
        sum(w * c for w, c in zip(row, rgb, strict=True)) / n
        for row, n in zip(rows, white, strict=True)
    )
    x, y, z = (t ** (1 / 3) if t > 0.008856 else 7.787 * t + 16 / 116 for t in (x, y, z))
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def seen(colour, matrix):
    """Give the place of a colour in L*a*b* as someone with this vision sees it."""
    rgb = linear(colour)
    mixed = (sum(w * c for w, c in zip(row, rgb, strict=True)) for row in matrix)
    return lab([min(1.0, max(0.0, channel)) for channel in mixed])


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("text", ["ink", "soft", "pass", "fail", "inconclusive", "invalid"])
@pytest.mark.parametrize("ground", ["paper", "faint"])
def test_text_is_readable(scheme, text, ground):
    """Every text colour has a contrast of at least 4.5 on every ground (WCAG 2.2, AA)."""
    colours = SCHEMES[scheme]
    assert contrast(colours[text], colours[ground]) >= 4.5


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("arm", ARMS)
def test_arms_are_readable(scheme, arm):
    """A letter on an arm's colour, and the colour on paper, have a contrast of at least 4.5."""
    colours = SCHEMES[scheme]
    assert contrast(colours[arm], colours["on-arm"]) >= 4.5
    assert contrast(colours[arm], colours["paper"]) >= 4.5


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("vision", VISION)
def test_arms_are_told_apart_by_every_kind_of_colour_vision(scheme, vision):
    """Any two arms differ clearly (CIE 1976 distance of 20; 2.3 is just noticeable)."""
    places = [seen(SCHEMES[scheme][arm], VISION[vision]) for arm in ARMS]
    assert min(math.dist(a, b) for a, b in itertools.combinations(places, 2)) > 20
