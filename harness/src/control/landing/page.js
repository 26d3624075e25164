// Asks what there is, shows it, and follows the ledger as it is written.
(() => {
  const CLASSES = { answer: ["✓", "good"], refuse: ["⊘", "good"], fail: ["–", "odd"], depends: ["±", "odd"] };
  /** As many connections as are kept here; the ledger has them all. */
  const KEPT = 500;

  // ---- copying

  async function copy(text) {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      // Pages that came neither from loopback nor over TLS have no clipboard (W3C Secure Contexts).
      const field = make("textarea", { class: "unseen", "aria-hidden": "true" });
      field.value = text;
      document.body.append(field);
      field.select();
      document.execCommand("copy");
      field.remove();
    }
  }

  function copier(label, what, text) {
    const button = make("button", { type: "button", "aria-label": `Copy ${what}` }, label);
    button.addEventListener("click", async () => {
      await copy(typeof text === "function" ? await text() : text);
      byId("told").textContent = `Copied ${what}`;
      button.classList.add("done");
      button.textContent = "copied";
      setTimeout(() => {
        button.classList.remove("done");
        button.textContent = label;
      }, 1500);
    });
    return button;
  }

  const counted = (number, what) => `${number} ${what}${number === 1 ? "" : "s"}`;
  const pairs = (entries) => make("dl", {}, entries.filter(([, value]) => value !== undefined && value !== "")
    .map(([label, value]) => [make("dt", {}, label), make("dd", {}, value)]));
  const command = (text, what) => make("div", { class: "pasted" }, make("code", {}, text), copier("copy", what, text));

  // ---- what a client needs

  const file = (name, label = name) => make("a", { href: `certs/${name}`, download: name }, label);
  const content = (name) => async () => (await fetch(`certs/${name}`)).text();

  function needs({ certs, files, by_name, pfx_password }) {
    const list = byId("needs").querySelector("dl");
    const recipes = [...new Set(certs.filter((name) => name.startsWith("client-") && name.includes(".key"))
      .map((name) => name.slice(0, -".key".length)))];
    const forms = (recipe) => certs.filter((name) => name.startsWith(`${recipe}.`));
    const kind = (recipe, name) => name.slice(recipe.length + 1);
    list.append(
      make("dt", {}, "Root to trust"),
      make("dd", {}, file("ca.pem"), copier("copy PEM", "the root as PEM", content("ca.pem")),
        copier("copy path", "the path of the root", files.ca)),
      make("dt", {}, "Client certificate"),
      make("dd", {}, forms("client-good").map((name) => file(name)),
        copier("copy PEM", "the client certificate as PEM", content("client-good.pem")),
        make("span", {}, "password of PFX files: ", make("code", {}, pfx_password)),
        make("details", {}, make("summary", {}, "the other roots, and client certificates with a flaw"),
          make("ul", { class: "files" },
            make("li", {}, make("code", {}, "roots"),
              make("span", {}, certs.filter((name) => name.endsWith("ca.pem")).map((name) => file(name)))),
            recipes.map((recipe) => make("li", {}, make("code", {}, recipe.slice("client-".length)),
              make("span", {}, forms(recipe).map((name) => file(name, kind(recipe, name))))))))),
      make("dt", {}, "Any backend by name"),
      make("dd", {}, command(by_name.example, "a call by name")),
    );
    byId("needs").hidden = false;
  }

  // ---- the backends

  const rows = [];
  const byName = new Map();

  function more(backend) {
    const { expect } = backend;
    return pairs([
      ["curl", command(backend.curl, `curl for ${backend.name}`)],
      ["by name", backend.curl_by_name && command(backend.curl_by_name, `curl by name for ${backend.name}`)],
      ["s_client", command(backend.s_client, `s_client for ${backend.name}`)],
      ["status", backend.status && command(backend.status, `the status of ${backend.name}`)],
      ["specified in", backend.clause],
      ["note", expect.note],
      ["why", expect.steps.length ? make("ol", {}, expect.steps.map((step) => make("li", {}, step))) : undefined],
    ].map(([label, value]) => [label, value || undefined]));
  }

  function row(backend) {
    const { name, expect } = backend;
    const [symbol, tone] = CLASSES[expect.outcome];
    const seen = make("span", { class: "seen", hidden: true });
    const details = make("div", { class: "details", id: `more-${name}`, hidden: true });
    const opener = make("button", {
      type: "button", "aria-expanded": "false", "aria-controls": details.id, "aria-label": `More about ${name}`,
    }, "more");
    opener.addEventListener("click", () => {
      // Built when it is first opened: most never are.
      if (!details.firstChild) details.append(more(backend));
      details.hidden = !details.hidden;
      opener.setAttribute("aria-expanded", String(!details.hidden));
      opener.textContent = details.hidden ? "more" : "less";
    });
    const article = make("article", { class: `backend ${expect.outcome}`, id: name },
      make("b", { class: `mark ${tone}`, "aria-hidden": "true" }, symbol),
      make("div", { class: "head" },
        make("h3", {}, make("a", { href: backend.url }, name)),
        make("span", { class: "says" }, expect.says), seen),
      make("div", { class: "actions" },
        copier("curl", `curl for ${name}`, backend.curl),
        copier("s_client", `s_client for ${name}`, backend.s_client), opener),
      make("p", {}, backend.summary), details);
    const words = [name, backend.family, backend.summary, backend.clause, expect.says].join(" ").toLowerCase();
    const entry = { article, seen, words, calls: 0, family: backend.family, outcome: expect.outcome };
    rows.push(entry);
    byName.set(name, entry);
    return article;
  }

  function families(listed) {
    for (const { name, backends } of listed) {
      const id = `family-${name}`;
      byId("families").append(make("section", { class: "family", "aria-labelledby": id },
        make("h2", { id }, name.replaceAll("-", " ")), backends.map(row)));
      byId("family").append(make("option", { value: name }, name));
    }
  }

  // ---- filters

  function filter() {
    const words = byId("search").value.toLowerCase().split(/\s+/).filter(Boolean);
    const family = byId("family").value;
    const outcomes = new Set(all("input[name=outcome]:checked").map((box) => box.value));
    let shown = 0;
    for (const row of rows) {
      const fits = (!family || row.family === family)
        && (outcomes.size === 0 || outcomes.has(row.outcome))
        && words.every((word) => row.words.includes(word));
      row.article.hidden = !fits;
      shown += fits;
    }
    for (const section of all(".family")) section.hidden = all(".backend", section).every((row) => row.hidden);
    byId("shown").textContent = shown === rows.length ? "" : `${shown} of ${rows.length}`;
  }
  byId("filters").addEventListener("input", filter);
  byId("filters").addEventListener("reset", () => setTimeout(filter));
  byId("filters").addEventListener("submit", (event) => event.preventDefault());
  addEventListener("keydown", (event) => {
    const typing = event.target.matches("input[type=search], select, textarea");
    if (event.key === "/" && !typing) {
      event.preventDefault();
      byId("search").focus();
    }
    if (event.key === "Escape" && event.target === byId("search")) byId("filters").reset();
  });

  // ---- the ledger

  let calls = 0;

  function hello(facts) {
    return [
      ["versions", facts.versions?.join(" ")],
      ["server name", facts.server_name],
      ["ciphers", facts.ciphers.join(" ")],
      ["groups", facts.groups.join(" ")],
      ["key shares", facts.key_shares.join(" ")],
      ["signatures", facts.signature_algorithms.join(" ")],
      ["ALPN", facts.alpn.join(" ")],
      ["extensions", facts.extensions.join(" ")],
      ["offers", [facts.post_handshake_auth && "post-handshake authentication", facts.offers_resumption && "resumption"]
        .filter(Boolean).join(", ")],
      ["JA4", facts.ja4],
      ["JA3", facts.ja3],
    ];
  }

  // What is right is green: an answer where one is due, a refusal where one is due.
  // A request that came is an acceptance, however its connection ended; a refusal is one if the client says so by an alert.
  function judged(entry, answered, expected, refused) {
    if (expected === "refuse") {
      if (answered || entry.requests > 0) return ["✗", "bad", "accepted, must refuse"];
      return ["⊘", entry.alert_received ? "good" : "odd", refused];
    }
    if (answered) return ["✓", expected === "answer" ? "good" : "odd", null];
    return expected === "answer" ? ["✗", "bad", refused] : ["⊘", "odd", refused];
  }

  function connection(entry) {
    const answered = !entry.cause && !entry.error && entry.ended === "cleanly";
    const refused = `${entry.cause || entry.alert_received || entry.alert_sent || entry.ended} in phase ${entry.phase}`;
    const [symbol, tone, why] = judged(entry, answered, byName.get(entry.backend)?.outcome, refused);
    const facts = [entry.tls_version, entry.cipher, entry.alpn, entry.sni && `SNI ${entry.sni}`,
      entry.client_certificate ? `client certificate ${entry.client_certificate}` : entry.client_chain && "another client certificate",
      entry.renegotiations > 0 && counted(entry.renegotiations, "renegotiation"),
      entry.resumed && "resumed"].filter(Boolean).map((fact) => make("span", {}, fact));
    const details = make("details", {},
      make("summary", {},
        make("b", { class: `mark ${tone}`, "aria-hidden": "true" }, symbol),
        make("span", { class: "who" }, entry.backend ?? "nobody"),
        make("time", { datetime: entry.time }, new Date(entry.time).toLocaleTimeString([], { hour12: false })),
        facts.length > 0 && make("span", { class: "facts" }, facts),
        why && make("span", { class: "why" }, why)));
    details.addEventListener("toggle", () => details.append(pairs([
      ["ended", `${entry.ended}, after ${entry.duration_ms} ms`],
      ["alert sent", entry.alert_sent],
      ["received", entry.alert_received],
      ["error", entry.error],
      ["group", entry.group],
      ["certificate", entry.client_chain?.join(", ")],
      ...(entry.client_hello ? hello(entry.client_hello) : []),
    ])), { once: true });
    return make("li", { class: "entry" }, details);
  }

  function add(entry) {
    const list = byId("entries");
    list.prepend(connection(entry));
    while (list.children.length > KEPT) list.lastChild.remove();
    byId("none").hidden = true;
    calls += 1;
    byId("count").textContent = counted(calls, "call");
    const called = byName.get(entry.backend);
    if (called) {
      called.calls += 1;
      called.seen.hidden = false;
      called.seen.textContent = counted(called.calls, "call");
    }
  }

  byId("clear").addEventListener("click", () => {
    byId("entries").replaceChildren();
    byId("none").hidden = false;
  });

  function live(word, tone) {
    byId("live").textContent = word;
    byId("live").className = `state ${tone}`;
  }

  function follow() {
    const stream = new EventSource("ledger/stream");
    stream.addEventListener("open", () => live("live", "good"));
    stream.addEventListener("connection", (event) => add(JSON.parse(event.data)));
    stream.addEventListener("error", () => live("not connected", "bad"));
  }

  async function begin() {
    const answer = await fetch("./", { headers: { accept: "application/json" } });
    const overview = await answer.json();
    needs(overview);
    families(overview.families);
    byId("about").textContent = `${rows.length} mock TLS backends, each with one behaviour. Version ${overview.version}.`;
    filter();
    document.getElementById(decodeURIComponent(location.hash.slice(1)))?.scrollIntoView();
    follow();
  }
  begin().catch((error) => live(String(error), "bad"));
})();
