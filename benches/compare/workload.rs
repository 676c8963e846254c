//! What the real programs work on, made once in the folder that they are run in.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// `inserts.sql`: 200,000 rows into an indexed table, in one transaction.
pub(crate) fn sql_script(folder: &Path) {
    let mut script = "CREATE TABLE t (id INTEGER PRIMARY KEY, key INTEGER, value TEXT);\n\
                      CREATE INDEX by_key ON t (key);\nBEGIN;\n"
        .to_owned();
    for id in 0_u64..200_000 {
        let key = id * 7919 % 200_003;
        let _ = writeln!(script, "INSERT INTO t VALUES ({id}, {key}, 'value {key} of row {id}');");
    }
    script.push_str("COMMIT;\n");
    write(&folder.join("inserts.sql"), &script);
}

/// `compiled.c`: headers, and functions that the compiler has to work on.
pub(crate) fn c_source(folder: &Path) {
    let mut source = "#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n".to_owned();
    for number in 0..200 {
        let _ = writeln!(
            source,
            "int f{number}(const int *values, int count) {{\n\
             \x20   int sum = {number};\n\
             \x20   for (int i = 0; i < count; i++)\n\
             \x20       sum += values[i] > sum ? values[i] * {number} : sum / (values[i] | 1);\n\
             \x20   if (sum % 7 == 3)\n\
             \x20       printf(\"%d %zu\\n\", sum, strlen(getenv(\"HOME\")));\n\
             \x20   return sum;\n\
             }}"
        );
    }
    write(&folder.join("compiled.c"), &source);
}

/// `tree`: a repository of 5,000 files in 100 folders, all committed.
pub(crate) fn git_tree(folder: &Path) {
    let tree = folder.join("tree");
    for number in 0..5_000 {
        let place = tree.join(format!("folder{}", number % 100));
        fs::create_dir_all(&place).unwrap_or_else(|error| panic!("{}: {error}", place.display()));
        write(&place.join(format!("file{number}.txt")), &format!("file {number}\n").repeat(20));
    }
    git(&tree, &["init", "--quiet"]);
    git(&tree, &["add", "."]);
    let author = ["-c", "user.name=bench", "-c", "user.email=bench@localhost", "-c", "gc.auto=0"];
    git(&tree, &[&author[..], &["commit", "--quiet", "--message", "all"]].concat());
}

fn git(tree: &Path, words: &[&str]) {
    let mut git = Command::new("git");
    git.arg("-C").arg(tree).args(words).env("HOME", tree).stdin(Stdio::null());
    assert!(git.status().is_ok_and(|status| status.success()), "{git:?}");
}

fn write(file: &Path, text: &str) {
    fs::write(file, text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
}
