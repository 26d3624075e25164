"""sslyze: the versions and suites it finds, and whether sessions are resumed or renegotiated."""

import sys
import warnings

warnings.simplefilter("ignore")
from sslyze import ScanCommand, Scanner, ServerNetworkLocation, ServerScanRequest

VERSIONS = ["ssl_3_0", "tls_1_0", "tls_1_1", "tls_1_2", "tls_1_3"]
suites = [f"{version}_cipher_suites" for version in VERSIONS]
commands = {*suites, "session_renegotiation", "session_resumption"}
backends = dict(reversed(line.split("\t")[:2]) for line in open(sys.argv[1]))

scanner = Scanner(per_server_concurrent_connections_limit=2, concurrent_server_scans_limit=16)
locations = [ServerNetworkLocation("backend.gauntlet.test", int(port), "127.0.0.1") for port in backends]
commands = {ScanCommand(command) for command in commands}
scanner.queue_scans([ServerScanRequest(location, scan_commands=commands) for location in locations])
for scanned in scanner.get_results():
    said = []
    for version in VERSIONS:
        found = scanned.scan_result and getattr(scanned.scan_result, f"{version}_cipher_suites").result
        if found and found.accepted_cipher_suites:
            names = sorted(suite.cipher_suite.name for suite in found.accepted_cipher_suites)
            said.append(f"{version}: " + (" ".join(names) if len(names) < 3 else f"{len(names)} suites"))
    if scanned.scan_result:
        renegotiation = scanned.scan_result.session_renegotiation.result
        if renegotiation and not renegotiation.supports_secure_renegotiation:
            said.append("no secure renegotiation")
        if renegotiation and renegotiation.is_vulnerable_to_client_renegotiation_dos:
            said.append("clients may renegotiate")
        resumption = scanned.scan_result.session_resumption.result
        if resumption:
            said.append(f"session ids {resumption.session_id_resumption_result.name.lower()}")
            said.append(f"tickets {resumption.tls_ticket_resumption_result.name.lower()}")
    else:
        said.append("no TLS")
    print(f"{backends[str(scanned.server_location.port)]}\t{', '.join(said)}")
