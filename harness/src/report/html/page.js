// The matrix is there already; this filters it, walks through it and opens its cells. Whatever comes from the record is
// put into the page as text, never as HTML.
(() => {
  // ---- the data, read when it is first asked for

  let lines;
  let shared;
  let hellos;
  // What cells share stands once, and its place in them.
  const unpacked = (value) => Array.isArray(value) ? value.map(unpacked) : typeof value === "number" ? shared[value] : value;
  const cell = (link) => {
    lines ??= byId("cells").textContent.split("\n");
    shared ??= JSON.parse(byId("shared").textContent);
    const { id, hellos, took, ...rest } = JSON.parse(lines[Number(link.dataset.line)]);
    const open = Object.fromEntries(Object.entries(rest).map(([name, value]) => [name, unpacked(value)]));
    return { id, hellos, took, ...open, reproduce: open.reproduce.replaceAll("{id}", () => id) };
  };
  const hello = (place) => {
    hellos ??= JSON.parse(byId("hellos").textContent);
    return hellos[place];
  };

  // ---- filters

  const links = all(".matrix a");
  const rows = all(".matrix tbody tr:not(.family)").map((row) => ({
    row,
    links: all("a", row),
    family: row.parentElement.dataset.family,
    name: row.cells[0].textContent.toLowerCase(),
  }));
  const families = [...new Set(rows.map((row) => row.family).filter(Boolean))].sort();
  byId("family").append(...families.map((family) => make("option", { value: family }, family)));
  const checked = (name) => new Set(all(`input[name=${name}]:checked`).map((box) => box.value));

  function filter() {
    const words = byId("search").value.toLowerCase().split(/\s+/).filter(Boolean);
    const family = byId("family").value;
    const verdicts = checked("verdict");
    const gateways = checked("gateway");
    const hidden = gateways.size === 0 ? "" : all("input[name=gateway]").filter((box) => !box.checked)
      .map((box) => box.value).join(" ");
    byId("matrix").dataset.hidden = hidden;
    const isHidden = new Set(hidden.split(" ").filter(Boolean).map((place) => `g${place}`));
    let shown = 0;
    for (const { row, links, family: own } of rows) {
      let any = 0;
      for (const link of links) {
        const fits = (!family || own === family)
          && (verdicts.size === 0 || verdicts.has(link.getAttribute("aria-label")))
          && words.every((word) => link.id.toLowerCase().includes(word));
        link.classList.toggle("off", !fits);
        if (fits && !(isHidden.size && isHidden.has(link.parentElement.classList[0]))) any += 1;
      }
      row.hidden = any === 0;
      shown += any;
    }
    for (const body of all(".matrix tbody")) body.hidden = all("tr:not(.family)", body).every((row) => row.hidden);
    for (const suite of all(".suite")) suite.hidden = all("tbody", suite).every((body) => body.hidden);
    byId("shown").textContent = shown === links.length ? "" : `${shown} of ${links.length} cells`;
  }
  byId("filters").addEventListener("input", filter);
  byId("filters").addEventListener("reset", () => setTimeout(filter));
  byId("filters").addEventListener("submit", (event) => event.preventDefault());

  // ---- what a cell opens to

  const section = (title, ...children) => make("section", {}, make("h3", {}, title), ...children);

  function detail(data) {
    const said = Object.fromEntries(data.says);
    const parts = [
      make("h2", {}, data.id),
      make("p", {}, make("span", { class: `word ${data.class}` }, `${data.symbol} ${data.verdict}`),
        make("span", { class: "source" }, `${data.took} ms`)),
      data.because && make("p", { class: "because" }, data.because),
      section("Why this is tested", make("p", {}, data.why), make("p", { class: "source" }, data.source)),
      section("What was expected, and what happened",
        make("dl", { class: "sides" },
          make("dt", {}, "expected"), make("dd", {}, said.expected),
          data.steps.length > 0 && [
            make("dt", {}, "because"),
            make("dd", {}, make("ol", { class: "steps" }, data.steps.map((step) => make("li", {}, step)))),
          ],
          make("dt", {}, "observed"), make("dd", {}, said.observed))),
      section("What the three witnesses saw", witnesses(data, said)),
      data.sequence.length > 0 && section("Who said what", sequence(data.sequence)),
      data.hellos.length > 0 && section(
        data.hellos.length > 1 ? "The ClientHellos that reached the backend" : "The ClientHello that reached the backend",
        data.hellos.map((place) => offers(hello(place)))),
      section("Run this cell again", command(data.reproduce)),
    ];
    return make("article", { class: "detail" }, parts);
  }

  function witnesses(data, said) {
    const column = (name) => {
      // A sentence of a witness is a list of facts; the log is quoted as it is.
      const facts = (sentence) => (name === "gateway" ? [sentence] : sentence.split("; "));
      const entries = said[name].flatMap((sentence, nth) => [
        nth > 0 && name !== "gateway" && make("li", {}, make("hr")),
        ...facts(sentence).map((fact) => make("li", {}, fact)),
      ]);
      const causes = name === "gateway" && data.causes.length > 0
        && make("p", { class: "source" }, `which means: ${data.causes.join(", ")}`);
      return make("div", {}, make("h4", {}, name === "gateway" ? "gateway's log" : name), make("ul", {}, entries), causes);
    };
    return make("div", { class: "witnesses" }, ["client", "gateway", "backend"].map(column));
  }

  const LINES = ["client", "gateway", "backend"];

  function sequence(steps) {
    const two = steps.every((step) => step.from !== "gateway" && step.to !== "gateway");
    const shown = two ? ["client", "backend"] : LINES;
    const heads = shown.map((name) => make("li", { class: "who" }, name));
    const lives = shown.map((name) => make("li", { class: `life l${LINES.indexOf(name)}`, "aria-hidden": "true" }));
    const drawn = steps.map((step, nth) => {
      const [from, to] = [LINES.indexOf(step.from), LINES.indexOf(step.to)];
      const way = from === to ? "" : from < to ? "right" : "left";
      const told = from === to ? `${step.from}: ` : `${step.from} to ${step.to}: `;
      const implied = step.kind === "implied" ? "not recorded, but follows from what was: " : "";
      const entry = make("li", { class: `step ${step.kind} f${from} t${to} ${way}` },
        make("span", { class: "unseen" }, told + implied), step.says);
      entry.style.gridRow = String(nth + 2);
      return entry;
    });
    const list = make("ol", { class: two ? "sequence two" : "sequence" }, heads, lives, drawn);
    for (const life of lives) life.style.gridRow = `2 / ${steps.length + 3}`;
    const implied = steps.some((step) => step.kind === "implied");
    return make("div", {}, list,
      implied && make("p", { class: "source" }, "Dashed: not recorded, but follows from what was."));
  }

  function offers(facts) {
    const rows = [
      ["versions", facts.versions], ["server name", facts.server_name], ["ALPN", facts.alpn],
      ["groups", facts.groups], ["key shares", facts.key_shares], ["signatures", facts.signature_algorithms],
      ["extensions", facts.extensions], ["cipher suites", facts.ciphers],
      ["post-handshake", facts.post_handshake_auth ? "post_handshake_auth offered" : "no post_handshake_auth"],
      ["resumption", facts.offers_resumption ? "offered" : "not offered"],
      ["JA3", facts.ja3], ["JA4", facts.ja4], ["length", `${facts.length} bytes`],
    ];
    const text = (value) => (Array.isArray(value) ? value.join(", ") : value) || "none";
    return make("dl", { class: "hello" },
      rows.flatMap(([label, value]) => [make("dt", {}, label), make("dd", {}, text(value))]));
  }

  function command(line) {
    const button = make("button", { type: "button" }, "Copy");
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(line);
        button.textContent = "Copied";
      } catch {
        getSelection().selectAllChildren(button.previousSibling);
      }
    });
    return make("div", { class: "command" }, make("pre", {}, line), button);
  }

  // ---- opening and closing

  const aside = byId("detail");
  let opened;

  function named() {
    const text = location.hash.slice(1);
    let id = text;
    try { id = decodeURIComponent(text); } catch { /* a lone % is none of ours */ }
    const link = byId(id);
    return link?.matches(".matrix a") ? link : undefined;
  }

  function show() {
    opened?.removeAttribute("aria-current");
    opened = named();
    aside.hidden = !opened;
    if (!opened) return;
    if (opened.closest("tr").hidden || opened.classList.contains("off")) {
      byId("filters").reset();
      filter();
    }
    opened.setAttribute("aria-current", "true");
    const close = make("button", { type: "button" }, "Close");
    close.addEventListener("click", shut);
    aside.replaceChildren(make("article", { class: "detail" }, make("nav", { "aria-label": "Cell" },
      step("Previous", -1), step("Next", 1), close)), detail(cell(opened)));
    aside.scrollTop = 0;
    take(opened);
    opened.scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  function shut() {
    const last = opened;
    history.pushState(null, "", location.pathname + location.search);
    show();
    last?.focus();
  }

  const wrong = links.filter((link) => link.classList.contains("bad") || link.classList.contains("ours"));
  const visible = (link) => !link.closest("tr").hidden && !link.classList.contains("off");

  function step(label, by) {
    const button = make("button", { type: "button" }, label);
    button.addEventListener("click", () => go(links.filter(visible), by));
    return button;
  }

  function go(list, by) {
    if (list.length === 0) return;
    const at = list.indexOf(opened);
    const next = at < 0 ? (by > 0 ? 0 : list.length - 1) : (at + by + list.length) % list.length;
    location.hash = list[next].getAttribute("href");
  }

  addEventListener("hashchange", show);

  // ---- the keyboard: one stop for each matrix, arrows within it

  function take(link) {
    const table = link.closest("table");
    for (const other of all("a[tabindex='0']", table)) other.tabIndex = -1;
    link.tabIndex = 0;
  }
  for (const link of links) link.tabIndex = -1;
  for (const table of all(".matrix")) {
    const first = table.querySelector("a");
    if (first) first.tabIndex = 0;
  }
  byId("matrix").addEventListener("focusin", ({ target }) => target.matches(".matrix a") && take(target));

  function neighbour(link, across, down) {
    const place = link.parentElement;
    let row = place.parentElement;
    const at = place.cellIndex;
    if (across) {
      let next = across > 0 ? place.nextElementSibling : place.previousElementSibling;
      while (next && !(next.offsetWidth && next.querySelector("a:not(.off)"))) {
        next = across > 0 ? next.nextElementSibling : next.previousElementSibling;
      }
      return next?.querySelector("a:not(.off)");
    }
    const order = all("tbody tr:not(.family)", link.closest("table")).filter((other) => !other.hidden);
    for (let nth = order.indexOf(row) + down; nth >= 0 && nth < order.length; nth += down) {
      const found = order[nth].cells[at]?.querySelector("a:not(.off)");
      if (found) return found;
    }
    return undefined;
  }

  const MOVES = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const typing = event.target.matches("input[type=search], select");
    if (event.key === "Escape" && opened) return shut();
    if (typing) return;
    if (event.key === "/") {
      event.preventDefault();
      byId("search").focus();
    } else if (event.key === "n" || event.key === "p") {
      go(wrong.filter(visible), event.key === "n" ? 1 : -1);
    } else if (MOVES[event.key] && event.target.matches(".matrix a")) {
      event.preventDefault();
      neighbour(event.target, ...MOVES[event.key])?.focus();
    }
  });

  // What the symbol says in words, without a thousand titles in the page.
  byId("matrix").addEventListener("mouseover", ({ target }) => {
    if (target.matches(".matrix a")) target.title = `${target.getAttribute("aria-label")}: ${target.id}`;
  });

  // On paper nothing opens: what is wrong is printed with its evidence.
  const PRINTED = 50;
  addEventListener("beforeprint", () => {
    if (!aside.hidden) return;
    aside.replaceChildren(...wrong.slice(0, PRINTED).map((link) => detail(cell(link))));
    aside.hidden = false;
    addEventListener("afterprint", show, { once: true });
  });

  show();
})();
