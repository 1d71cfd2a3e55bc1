// The demo's picker of users to act as. It appears only where the gateway offers tokens, which
// `make demo` alone arranges; anywhere else the answer is empty and nothing is shown.

import { session } from "./session.js";

/**
 * Puts the picker into `place`, offering the users of these roles.
 *
 * Answers whether there is a demo here.
 */
export async function mountDemoPicker(place, roles = ["authenticated"]) {
  let users = [];
  try {
    const answer = await fetch("/demo/users.json");
    if (answer.status === 200) users = await answer.json();
  } catch {
    // Offline: no picker this time.
  }
  users = users.filter(({ role }) => roles.includes(role));
  if (!users.length) return false;

  const label = document.createElement("label");
  label.className = "demo-picker";
  const text = document.createElement("span");
  text.textContent = "Demo: act as";
  const select = document.createElement("select");
  select.append(new Option("nobody", ""));
  for (const user of users) select.append(new Option(user.label, user.token));
  label.append(text, select);
  place.replaceChildren(label);
  place.hidden = false;

  const show = () => {
    const chosen = users.find(
      (one) => one.role === session.role() && one.user_uid === session.user(),
    );
    select.value = chosen?.token ?? "";
  };
  select.addEventListener("change", () => {
    if (select.value) session.signIn(select.value);
    else session.signOut();
  });
  session.onChange(show);
  show();
  return true;
}
