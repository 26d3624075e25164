//! What whoever opens the address in a browser sees first.

/// The paths, one a line.
pub(super) const TEXT: &str = "\
Gauntlet serves mock TLS backends. This is their control API; /openapi.json describes it.

GET  /healthz                whether all backends are up
GET  /backends               what there is, and where
GET  /backends/NAME          one of them
PUT  /backends/NAME          starts one more, also a composition: tls12-only+expired-leaf
POST /backends/NAME/script   faults for its next connections
GET  /certs                  the names of the files below
GET  /certs/FILE             roots and client certificates: ca.pem, client-good.pfx (password: gauntlet)
GET  /ledger                 what the backends saw: ?nonce= ?since= ?backend= ?wait_ms=
GET  /ledger/stream          the same as server-sent events
";
