// Where pictures come from. Each source has a name, a size, draw(context), live (whether
// pictures follow one another), next() that resolves when there is another, and close().

export async function openPicture(file) {
  let bitmap;
  try {
    // Turned as the camera says, in the colours of the file: models know no profiles.
    bitmap = await createImageBitmap(file, { colorSpaceConversion: "none" });
  } catch {
    throw new Error(`${file.name}: not a picture that this browser can read`);
  }
  return {
    name: file.name,
    width: bitmap.width,
    height: bitmap.height,
    live: false,
    draw: (context) => context.drawImage(bitmap, 0, 0),
    close: () => bitmap.close(),
  };
}

export async function openVideo(file) {
  const video = newVideo();
  video.src = URL.createObjectURL(file);
  video.loop = true;
  const close = () => {
    video.pause();
    URL.revokeObjectURL(video.src);
    video.removeAttribute("src");
  };
  try {
    await video.play();
  } catch {
    close();
    throw new Error(`${file.name}: not a video that this browser can play`);
  }
  return fromVideo(video, file.name, close);
}

const REFUSALS = {
  NotAllowedError: "the browser was not allowed to use the camera",
  NotFoundError: "there is no camera",
  NotReadableError: "the camera is in use by another program",
  OverconstrainedError: "there is no such camera",
};

export async function openCamera(facing) {
  if (!navigator.mediaDevices?.getUserMedia)
    throw new Error("browsers lend the camera to pages from https:// or 127.0.0.1 only");
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({
      audio: false,
      video: { facingMode: facing, width: { ideal: 640 }, height: { ideal: 480 } },
    });
  } catch (error) {
    throw new Error(REFUSALS[error.name] ?? `the camera does not start (${error.message})`);
  }
  const video = newVideo();
  video.srcObject = stream;
  await video.play();
  return fromVideo(video, "camera", () => stream.getTracks().forEach((track) => track.stop()));
}

function newVideo() {
  const video = document.createElement("video");
  video.muted = true;
  video.playsInline = true; // phones would fill the screen with it
  return video;
}

function fromVideo(video, name, close) {
  return {
    name,
    live: true,
    video,
    get width() {
      return video.videoWidth;
    },
    get height() {
      return video.videoHeight;
    },
    draw: (context) => context.drawImage(video, 0, 0),
    next: () =>
      new Promise((resolve) => {
        if (video.requestVideoFrameCallback) video.requestVideoFrameCallback(resolve);
        else requestAnimationFrame(resolve);
      }),
    close,
  };
}
