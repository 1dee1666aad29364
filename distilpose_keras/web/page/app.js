// The page: what is looked at, with which file, and what is shown of it.

import { drawBox, drawPeople } from "./drawing.js";
import { KeypointList } from "./keypoint_list.js";
import { Models } from "./models.js";
import { Everybody, GivenBox, OnePerson } from "./people.js";
import { toCoco } from "./predictor.js";
import { threads } from "./runtimes.js";
import { openCamera, openPicture, openVideo } from "./sources.js";
import { Timing } from "./timing.js";

const element = (id) => document.getElementById(id);
const view = element("view").getContext("2d");
// Models read the picture from here; on the view lie the poses.
const frame = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
const models = new Models(element("models"));
const list = new KeypointList(element("keypoints"));
const timing = new Timing();

let predictor = null;
let source = null;
let everybody = false; // people are found, or one fills the picture
let finder = newFinder();
let people = [];
let paused = false;
let facing = "user";
let round = 0; // counts what was started; what belongs to an earlier round ends
let looking = Promise.resolve(true); // runtimes do one thing at a time

// Who is looked at where nobody has drawn a box.
function newFinder() {
  return everybody ? new Everybody(() => models.openFinder()) : new OnePerson();
}

function say(error) {
  const message = element("message");
  message.textContent = error?.message ?? error ?? "";
  message.hidden = !error;
}

// Looks at the source until another one, or another model, is chosen.
async function run() {
  const mine = (round += 1);
  timing.reset();
  if (source && !predictor) return say("no model is open: open a .tflite or .onnx file");
  await looking;
  while (predictor && source && mine === round) {
    looking = look(mine).then(
      () => true,
      (error) => mine === round && say(error),
    );
    if (!(await looking) || !source?.live || paused) return;
    await source.next();
  }
}

async function look(mine) {
  if (!source.live) finder.reset(); // it is another picture, or another model

  const { canvas } = frame;
  if (!source.width || !source.height) return; // a camera that is still starting
  if (canvas.width !== source.width) canvas.width = source.width;
  if (canvas.height !== source.height) canvas.height = source.height;
  source.draw(frame);
  const found = await finder.find(predictor, frame);
  if (mine !== round) return;
  people = found;
  timing.add(predictor.milliseconds);
  show();
}

function show() {
  const { canvas } = view;
  canvas.width = frame.canvas.width;
  canvas.height = frame.canvas.height;
  canvas.style.setProperty("--aspect", canvas.width / canvas.height);
  view.drawImage(frame.canvas, 0, 0);
  drawPeople(view, people, predictor.schema);
  canvas.hidden = false;
  canvas.dataset.frames = Number(canvas.dataset.frames ?? 0) + 1;
  element("welcome").hidden = true;
  element("save").disabled = !people.length;
  list.update(people[0]?.scores);
  element("found").textContent = whoIsThere();
  element("score").textContent = people.length ? people[0].score.toFixed(2) : "–";
  element("fps").textContent = figure(source.live ? timing.framesPerSecond : null);
  element("latency").textContent = figure(timing.modelMilliseconds);
}

function whoIsThere() {
  if (!people.length) return "The person finder sees nobody here.";
  if (people.length === 1) return "One person.";
  return `${people.length} people; the figures below are of the surest.`;
}

function figure(value) {
  if (value === null) return "–";
  return value.toFixed(value < 10 ? 1 : 0);
}

async function choose(open, button) {
  round += 1;
  source?.close();
  source = null;
  say(null);
  try {
    source = await open();
  } catch (error) {
    return say(error);
  }
  finder = newFinder();
  paused = false;
  element("pause").textContent = "Pause";
  element("pause").hidden = !source.live;
  element("turn").hidden = button.id !== "camera";
  element("hint").hidden = source.live;
  view.canvas.classList.toggle("boxes", !source.live);
  view.canvas.classList.toggle("mirrored", button.id === "camera" && facing === "user");
  element("camera").ariaPressed = String(button.id === "camera");
  for (const id of ["picture", "video"])
    element(id).parentElement.classList.toggle("chosen", button.id === id);
  return run();
}

async function use(name) {
  round += 1;
  say(null);
  element("about").textContent = "loading";
  try {
    const opened = await models.open(name);
    await looking;
    predictor?.close();
    predictor = opened;
  } catch (error) {
    models.remove(name);
    if (predictor) element("models").value = predictor.name;
    describe();
    run();
    return say(error);
  }
  describe();
  list.show(predictor.schema);
  finder.reset();
  return run();
}

