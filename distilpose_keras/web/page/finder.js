// Finds the people of a picture, as PersonFinder of distilpose_keras/detection.py does.

import { letterbox } from "./letterbox.js";
import { FINDING, readMetadata } from "./metadata.js";
import { openRuntime } from "./runtimes.js";

const SAME_PERSON = 0.45; // intersection over union of two boxes
const MOST_PEOPLE = 1000; // in a picture

export class PersonFinder {
  // Throws an Error for people to read where the file is not one of ours, or damaged.
  static async open(bytes, name) {
    const metadata = readMetadata(bytes, name, FINDING);
    const runtime = await openRuntime(bytes, name, metadata, ["boxes", "scores"], ({ boxes, scores }) => {
      if (!scores?.length || boxes?.length !== 4 * scores.length)
        throw new Error("its outputs are not boxes with scores");
    });
    return new PersonFinder(metadata, runtime);
  }

  constructor(metadata, runtime) {
    this.metadata = metadata;
    this.runtime = runtime;
  }

  // Of a canvas's 2D context: { boxes: [[left, top, width, height], ...], scores }, best
  // first, in pixels inside the picture.
  async find(context) {
    const size = this.metadata.input_size;
    const { shown, extent } = letterbox(context, size);
    const { boxes, scores } = await this.runtime.run(shown);
    const { width, height } = context.canvas;
    const limits = [width, height];
    const least = Math.fround(this.metadata.threshold);
    const sure = [];
    scores.forEach((score, n) => {
      if (!(score >= least)) return;
      const corners = [0, 1, 2, 3].map((side) => {
        const axis = side % 2;
        const fraction = (boxes[4 * n + side] * size[1 - axis]) / extent[axis];
        return Math.min(Math.max(fraction * limits[axis], 0), limits[axis]);
      });
      const [left, top, right, bottom] = corners;
      if (right > left && bottom > top)
        sure.push({ box: [left, top, right - left, bottom - top], score });
    });
    const kept = distinct(sure).slice(0, MOST_PEOPLE);
    return { boxes: kept.map(({ box }) => box), scores: kept.map(({ score }) => score) };
  }

  close() {
    this.runtime.close();
  }
}

// Of objects with box and score the best, without those whose box is nearly a better one's.
export function distinct(found) {
  const kept = [];
  for (const one of found.toSorted((a, b) => b.score - a.score))
    if (kept.every((better) => overlap(one.box, better.box) <= SAME_PERSON)) kept.push(one);
  return kept;
}

// Intersection over union of two boxes.
function overlap(first, second) {
  const shared = [0, 1].map((axis) => {
    const end = Math.min(first[axis] + first[axis + 2], second[axis] + second[axis + 2]);
    return Math.max(end - Math.max(first[axis], second[axis]), 0);
  });
  const both = shared[0] * shared[1];
  return both / (first[2] * first[3] + second[2] * second[3] - both);
}
