//! Prints the reference of all sections and options, which is kept in `docs/configuration.md`.

#![expect(clippy::print_stdout, reason = "it prints a document")]

fn main() {
    print!("{}", supervisord_config::reference::text());
}
