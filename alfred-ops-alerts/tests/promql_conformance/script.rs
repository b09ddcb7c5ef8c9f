//! Splits a script into commands.

/// A command with the lines that belong to it.
#[derive(Debug)]
pub(crate) struct Command {
    /// The number of its first line.
    pub(crate) line: usize,
    pub(crate) text: String,
}

impl Command {
    pub(crate) fn head(&self) -> &str {
        self.text.lines().next().unwrap_or_default()
    }

    pub(crate) fn body(&self) -> impl Iterator<Item = &str> {
        self.text.lines().skip(1)
    }
}

/// Commands begin at words that are commands and reach to the next empty line or command.
pub(crate) fn commands(text: &str) -> Vec<Command> {
    let mut commands: Vec<Command> = Vec::new();
    let mut open = false;
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.starts_with('#') {
            continue;
        }
        if line.is_empty() {
            open = false;
            continue;
        }
        let word = line.split_whitespace().next().unwrap_or_default();
        if word == "clear" || word.starts_with("load") || word.starts_with("eval") {
            commands.push(Command { line: index + 1, text: line.to_owned() });
            open = true;
        } else if open && let Some(command) = commands.last_mut() {
            command.text.push('\n');
            command.text.push_str(line);
        }
    }
    commands
}
