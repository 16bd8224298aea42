// Saves the latest reading with a note, and takes that back.
(() => {
  const FRESH_MS = 3000;
  const form = document.getElementById("save");
  const button = form.querySelector("button");
  const saved = document.getElementById("saved");
  const { zone } = form.dataset;
  const token = form.elements.csrfmiddlewaretoken.value;

  const say = (words) => saved.replaceChildren(words);

  async function send(address, method, body) {
    const answer = await fetch(address, { method, headers: { "Content-Type": "application/json", "X-CSRFToken": token }, body });
    return { status: answer.status, at: Date.parse(answer.headers.get("Date")), result: answer.status === 204 ? null : await answer.json() };
  }

  function tell(result, at) {
    const words = `${saved.dataset.saved.replace("{power}", Riser.figure(result.power)).replace("{time}", Riser.time(new Date(result.timestamp), zone))} `;
    say(words);
    // One that was kept already, maybe by somebody else, stays.
    if (at - Date.parse(result.saved_at) > FRESH_MS) return;
    const undo = Object.assign(document.createElement("button"), { type: "button", className: "btn btn-link", textContent: saved.dataset.undo });
    undo.addEventListener("click", () => takeBack(result.id));
    saved.append(undo);
  }

  async function takeBack(number) {
    try {
      const { status } = await send(form.dataset.forget.replace(/0(?=\?|$)/, number), "DELETE");
      // Another one of the household may have been faster.
      say({ 204: saved.dataset.undone, 404: saved.dataset.late }[status] ?? saved.dataset.lost);
      document.dispatchEvent(new CustomEvent("saved"));
    } catch {
      say(saved.dataset.lost);
    }
  }

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    say("");
    try {
      const { status, at, result } = await send(form.action, "POST", JSON.stringify({ note: form.elements.note.value }));
      if (status === 201) {
        tell(result, at);
        form.reset();
        document.dispatchEvent(new CustomEvent("saved"));
      } else {
        say({ 409: saved.dataset.nothing, 422: saved.dataset.refused }[status] ?? saved.dataset.failed);
      }
    } catch {
      say(saved.dataset.lost);
    }
    button.disabled = false;
    // Save may stand at the lower edge of a telephone.
    saved.scrollIntoView({ block: "nearest" });
  });
})();
