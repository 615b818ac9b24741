// Follows what goes on: each message is HTML, whose parts take the place of those on the page.
"use strict";
(() => {
  const place = document.querySelector("[data-follow]"), status = document.getElementById("followed");

  // A box keeps how far it was scrolled, and the focus.
  const replace = (old, fresh) => {
    if (old.outerHTML === fresh.outerHTML) return;
    const boxes = part => [...part.querySelectorAll("[tabindex], a")];
    const before = boxes(old), focused = before.indexOf(document.activeElement);
    const scrolled = before.map(box => [box.scrollLeft, box.scrollTop]);
    old.replaceWith(fresh);
    boxes(fresh).forEach((box, i) => { [box.scrollLeft, box.scrollTop] = scrolled[i] ?? [0, 0]; });
    if (focused >= 0) boxes(fresh)[focused]?.focus({ preventScroll: true });
  };

  const show = html => {
    const fresh = new DOMParser().parseFromString(html, "text/html");
    for (const part of fresh.querySelectorAll("[data-part]")) {
      const old = document.getElementById(part.id);
      if (old) replace(old, part); else place.append(part);
    }
  };

  const follow = () => {
    const address = new URL(place.dataset.follow, location.href);
    address.protocol = address.protocol.replace("http", "ws");
    const socket = new WebSocket(address);
    let over = false;
    socket.addEventListener("message", event => {
      const message = JSON.parse(event.data);
      over = message.over;
      status.textContent = "";
      show(message.html);
    });
    socket.addEventListener("close", () => {
      if (over) return;
      status.textContent = "The connection is lost; it is tried again every two seconds.";
      setTimeout(follow, 2000);
    });
  };
  follow();
})();
