//! A line to a program that answers: what is sent, what comes back, and for how long to wait.
//!
//! A program may stop reading, stop writing or end. So one thread writes, one reads, and the caller waits for the reader with a limit.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use crate::ProgramError;

/// Longest answer, in bytes. A batch has at most some thousand images, each of which takes a few characters.
const LONGEST_ANSWER: u64 = 1 << 22;
/// Time that a program has to end after its input was closed.
const GOODBYE: Duration = Duration::from_secs(2);

/// Why there is no answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NoAnswer {
    /// The other side ended or closed the line, or sent what is no text.
    Closed,
    /// The limit is over.
    Silent,
    /// A line came that nobody had asked for. An answer could no longer be told from it.
    Unasked(String),
}

/// Both directions of a line. When it is dropped, the program behind it is ended.
pub(super) struct Connection {
    /// `None` once it is closed.
    messages: Option<Sender<Vec<u8>>>,
    answers: Receiver<String>,
    child: Option<Child>,
}

impl Connection {
    /// Starts a program that reads its standard input and writes to its standard output.
    pub(super) fn start(command: &str) -> Result<Self, ProgramError> {
        let words = words(command).map_err(|why| ProgramError::Command { command: command.to_owned(), why })?;
        let failed = |source| ProgramError::Start { command: command.to_owned(), source };
        let mut process = Command::new(&words[0]);
        process.args(&words[1..]).stdin(Stdio::piped()).stdout(Stdio::piped());
        own_group(&mut process);
        let mut child = process.spawn().map_err(failed)?;
        let pipes = child.stdin.take().zip(child.stdout.take());
        let (input, output) = pipes.ok_or_else(|| failed(io::ErrorKind::BrokenPipe.into()))?;
        let mut connection = Self::over(input, output).map_err(failed)?;
        connection.child = Some(child);
        Ok(connection)
    }

    /// A line over any pair of streams.
    pub(super) fn over(mut to: impl Write + Send + 'static, from: impl Read + Send + 'static) -> io::Result<Self> {
        let (messages, outbox) = mpsc::channel::<Vec<u8>>();
        let (inbox, answers) = mpsc::channel();
        let write = move || {
            // Ends with the connection, or with the other side.
            for message in outbox {
                if to.write_all(&message).and_then(|()| to.flush()).is_err() {
                    return;
                }
            }
        };
        let read = move || {
            let mut from = BufReader::new(from);
            // Bounded by the other side, and by the life of the connection.
            loop {
                let mut line = String::new();
                match (&mut from).take(LONGEST_ANSWER).read_line(&mut line) {
                    Ok(1..) if line.ends_with('\n') => {
                        if inbox.send(line).is_err() {
                            return;
                        }
                    }
                    _ => return,
                }
            }
        };
        thread::Builder::new().name("aeva-ask".to_owned()).spawn(write)?;
        thread::Builder::new().name("aeva-answers".to_owned()).spawn(read)?;
        Ok(Self { messages: Some(messages), answers, child: None })
    }

    /// Sends a message and waits for the line that answers it. After an error the line is closed: a late answer would be taken for that
    /// to another message.
    pub(super) fn ask(&mut self, message: Vec<u8>, limit: Duration) -> Result<String, NoAnswer> {
        let answer = self.answer(message, limit);
        if answer.is_err() {
            self.messages = None;
        }
        answer
    }

    fn answer(&mut self, message: Vec<u8>, limit: Duration) -> Result<String, NoAnswer> {
        let messages = self.messages.as_ref().ok_or(NoAnswer::Closed)?;
        if let Ok(line) = self.answers.try_recv() {
            return Err(NoAnswer::Unasked(line));
        }
        messages.send(message).map_err(|_| NoAnswer::Closed)?;
        self.answers.recv_timeout(limit).map_err(|error| match error {
            RecvTimeoutError::Timeout => NoAnswer::Silent,
            RecvTimeoutError::Disconnected => NoAnswer::Closed,
        })
    }