function describe() {
  if (!predictor) {
    element("about").textContent = "no model is open";
    return;
  }
  const { precision, input_size: size, schema, training_data: data } = predictor.metadata;
  const count = threads();
  element("about").textContent = [
    precision,
    `${size[1]} × ${size[0]} pixels`,
    `${schema.names.length} keypoints`,
    count > 1 ? `up to ${count} threads` : "one thread",
    ...(data ? [`trained on ${data}`] : []),
  ].join(" · ");
}

function openFile(file) {
  if (/\.(tflite|onnx)$/i.test(file.name)) {
    models.add(file.name, file);
    return use(file.name);
  }
  if (file.type.startsWith("video/")) return choose(() => openVideo(file), element("video"));
  return choose(() => openPicture(file), element("picture"));
}

function startCamera() {
  return choose(() => openCamera(facing), element("camera"));
}

element("camera").addEventListener("click", startCamera);
element("turn").addEventListener("click", () => {
  facing = facing === "user" ? "environment" : "user";
  startCamera();
});
element("pause").addEventListener("click", () => {
  paused = !paused;
  element("pause").textContent = paused ? "Go on" : "Pause";
  if (paused) source.video.pause();
  else source.video.play().then(run);
});
for (const [id, open] of [["picture", openPicture], ["video", openVideo]])
  element(id).addEventListener("change", ({ target }) => {
    const [file] = target.files;
    target.value = ""; // the same file can be chosen again
    if (file) choose(() => open(file), target);
  });
element("model").addEventListener("change", ({ target }) => {
  const [file] = target.files;
  target.value = "";
  if (!file) return;
  models.add(file.name, file);
  use(file.name);
});
element("models").addEventListener("change", ({ target }) => use(target.value));
element("save").addEventListener("click", () => {
  const text = JSON.stringify(toCoco(people).map((pose) => ({ file_name: source.name, ...pose })));
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  link.download = "poses.json";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
});

const stage = element("stage");
for (const type of ["dragenter", "dragover"])
  stage.addEventListener(type, (event) => {
    event.preventDefault();
    stage.classList.add("dropping");
  });
for (const type of ["dragleave", "drop"])
  stage.addEventListener(type, () => stage.classList.remove("dropping"));
stage.addEventListener("drop", (event) => {
  event.preventDefault();
  const [file] = event.dataTransfer.files;
  if (file) openFile(file);
});

// A box that is drawn on a picture; a click looks at all of it again.
let corner = null;
function place(event) {
  const shown = view.canvas.getBoundingClientRect();
  const zoom = view.canvas.width / shown.width;
  return [(event.clientX - shown.left) * zoom, (event.clientY - shown.top) * zoom];
}
function boxTo([x, y]) {
  const [left, top] = [Math.min(x, corner[0]), Math.min(y, corner[1])];
  return [left, top, Math.abs(x - corner[0]), Math.abs(y - corner[1])];
}
view.canvas.addEventListener("pointerdown", (event) => {
  if (!source || source.live) return;
  corner = place(event);
  view.canvas.setPointerCapture(event.pointerId);
});
view.canvas.addEventListener("pointermove", (event) => {
  if (!corner) return;
  view.drawImage(frame.canvas, 0, 0);
  drawBox(view, boxTo(place(event)));
});
view.canvas.addEventListener("pointerup", (event) => {
  if (!corner) return;
  const box = boxTo(place(event));
  corner = null;
  const least = view.canvas.width / 50;
  finder = Math.min(box[2], box[3]) < least ? newFinder() : new GivenBox(box);
  run();
});

function lookAt(all) {
  everybody = all;
  element("everybody").ariaPressed = String(all);
  element("whole").ariaPressed = String(!all);
  finder = newFinder();
  say(null);
  run();
}
element("everybody").addEventListener("click", () => lookAt(true));
element("whole").addEventListener("click", () => lookAt(false));

try {
  await models.list();
  element("who").hidden = !models.finder;
  everybody = Boolean(models.finder);
  finder = newFinder();
  element("models").selectedIndex = 0;
  await use(element("models").value);
} catch (error) {
  say(error);
}
document.body.dataset.ready = "";
