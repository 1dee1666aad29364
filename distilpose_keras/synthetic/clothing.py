"""What the synthetic people wear: skin, hair, garments and their patterns."""

import colorsys
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from distilpose_keras.synthetic.chance import choose
from distilpose_keras.synthetic.mesh import body_template

# RGB, 0 to 255.
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
_EYES = np.array([(32, 20, 12), (56, 36, 20), (48, 66, 88), (46, 64, 44)], float)
_PATTERNS = ("plain", "stripes", "columns", "checks", "patches")


@dataclass
class Outfit:
    """One person's looks.

    Attributes:
        colours: (F, 3) float32 RGB per face, 0 to 255, before light falls on it.
        worn: (F,) bool: faces that exist (no skirt on somebody in trousers).
        thickness: (V,) factor on the distance of a vertex from its ring's centre.
        weave: (F,) float32 strength 0 to 1 of the fabric's fine texture.
    """

    colours: np.ndarray
    worn: np.ndarray
    thickness: np.ndarray
    weave: np.ndarray


@dataclass(frozen=True)
class _Zone:
    """A part's faces (both sides), where they are, and its vertices."""

    faces: np.ndarray
    across: np.ndarray
    height: np.ndarray
    depth: np.ndarray
    vertices: np.ndarray
    vertex_height: np.ndarray


@lru_cache(maxsize=1)
def _zones():
    """Zones by part, made once per process."""
    template = body_template()
    names = {p.removeprefix("left_").removeprefix("right_") for p in template.parts}
    zones = {}
    for name in names:
        (faces,) = template.faces_of(name).nonzero()
        (vertices,) = template.vertices_of(name).nonzero()
        where = template.middle[faces].T
        zones[name] = _Zone(faces, *where, vertices, template.vertices[vertices, 1])
    return zones


def sample_colour(rng):
    """Draw a garment's RGB colour: half the time a neutral, dark or denim one."""
    if rng.random() < 0.5:
        neutral = _NEUTRALS[rng.integers(len(_NEUTRALS))]
        return np.clip(neutral + rng.normal(0, 8, 3), 8, 250)
    hue, saturation, value = rng.random(), rng.uniform(0.35, 0.95), rng.uniform(0.3, 1)
    return np.array(colorsys.hsv_to_rgb(hue, saturation, value)) * 255


