//! Questions to the user at the terminal.

use crate::failure::Failure;
use crate::session::Session;
use crate::terminal;

impl Session {
    /// Asks whether to go on. Without a terminal or `-i` it does not ask.
    pub fn confirm(&mut self, question: &str) -> Result<bool, Failure> {
        if !self.settings.interactive {
            return Ok(true);
        }
        let answer = self.ask(question)?;
        Ok(answer.starts_with(['y', 'Y']))
    }

    /// Asks for user name and password, and stores them in the settings.
    pub fn ask_credentials(&mut self) -> Result<(), Failure> {
        self.print("Server requires authentication");
        let username = self.ask("Username:")?;
        let password = terminal::secret("Password:", self)?;
        self.print("");
        self.settings.username = Some(username);
        self.settings.password = Some(password);
        self.disconnect();
        Ok(())
    }

    fn ask(&mut self, question: &str) -> Result<String, Failure> {
        self.console.raw(question.as_bytes());
        self.input.line()?.ok_or(Failure::EndOfInput)
    }
}
