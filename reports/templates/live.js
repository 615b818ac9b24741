"use strict";
(() => {
  const at = (id) => document.getElementById(id);
  const form = at("start"), problem = at("problem"), stop = at("stop"), go = at("go");
  const busy = new Set(["starting", "running", "stopping", "writing"]);
  let pressed = false, lost = false, leads = false;

  const ask = async (path, body) => {
    const reply = await fetch(path, body ? { method: "POST", body } : { cache: "no-store" });
    if (!reply.ok) throw new Error(reply.status === 403
      ? "You are logged out: open the address printed in the terminal."
      : `The page answered ${reply.status}.`);
    return reply;
  };
  const say = (error) => { problem.textContent = error ? String(error.message || error) : ""; };

  const show = () => {
    const stage = at("stage").dataset.stage, runs = busy.has(stage);
    form.hidden = runs && stage !== "starting";
    go.disabled = pressed || runs;
    stop.hidden = stage !== "running";
    // Start has gone with the form: whoever pressed it by a key goes on from Stop.
    if (leads && !stop.hidden) {
      leads = false;
      if (document.activeElement === document.body) stop.focus();
    }
  };
  const refresh = async () => {
    const text = await (await ask(form.dataset.now)).text();
    const fresh = new DOMParser().parseFromString(text, "text/html");
    const kept = new Set();
    for (const part of fresh.querySelectorAll("[data-part]")) {
      const old = at(part.id);
      kept.add(part.id);
      if (old) replacePart(old, part); else at(part.closest("[data-into]").dataset.into).append(part);
    }
    for (const part of document.querySelectorAll("[data-part]")) if (!kept.has(part.id)) part.remove();
    show();
  };
  const poll = async () => {
    try {
      if (!document.hidden) await refresh();
      if (lost) say("");
      lost = false;
    } catch (error) {
      say(error instanceof TypeError ? "The page does not answer: has it been ended?" : error);
      lost = true;
    }
    setTimeout(poll, 1000);
  };

  at("scenario").addEventListener("change", async (event) => {
    say("");
    try {
      const chosen = event.target.value, query = new URLSearchParams({ scenario: chosen });
      const arms = await (await ask(`${form.dataset.arms}?${query}`)).text();
      if (event.target.value === chosen) at("arms").innerHTML = arms;
    } catch (error) { say(error); }
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    say("");
    const targets = [...form.querySelectorAll("[data-arm]")]
      .filter((input) => input.value !== input.dataset.own)
      .map((input) => `${input.dataset.arm}=${input.value.trim().replace(/[,\s]/g, encodeURIComponent)}`);
    const body = new FormData();
    for (const [name, value] of [["scenario", at("scenario").value], ["target", targets.join(",")], ["host", ""]])
      body.append(name, value);
    pressed = true;
    show();
    try {
      const answer = await (await ask(form.getAttribute("action"), body)).json();
      leads = answer.success;
      if (!answer.success) say(answer.message);
      await refresh();
    } catch (error) { say(error); }
    pressed = false;
    show();
  });
  stop.addEventListener("click", async () => {
    stop.disabled = true;
    try { await ask(form.dataset.stop, new FormData()); await refresh(); } catch (error) { say(error); }
    stop.disabled = false;
  });
  show();
  setTimeout(poll, 1000);
})();
