// Runs in the browser. It puts what the command sends into the page, and remembers where the reader is.

const connection = document.getElementById("connection");
/** What a screen reader says: not the time of each look. */
const announced = document.getElementById("announced");
const stack = document.body.dataset["stack"];
/** How each part was sent last. */
const last = new Map();

const focusable = "a, summary, [tabindex]";

/** Puts the HTML into a part; open details stay open, and what has the focus keeps it. */
function show(id, html) {
  const part = document.getElementById(`${id}-part`);
  if (!part || last.get(id) === html) return;
  last.set(id, html);
  const open = [...part.querySelectorAll("details")].map((each) => each.open);
  const focused = [...part.querySelectorAll(focusable)].indexOf(document.activeElement);
  part.innerHTML = html;
  part.closest("section").hidden = html === "";
  document.querySelector(`nav a[href="#${id}"]`).parentElement.hidden = html === "";
  part.querySelectorAll("details").forEach((each, i) => {
    each.open = open[i] ?? false;
  });
  part.querySelectorAll(focusable)[focused]?.focus({ preventScroll: true });
  const title = id === "state" && part.querySelector(".title");
  if (title) {
    document.title = `${title.textContent} – ${stack}`;
    announce(title.textContent);
  }
}

function announce(text) {
  if (announced.textContent !== text) announced.textContent = text;
}

function tell(text, isStale) {
  if (connection.textContent !== text) connection.textContent = text;
  document.body.classList.toggle("stale", isStale);
  if (isStale) announce(text);
}

/** Says of a part alone that it could not be made anew, while the others are. */
function note(id, problem) {
  const old = document.getElementById(`${id}-old`);
  if (!old) return;
  const isThere = document.getElementById(`${id}-part`)?.childElementCount > 0;
  const text = problem && `${isThere ? "This is old" : "This cannot be shown"}: ${problem}`;
  old.hidden = !text;
  if (old.textContent !== (text ?? "")) old.textContent = text ?? "";
}

const source = new EventSource(`events?${new URLSearchParams({ stack })}`);
source.addEventListener("parts", ({ data }) => {
  const { parts, makes, at, problem } = JSON.parse(data);
  for (const [id, html] of Object.entries(parts)) show(id, html);
  if (!makes.includes("state")) for (const id of makes) note(id, problem);
  else if (problem) tell(`What is shown is old: ${problem}`, true);
  else tell(`Live: read at ${at} UTC`, false);
});
source.addEventListener("error", () => {
  tell("The command that reads the clusters does not answer: what is shown is old.", true);
});
