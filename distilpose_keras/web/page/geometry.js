// Where a box of a picture lies on a crop, and keypoints of a crop in the picture.
// The same rules, and the same roundings, as distilpose_keras/geometry.py and
// box_to_center_scale of data/transforms.py. Sizes are [height, width].

const PIXEL_STD = 200; // unit of a scale
const PADDING = 1.25; // a crop shows this much more than the box

// mapMargin, imageMargin: pixels by which the way from 0 to 1 is shorter than a crop
// and than a box; oneZoom: the widths decide for both axes.
export const GEOMETRIES = {
  plain: { mapMargin: 0, imageMargin: 0, oneZoom: true },
  aligned: { mapMargin: 1, imageMargin: 1, oneZoom: true },
  udp: { mapMargin: 1, imageMargin: 0, oneZoom: false },
};

// Centre in pixels and scale of the crop that shows a box [left, top, width, height].
export function boxToCenterScale(box, [height, width], geometry) {
  const [left, top, boxWidth, boxHeight] = box;
  const aspect = width / height;
  const extent = Math.max(boxWidth, boxHeight * aspect);
  const single = (value) => Math.fround(Math.fround(value / PIXEL_STD) * PADDING);
  return {
    center: [
      Math.fround(left + (boxWidth - geometry.imageMargin) * 0.5),
      Math.fround(top + (boxHeight - geometry.imageMargin) * 0.5),
    ],
    scale: [single(extent), single(extent / aspect)],
  };
}

// Pixels of the picture from 0 to 1 along each axis.
function imageSpan(scale, geometry) {
  return scale.map((side) => side * PIXEL_STD - (geometry.imageMargin * side) / scale[0]);
}

// Zooms and shifts from pixels of the picture to those of the crop.
export function cropTransform({ center, scale }, [height, width], geometry) {
  const margin = geometry.mapMargin;
  const span = [width - margin, height - margin];
  if (geometry.oneZoom) span[1] = (span[0] * height) / width;
  const image = imageSpan(scale, geometry);
  const zoom = [span[0] / image[0], span[1] / image[1]];
  if (geometry.oneZoom) zoom[1] = zoom[0];
  const middle = [(width - margin) / 2, (height - margin) / 2];
  return { zoom, shift: middle.map((value, axis) => value - zoom[axis] * center[axis]) };
}

// Pixels of the picture of a point [x, y] of the crop, 0 to 1.
export function toImage([x, y], { center, scale }, geometry) {
  const span = imageSpan(scale, geometry);
  return [x * span[0] + center[0] - span[0] * 0.5, y * span[1] + center[1] - span[1] * 0.5];
}
