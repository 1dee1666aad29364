// Poses on a canvas, in the colours of distilpose_keras/drawing.py: the left side of a
// person is warm, the right side cold, the middle white.

import { SCORE_THRESHOLD } from "./predictor.js";

const DRAWN_SURENESS = 0.3; // people with less are saved but not drawn
const LEFT = "rgb(255 140 40)";
const RIGHT = "rgb(40 170 255)";
const MIDDLE = "rgb(245 245 245)";
const OUTLINE = "rgb(20 20 20)";
const BOX = "rgb(250 220 60 / 0.8)";

export function sideColors({ names, flip_pairs: pairs }) {
  const colors = names.map(() => MIDDLE);
  for (const [left, right] of pairs) [colors[left], colors[right]] = [LEFT, RIGHT];
  return colors;
}

// Whether there is a person: by the score of the finder's box times the root of the mean
// score of the joints. A box of score 1 is somebody's word.
export function isPerson({ boxScore, scores }) {
  if (boxScore === 1) return true;
  const mean = scores.reduce((sum, score) => sum + Math.max(score, 0), 0) / scores.length;
  return boxScore * Math.sqrt(mean) >= DRAWN_SURENESS;
}

export function drawPeople(context, people, schema) {
  const colors = sideColors(schema);
  for (const person of people) {
    if (!isPerson(person)) continue;
    drawBox(context, person.box);
    drawPose(context, person, schema, colors);
  }
}

export function drawBox(context, [left, top, width, height]) {
  context.strokeStyle = BOX;
  context.lineWidth = Math.max(1, Math.max(context.canvas.width, context.canvas.height) / 500);
  context.strokeRect(left, top, width, height);
}

function drawPose(context, { keypoints, scores }, schema, colors) {
  const { width: right, height: bottom } = context.canvas;
  const inside = ([x, y]) => x >= -0.5 && y >= -0.5 && x < right - 0.5 && y < bottom - 0.5;
  const shown = scores.map((score, k) => score > SCORE_THRESHOLD && inside(keypoints[k]));
  const width = lineWidth(keypoints.filter((_, k) => shown[k]), context.canvas);
  context.lineCap = "round";
  for (const [a, b] of schema.skeleton)
    if (shown[a] && shown[b])
      for (const [color, extra] of [[OUTLINE, Math.min(width, 2)], [limb(colors[a], colors[b]), 0]]) {
        context.strokeStyle = color;
        context.lineWidth = width + extra;
        context.beginPath();
        context.moveTo(...keypoints[a]);
        context.lineTo(...keypoints[b]);
        context.stroke();
      }
  keypoints.forEach((point, k) => {
    if (!shown[k]) return;
    context.fillStyle = colors[k];
    context.strokeStyle = OUTLINE;
    context.lineWidth = Math.max(1, width / 3);
    context.beginPath();
    context.arc(...point, width + 1, 0, 2 * Math.PI);
    context.fill();
    context.stroke();
  });
}

// The side that a line is on: the middle belongs to either.
function limb(first, second) {
  if (first === MIDDLE || first === second) return second;
  return second === MIDDLE ? first : MIDDLE;
}

function lineWidth(points, canvas) {
  const extent = (axis) => {
    const values = points.map((point) => point[axis]);
    return Math.max(...values) - Math.min(...values);
  };
  const largest = points.length > 1 ? Math.max(extent(0), extent(1)) : 0;
  const least = Math.max(canvas.width, canvas.height) / 400; // seen on small screens
  return Math.min(Math.max(largest / 60, least, 1), 16);
}
