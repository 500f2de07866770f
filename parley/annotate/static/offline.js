// Keeps the answers of an offline form in this browser, and saves them as a file.
"use strict";
(() => {
  const rater = document.body.dataset.rater, shelf = `parley-form-${rater}`;
  const forms = [...document.querySelectorAll("form[data-item]")], told = document.getElementById("kept");
  let kept = {};
  try { kept = JSON.parse(localStorage.getItem(shelf) || "{}"); } catch { kept = {}; }
  const fieldsOf = (form) => Object.fromEntries([...new FormData(form)].map(([name, value]) => [name, String(value)]));
  const whole = (fields) => Object.keys(fields).filter((name) => !name.endsWith("-why")).length === 14;

  function show() {
    const done = forms.filter((form) => whole(fieldsOf(form))).length;
    told.textContent = `${done} of ${forms.length} conversations are rated.`;
  }
  function store(form) {
    const before = kept[form.dataset.item] || {since: Date.now()};
    kept[form.dataset.item] = {since: before.since, until: Date.now(), fields: fieldsOf(form)};
    try { localStorage.setItem(shelf, JSON.stringify(kept)); } catch { told.textContent = "This browser keeps nothing: save the file before you close it."; return; }
    show();
  }
  for (const form of forms) {
    for (const [name, value] of Object.entries((kept[form.dataset.item] || {}).fields || {})) {
      for (const field of form.querySelectorAll(`[name="${CSS.escape(name)}"]`)) {
        if (field.type === "radio") field.checked = field.value === value; else field.value = value;
      }
    }
    form.addEventListener("input", () => store(form));
    form.addEventListener("submit", (event) => event.preventDefault());
    form.closest("details").addEventListener("toggle", (event) => { if (event.target.open && !kept[form.dataset.item]) store(form); });
  }
  document.getElementById("save").addEventListener("click", () => {
    const given = forms.map((form) => [form.dataset.item, fieldsOf(form), kept[form.dataset.item]]).filter(([, fields]) => whole(fields))
      .map(([item, fields, at]) => ({item, seconds: at ? (at.until - at.since) / 1000 : null, fields}));
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([JSON.stringify({parley: "offline form", rater, given}, null, 1)], {type: "application/json"}));
    link.download = `${rater}.json`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  });
  show();
})();
