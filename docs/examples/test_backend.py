"""A client in Python against a backend in a container: pip install testcontainers; python -m unittest test_backend"""

import json
import os
import ssl
import unittest
import urllib.error
import urllib.request

os.environ.setdefault("TESTCONTAINERS_RYUK_DISABLED", "true")  # its reaper is an image that would be pulled

from testcontainers.core.container import DockerContainer
from testcontainers.core.waiting_utils import wait_for_logs

BACKENDS = ["plain-good", "expired-leaf"]


class Backends(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        serve = "serve --bind 0.0.0.0 --port-base 10000 --control 0.0.0.0:9000 --open-control --no-files"
        ports = [9000, *range(10000, 10000 + len(BACKENDS))]
        cls.gauntlet = DockerContainer("gauntlet").with_command(f"{serve} {' '.join(BACKENDS)}").with_exposed_ports(*ports)
        cls.gauntlet.start()
        cls.addClassCleanup(cls.gauntlet.stop)
        wait_for_logs(cls.gauntlet, "ready;", timeout=60)
        cls.trust = ssl.create_default_context(cadata=cls.control("/certs/ca.pem").decode())

    @classmethod
    def control(cls, path):
        with urllib.request.urlopen(f"http://localhost:{cls.gauntlet.get_exposed_port(9000)}{path}", timeout=60) as answer:
            return answer.read()

    def call(self, backend):
        port = self.gauntlet.get_exposed_port(10000 + BACKENDS.index(backend))
        with urllib.request.urlopen(f"https://localhost:{port}/", context=self.trust, timeout=60) as answer:
            return json.load(answer)

    def test_a_sound_backend_answers(self):
        self.assertEqual(self.call("plain-good")["backend"], "plain-good")

    def test_an_expired_certificate_is_refused_for_that_reason(self):
        with self.assertRaisesRegex(urllib.error.URLError, "certificate has expired"):
            self.call("expired-leaf")
        seen = json.loads(self.control("/ledger?backend=expired-leaf&wait_ms=5000"))["entries"]
        self.assertEqual(seen[0]["alert_received"], "certificate_expired")


if __name__ == "__main__":
    unittest.main()
