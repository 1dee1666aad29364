"""What the synthetic people wear: skin, hair, garments and their patterns."""

import colorsys
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from distilpose_keras.data.synthetic.body import body_template

_SKINS = np.array(
    [
        (255, 219, 190),
        (241, 194, 155),
        (224, 172, 130),
        (198, 134, 90),
        (160, 105, 70),
        (120, 76, 50),
        (84, 54, 38),
    ],
    float,
)
_HAIRS = np.array(
    [
        (24, 20, 18),
        (48, 34, 26),
        (84, 56, 36),
        (122, 84, 50),
        (176, 138, 84),
        (214, 184, 130),
        (140, 70, 36),
        (150, 148, 146),
        (215, 212, 208),
    ],
    float,
)
_NEUTRALS = np.array(
    [
        (28, 28, 32),
        (60, 62, 68),
        (120, 122, 126),
        (190, 190, 192),
        (238, 238, 236),
        (32, 40, 74),
        (62, 84, 128),
        (104, 128, 164),
        (150, 130, 100),
        (92, 72, 54),
    ],
    float,
)


@dataclass
class Outfit:
    """One person's looks.

    Attributes:
        colours: (F, 3) RGB per face, 0 to 255, before light falls on it.
        worn: (F,) bool: faces that exist (no skirt on somebody in trousers).
        thickness: (V,) factor on the distance of a vertex from its ring's centre.
        weave: (F,) strength 0 to 1 of the fabric's fine texture.
    """

    colours: np.ndarray
    worn: np.ndarray
    thickness: np.ndarray
    weave: np.ndarray


@lru_cache(maxsize=1)
def _zones():
    """Masks of faces and vertices by part, made once per process."""
    template = body_template()
    names = {p.removeprefix("left_").removeprefix("right_") for p in template.parts}
    faces = {name: template.faces_of(name) for name in names}
    vertices = {name: template.vertices_of(name) for name in names}
    return faces, vertices


def sample_colour(rng):
    """Draw a garment's RGB colour: half the time a neutral, dark or denim one."""
    if rng.random() < 0.5:
        return np.clip(
            _NEUTRALS[rng.integers(len(_NEUTRALS))] + rng.normal(0, 8, 3), 8, 250
        )
    hue, saturation, value = rng.random(), rng.uniform(0.35, 0.95), rng.uniform(0.3, 1)
    return np.array(colorsys.hsv_to_rgb(hue, saturation, value)) * 255


