/** Adding documents: shown where the service takes them, with the key of an admin. */

import { Problem, fetchJson, inPath, key } from "./api.js";
import { announce, icon, make } from "./dom.js";
import { problemView } from "./notices.js";

const POLL = 400;
const NO_JOB = "v1/jobs/none";

/** What stands in the way of an upload: nothing (""), a key ("key"), or that there is no such thing ("none"). */
async function hindrance(as) {
  try {
    await fetchJson(NO_JOB, { as });
  } catch (error) {
    if (error.code === "job_unknown") return "";
    if (error.status === 401 || error.status === 403) return "key";
    return "none";
  }
  return "none";
}

/** The form that adds documents, or null where the service takes none; `ondone` is called after each. */
export async function uploadPart(ondone) {
  const needs = await hindrance(key.get());
  if (needs === "none") return null;
  const secret = make("input", { type: "password", autocomplete: "off", spellcheck: "false", required: true });
  const files = make("input", { type: "file", multiple: true, required: true });
  const told = make("div", { class: "upload-jobs", "aria-live": "polite" });
  const form = make(
    "form",
    { class: "upload-form" },
    needs ? make("label", {}, "Key of an admin", secret) : null,
    make("label", {}, "Documents", files),
    make("button", { type: "submit", class: "primary" }, "Add"),
    told,
  );
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const as = needs ? secret.value.trim() : key.get();
    const chosen = [...files.files];
    files.value = "";
    for (const file of chosen) await addOne(file, as, told, ondone);
  });
  return make("details", { class: "upload" }, make("summary", {}, icon("next"), "Add documents"), form);
}

async function addOne(file, as, told, ondone) {
  const bar = make("progress", { max: "1", value: "0", "aria-label": `Adding ${file.name}` });
  const stage = make("span", { class: "stage" }, "sending");
  const line = make("div", { class: "upload-job" }, make("span", { dir: "auto" }, file.name), stage, bar);
  told.append(line);
  try {
    let job = await send(file, as, (part) => (bar.value = part));
    bar.removeAttribute("value");
    while (job.status === "queued" || job.status === "running") {
      stage.textContent = job.status === "queued" ? "waiting" : "indexing";
      await new Promise((resolve) => setTimeout(resolve, POLL));
      job = await fetchJson(`v1/jobs/${job.id}`, { as });
    }
    if (job.status !== "done") {
      const detail = `${file.name}: ${job.reason ?? job.detail ?? "no reason was given"}.`;
      throw new Problem({ title: "The document was not added", detail, hint: "Mend it, or choose another." });
    }
    bar.remove();
    stage.textContent = "added";
    announce(`${job.source} is added.`);
    await ondone();
  } catch (error) {
    line.replaceWith(problemView(error.status === 401 ? new Problem({ ...error, status: 0 }) : error));
  }
}

/** Send a file; a plain fetch would not tell how far it is. */
function send(file, as, progress) {
  const request = new XMLHttpRequest();
  return new Promise((resolve, reject) => {
    request.upload.addEventListener("progress", ({ loaded, total }) => progress(total ? loaded / total : 0));
    request.addEventListener("load", () => {
      const body = request.response ?? {};
      if (request.status < 300) resolve(body);
      else reject(new Problem({ title: `The service answered with status ${request.status}`, ...body }));
    });
    request.addEventListener("error", () =>
      reject(new Problem({ title: "The document was not sent", detail: "The connection broke.", hint: "Try again." })),
    );
    request.open("PUT", `v1/sources/${inPath(file.name)}`);
    request.responseType = "json";
    request.setRequestHeader("Content-Type", file.type || "application/octet-stream");
    if (as) request.setRequestHeader("Authorization", `Bearer ${as}`);
    request.send(file);
  });
}
