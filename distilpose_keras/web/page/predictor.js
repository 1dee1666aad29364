// Keypoints in pixels of a picture from person boxes, as PosePredictor finds them.

import { cutCrop } from "./crops.js";
import { boxToCenterScale, cropTransform, GEOMETRIES, toImage } from "./geometry.js";
import { readMetadata } from "./metadata.js";
import { openRuntime } from "./runtimes.js";

export const SCORE_THRESHOLD = 0.2; // keypoints that do not exceed it are not shown

export class PosePredictor {
  // Throws an Error for people to read where the file is not one of ours, or damaged.
  static async open(bytes, name) {
    const metadata = readMetadata(bytes, name);
    const count = metadata.schema.names.length;
    const runtime = await openRuntime(bytes, name, metadata, ["keypoints", "scores"], ({ keypoints, scores }) => {
      if (keypoints?.length !== 2 * count || scores?.length !== count)
        throw new Error(`its outputs are not those of ${count} keypoints`);
    });
    return new PosePredictor(name, metadata, runtime);
  }

  constructor(name, metadata, runtime) {
    this.name = name;
    this.metadata = metadata;
    this.schema = metadata.schema;
    this.size = metadata.input_size;
    this.geometry = GEOMETRIES[metadata.geometry];
    this.runtime = runtime;
    this.milliseconds = 0; // of the last run of the model
  }

  // A person of a canvas's 2D context: { box, boxScore, keypoints: [[x, y], ...], scores,
  // score }.
  async predict(context, box, boxScore = 1) {
    const view = boxToCenterScale(box, this.size, this.geometry);
    const crop = cutCrop(context, cropTransform(view, this.size, this.geometry), this.size);
    const started = performance.now();
    const found = await this.runtime.run(crop);
    this.milliseconds = performance.now() - started;
    const keypoints = this.schema.names.map((_, k) =>
      toImage([found.keypoints[2 * k], found.keypoints[2 * k + 1]], view, this.geometry),
    );
    // A student that was trained without a teacher has scores that nobody taught.
    const taught = this.metadata.confidence !== false;
    const scores = Array.from(found.scores, (score) => (taught ? score : 1));
    return { box, boxScore, keypoints, scores, score: this.personScore(scores, boxScore) };
  }

  // The rules of distilpose_keras/person_scores.py.
  personScore(scores, boxScore) {
    const mean = (values) => values.reduce((a, b) => a + b, 0) / Math.max(values.length, 1);
    if (this.metadata.person_score === "sum")
      return boxScore + mean(scores) + Math.max(...scores);
    return mean(scores.filter((score) => score > SCORE_THRESHOLD)) * boxScore;
  }

  close() {
    this.runtime.close();
  }
}

// Poses in COCO's result format, as distilpose predict writes them.
export function toCoco(people) {
  const round = (value, digits) => Number(value.toFixed(digits));
  return people.map(({ box, keypoints, scores, score }) => ({
    category_id: 1,
    bbox: box.map((value) => round(value, 2)),
    score: round(score, 5),
    keypoints: keypoints.flatMap(([x, y], k) => [x, y, scores[k]].map((v) => round(v, 3))),
  }));
}
