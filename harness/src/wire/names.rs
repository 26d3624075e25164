//! Numbers on the wire by their names in the IANA registries of TLS.

mod ciphers;

/// The name of [`is_grease`] values: reserved, so that servers learn to ignore unknown numbers.
const GREASE: &str = "GREASE";

/// A cipher suite; unknown ones as `0x....`.
pub(crate) fn cipher(code: u16) -> String {
    known(ciphers::CIPHERS, code).map_or_else(|| format!("0x{code:04x}"), str::to_owned)
}

/// A key-exchange group; unknown ones as `0x....`.
pub(crate) fn group(code: u16) -> String {
    known(GROUPS, code).map_or_else(|| format!("0x{code:04x}"), str::to_owned)
}

/// A signature scheme; unknown ones as `0x....`.
pub(crate) fn signature_scheme(code: u16) -> String {
    known(SIGNATURE_SCHEMES, code).map_or_else(|| format!("0x{code:04x}"), str::to_owned)
}

/// Every cipher suite of the registry that stands for one.
pub(crate) fn ciphers() -> impl Iterator<Item = u16> {
    const NO_SUITES: [u16; 3] = [0x0000, 0x00ff, 0x5600];
    ciphers::CIPHERS.iter().map(|(code, _)| *code).filter(|code| !NO_SUITES.contains(code))
}

/// Every group of the registry that has a name of its own.
pub(crate) fn groups() -> impl Iterator<Item = u16> {
    GROUPS.iter().map(|(code, _)| *code).filter(|code| *code < 0xff00)
}

/// Every signature scheme of the registry.
pub(crate) fn signature_schemes() -> impl Iterator<Item = u16> {
    SIGNATURE_SCHEMES.iter().map(|(code, _)| *code)
}

/// An extension; unknown ones as their number.
pub(crate) fn extension(code: u16) -> String {
    known(EXTENSIONS, code).map_or_else(|| code.to_string(), str::to_owned)
}

/// Whether the number is one of those that mean nothing, on purpose (RFC 8701 2).
pub(super) const fn is_grease(code: u16) -> bool {
    let [high, low] = code.to_be_bytes();
    high == low && low & 0x0f == 0x0a
}

