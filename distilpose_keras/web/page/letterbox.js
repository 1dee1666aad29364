// Shows a whole picture in the upper left of a grey one of another size, as letterbox of
// distilpose_keras/detection.py does: shrunk by the means of areas, enlarged bilinearly.
// Shrunk, it has the grey values of cv2.resize, which the library uses, sums in its order
// and single precision; exactly halved or enlarged, one in eight is rounded the other way.
// Browsers' own drawImage will not do: each has its own way to shrink.

const { fround } = Math;
const GREY = 127;
const LARGEST_ZOOM = 4; // of a small picture

// RGB values of [height, width] of a canvas's 2D context, and the [width, height] that the
// picture has there.
export function letterbox(context, [height, width]) {
  const { canvas } = context;
  const own = [canvas.width, canvas.height];
  const room = [width, height];
  const zoom = Math.min(room[0] / own[0], room[1] / own[1], LARGEST_ZOOM);
  const extent = own.map((side, axis) => Math.min(Math.max(rint(side * zoom), 1), room[axis]));
  const taps = zoom < 1 ? areaTaps : linearTaps;
  const { data } = context.getImageData(0, 0, ...own);
  const shown = new Uint8ClampedArray(height * width * 3).fill(GREY);
  resize(data, own[0], taps(own[0], extent[0]), taps(own[1], extent[1]), shown, width);
  return { shown, extent };
}

// To the nearest whole number, halves to the even one.
function rint(value) {
  const rounded = Math.round(value);
  return rounded - value === 0.5 && rounded % 2 ? rounded - 1 : rounded;
}

// Where each new pixel of an axis comes from: [first old pixel, weights of it and the next].
function areaTaps(count, size) {
  const scale = count / size;
  return Array.from({ length: size }, (_, i) => {
    const [low, high] = [i * scale, Math.min((i + 1) * scale, count)];
    const first = Math.floor(low);
    const last = Math.max(Math.ceil(high), first + 1);
    const weights = [];
    for (let pixel = first; pixel < last; pixel += 1)
      weights.push(fround((Math.min(pixel + 1, high) - Math.max(pixel, low)) / (high - low)));
    return [first, weights];
  });
}

function linearTaps(count, size) {
  return Array.from({ length: size }, (_, i) => {
    const place = Math.min(Math.max(((i + 0.5) * count) / size - 0.5, 0), count - 1);
    const first = Math.floor(place);
    return [first, place > first ? [1 - (place - first), place - first] : [1]];
  });
}

// Fills the upper left of target (RGB, rows of stride pixels) from data (RGBA, rows of width).
function resize(data, width, columns, rows, target, stride) {
  const old = new Float32Array(columns.length * 3); // an old row, in the new width
  const sums = new Float32Array(columns.length * 3);
  rows.forEach(([top, heights], y) => {
    sums.fill(0);
    heights.forEach((weight, row) => {
      resizeRow(data, (top + row) * width, columns, old);
      for (let at = 0; at < sums.length; at += 1) sums[at] += fround(weight * old[at]);
    });
    target.set(sums, y * stride * 3); // clamped arrays round
  });
}

function resizeRow(data, start, columns, row) {
  let at = 0;
  for (const [left, widths] of columns) {
    let from = (start + left) * 4;
    let [red, green, blue] = [0, 0, 0];
    for (let i = 0; i < widths.length; i += 1, from += 4) {
      const weight = widths[i];
      red = fround(red + fround(weight * data[from]));
      green = fround(green + fround(weight * data[from + 1]));
      blue = fround(blue + fround(weight * data[from + 2]));
    }
    row[at] = red;
    row[at + 1] = green;
    row[at + 2] = blue;
    at += 3;
  }
}
