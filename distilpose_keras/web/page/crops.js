// Cuts a crop out of a picture, bilinearly; what lies outside the picture is black.
// Equal to cv2.warpAffine, which the library uses, up to a rounding of a grey value.

// The part of a picture that a crop shows, as whole pixels inside it.
function visiblePart({ zoom, shift }, [height, width], picture) {
  const first = [0, 1].map((axis) => Math.floor(-shift[axis] / zoom[axis]) - 1);
  const last = [width, height].map(
    (side, axis) => Math.ceil((side - 1 - shift[axis]) / zoom[axis]) + 1,
  );
  const left = Math.min(Math.max(first[0], 0), picture.width - 1);
  const top = Math.min(Math.max(first[1], 0), picture.height - 1);
  const right = Math.max(Math.min(last[0], picture.width - 1), left);
  const bottom = Math.max(Math.min(last[1], picture.height - 1), top);
  return { left, top, width: right - left + 1, height: bottom - top + 1 };
}

// Sampling places along one axis: the pixel before each, and how far behind it.
function places(count, zoom, shift) {
  const before = new Int32Array(count);
  const weight = new Float32Array(count);
  for (let i = 0; i < count; i += 1) {
    const place = (i - shift) / zoom;
    before[i] = Math.floor(place);
    weight[i] = place - before[i];
  }
  return { before, weight };
}

// RGB values 0 to 255, rows of a crop of this size, of a canvas's 2D context.
export function cutCrop(context, transform, size) {
  const part = visiblePart(transform, size, context.canvas);
  const { data } = context.getImageData(part.left, part.top, part.width, part.height);
  const [height, width] = size;
  const columns = places(width, transform.zoom[0], transform.shift[0]);
  const rows = places(height, transform.zoom[1], transform.shift[1]);
  const crop = new Uint8ClampedArray(height * width * 3);
  let at = 0;
  for (let y = 0; y < height; y += 1) {
    const row = rows.before[y] - part.top;
    const below = rows.weight[y];
    for (let x = 0; x < width; x += 1) {
      const column = columns.before[x] - part.left;
      const right = columns.weight[x];
      for (let channel = 0; channel < 3; channel += 1) {
        const upper =
          pixel(data, part, row, column, channel) * (1 - right) +
          pixel(data, part, row, column + 1, channel) * right;
        const lower =
          pixel(data, part, row + 1, column, channel) * (1 - right) +
          pixel(data, part, row + 1, column + 1, channel) * right;
        crop[at] = upper * (1 - below) + lower * below; // clamped arrays round
        at += 1;
      }
    }
  }
  return crop;
}

function pixel(data, part, row, column, channel) {
  if (row < 0 || column < 0 || row >= part.height || column >= part.width) return 0;
  return data[(row * part.width + column) * 4 + channel];
}
