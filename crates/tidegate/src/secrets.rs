//! Values of `{ secret = "name" }`: from the environment, or from the file that `[secrets]` names, else `.env` beside the
//! pipeline file, and on AWS then from AWS Secrets Manager. They are read when they are used, and never printed or stored.

use std::path::PathBuf;
use std::sync::Arc;

use tidegate_model::{ErrorKind, Failure};

use crate::project::Project;
use crate::wiring::aws::OnAws;

/// Where secrets are looked for after the environment.
pub(crate) struct Secrets {
    file: PathBuf,
    must_exist: bool,
    aws: Option<Arc<OnAws>>,
}

impl Secrets {
    /// Secrets of a pipeline.
    pub(crate) fn of(project: &Project) -> Self {
        let file = project.pipeline.secrets_file.as_deref();
        // The zip for Lambda has no such file.
        let must_exist = file.is_some() && project.aws.is_none();
        Self { file: project.dir.join(file.unwrap_or(".env")), must_exist, aws: project.aws.clone() }
    }

    /// The value of the secret `name`: of the variable `name`, or of the same in capitals with `_` for `-`.
    ///
    /// # Errors
    /// If it is nowhere, or the file that should have it cannot be read.
    pub(crate) fn value(&self, name: &str) -> Result<String, Box<Failure>> {
        let names = [name.to_owned(), variable(name)];
        if let Some(value) = names.iter().find_map(|name| std::env::var(name).ok()) {
            return Ok(value);
        }
        let text = match std::fs::read_to_string(&self.file) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && !self.must_exist => String::new(),
            other => other.map_err(|error| {
                let reason = format!("the secrets in `{}` cannot be read: {error}", self.file.display());
                Failure::new("C0107", ErrorKind::Invalid, reason)
            })?,
        };
        if let Some(value) = names.iter().find_map(|name| look_up(&text, name)) {
            return Ok(value);
        }
        if let Some(aws) = &self.aws {
            return aws.secret(name).map_err(Box::new);
        }
        Err({
            let failure =
                Failure::new("C0107", ErrorKind::NotFound, format!("there is no value for the secret `{name}`"));
            let file = self.file.display();
            let expected = format!("the environment variable `{}`, or a line of that name in `{file}`", names[1]);
            Box::new(failure.expected(expected).help(format!("add the line `{}=…` to `{file}`", names[1])))
        })
    }
}

/// `totesys-db` as a variable: `TOTESYS_DB`.
fn variable(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect()
}

/// The value of a line `name=value`; `export` before it, quotes around it and lines with `#` are as in a shell.
fn look_up(text: &str, name: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let line = line.trim_start();
        let line = line.strip_prefix("export ").unwrap_or(line);
        let (found, value) = line.split_once('=')?;
        if found.trim() != name {
            return None;
        }
        let value = value.trim();
        let unquoted = ['"', '\''].iter().find_map(|quote| value.strip_prefix(*quote)?.strip_suffix(*quote));
        Some(unquoted.unwrap_or(value).to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_a_shell_would() {
        let text = "# comment\nA=1\n export B = \"two words\" \nA=later\nTOTESYS_DB='x=y'\n";
        assert_eq!(look_up(text, "A").as_deref(), Some("1"));
        assert_eq!(look_up(text, "B").as_deref(), Some("two words"));
        assert_eq!(look_up(text, &variable("totesys-db")).as_deref(), Some("x=y"));
        assert_eq!(look_up(text, "# comment"), None);
    }
}
