// Uploads FILE to ENDPOINT with tus-js-client, and prints what the last answer told as JSON.
import { createReadStream } from "node:fs";
import { Upload } from "tus-js-client";

const [endpoint, file, key, profile] = process.argv.slice(2);
let last;
const upload = new Upload(createReadStream(file), {
  endpoint,
  headers: { Authorization: `Bearer ${key}`, "X-Profile-Id": profile },
  chunkSize: 5 * 1024 * 1024,
  retryDelays: Array(60).fill(500),
  metadata: { filename: "clip.mp4", filetype: "video/mp4" },
  onAfterResponse: (_, response) => {
    last = { media: response.getHeader("Pressroom-Media-Id"), url: upload.url };
  },
  onError: (error) => {
    console.error(String(error));
    process.exit(1);
  },
  onSuccess: () => console.log(JSON.stringify(last)),
});
upload.start();
