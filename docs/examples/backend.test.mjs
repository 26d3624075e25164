// A client in Node against a backend in a container: npm install testcontainers; node --test
import assert from "node:assert";
import https from "node:https";
import { test } from "node:test";
import { GenericContainer, Wait } from "testcontainers";

test("an expired certificate is refused for that reason", async () => {
  const gauntlet = await new GenericContainer("gauntlet")
    .withCommand("serve --bind 0.0.0.0 --port-base 10000 --control 0.0.0.0:9000 --open-control --no-files expired-leaf".split(" "))
    .withExposedPorts(9000, 10000)
    .withWaitStrategy(Wait.forHttp("/healthz", 9000))
    .start();
  try {
    const control = `http://localhost:${gauntlet.getMappedPort(9000)}`;
    const ca = await (await fetch(`${control}/certs/ca.pem`)).text();
    const call = new Promise((resolve, reject) =>
      https.get(`https://localhost:${gauntlet.getMappedPort(10000)}/`, { ca }, resolve).on("error", reject));
    await assert.rejects(call, { code: "CERT_HAS_EXPIRED" });
    // Node closes the connection and sends no alert.
    const { entries } = await (await fetch(`${control}/ledger?backend=expired-leaf&wait_ms=5000`)).json();
    assert.equal(entries[0].outcome, "refused");
  } finally {
    await gauntlet.stop();
  }
});
