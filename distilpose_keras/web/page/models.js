// The model files of this site, which files.json lists, and those that a user opens.

import { PersonFinder } from "./finder.js";
import { PosePredictor } from "./predictor.js";

export class Models {
  // select: the element that switches between them.
  constructor(select) {
    this.select = select;
    this.files = new Map(); // name to an address, or to a File
    this.finder = null; // address of the person finder, where the site has one
    this.found = null; // the promise of it, once it was asked for
  }

  async list() {
    const answer = await fetch("files.json");
    if (!answer.ok) throw new Error(`files.json of this site: ${answer.status}`);
    const { models, finder } = await answer.json();
    for (const address of models) this.add(nameOf(address), address);
    this.finder = finder ?? null;
  }

  add(name, file) {
    if (!this.files.has(name)) this.select.add(new Option(name, name));
    this.files.set(name, file);
    this.select.value = name;
  }

  remove(name) {
    this.files.delete(name);
    [...this.select.options].find(({ value }) => value === name)?.remove();
  }

  async open(name) {
    const file = this.files.get(name);
    return PosePredictor.open(await bytesOf(file, name), name);
  }

  openFinder() {
    const name = nameOf(this.finder);
    this.found ??= bytesOf(this.finder, name).then((bytes) => PersonFinder.open(bytes, name));
    this.found.catch(() => (this.found = null));
    return this.found;
  }
}

function nameOf(address) {
  return address.split("/").at(-1);
}

async function bytesOf(file, name) {
  if (file instanceof File) return new Uint8Array(await file.arrayBuffer());
  const answer = await fetch(file);
  if (!answer.ok) throw new Error(`${name}: the site does not have it (${answer.status})`);
  return new Uint8Array(await answer.arrayBuffer());
}
