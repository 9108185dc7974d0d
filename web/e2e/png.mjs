// A screenshot as a PNG with 256 colours: a third of the size, and a page of few colours loses nothing that can be seen. Not for photographs.
import { crc32, deflateSync } from "node:zlib";

const COLOURS = 256;
/** Colours are counted by the upper five bits of each channel. */
const bin = (r, g, b) => ((r >> 3) << 10) | ((g >> 3) << 5) | (b >> 3);

function chunk(type, body) {
  const named = Buffer.concat([Buffer.from(type, "latin1"), body]);
  const framed = Buffer.alloc(named.length + 8);
  framed.writeUInt32BE(body.length, 0);
  named.copy(framed, 4);
  framed.writeUInt32BE(crc32(named), named.length + 4);
  return framed;
}

/** The most frequent colours, each the mean of its bin, and for every bin the nearest of them. */
function palette(pixels) {
  const bins = new Map();
  for (let at = 0; at < pixels.length; at += 4) {
    const key = bin(pixels[at], pixels[at + 1], pixels[at + 2]);
    const sum = bins.get(key) ?? [0, 0, 0, 0];
    sum[0] += pixels[at];
    sum[1] += pixels[at + 1];
    sum[2] += pixels[at + 2];
    sum[3] += 1;
    bins.set(key, sum);
  }
  const means = [...bins].map(([key, [r, g, b, count]]) => ({ key, count, rgb: [r / count, g / count, b / count] })).sort((a, b) => b.count - a.count);
  const colours = means.slice(0, COLOURS).map(({ rgb }) => rgb);
  const far = (a, b) => (a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2 + (a[2] - b[2]) ** 2;
  const nearest = new Map(means.map(({ key, rgb }) => [key, colours.reduce((best, colour, at) => (far(colour, rgb) < far(colours[best], rgb) ? at : best), 0)]));
  return { colours, nearest };
}

/** The picture again, smaller. The browser decodes it. */
export async function smaller(browser, png) {
  const context = await browser.newContext();
  const page = await context.newPage();
  const { width, height, data } = await page.evaluate(async (from) => {
    const image = await createImageBitmap(await (await fetch(`data:image/png;base64,${from}`)).blob());
    const canvas = new OffscreenCanvas(image.width, image.height);
    const context = canvas.getContext("2d");
    context.drawImage(image, 0, 0);
    const { data } = context.getImageData(0, 0, image.width, image.height);
    let text = "";
    for (let at = 0; at < data.length; at += 0x8000) text += String.fromCharCode(...data.subarray(at, at + 0x8000));
    return { width: image.width, height: image.height, data: btoa(text) };
  }, png.toString("base64"));
  await context.close();
  const pixels = Buffer.from(data, "base64");
  const { colours, nearest } = palette(pixels);
  const rows = Buffer.alloc((width + 1) * height); // Each row begins with its filter: none.
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const at = (y * width + x) * 4;
      rows[y * (width + 1) + 1 + x] = nearest.get(bin(pixels[at], pixels[at + 1], pixels[at + 2]));
    }
  }
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  head.set([8, 3, 0, 0, 0], 8);
  const smallerPng = Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    chunk("IHDR", head),
    chunk("PLTE", Buffer.from(colours.flatMap((rgb) => rgb.map(Math.round)))),
    chunk("IDAT", deflateSync(rows, { level: 9 })),
    chunk("IEND", Buffer.alloc(0)),
  ]);
  return smallerPng.length < png.length ? smallerPng : png;
}
