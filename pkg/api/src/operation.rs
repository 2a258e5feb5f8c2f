/// One operation of the API: one method on one path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Operation {
    /// The `operationId` of the document, for example `fetchJob`.
    pub id: &'static str,
    /// The tag that groups it, for example `jobs`.
    pub tag: &'static str,
    /// The HTTP method, in capitals.
    pub method: &'static str,
    /// The path with its parameters in braces, for example `/api/v3/jobs/{job_id}`.
    pub path: &'static str,
    /// True if a worker has to show its credentials.
    pub worker_auth: bool,
}