class _Tailor:
    """Dresses one person from the skin outwards.

    Every face has a material: an index into the palette of colours and weaves.
    """

    def __init__(self, rng):
        self.rng = rng
        self.zones = _zones()
        template = body_template()
        self.ring, self.around = template.ring, template.around
        self.palette, self.weaves = [], []
        self.material = np.zeros(len(template.faces), np.int16)
        self.worn = np.ones(len(template.faces), bool)
        self.thickness = np.ones(len(template.vertices), np.float32)

    def dress(self):
        rng = self.rng
        skin = _SKINS[rng.integers(len(_SKINS))] * rng.uniform(0.9, 1.08)
        self.skin = skin + rng.normal(0, 5, 3)
        self._material(self.skin, 0.12)  # material 0: whatever nothing covers
        self._face()
        self._hair()
        cloth = self._cloth()
        self._legs(cloth if rng.random() < 0.08 else None)
        self._top(cloth)
        if rng.random() < 0.85:
            self._cover("foot", self._material(sample_colour(rng), 0.3))
            self.thickness[self.zones["foot"].vertices] = 1.1
        self._cover("backpack", self._material(sample_colour(rng), 0.6))
        if rng.random() < 0.9:
            self._drop("backpack")
        # Cloth creases and skin is uneven: no two faces are quite alike.
        uneven = rng.standard_normal((len(self.material), 1), np.float32) * 0.03 + 1
        colours = np.array(self.palette, np.float32)[self.material] * uneven
        weave = np.array(self.weaves, np.float32)[self.material]
        return Outfit(np.clip(colours, 0, 255), self.worn, self.thickness, weave)

    def _material(self, colour, weave):
        self.palette.append(colour)
        self.weaves.append(weave)
        return len(self.palette) - 1

    def _cover(self, part, material, where=slice(None)):
        """Give the faces of a part a material: one index, or one per face."""
        faces = self.zones[part].faces[where]
        self.material[faces] = material[faces] if np.ndim(material) else material

    def _drop(self, part, where=slice(None)):
        """Leave out faces of a part."""
        self.worn[self.zones[part].faces[where]] = False

    def _cloth(self, odds=(0.50, 0.20, 0.08, 0.14, 0.08)):
        """(F,) materials of a patterned cloth, as if all of the body wore it."""
        rng, ring, around = self.rng, self.ring, self.around
        base, second = sample_colour(rng), sample_colour(rng)
        first = self._material(base, 0.7)
        kind = choose(rng, _PATTERNS, odds)
        if kind == "plain":
            return np.full(len(ring), first, np.int16)
        if kind == "checks":
            self._material((base + second) / 2, 0.7)
            steps = ring % 2 + around % 2
        elif kind == "stripes":
            steps = (ring // rng.integers(1, 4)) % 2
        elif kind == "columns":
            steps = around % 2
        else:
            steps = rng.random(len(ring)) < 0.3
        self._material(second, 0.7)
        return (first + steps).astype(np.int16)

    def _face(self):
        rng, skin = self.rng, self.skin
        self._cover("eye_white", self._material((235, 232, 228), 0))
        self._cover("iris", self._material(_EYES[rng.integers(len(_EYES))], 0))
        self._cover("lip", self._material(skin * (0.82, 0.58, 0.56), 0))
        self._cover("nose", self._material(skin * 1.04, 0.05))
        self._cover("nostril", self._material(skin * 0.62, 0))
        self._cover("ear", self._material(skin * (0.98, 0.86, 0.84), 0))
        # Eye sockets and cheeks, so that the front of the head reads as a face.
        head = self.zones["head"]
        front = head.depth > 0.03
        sockets = front & (np.abs(head.height - 0.402) < 0.009)
        self._cover("head", self._material(skin * 0.9, 0.1), sockets)
        cheeks = front & (np.abs(head.height - 0.382) < 0.009)
        self._cover("head", self._material(skin * (1, 0.93, 0.91), 0.1), cheeks)
        self._cover("glasses", self._material((30, 30, 34), 0))
        if rng.random() < 0.85:
            self._drop("glasses")

    def _hair(self):
        rng, head, shell = self.rng, self.zones["head"], self.zones["hair"]
        colour = _HAIRS[rng.integers(len(_HAIRS))] + rng.normal(0, 8, 3)
        hair = self._material(colour, 0.7)
        styles = ("short", "long", "bald", "cap")
        style = choose(rng, styles, (0.50, 0.28, 0.08, 0.14))
        fringe, nape = rng.uniform((0.428, 0.352), (0.446, 0.385))

        def over_hairline(zone):
            # It falls from the fringe in front of the ears to the nape behind.
            ends = (nape, 0.404, 0.41, fringe)
            return zone.height - np.interp(
                zone.depth, (-0.035, 0.0, 0.024, 0.034), ends
            )

        if style == "bald":
            self._drop("hair")
        else:
            self._drop("hair", over_hairline(shell) <= 0)
            scalp = over_hairline(head)
            self._cover("head", hair, scalp > 0)
            self._drop("head", scalp > 0.025)  # deep under the hair
        # Long hair is a curtain at the back and sides of the head.
        curtain = self.zones["long_hair"].depth < -0.004
        self._drop("long_hair", ~curtain if style == "long" else slice(None))
        self._cover("hair", hair)
        self._cover("long_hair", hair)
        self._cover("brow", self._material(colour * 0.8, 0))
        if style == "cap":
            cap = self._material(sample_colour(rng), 0.4)
            self._cover("hair", cap, shell.height > 0.424)
            self._cover("cap_peak", cap)
        else:
            self._drop("cap_peak")
        if rng.random() < 0.12:
            beard = self._material(0.3 * self.skin + 0.7 * colour, 0.6)
            self._cover("head", beard, (head.height < 0.373) & (head.depth > 0.005))

    def _legs(self, dress):
        rng, leg, skirt = self.rng, self.zones["leg"], self.zones["skirt"]
        kind = choose(rng, ("trousers", "shorts", "skirt"), (0.62, 0.26, 0.12))
        if dress is None:
            cloth = self._cloth(odds=(0.9, 0.03, 0.05, 0.0, 0.02))
        else:
            kind, cloth = "skirt", dress
        hem = rng.uniform(-0.23, -0.10)
        self._cover("skirt", cloth)
        self._drop("skirt", skirt.height <= hem if kind == "skirt" else slice(None))
        end = {"trousers": rng.uniform(-0.50, -0.40), "skirt": -0.04}.get(kind, hem)
        self._cover("leg", cloth, leg.height > end)
        self._cover("torso", cloth, self.zones["torso"].height < 0.10)
        loose = rng.uniform(1.04, 1.28)
        clothed = leg.vertex_height > end - 0.02
        # Loose cloth hangs wider the further down it goes.
        drop = np.interp(leg.vertex_height[clothed], (-0.5, 0.02), (1.0, 0.15))
        self.thickness[leg.vertices[clothed]] = 1.03 + (loose - 1.03) * drop
        if kind != "trousers" and rng.random() < 0.5:
            socks = self._material(sample_colour(rng), 0.4)
            self._cover("leg", socks, leg.height < rng.uniform(-0.48, -0.32))

    def _top(self, cloth):
        rng, torso, arm = self.rng, self.zones["torso"], self.zones["arm"]
        kinds = ("short", "long", "none", "jacket", "bare")
        kind = choose(rng, kinds, (0.45, 0.28, 0.10, 0.15, 0.02))
        if kind == "bare":
            return
        trunk = torso.height > rng.uniform(0.02, 0.085)
        collar = (0.296, 0.312, 0.33)[rng.integers(3)]
        self._cover("torso", cloth, trunk & (torso.height < collar))
        sleeve = {"short": rng.uniform(0.13, 0.21), "none": 0.292}.get(kind, -0.038)
        self._cover("arm", cloth, arm.height > sleeve)
        front = torso.depth > 0.025
        if kind == "jacket":
            opening = trunk & front & (np.abs(torso.across) < 0.035)
            self._cover("torso", self._material(sample_colour(rng), 0.5), opening)
            self._cover("neck", cloth, self.zones["neck"].height < 0.33)
        elif rng.random() < 0.2:  # a print on the chest
            chest = front & (np.abs(torso.height - 0.22) < 0.03)
            self._cover("torso", self._material(sample_colour(rng), 0.4), chest)
        clothed = arm.vertices[arm.vertex_height > sleeve]
        self.thickness[clothed] = rng.uniform(1.08, 1.1 if kind == "none" else 1.3)
        self.thickness[torso.vertices] = rng.uniform(1.02, 1.10)


def sample_outfit(rng):
    """Draw skin, face, hair and clothes of one person.

    Args:
        rng: numpy random generator.

    Returns:
        An `Outfit`.
    """
    return _Tailor(rng).dress()
