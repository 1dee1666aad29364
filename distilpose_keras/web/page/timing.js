// How fast pictures follow one another, and how long the model takes: medians of the
// last ones, which a single slow picture does not move.

const KEPT = 30;

export class Timing {
  constructor() {
    this.reset();
  }

  reset() {
    this.last = null;
    this.between = [];
    this.model = [];
  }

  add(modelMilliseconds) {
    const now = performance.now();
    if (this.last !== null) keep(this.between, now - this.last);
    this.last = now;
    keep(this.model, modelMilliseconds);
  }

  get framesPerSecond() {
    return this.between.length ? 1000 / median(this.between) : null;
  }

  get modelMilliseconds() {
    return this.model.length ? median(this.model) : null;
  }
}

function keep(values, value) {
  values.push(value);
  if (values.length > KEPT) values.shift();
}

function median(values) {
  return values.toSorted((a, b) => a - b)[values.length >> 1];
}
