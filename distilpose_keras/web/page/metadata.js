// What a model file says about itself: what it is for, input, geometry and keypoints. The
// document is that of distilpose_keras/formats/metadata.py.

import { GEOMETRIES } from "./geometry.js";
import { onnxEntry } from "./onnx.js";
import { isTflite, tfliteEntry } from "./tflite.js";

const ENTRY = "distilpose";
const FORMAT = "distilpose-keras";
const INTEGER_ONLY = "int8-full"; // LiteRT.js gives a model no integers
const LARGEST_SIDE = 4096;
const SUFFIXES = { tflite: ".tflite", onnx: ".onnx" };
const PERSON_SCORES = ["confident_mean", "sum"];
export const POSES = "poses";
export const FINDING = "finding people"; // what a model is for

// Throws an Error whose message says what was expected, for people to read.
export function readMetadata(bytes, name, task = POSES) {
  const runtime = Object.keys(SUFFIXES).find((key) => name.toLowerCase().endsWith(SUFFIXES[key]));
  if (!runtime) throw new Error(`${name}: expected a .tflite or .onnx file`);
  const document = parse(bytes, name, runtime);
  try {
    check(document, task);
  } catch (error) {
    throw new Error(`${name}: its description is invalid (${error.message})`);
  }
  if (document.precision === INTEGER_ONLY)
    throw new Error(`${name}: an ${INTEGER_ONLY} file is for NPUs; browsers take int8, float16 and float32`);
  return { ...document, runtime };
}

function parse(bytes, name, runtime) {
  if (runtime === "tflite" && !isTflite(bytes)) throw new Error(`${name}: not a TFLite file`);
  let text;
  try {
    text = (runtime === "tflite" ? tfliteEntry : onnxEntry)(bytes, ENTRY);
  } catch (error) {
    // A RangeError is an address outside the file.
    const reason = error instanceof RangeError ? "it is truncated" : error.message;
    throw new Error(`${name}: cannot be read (${reason})`);
  }
  if (text === null)
    throw new Error(`${name}: not an export of distilpose-keras (write it with distilpose export)`);
  try {
    return JSON.parse(text);
  } catch {
    throw new Error(`${name}: its description is damaged`);
  }
}

function check(document, task) {
  if (document?.format !== FORMAT) throw new Error(`format ${document?.format}`);
  const held = document.task ?? POSES;
  if (held !== task) throw new Error(`it must hold a model for ${task}, and is for ${held}`);
  const [height, width] = document.input_size ?? [];
  for (const side of [height, width])
    if (!Number.isInteger(side) || side < 1 || side > LARGEST_SIDE)
      throw new Error(`input size ${document.input_size}`);
  if (task === POSES) checkPoses(document);
  else if (!(document.threshold >= 0 && document.threshold <= 1))
    throw new Error(`threshold ${document.threshold}`);
}

function checkPoses(document) {
  document.geometry ??= "plain";
  if (!Object.hasOwn(GEOMETRIES, document.geometry))
    throw new Error(`geometry ${document.geometry}`);
  document.person_score ??= "confident_mean";
  if (!PERSON_SCORES.includes(document.person_score))
    throw new Error(`person score ${document.person_score}`);
  const { names, skeleton, flip_pairs: pairs } = document.schema ?? {};
  if (!Array.isArray(names) || !names.length) throw new Error("no keypoint names");
  for (const pair of [...skeleton, ...pairs])
    for (const index of pair)
      if (!(index >= 0 && index < names.length)) throw new Error(`keypoint ${index}`);
}
