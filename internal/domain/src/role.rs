//! What people may do: three roles, of which each may also do what those before it may.

use crate::status::status_enum;

status_enum! {
    /// What somebody may do. The order counts: a later role may do everything that an earlier one may.
    Role, "role" {
        /// Nothing.
        None = "none",
        /// Read everything but settings and the audit trail.
        Viewer = "viewer",
        /// Submit jobs, and direct jobs and tasks.
        Artist = "artist",
        /// Everything.
        Admin = "admin",
    }
}
