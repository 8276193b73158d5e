// Lets a button ask the browser for a passkey: the form holds what to ask and takes the answer.
"use strict";

const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

// What is asked, with the binary parts as the browser wants them.
function asked(options) {
  const wanted = { ...options.publicKey, challenge: bytes(options.publicKey.challenge) };
  if (wanted.user) wanted.user = { ...wanted.user, id: bytes(wanted.user.id) };
  for (const list of ["allowCredentials", "excludeCredentials"]) {
    if (wanted[list]) wanted[list] = wanted[list].map((one) => ({ ...one, id: bytes(one.id) }));
  }
  return { publicKey: wanted };
}

function told(credential) {
  const response = {};
  for (const name of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]) {
    if (credential.response[name]) response[name] = text(credential.response[name]);
  }
  return JSON.stringify({ id: credential.id, rawId: text(credential.rawId), type: credential.type, response, clientExtensionResults: {} });
}

for (const form of document.querySelectorAll("form[data-passkey]")) {
  const problem = form.querySelector("[data-problem]");
  if (!window.PublicKeyCredential) {
    problem.textContent = form.dataset.unable;
    problem.hidden = false;
    continue;
  }
  form.querySelector("button").hidden = false;
  form.addEventListener("submit", async (event) => {
    if (form.elements.answer.value) return;
    event.preventDefault();
    problem.hidden = true;
    try {
      const options = asked(JSON.parse(form.dataset.options));
      const made = form.dataset.passkey === "new";
      const credential = made ? await navigator.credentials.create(options) : await navigator.credentials.get(options);
      form.elements.answer.value = told(credential);
      form.submit();
    } catch {
      problem.textContent = form.dataset.refused;
      problem.hidden = false;
      for (const button of form.querySelectorAll("button")) button.disabled = false;
    }
  });
}
