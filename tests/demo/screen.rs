//! What the tour prints. Colours only on a terminal, and not when NO_COLOR is set.

use std::{io::IsTerminal, time::Duration};

/// The terminal or file that stdout is.
#[derive(Clone, Copy)]
pub struct Screen {
    terminal: bool,
    colours: bool,
}

/// How a piece of text looks.
#[derive(Clone, Copy)]
pub enum Look {
    /// As it is.
    Plain,
    /// Headings and commands.
    Bold,
    /// Less important.
    Dim,
    /// Well.
    Green,
    /// On its way.
    Yellow,
    /// Not well.
    Red,
    /// What a person types.
    Cyan,
}

impl Screen {
    /// Stdout, as it is.
    pub fn new() -> Self {
        let terminal = std::io::stdout().is_terminal();
        let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
            || std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        Self { terminal, colours: terminal && !unwanted }
    }

    /// Whether a person looks on.
    pub fn is_terminal(self) -> bool {
        self.terminal
    }

    /// One line.
    pub fn line(self, text: &str) {
        println!("{text}");
    }

    /// What is being done while nothing else is to be seen.
    pub fn progress(self, text: &str) {
        self.line(&self.paint(Look::Dim, text));
    }

    /// The beginning of a step: its title and the one thing to notice.
    pub fn step(self, number: usize, of: usize, title: &str, notice: &str) {
        self.line("");
        self.line(&self.paint(Look::Bold, &format!("{number}/{of}  {title}")));
        self.line(&format!("     {notice}"));
    }

    /// A command that is about to run.
    pub fn command(self, text: &str) {
        self.line(&format!("     {}", self.paint(Look::Cyan, &format!("$ {text}"))));
    }

    /// What a command printed.
    pub fn output(self, text: &str) {
        for line in text.trim_end().lines() {
            self.line(&format!("       {}", self.paint(Look::Dim, line)));
        }
    }

    /// Something that happened to a pod, at a time since the step began.
    pub fn event(self, at: Duration, pod: &str, what: &str, look: Look) {
        self.line(&format!("     {:>6}  {pod:<9} {}", format!("+{}", seconds(at)), self.paint(look, what)));
    }

    /// A step or the tour turned out well.
    pub fn good(self, text: &str) {
        self.line(&format!("  {}  {text}", self.paint(Look::Green, "✓")));
    }

    /// The tour did not turn out.
    pub fn failure(self, text: &str) {
        self.line("");
        self.line(&format!("  {}  {text}", self.paint(Look::Red, "✗")));
    }

    fn paint(self, look: Look, text: &str) -> String {
        let code = match look {
            Look::Bold => "1",
            Look::Dim => "2",
            Look::Red => "31",
            Look::Green => "32",
            Look::Yellow => "33",
            Look::Cyan => "36",
            Look::Plain => return text.to_owned(),
        };
        if self.colours { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// A duration to the tenth of a second.
pub fn seconds(duration: Duration) -> String {
    format!("{:.1}s", duration.as_secs_f64())
}