fn known(names: &[(u16, &'static str)], code: u16) -> Option<&'static str> {
    if is_grease(code) {
        return Some(GREASE);
    }
    names.binary_search_by_key(&code, |(number, _)| *number).ok().map(|place| names[place].1)
}

/// The registry of supported groups.
const GROUPS: &[(u16, &str)] = &[
    (1, "sect163k1"),
    (2, "sect163r1"),
    (3, "sect163r2"),
    (4, "sect193r1"),
    (5, "sect193r2"),
    (6, "sect233k1"),
    (7, "sect233r1"),
    (8, "sect239k1"),
    (9, "sect283k1"),
    (10, "sect283r1"),
    (11, "sect409k1"),
    (12, "sect409r1"),
    (13, "sect571k1"),
    (14, "sect571r1"),
    (15, "secp160k1"),
    (16, "secp160r1"),
    (17, "secp160r2"),
    (18, "secp192k1"),
    (19, "secp192r1"),
    (20, "secp224k1"),
    (21, "secp224r1"),
    (22, "secp256k1"),
    (23, "secp256r1"),
    (24, "secp384r1"),
    (25, "secp521r1"),
    (26, "brainpoolP256r1"),
    (27, "brainpoolP384r1"),
    (28, "brainpoolP512r1"),
    (29, "x25519"),
    (30, "x448"),
    (31, "brainpoolP256r1tls13"),
    (32, "brainpoolP384r1tls13"),
    (33, "brainpoolP512r1tls13"),
    (34, "GC256A"),
    (35, "GC256B"),
    (36, "GC256C"),
    (37, "GC256D"),
    (38, "GC512A"),
    (39, "GC512B"),
    (40, "GC512C"),
    (41, "curveSM2"),
    (256, "ffdhe2048"),
    (257, "ffdhe3072"),
    (258, "ffdhe4096"),
    (259, "ffdhe6144"),
    (260, "ffdhe8192"),
    (512, "MLKEM512"),
    (513, "MLKEM768"),
    (514, "MLKEM1024"),
    (4587, "SecP256r1MLKEM768"),
    (4588, "X25519MLKEM768"),
    (4589, "SecP384r1MLKEM1024"),
    (4590, "curveSM2MLKEM768"),
    (25497, "X25519Kyber768Draft00"),
    (25498, "SecP256r1Kyber768Draft00"),
    (0xff01, "arbitrary_explicit_prime_curves"),
    (0xff02, "arbitrary_explicit_char2_curves"),
];

/// The registry of signature schemes, and the pairs of hash and signature that TLS 1.2 had and 1.3 reserved (RFC 8446 4.2.3).
const SIGNATURE_SCHEMES: &[(u16, &str)] = &[
    (0x0201, "rsa_pkcs1_sha1"),
    (0x0202, "dsa_sha1_RESERVED"),
    (0x0203, "ecdsa_sha1"),
    (0x0301, "rsa_pkcs1_sha224"),
    (0x0302, "dsa_sha224"),
    (0x0303, "ecdsa_sha224"),
    (0x0401, "rsa_pkcs1_sha256"),
    (0x0402, "dsa_sha256_RESERVED"),
    (0x0403, "ecdsa_secp256r1_sha256"),
    (0x0420, "rsa_pkcs1_sha256_legacy"),
    (0x0501, "rsa_pkcs1_sha384"),
    (0x0502, "dsa_sha384_RESERVED"),
    (0x0503, "ecdsa_secp384r1_sha384"),
    (0x0520, "rsa_pkcs1_sha384_legacy"),
    (0x0601, "rsa_pkcs1_sha512"),
    (0x0602, "dsa_sha512_RESERVED"),
    (0x0603, "ecdsa_secp521r1_sha512"),
    (0x0620, "rsa_pkcs1_sha512_legacy"),
    (0x0708, "sm2sig_sm3"),
    (0x0709, "gostr34102012_256a"),
    (0x070a, "gostr34102012_256b"),
    (0x070b, "gostr34102012_256c"),
    (0x070c, "gostr34102012_256d"),
    (0x070d, "gostr34102012_512a"),
    (0x070e, "gostr34102012_512b"),
    (0x070f, "gostr34102012_512c"),
    (0x0804, "rsa_pss_rsae_sha256"),
    (0x0805, "rsa_pss_rsae_sha384"),
    (0x0806, "rsa_pss_rsae_sha512"),
    (0x0807, "ed25519"),
    (0x0808, "ed448"),
    (0x0809, "rsa_pss_pss_sha256"),
    (0x080a, "rsa_pss_pss_sha384"),
    (0x080b, "rsa_pss_pss_sha512"),
    (0x081a, "ecdsa_brainpoolP256r1tls13_sha256"),
    (0x081b, "ecdsa_brainpoolP384r1tls13_sha384"),
    (0x081c, "ecdsa_brainpoolP512r1tls13_sha512"),
    (0x0904, "mldsa44"),
    (0x0905, "mldsa65"),
    (0x0906, "mldsa87"),
];

/// The registry of extensions.
const EXTENSIONS: &[(u16, &str)] = &[
    (0, "server_name"),
    (1, "max_fragment_length"),
    (2, "client_certificate_url"),
    (3, "trusted_ca_keys"),
    (4, "truncated_hmac"),
    (5, "status_request"),
    (6, "user_mapping"),
    (7, "client_authz"),
    (8, "server_authz"),
    (9, "cert_type"),
    (10, "supported_groups"),
    (11, "ec_point_formats"),
    (12, "srp"),
    (13, "signature_algorithms"),
    (14, "use_srtp"),
    (15, "heartbeat"),
    (16, "application_layer_protocol_negotiation"),
    (17, "status_request_v2"),
    (18, "signed_certificate_timestamp"),
    (19, "client_certificate_type"),
    (20, "server_certificate_type"),
    (21, "padding"),
    (22, "encrypt_then_mac"),
    (23, "extended_master_secret"),
    (24, "token_binding"),
    (25, "cached_info"),
    (27, "compress_certificate"),
    (28, "record_size_limit"),
    (34, "delegated_credential"),
    (35, "session_ticket"),
    (41, "pre_shared_key"),
    (42, "early_data"),
    (43, "supported_versions"),
    (44, "cookie"),
    (45, "psk_key_exchange_modes"),
    (47, "certificate_authorities"),
    (48, "oid_filters"),
    (49, "post_handshake_auth"),
    (50, "signature_algorithms_cert"),
    (51, "key_share"),
    (52, "transparency_info"),
    (57, "quic_transport_parameters"),
    (58, "ticket_request"),
    (0xfd00, "ech_outer_extensions"),
    (0xfe0d, "encrypted_client_hello"),
    (0xff01, "renegotiation_info"),
];

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(ciphers::CIPHERS)]
    #[case(GROUPS)]
    #[case(SIGNATURE_SCHEMES)]
    #[case(EXTENSIONS)]
    fn every_list_ascends_so_that_it_can_be_searched(#[case] names: &[(u16, &str)]) {
        assert!(names.is_sorted_by(|one, next| one.0 < next.0));
    }

    #[test]
    fn known_and_unknown_numbers() {
        assert_eq!(cipher(0x1301), "TLS_AES_128_GCM_SHA256");
        assert_eq!(cipher(0xfefe), "0xfefe");
        assert_eq!(group(0x11ec), "X25519MLKEM768");
        assert_eq!(signature_scheme(0x0804), "rsa_pss_rsae_sha256");
        assert_eq!(extension(17513), "17513");
        assert_eq!([0x0a0a, 0xfafa].map(cipher), [GREASE; 2]);
        assert!(!is_grease(0x0a1a) && !is_grease(0x1301));
    }
}