def _patterned(rng, patterns=True):
    """(F, 3) colours of a garment's cloth, as if all of the body wore it."""
    template = body_template()
    base, second = sample_colour(rng), sample_colour(rng)
    kind = rng.choice(
        ("plain", "stripes", "columns", "checks", "patches"),
        p=(
            (0.50, 0.20, 0.08, 0.14, 0.08) if patterns else (0.9, 0.03, 0.05, 0.0, 0.02)
        ),
    )
    period = rng.integers(1, 4)
    if kind == "stripes":
        mix = (template.ring // period) % 2
    elif kind == "columns":
        mix = template.around % 2
    elif kind == "checks":
        mix = (template.ring % 2 + template.around % 2) / 2
    elif kind == "patches":
        mix = (rng.random(len(template.faces)) < 0.3).astype(float)
    else:
        mix = np.zeros(len(template.faces))
    return base + (second - base) * mix[:, None]


class _Tailor:
    """Dresses one person from the skin outwards."""

    def __init__(self, rng):
        self.rng = rng
        self.template = body_template()
        self.faces, self.vertices = _zones()
        self.height = self.template.middle[:, 1]
        self.depth = self.template.middle[:, 2]
        self.vertex_height = self.template.vertices[:, 1]
        count = len(self.template.faces)
        skin = _SKINS[rng.integers(len(_SKINS))] * rng.uniform(0.9, 1.08)
        self.skin = np.clip(skin + rng.normal(0, 5, 3), 0, 255)
        self.colours = np.tile(self.skin, (count, 1))
        self.worn = np.ones(count, bool)
        self.weave = np.full(count, 0.12)
        self.thickness = np.ones(len(self.template.vertices))

    def dress(self):
        rng = self.rng
        self._face()
        self._hair()
        dress = rng.random() < 0.08
        cloth = _patterned(rng)
        self._legs(cloth if dress else None)
        self._top(cloth)
        if rng.random() < 0.85:
            self._cover(self.faces["foot"], sample_colour(rng), 0.3)
            self.thickness[self.vertices["foot"]] = 1.1
        self.worn &= ~self.faces["backpack"] | (rng.random() < 0.1)
        self._cover(self.faces["backpack"], sample_colour(rng), 0.6)
        # Cloth creases and worn skin: no two faces are quite alike.
        self.colours *= rng.normal(1, 0.03, (len(self.colours), 1))
        return Outfit(
            np.clip(self.colours, 0, 255), self.worn, self.thickness, self.weave
        )

    def _cover(self, where, colours, weave):
        colours = np.asarray(colours)
        self.colours[where] = colours if colours.ndim == 1 else colours[where]
        self.weave[where] = weave

    def _face(self):
        rng, faces = self.rng, self.faces
        self._cover(faces["eye_white"], np.array((235, 232, 228)), 0.0)
        iris = ((40, 26, 16), (70, 46, 26), (60, 84, 110), (58, 80, 56))
        self._cover(faces["iris"], np.array(iris[rng.integers(4)]) * 0.8, 0.0)
        self._cover(faces["lip"], self.skin * (0.82, 0.58, 0.56), 0.0)
        self._cover(faces["nose"], self.skin * 1.04, 0.05)
        self._cover(faces["nostril"], self.skin * 0.62, 0.0)
        self._cover(faces["ear"], self.skin * (0.98, 0.88, 0.86), 0.0)
        # Eye sockets and cheeks, so that the front of the head reads as a face.
        front = faces["head"] & (self.depth > 0.03)
        self._cover(front & (np.abs(self.height - 0.402) < 0.009), self.skin * 0.9, 0.1)
        cheeks = front & (np.abs(self.height - 0.382) < 0.009)
        self._cover(cheeks, self.skin * (1.0, 0.93, 0.91), 0.1)
        self.worn &= ~faces["glasses"] | (rng.random() < 0.15)
        self._cover(faces["glasses"], np.array((30, 30, 34)), 0.0)

    def _hair(self):
        rng, faces, height, depth = self.rng, self.faces, self.height, self.depth
        colour = np.clip(
            _HAIRS[rng.integers(len(_HAIRS))] + rng.normal(0, 8, 3), 8, 240
        )
        style = rng.choice(("short", "long", "bald", "cap"), p=(0.5, 0.28, 0.08, 0.14))
        fringe = rng.uniform(0.428, 0.446)
        nape = rng.uniform(0.352, 0.385)
        # The hairline falls from the fringe in front of the ears to the nape behind.
        hairline = np.interp(
            depth, (-0.035, 0.0, 0.024, 0.034), (nape, 0.404, 0.41, fringe)
        )
        covered = faces["hair"] & (height > hairline) & (style != "bald")
        self.worn &= ~faces["hair"] | covered
        # Long hair is a curtain at the back and sides of the head.
        curtain = faces["long_hair"] & (style == "long")
        self.worn &= ~faces["long_hair"] | (curtain & (depth < -0.004))
        for part in ("hair", "long_hair", "brow"):
            self._cover(faces[part], colour * (0.8 if part == "brow" else 1.0), 0.7)
        if style != "bald":
            scalp = faces["head"] & (height > hairline)
            self._cover(scalp, colour * 0.9, 0.6)
        self.worn &= ~faces["cap_peak"] | (style == "cap")
        if style == "cap":
            cloth = sample_colour(rng)
            cap = (faces["hair"] & (height > 0.424)) | faces["cap_peak"]
            self._cover(cap, cloth, 0.4)
        if rng.random() < 0.12:
            beard = faces["head"] & (height < 0.373) & (depth > 0.005)
            self._cover(beard, 0.3 * self.skin + 0.7 * colour, 0.6)

    def _legs(self, dress):
        rng, faces, vertices, height = self.rng, self.faces, self.vertices, self.height
        kind = rng.choice(("trousers", "shorts", "skirt"), p=(0.62, 0.26, 0.12))
        kind = "skirt" if dress is not None else kind
        cloth = _patterned(rng, patterns=False) if dress is None else dress
        hem = rng.uniform(-0.23, -0.10)
        self.worn &= ~faces["skirt"] | ((kind == "skirt") & (height > hem))
        self._cover(faces["skirt"], cloth, 0.7)
        end = {"trousers": rng.uniform(-0.50, -0.40), "skirt": -0.04}.get(kind, hem)
        self._cover(faces["leg"] & (height > end), cloth, 0.7)
        self._cover(faces["torso"] & (height < 0.10), cloth, 0.7)
        loose = rng.uniform(1.04, 1.28)
        long = vertices["leg"] & (self.vertex_height > end - 0.02)
        # Loose cloth hangs wider the further down it goes.
        drop = np.interp(self.vertex_height[long], (-0.5, 0.02), (1.0, 0.15))
        self.thickness[long] = 1.03 + (loose - 1.03) * drop
        if kind != "trousers" and rng.random() < 0.5:
            socks = faces["leg"] & (height < rng.uniform(-0.48, -0.32))
            self._cover(socks, sample_colour(rng), 0.4)

    def _top(self, cloth):
        rng, faces, vertices, height = self.rng, self.faces, self.vertices, self.height
        kind = rng.choice(
            ("short", "long", "none", "jacket", "bare"),
            p=(0.45, 0.28, 0.10, 0.15, 0.02),
        )
        if kind == "bare":
            return
        waist = rng.uniform(0.02, 0.085)
        trunk = faces["torso"] & (height > waist)
        collar = rng.choice((0.296, 0.312, 0.33))
        self._cover(trunk & (height < collar), cloth, 0.7)
        sleeve = {"short": rng.uniform(0.13, 0.21), "none": 0.292}.get(kind, -0.038)
        self._cover(faces["arm"] & (height > sleeve), cloth, 0.7)
        if kind == "jacket":
            opening = (
                trunk
                & (self.depth > 0.03)
                & (np.abs(self.template.middle[:, 0]) < 0.035)
            )
            self._cover(opening, sample_colour(rng), 0.5)
            self._cover(faces["neck"] & (height < 0.33), cloth, 0.7)
        elif rng.random() < 0.2:  # a print on the chest
            chest = trunk & (self.depth > 0.02) & (np.abs(height - 0.22) < 0.03)
            self._cover(chest, sample_colour(rng), 0.4)
        loose = rng.uniform(1.08, 1.3 if kind != "none" else 1.1)
        covered = vertices["arm"] & (self.vertex_height > sleeve)
        self.thickness[covered] = loose
        self.thickness[vertices["torso"]] = rng.uniform(1.02, 1.10)


def sample_outfit(rng):
    """Draw skin, face, hair and clothes of one person.

    Args:
        rng: numpy random generator.

    Returns:
        An `Outfit`.
    """
    return _Tailor(rng).dress()
