// Follows what is in progress: each message is HTML; its parts replace those on the page.
"use strict";
(() => {
  const place = document.querySelector("[data-follow]"), status = document.getElementById("followed");

  const show = html => {
    const fresh = new DOMParser().parseFromString(html, "text/html");
    for (const part of fresh.querySelectorAll("[data-part]")) {
      const old = document.getElementById(part.id);
      if (old) replacePart(old, part); else place.append(part);
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
