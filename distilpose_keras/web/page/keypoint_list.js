// The list of keypoints with their scores.

import { sideColors } from "./drawing.js";

export class KeypointList {
  constructor(element) {
    this.element = element;
    this.rows = [];
  }

  // One row for every keypoint of a model.
  show(schema) {
    const colors = sideColors(schema);
    this.rows = schema.names.map((name, k) => {
      const row = document.createElement("li");
      const label = Object.assign(document.createElement("span"), {
        className: "name",
        textContent: name.replaceAll("_", " "),
      });
      label.style.color = colors[k];
      const value = Object.assign(document.createElement("span"), { className: "value" });
      const meter = Object.assign(document.createElement("meter"), { max: 1, low: 0.2 });
      row.append(label, value, meter);
      return { row, value, meter };
    });
    this.element.replaceChildren(...this.rows.map(({ row }) => row));
  }

  update(scores) {
    this.rows.forEach(({ value, meter }, k) => {
      value.textContent = scores ? scores[k].toFixed(2) : "";
      meter.value = scores ? scores[k] : 0;
    });
  }
}
