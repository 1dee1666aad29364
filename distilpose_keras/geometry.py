"""Crop geometries: where a box of an image lies on a crop, and 0 and 1 on its pixels.

Published methods agree on the box and differ by half pixels. A model must be shown the
crops that it was trained on, and its keypoints read back in the same way. Legend: a
size is (height, width) of a crop or of the heatmaps that stand for it, a center (2,) in
pixels of the image, a scale (2,) in units of 200 pixels, normalised points (..., 2) x
and y from 0 to 1 over what a crop shows.
"""

from dataclasses import dataclass

import numpy as np

PIXEL_STD = 200.0  # unit of `scale`, from the MPII annotation; kept for parity


@dataclass(frozen=True)
class CropGeometry:
    """A similarity, or nearly so, between images, crops, heatmaps and [0, 1].

    The centre of a box comes to the middle of a crop; 0 and 1 are its borders.

    Attributes:
        name: what files call it.
        map_margin: pixels by which the way from 0 to 1 is shorter than a crop or a
            heatmap; 1 where it leads from the first pixel's centre to the last one's.
        image_margin: likewise for a box in the image.
        one_zoom: whether the widths decide for both axes, which keeps proportions
            exactly; else each axis has its own borders.
    """

    name: str
    map_margin: int
    image_margin: int
    one_zoom: bool

    def span(self, size):
        """Return the way (x, y) from 0 to 1 in pixels of a map of this size."""
        height, width = size
        x, y = width - self.map_margin, height - self.map_margin
        return np.array([x, x * height / width if self.one_zoom else y], np.float64)

    def origin(self, size):
        """Return where (0, 0) lies, in pixels of a map of this size."""
        return self._middle(size) - self.span(size) / 2

    def normalize(self, points_px, size):
        """Return normalised points of (..., 2) pixels of a map of this size."""
        return (np.asarray(points_px, np.float64) - self.origin(size)) / self.span(size)

    def denormalize(self, points, size):
        """Return pixels of a map of this size of (..., 2) normalised points."""
        return np.asarray(points, np.float64) * self.span(size) + self.origin(size)

    def to_image(self, points, centers, scales):
        """Return pixels of the image of normalised points.

        Args:
            points: (N, K, 2), of crops that are neither turned nor flipped.
            centers: (N, 2) pixels.
            scales: (N, 2) in units of 200 pixels.

        Returns:
            (N, K, 2) float64.
        """
        spans = self._image_span(scales)[:, None]
        corners = np.asarray(centers, np.float64)[:, None] - spans * 0.5
        return np.asarray(points, np.float64) * spans + corners

    def affine_matrix(self, center, scale, rotation=0.0, *, output_size, flip=False):
        """Return the matrix that moves pixels of the image to pixels of a map.

        Args:
            center: (2,) pixels of the image; it comes to the middle of the map.
            scale: (2,) in units of 200 pixels, what the map shows.
            rotation: degrees that the crop's window turns about ``center``.
            output_size: (height, width) of the map.
            flip: mirror the image left to right about ``center`` first.

        Returns:
            (2, 3) float64.
        """
        zoom = self.span(output_size) / self._image_span(scale)
        if self.one_zoom:
            zoom[1] = zoom[0]
        angle = np.deg2rad(rotation)
        sine, cosine = np.sin(angle), np.cos(angle)
        linear = zoom[:, None] * np.array([[cosine, sine], [-sine, cosine]])
        if flip:
            linear[:, 0] = -linear[:, 0]
        shift = self._middle(output_size) - linear @ np.asarray(center, np.float64)
        return np.concatenate([linear, shift[:, None]], axis=1)

    def _middle(self, size):
        return (np.array(size[::-1], np.float64) - self.map_margin) / 2

    def _image_span(self, scales):
        """(..., 2) pixels of the image from 0 to 1."""
        scales = np.asarray(scales, np.float64)
        return scales * PIXEL_STD - self.image_margin * scales / scales[..., :1]


# mmpose's, and so DistilPose's: the box's borders are the crop's, but pixel 0 lies at 0
# and not at half a pixel.
PLAIN = CropGeometry("plain", map_margin=0, image_margin=0, one_zoom=True)
# TransPose and TokenPose (Yang et al., Li et al., ICCV 2021), after later HRNets: the
# outermost pixels of box and crop fall on one another.
ALIGNED = CropGeometry("aligned", map_margin=1, image_margin=1, one_zoom=True)
# UDP (Huang et al., CVPR 2020): the box's borders on the outermost pixels of the crop.
UDP = CropGeometry("udp", map_margin=1, image_margin=0, one_zoom=False)
GEOMETRIES = {geometry.name: geometry for geometry in (PLAIN, ALIGNED, UDP)}
