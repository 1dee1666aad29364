// What an .onnx file says about itself: an entry of the protobuf's metadata_props.

const METADATA_PROPS = 14; // field of ModelProto
const KEY = 1;
const VALUE = 2;

// The text of a metadata entry, or null.
export function onnxEntry(bytes, name) {
  let found = null;
  for (const [field, value] of fields(bytes)) {
    if (field !== METADATA_PROPS || !(value instanceof Uint8Array)) continue;
    const entry = Object.fromEntries(
      [...fields(value)].map(([key, text]) => [key, new TextDecoder().decode(text)]),
    );
    if (entry[KEY] === name) found = entry[VALUE] ?? "";
  }
  return found;
}

// Pairs of a field's number and its bytes, or null for what is a number.
function* fields(bytes) {
  let at = 0;
  function varint() {
    let number = 0;
    for (let count = 0; count < 10; count += 1) {
      if (at >= bytes.length) break;
      const byte = bytes[at];
      at += 1;
      number += (byte & 0x7f) * 2 ** (7 * count);
      if (!(byte & 0x80)) return number;
    }
    throw new Error("it is truncated, or no ONNX file");
  }
  while (at < bytes.length) {
    const tag = varint();
    const [field, wire] = [Math.floor(tag / 8), tag % 8];
    let value = null;
    if (wire === 0) varint();
    else if (wire === 1) at += 8;
    else if (wire === 5) at += 4;
    else if (wire === 2) {
      const size = varint();
      value = bytes.subarray(at, at + size);
      at += size;
    } else throw new Error("it is no ONNX file");
    if (!field || at > bytes.length) throw new Error("it is truncated, or no ONNX file");
    yield [field, value];
  }
}
