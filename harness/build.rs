//! Compiles the few lines of C that need OpenSSL's internal headers, and says how the program of the image is linked.

fn main() {
    println!("cargo:rerun-if-changed=src/ffi.c");
    // The public headers of the build that everything is linked to, and the internal ones of the same source.
    let Some(public) = std::env::var_os("DEP_OPENSSL_INCLUDE") else {
        panic!("openssl-sys says nothing of its headers; the feature \"vendored\" is needed");
    };
    let source = openssl_src::source_dir();
    cc::Build::new()
        .file("src/ffi.c")
        .include(public)
        .include(&source)
        .include(source.join("include"))
        .warnings(false)
        .compile("gauntlet_ffi");
    // A static program relocates itself; packed, its relocations take a few kilobytes instead of one megabyte (musl 1.2.4).
    if std::env::var("CARGO_CFG_TARGET_ENV").is_ok_and(|env| env == "musl") {
        println!("cargo:rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
}
