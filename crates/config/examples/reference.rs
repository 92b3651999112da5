//! Prints the reference of all sections and options, which is kept in `docs/configuration.md`.

fn main() {
    print!("{}", supervisord_config::reference::text());
}
