//! Compiles the few lines of C that need OpenSSL's internal headers.

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
}
