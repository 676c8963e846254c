//! Documents that are made from the code say what the code says.

use std::env;
use std::fs;
use std::path::Path;

#[test]
fn syscalls_are_listed_as_in_the_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/syscalls.md");
    let fresh = kvm_se::syscall::table::markdown();
    if env::var_os("KVM_SE_BLESS").is_some() {
        fs::write(&path, &fresh).expect("docs/syscalls.md can be written");
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(written == fresh, "docs/syscalls.md is stale: KVM_SE_BLESS=1 cargo test --test docs");
}
