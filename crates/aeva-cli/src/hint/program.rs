//! Hints for programs that answer for a model.

use aeva_model::ProgramError;

pub(super) fn program(error: &ProgramError) -> Option<&'static str> {
    Some(match error {
        ProgramError::Command { .. } | ProgramError::Start { .. } => {
            "name a program that can be started here, with its arguments: \"program:python my_model.py\" (docs/programs.md)"
        }
        ProgramError::Ended { .. } | ProgramError::Failed { .. } => {
            "what the program printed above, if anything, may say more; a scan that had begun continues with the same command"
        }
        ProgramError::Silent { .. } => "if the model needs longer, state --answer-timeout",
        ProgramError::Answer { .. } => {
            "a program answers each message with one line and prints nothing else to its standard output; its own messages belong on the standard error (docs/programs.md)"
        }
        ProgramError::Option { .. } => {
            "omit it: a program gets images `[n, h, w, c]` in 0..1, and prepares them for its model itself"
        }
        ProgramError::NoImages { .. } => "add --data",
        _ => return None,
    })
}
