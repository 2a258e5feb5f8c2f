//! Values that must not end up in a log or on a screen.

use std::fmt;

/// What is shown instead of a password. Sent back in an update, it stands for the password that is already set.
pub const MASK: &str = "********";

/// A password. Does not show itself in debug output.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for whoever has to log in with it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What may be shown: [`MASK`], or nothing when nothing is set.
    pub fn masked(&self) -> &'static str {
        if self.0.is_empty() { "" } else { MASK }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?}", self.masked())
    }
}

/// Where the database is: a file, or a URL that may contain a password. Shows itself without the password.
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseAddress(String);

impl DatabaseAddress {
    /// Wraps a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, with the password.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The text with [`MASK`] in place of the password, if there is one.
    pub fn masked(&self) -> String {
        let Some((scheme, rest)) = self.0.split_once("://") else { return self.0.clone() };
        // Passwords may contain `/` and `?` although they should be escaped there: only the last `@` counts.
        let (user, place) = match rest.rsplit_once('@') {
            Some((user_info, place)) => {
                let user = user_info
                    .split_once(':')
                    .map_or(user_info.to_owned(), |(user, _)| format!("{user}:{MASK}"));
                (format!("{user}@"), place)
            }
            None => (String::new(), rest),
        };
        let (path, query) = place.split_once('?').map_or((place, None), |(path, query)| (path, Some(query)));
        let mask_parameter = |parameter: &str| match parameter.split_once('=') {
            Some((name, _)) if name.to_ascii_lowercase().contains("password") => format!("{name}={MASK}"),
            _ => parameter.to_owned(),
        };
        let query = query.map(|query| query.split('&').map(mask_parameter).collect::<Vec<_>>().join("&"));
        format!("{scheme}://{user}{path}{}", query.map_or(String::new(), |query| format!("?{query}")))
    }
}

impl fmt::Display for DatabaseAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.masked())
    }
}

impl fmt::Debug for DatabaseAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?}", self.masked())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_of_databases_are_masked() {
        for (text, shown) in [
            ("flamenco-manager.sqlite", "flamenco-manager.sqlite"),
            ("/srv/a:b@c.sqlite", "/srv/a:b@c.sqlite"),
            ("postgres://host/farm", "postgres://host/farm"),
            ("postgres://me@host/farm", "postgres://me@host/farm"),
            ("postgres://me:s3cret@host:5432/farm", "postgres://me:********@host:5432/farm"),
            ("postgres://me:s3:c@r/e?t@host/farm", "postgres://me:********@host/farm"),
            (
                "postgresql:///farm?host=/run&password=s3cret&sslpassword=s3cret&user=me",
                "postgresql:///farm?host=/run&password=********&sslpassword=********&user=me",
            ),
        ] {
            let address = DatabaseAddress::new(text);
            assert_eq!(address.to_string(), shown);
            assert_eq!(format!("{address:?}"), format!("{shown:?}"));
            assert_eq!(address.expose(), text);
        }
    }

    #[test]
    fn secrets_do_not_show() {
        assert_eq!(format!("{:?} {:?}", Secret::new("s3cret"), Secret::default()), "\"********\" \"\"");
    }
}
