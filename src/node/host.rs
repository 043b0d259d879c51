//! The name of the machine.

/// Returns the host's name; `localhost` where it has none.
pub fn name() -> String {
    let uname = rustix::system::uname();
    match uname.nodename().to_str() {
        Ok(name) if !name.is_empty() => name.to_owned(),
        _ => String::from("localhost"),
    }
}
