//! Compiles the few lines of C that need OpenSSL's internal headers, names the reasons of its errors, and says how the
//! program of the image is linked.

use std::{env, fs, path::Path};

fn main() {
    println!("cargo:rerun-if-changed=src/ffi.c");
    // The public headers of the build that everything is linked to, and the internal ones of the same source.
    let Some(public) = env::var_os("DEP_OPENSSL_INCLUDE") else {
        panic!("openssl-sys says nothing of its headers; the feature \"vendored\" is needed");
    };
    // `ffi.c` reads structures whose layout is that of this source and of no other.
    assert!(
        env::var_os("DEP_OPENSSL_VENDORED").is_some(),
        "this OpenSSL was not built from the source of openssl-src, whose internal headers are needed; unset OPENSSL_NO_VENDOR"
    );
    let source = openssl_src::source_dir();
    cc::Build::new()
        .file("src/ffi.c")
        .include(&public)
        .include(&source)
        .include(source.join("include"))
        .warnings(false)
        .compile("gauntlet_ffi");
    let headers = Path::new(&public).join("openssl");
    let names =
        constants(&headers.join("sslerr.h"), "SSL_R_") + &constants(&headers.join("err.h"), "ERR_LIB_");
    let folder = env::var_os("OUT_DIR").expect("cargo names the folder");
    fs::write(Path::new(&folder).join("openssl_reasons.rs"), names)
        .expect("the folder of the build can be written");
    // A static program relocates itself; packed, its relocations take a few kilobytes instead of one megabyte (musl 1.2.4).
    if env::var("CARGO_CFG_TARGET_ENV").is_ok_and(|env| env == "musl") {
        println!("cargo:rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
}

/// The lines `# define PREFIX_NAME NUMBER` of a header, as constants.
fn constants(header: &Path, prefix: &str) -> String {
    let text = fs::read_to_string(header)
        .unwrap_or_else(|error| panic!("cannot read {}: {error}", header.display()));
    let constant = |line: &str| {
        let (name, value) =
            line.trim_start_matches('#').trim().strip_prefix("define ")?.trim().split_once(' ')?;
        let number: i32 = value.split_whitespace().next()?.parse().ok()?;
        name.starts_with(prefix).then(|| format!("pub(crate) const {name}: i32 = {number};\n"))
    };
    text.lines().filter_map(constant).collect()
}
