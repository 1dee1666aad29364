// What a .tflite file says about itself, read without running it: an entry of the
// FlatBuffer's metadata.

const IDENTIFIER = "TFL3";
// Field numbers of the tables of TensorFlow Lite's schema.
const MODEL = { buffers: 4, metadata: 6 };
const METADATA = { name: 0, buffer: 1 };
const BUFFER = { data: 0, offset: 1, size: 2 };

// A FlatBuffer: tables are addresses, a missing field is 0.
class Flat {
  constructor(bytes) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get root() {
    return this.view.getUint32(0, true);
  }

  // Address of a field's value.
  field(table, number) {
    const vtable = table - this.view.getInt32(table, true);
    const at = 4 + 2 * number;
    if (at >= this.view.getUint16(vtable, true)) return 0;
    const offset = this.view.getUint16(vtable + at, true);
    return offset ? table + offset : 0;
  }

  // Address of the table or vector that a field refers to.
  child(table, number) {
    const at = this.field(table, number);
    return at ? at + this.view.getUint32(at, true) : 0;
  }

  length(vector) {
    return vector ? this.view.getUint32(vector, true) : 0;
  }

  tables(vector) {
    return Array.from({ length: this.length(vector) }, (_, i) => {
      const at = vector + 4 + 4 * i;
      return at + this.view.getUint32(at, true);
    });
  }

  slice(vector) {
    return this.bytes.subarray(vector + 4, vector + 4 + this.length(vector));
  }

  text(vector) {
    return new TextDecoder().decode(this.slice(vector));
  }

  number(table, number, method, missing) {
    const at = this.field(table, number);
    return at ? Number(this.view[method](at, true)) : missing;
  }
}

export function isTflite(bytes) {
  return new TextDecoder().decode(bytes.subarray(4, 8)) === IDENTIFIER;
}

// The text of a metadata entry, or null.
export function tfliteEntry(bytes, name) {
  const flat = new Flat(bytes);
  const buffers = flat.tables(flat.child(flat.root, MODEL.buffers));
  for (const entry of flat.tables(flat.child(flat.root, MODEL.metadata))) {
    if (flat.text(flat.child(entry, METADATA.name)) !== name) continue;
    const buffer = buffers[flat.number(entry, METADATA.buffer, "getUint32", 0)];
    const data = flat.child(buffer, BUFFER.data);
    if (data) return flat.text(data);
    const start = flat.number(buffer, BUFFER.offset, "getBigUint64", 0);
    const size = flat.number(buffer, BUFFER.size, "getBigUint64", 0);
    return new TextDecoder().decode(bytes.subarray(start, start + size));
  }
  return null;
}
