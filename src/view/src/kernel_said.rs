//! What a real kernel said at the steps of a scenario of the library: `static/golden/NAME.txt`, made by
//! `session::align`, as rows for the screen.
//!
//! ```text
//! steps 219
//! 5=ext4_file_write_iter(pos=4096 count=4096) {
//! 28~  . ext4_da_write_begin: dev D ino 12 pos 4096 len 4096 flags 0
//! 28!  . ext4_da_write_begin: dev D ino 12 pos 4096 len 4095 flags 0
//! ```

/// How a line of the kernel's trace stands to the engine's.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// The engine says the same.
    Agrees,
    /// The engine says something else.
    Differs,
    /// The engine says nothing of it.
    Missing,
    /// The kernel says nothing of it.
    Extra,
    /// It is not compared.
    Aside,
}

/// A line at its step.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Said {
    /// The step.
    pub step: u64,
    /// How it stands.
    pub verdict: Verdict,
    /// The line; the engine's where the kernel has none.
    pub text: String,
    /// The engine's line, where it differs.
    pub ours: Option<String>,
}

/// All lines of a run.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct KernelSaid {
    /// Steps of the run that they belong to.
    pub steps: u64,
    /// In the order of the kernel's trace.
    pub lines: Vec<Said>,
}

impl KernelSaid {
    /// Reads the file. `None` if it is not one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        let steps = lines.next()?.strip_prefix("steps ")?.parse().ok()?;
        let mut said: Vec<Said> = Vec::new();
        for line in lines {
            let (number, rest) = line.split_at(line.find(|letter: char| !letter.is_ascii_digit())?);
            let (mark, text) = rest.split_at(1);
            let verdict = match mark {
                "=" => Verdict::Agrees,
                "~" => Verdict::Differs,
                "-" => Verdict::Missing,
                "+" => Verdict::Extra,
                "." => Verdict::Aside,
                "!" => {
                    said.last_mut()?.ours = Some(text.to_owned());
                    continue;
                }
                _ => return None,
            };
            said.push(Said { step: number.parse().ok()?, verdict, text: text.to_owned(), ours: None });
        }
        Some(KernelSaid { steps, lines: said })
    }

    /// The lines of a step.
    pub fn at(&self, step: u64) -> impl Iterator<Item = &Said> {
        self.lines.iter().filter(move |line| line.step == step)
    }

    /// How many of the kernel's lines that are compared agree, of how many.
    #[must_use]
    pub fn agreement(&self) -> (usize, usize) {
        let count = |wanted: &[Verdict]| self.lines.iter().filter(|line| wanted.contains(&line.verdict)).count();
        (count(&[Verdict::Agrees]), count(&[Verdict::Agrees, Verdict::Differs, Verdict::Missing]))
    }

    /// The step of the first line that does not agree.
    #[must_use]
    pub fn first_difference(&self) -> Option<u64> {
        let differs = |line: &&Said| !matches!(line.verdict, Verdict::Agrees | Verdict::Aside);
        self.lines.iter().find(differs).map(|line| line.step)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_stand_at_their_steps() {
        let text = "steps 9\n2=f() {\n3~  . p: x 1\n3!  . p: x 2\n3.  . q\n12-  . r\n12+  . s\n12=} f = 0\n";
        let said = KernelSaid::parse(text).expect("it is one");
        assert_eq!((said.steps, said.agreement(), said.first_difference()), (9, (2, 4), Some(3)));
        let third: Vec<_> = said.at(3).map(|line| (line.verdict, line.text.as_str(), line.ours.as_deref())).collect();
        assert_eq!(third, [(Verdict::Differs, "  . p: x 1", Some("  . p: x 2")), (Verdict::Aside, "  . q", None)]);
        assert_eq!((said.at(1).count(), said.at(12).count()), (0, 3));
        for bad in ["", "steps x\n", "steps 1\n=f\n", "steps 1\n1?f\n", "steps 1\n1!f\n", "steps 1\n7\n"] {
            assert_eq!(KernelSaid::parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn every_file_of_the_library_can_be_read() {
        for entry in session::library::entries().into_iter().filter(|entry| entry.golden.is_some()) {
            let path = format!("{}/../../static/golden/{}.txt", env!("CARGO_MANIFEST_DIR"), entry.name);
            let said = std::fs::read_to_string(&path).ok().and_then(|text| KernelSaid::parse(&text));
            let said = said.unwrap_or_else(|| panic!("{path} cannot be read"));
            let (agree, of) = said.agreement();
            assert!(agree > 0 && agree <= of && said.lines.iter().all(|line| line.step <= said.steps), "{path}");
        }
    }
}
