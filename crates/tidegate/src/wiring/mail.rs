//! The outbox of a pipeline, and whoever carries its mails away.

use std::sync::Arc;

use tidegate_engine::Post;
#[cfg(feature = "smtp")]
use tidegate_model::Setting;
use tidegate_stores::mail::{Courier, Directory, Outbox, SqliteOutbox};

use crate::exit::Stop;
use crate::project::Project;
#[cfg(feature = "smtp")]
use crate::secrets::Secrets;

/// Opens the outbox of a pipeline that mails, and whoever carries its mails away.
pub(super) fn open_post(project: &Project) -> Result<Option<Post>, Stop> {
    let Some(mail) = &project.pipeline.mail else { return Ok(None) };
    let courier = match &mail.url {
        None => Arc::new(Directory::new(project.state_dir().join("mail"))) as Arc<dyn Courier>,
        Some(url) => smtp(project, mail, url)?,
    };
    Ok(Some(Post { outbox: Arc::new(SqliteOutbox::open(&project.outbox_path())?), courier }))
}

#[cfg(feature = "smtp")]
pub(super) fn smtp(project: &Project, mail: &tidegate_model::Mail, url: &str) -> Result<Arc<dyn Courier>, Stop> {
    use tidegate_smtp::{Login, Server, Smtp};

    let secrets = Secrets::of(project);
    let text = |setting: &Setting| match setting {
        Setting::Plain(text) => Ok(text.clone()),
        Setting::Secret(name) => secrets.value(name),
    };
    let mut server = Server::parse(url)?;
    if let Some((user, password)) = &mail.login {
        server.login = Some(Login { user: text(user)?, password: text(password)? });
    }
    if let Some(ca) = &mail.ca {
        let path = project.dir.join(ca);
        server.ca = Some(std::fs::read(&path).map_err(|error| Stop::file("read", &path, &error))?);
    }
    Ok(Arc::new(Smtp::new(server, &mail.from)?))
}

#[cfg(not(feature = "smtp"))]
pub(super) fn smtp(_: &Project, _: &tidegate_model::Mail, _: &str) -> Result<Arc<dyn Courier>, Stop> {
    Err(Stop::wrong("this tidegate was built without SMTP").help("leave `url` out of `[mail]`: mails are then files"))
}

/// The outbox of a pipeline; `None` if it has never mailed, and none is made for it.
///
/// # Errors
/// If it cannot be opened.
pub(crate) fn open_outbox(project: &Project) -> Result<Option<Arc<dyn Outbox>>, Stop> {
    if let Some(aws) = &project.aws {
        return project.pipeline.mail.as_ref().map(|_| aws.outbox()).transpose();
    }
    let path = project.outbox_path();
    let exists = path.try_exists().map_err(|error| Stop::file("read", &path, &error))?;
    Ok(if exists { Some(Arc::new(SqliteOutbox::open(&path)?)) } else { None })
}