    /// How the program ended, if it is one and has ended. A program that has closed its output ends soon.
    pub(super) fn status(&mut self) -> Option<String> {
        let child = self.child.as_mut()?;
        ended(child, GOODBYE).then(|| child.wait().ok()).flatten().map(|status| status.to_string())
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // The end of its input tells the program to end.
        self.messages = None;
        if let Some(child) = &mut self.child
            && !ended(child, GOODBYE)
        {
            // It may end by itself right now.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Waits for at most `limit`; whether the process has ended.
fn ended(child: &mut Child, limit: Duration) -> bool {
    let begin = Instant::now();
    loop {
        match child.try_wait() {
            Ok(None) if begin.elapsed() < limit => thread::sleep(Duration::from_millis(10)),
            Ok(None) => return false,
            _ => return true,
        }
    }
}

/// Keeps Ctrl-C from the program: the scan stops first, and the program ends with it.
fn own_group(command: &mut Command) {
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(command, 0);
    #[cfg(windows)]
    // CREATE_NEW_PROCESS_GROUP.
    std::os::windows::process::CommandExt::creation_flags(command, 0x200);
    #[cfg(not(any(unix, windows)))]
    let _ = command;
}

/// The words of a command, at least one: separated by white space, which quotation marks keep. No shell is used, and a backslash is a
/// character like any other, as in the paths of Windows.
fn words(command: &str) -> Result<Vec<String>, &'static str> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for character in command.chars() {
        match (quote, character) {
            (Some(mark), _) if character == mark => quote = None,
            (None, '"' | '\'') => {
                quote = Some(character);
                word.get_or_insert_default();
            }
            (None, _) if character.is_whitespace() => words.extend(word.take()),
            _ => word.get_or_insert_default().push(character),
        }
    }
    words.extend(word);
    match (quote, words.first()) {
        (Some(_), _) => Err("a quotation mark has no end"),
        (None, Some(first)) if !first.is_empty() => Ok(words),
        _ => Err("it names no program"),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "known values")]
mod tests {
    use super::*;

    #[test]
    fn commands_are_split_without_a_shell() {
        let of = |command: &str| words(command).map(|words| words.join("|"));
        assert_eq!(of("python serve.py --x 1").unwrap(), "python|serve.py|--x|1");
        assert_eq!(of(r#" "C:\my tools\py.exe"  'a "b"' ""  c$(x)"#).unwrap(), r#"C:\my tools\py.exe|a "b"||c$(x)"#);
        assert_eq!(of("a\"b c\"d").unwrap(), "ab cd");
        for (bad, why) in [("", "names no"), ("  ", "names no"), ("\"\"", "names no"), ("a 'b", "has no end")] {
            assert!(of(bad).unwrap_err().contains(why), "{bad}");
        }
    }

    /// Says that there is a message.
    struct Messages(Sender<()>);

    impl Write for Messages {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ = self.0.send(());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    struct Answers(Receiver<&'static [u8]>);

    impl Read for Answers {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.0.recv().map_or(Ok(0), |mut answer| answer.read(buffer))
        }
    }

    /// Gives `answers` one by one, each after a message.
    fn scripted(answers: &'static [&'static str]) -> Connection {
        let ((message, messages), (answer, heard)) = (mpsc::channel(), mpsc::channel::<&[u8]>());
        thread::spawn(move || {
            for (line, ()) in answers.iter().zip(messages) {
                let _ = answer.send(line.as_bytes());
            }
        });
        Connection::over(Messages(message), Answers(heard)).unwrap()
    }

    /// Answers late, and then hardly ever.
    struct Late(bool);

    impl Read for Late {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            thread::sleep(Duration::from_millis(if self.0 { 5000 } else { 200 }));
            self.0 = true;
            (&b"[1]\n"[..]).read(buffer)
        }
    }

    #[test]
    fn a_line_is_an_answer_and_the_end_is_none() {
        let long = Duration::from_mins(1);
        let mut line = scripted(&["[1]\n", "[2]\n", "half"]);
        assert_eq!(line.ask(vec![0], long).unwrap(), "[1]\n");
        assert_eq!(line.ask(vec![0], long).unwrap(), "[2]\n");
        assert_eq!(line.ask(vec![0], long), Err(NoAnswer::Closed));
        assert_eq!(line.status(), None);
        let mut endless = Connection::over(io::sink(), io::repeat(b'1')).unwrap();
        assert_eq!(endless.ask(Vec::new(), long), Err(NoAnswer::Closed), "no line ends");
    }

    #[test]
    fn a_line_too_many_is_no_answer_to_the_next_message() {
        let mut line = scripted(&["[1]\n[2]\n", "[3]\n"]);
        assert_eq!(line.ask(vec![0], Duration::from_mins(1)).unwrap(), "[1]\n");
        // The reader passes the second line on in its own time.
        thread::sleep(Duration::from_millis(300));
        assert_eq!(line.ask(vec![0], Duration::from_mins(1)), Err(NoAnswer::Unasked("[2]\n".to_owned())));
        assert_eq!(line.ask(vec![0], Duration::from_mins(1)), Err(NoAnswer::Closed));
    }

    #[test]
    fn who_keeps_silent_is_not_waited_for_and_not_asked_again() {
        let mut line = Connection::over(io::sink(), Late(false)).unwrap();
        assert_eq!(line.ask(Vec::new(), Duration::from_millis(20)), Err(NoAnswer::Silent));
        thread::sleep(Duration::from_millis(400));
        assert_eq!(line.ask(Vec::new(), Duration::from_millis(20)), Err(NoAnswer::Closed));
    }

    #[test]
    fn what_cannot_be_started_is_named() {
        let error = Connection::start("no-such-program-of-that-name x").err().unwrap().to_string();
        assert_eq!(error, "cannot start `no-such-program-of-that-name x`");
    }
}
