// Makes sliders of the rows of stops: dragged, moved with a slider's keys, and cleared. The radios hold what is set, and
// a row is one that a click works on before this has run, or where it never does.
"use strict";
(() => {
  const STEPS = {ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -2, PageUp: 2, Home: -Infinity, End: Infinity};
  const SLOP = 6; // pixels that a finger goes sideways before it drags: less may become a tap, or a scroll of the page

  function slider(scale) {
    const stops = [...scale.querySelectorAll("input")], words = stops.map((stop) => stop.nextElementSibling.textContent);
    const group = scale.closest("fieldset"), knob = scale.querySelector(".knob");
    const value = document.createElement("b"), clear = document.createElement("button");
    const set = () => stops.findIndex((stop) => stop.checked);
    const within = (at) => Math.min(Math.max(at, 0), stops.length - 1);

    function show() {
      const at = set();
      value.textContent = knob.dataset.value = at < 0 ? "" : words[at];
      clear.hidden = at < 0;
    }
    function put(at) {
      if (at === set()) return;
      stops.forEach((stop, index) => { stop.checked = index === at; });
      scale.dispatchEvent(new Event("input", {bubbles: true})); // as a click on a stop does: it is shown and kept
    }

    // Keys: a row of radios goes round at its ends, a slider stays there.
    scale.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.altKey || event.metaKey || event.shiftKey) return;
      const off = ["Delete", "Backspace"].includes(event.key), step = STEPS[event.key];
      if (!off && step === undefined) return;
      event.preventDefault();
      const from = set() < 0 ? stops.indexOf(event.target) : set(), at = off ? -1 : within(from + step);
      put(at);
      if (at >= 0) stops[at].focus();
    });

    // Pointers: a mouse or pen places at once. A finger drags once it goes sideways; up and down it scrolls the page.
    let held = null;
    const at = (event) => { const box = scale.getBoundingClientRect(); return (event.clientX - box.left) / box.width * stops.length - .5; };
    function follow(event) {
      const exact = within(at(event));
      scale.style.setProperty("--at", exact);
      put(Math.round(exact));
    }
    function begin(event) {
      held.drags = true;
      scale.setPointerCapture(event.pointerId);
      scale.classList.add("dragged");
      follow(event);
    }
    function end() {
      held = null;
      scale.classList.remove("dragged");
      scale.style.removeProperty("--at");
    }
    scale.addEventListener("pointerdown", (event) => {
      if (!event.isPrimary || event.button !== 0) return;
      held = {id: event.pointerId, x: event.clientX, y: event.clientY, before: set(), drags: false};
      if (event.pointerType !== "touch") begin(event);
    });
    scale.addEventListener("pointermove", (event) => {
      if (held?.id !== event.pointerId) return;
      const x = Math.abs(event.clientX - held.x), y = Math.abs(event.clientY - held.y);
      if (held.drags) follow(event); else if (x > SLOP && x > y) begin(event);
    });
    scale.addEventListener("pointerup", (event) => {
      if (held?.id !== event.pointerId) return;
      if (held.drags) stops[set()].focus({preventScroll: true});
      end();
    });
    scale.addEventListener("pointercancel", (event) => { // the page scrolls after all: nobody has placed anything
      if (held?.id !== event.pointerId) return;
      const before = held.before;
      end();
      put(before);
    });
    scale.addEventListener("dragstart", (event) => event.preventDefault());

    clear.type = "button";
    clear.className = "clear";
    clear.tabIndex = -1; // by keys it is Delete
    clear.textContent = "clear";
    clear.setAttribute("aria-label", `Clear: ${group.querySelector(".what").textContent}`);
    clear.addEventListener("click", () => { put(-1); stops[0].focus({preventScroll: true}); });
    group.querySelector(".reading").append(value);
    group.querySelector("legend").after(clear); // not in it: it is no part of the group's name
    scale.addEventListener("input", show);
    addEventListener("pageshow", show); // a browser that goes back fills in the form by itself
    show();
  }
  document.querySelectorAll(".scale").forEach(slider);
})();
