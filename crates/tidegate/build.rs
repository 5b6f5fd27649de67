//! How the program is linked: at a fixed address where that is up to the linker, so that none of its 270,000 pointers has to be
//! mended, and kept in memory of its own, each time it starts. `docs/decisions/0020-fixed-address.md` says what that costs.

#![expect(clippy::print_stdout, reason = "Cargo is told by what is printed")]

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let target = |what: &str| std::env::var(format!("CARGO_CFG_TARGET_{what}")).unwrap_or_default();
    if target("OS") == "linux" && target("ENV") == "gnu" {
        println!("cargo::rustc-link-arg-bins=-no-pie");
    }
}
