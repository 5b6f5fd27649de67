//! How the program is linked: at a fixed address where that is up to the linker, so that none of its 270,000 pointers has to be
//! mended, and kept in memory of its own, each time it starts. `docs/decisions/0020-fixed-address.md` says what that costs.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let told = |what: &str| std::env::var(what).unwrap_or_default();
    let is_glibc = told("CARGO_CFG_TARGET_OS") == "linux" && told("CARGO_CFG_TARGET_ENV") == "gnu";
    // Linkers for other systems are of many kinds.
    if is_glibc && told("HOST") == told("TARGET") {
        println!("cargo::rustc-link-arg-bins=-no-pie");
    }
}
