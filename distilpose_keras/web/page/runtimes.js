// The runtimes: LiteRT for .tflite, ONNX Runtime for .onnx, both in WebAssembly. Each
// opens a file's bytes to { run(picture), close() }; run takes RGB values 0 to 255 and
// returns outputs by their names as flat arrays, such as { keypoints: K x 2, scores: K }.
// Several threads need a page that is isolated from others (COOP and COEP headers);
// without, there is one.

const FOLDER = new URL("./runtimes/", import.meta.url).href;
const MOST_THREADS = 4;

export function threads() {
  if (!globalThis.crossOriginIsolated) return 1;
  return Math.max(1, Math.min(MOST_THREADS, navigator.hardwareConcurrency ?? 1));
}

// outputs: names of those that are read; check throws an Error where they are not right.
export async function openRuntime(bytes, name, metadata, outputs, check) {
  const open = { tflite: openTflite, onnx: openOnnx }[metadata.runtime];
  let runtime;
  try {
    runtime = await open(bytes, metadata, outputs);
    // A file that opens and cannot run is found out here, not at the first picture.
    const [height, width] = metadata.input_size;
    check(await runtime.run(new Uint8ClampedArray(height * width * 3)));
  } catch (error) {
    runtime?.close();
    throw error.missing ? error : new Error(`${name}: its runtime refuses it (${oneLine(error)})`);
  }
  return runtime;
}

function read(names, values) {
  return Object.fromEntries(names.map((name) => [name, values(name)]));
}

function oneLine(error) {
  return String(error?.message ?? error).replace(/\s+/g, " ").slice(0, 200);
}

// A runtime that this page was not given has a message of its own.
async function load(what, start) {
  try {
    return await start();
  } catch (error) {
    const missing = new Error(`${what} could not be loaded (${oneLine(error)})`);
    missing.missing = true;
    throw missing;
  }
}

let liteRt = null;

function loadLiteRt() {
  liteRt ??= load("LiteRT.js, the runtime of .tflite files,", async () => {
    const library = await import(`${FOLDER}litertjs-core/dist/index.js`);
    const wasm = `${FOLDER}litertjs-core/wasm/`;
    const many = threads() > 1 && (await library.supportsFeature("relaxedSimd"));
    await library.loadLiteRt(wasm, { threads: many });
    return library;
  });
  liteRt.catch(() => (liteRt = null));
  return liteRt;
}

async function openTflite(bytes, { input_size: [height, width] }, names) {
  const library = await loadLiteRt();
  const model = await library.loadAndCompile(bytes, {
    accelerator: "wasm",
    cpuOptions: { numThreads: threads() },
  });
  return {
    async run(crop) {
      const image = new library.Tensor(Float32Array.from(crop), [1, height, width, 3]);
      const outputs = await model.run({ image });
      image.delete();
      return read(names, (name) => {
        const values = outputs[name]?.toTypedArray().slice(); // it lies in the runtime
        outputs[name]?.delete();
        return values;
      });
    },
    close: () => model.delete(),
  };
}

let onnxRuntime = null;

function loadOnnxRuntime() {
  onnxRuntime ??= load("ONNX Runtime, the runtime of .onnx files,", async () => {
    const folder = `${FOLDER}onnxruntime-web/dist/`;
    const library = await import(`${folder}ort.wasm.min.mjs`);
    library.env.wasm.wasmPaths = folder; // it asks for a whole address
    library.env.wasm.numThreads = threads();
    library.env.logLevel = "error";
    return library;
  });
  onnxRuntime.catch(() => (onnxRuntime = null));
  return onnxRuntime;
}

async function openOnnx(bytes, { input_size: [height, width] }, names) {
  const library = await loadOnnxRuntime();
  const session = await library.InferenceSession.create(bytes, {
    executionProviders: ["wasm"],
    graphOptimizationLevel: "all",
  });
  const [name] = session.inputNames;
  return {
    async run(crop) {
      const image = new library.Tensor("float32", Float32Array.from(crop), [1, height, width, 3]);
      const outputs = await session.run({ [name]: image });
      return read(names, (name) => outputs[name]?.data);
    },
    close: () => session.release(),
  };
}
