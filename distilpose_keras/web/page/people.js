// Who is looked at: an object with find(predictor, context) that resolves to the people
// of a picture, each as PosePredictor's predict returns it, and reset() for what shows
// other people.

import { distinct } from "./finder.js";
import { SCORE_THRESHOLD } from "./predictor.js";

const MARGIN = 1.25; // a box is so much larger than what the joints span (median of COCO)
const LEAST_SHARE = 0.3; // of the keypoints that must be seen to follow a person
const LEAST_SIDE = 16; // pixels
const DETECT_EVERY = 5; // pictures of what moves: the finder takes longer than a pose

// All people whom a person finder sees. In what moves it looks at every fifth picture; in
// between each is followed by the box of their last pose.
export class Everybody {
  // open: function that resolves to the PersonFinder, asked when it is first needed.
  constructor(open) {
    this.open = open;
    this.reset();
  }

  reset() {
    this.count = 0;
    this.people = [];
  }

  async find(predictor, context) {
    const people = [];
    for (const { box, score } of await this.boxes(context))
      people.push(await predictor.predict(context, box, score));
    this.people = people;
    return people;
  }

  async boxes(context) {
    const { width, height } = context.canvas;
    if (!this.people.length) this.count = 0; // there is nobody to follow
    this.count += 1;
    if (this.count % DETECT_EVERY === 1) {
      const { boxes, scores } = await (await this.open()).find(context);
      return boxes.map((box, n) => ({ box, score: scores[n] }));
    }
    const followed = this.people.map((person) => ({
      box: boxOfPose(person, width, height),
      score: person.boxScore,
    }));
    return distinct(followed.filter(({ box }) => box));
  }
}

// One person: the whole picture first, then once more on what was found there. In what
// moves the last pose says where to look, until it is lost.
export class OnePerson {
  constructor() {
    this.reset();
  }

  reset() {
    this.box = null;
  }

  async find(predictor, context) {
    const { width, height } = context.canvas;
    let first = this.box;
    if (!first) {
      const whole = await predictor.predict(context, [0, 0, width, height]);
      first = boxOfPose(whole, width, height);
      if (!first) return [whole];
    }
    const person = await predictor.predict(context, first);
    this.box = boxOfPose(person, width, height);
    return [person];
  }
}

// One person in a box that somebody has drawn.
export class GivenBox {
  constructor(box) {
    this.box = hundredths(box);
  }

  reset() {}

  async find(predictor, context) {
    return [await predictor.predict(context, this.box)];
  }
}

// The box [left, top, width, height] around the keypoints that are seen, inside the
// picture; null where too few are.
export function boxOfPose({ keypoints, scores }, width, height) {
  const seen = keypoints.filter((_, k) => scores[k] > SCORE_THRESHOLD);
  if (seen.length < Math.max(2, LEAST_SHARE * keypoints.length)) return null;
  const [left, right] = reach(seen.map(([x]) => x), width);
  const [top, bottom] = reach(seen.map(([, y]) => y), height);
  if (right - left < 1 || bottom - top < 1) return null;
  return hundredths([left, top, right - left, bottom - top]);
}

// What is saved of a box has two digits: they are all that is used of it.
function hundredths(box) {
  return box.map((value) => Math.round(value * 100) / 100);
}

function reach(values, limit) {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const half = Math.max((high - low) * MARGIN, LEAST_SIDE) / 2;
  const middle = (low + high) / 2;
  return [Math.max(middle - half, 0), Math.min(middle + half, limit)];
}
