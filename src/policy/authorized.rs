//! The proof that a policy granted a request.

/// A request that the policies granted. Only this room can make one, so a function that takes an
/// `Authorized<R>` cannot be called with a request that skipped the question.
#[derive(Clone, Copy, Debug)]
pub struct Authorized<R> {
    request: R,
    sudo: bool,
}

/// The policies do not grant the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("permission denied")]
pub struct Denied;

impl<R> Authorized<R> {
    pub(super) fn granted(request: R, sudo: bool) -> Self {
        Self { request, sudo }
    }

    /// Returns the proof for a path that needs no token (logins); such a request has no privileges.
    pub fn public(request: R) -> Self {
        Self::granted(request, false)
    }

    /// Returns true if the policies give `sudo` on the path: the source of
    /// [`crate::engine::Caller::has_sudo`].
    pub fn sudo(&self) -> bool {
        self.sudo
    }

    /// Returns the request.
    pub fn request(&self) -> &R {
        &self.request
    }

    /// Returns the request and drops the proof.
    pub fn into_request(self) -> R {
        self.request
    }
}

impl<'a, R> Authorized<&'a mut R> {
    /// Returns the proof for a function that only reads the request, for a while.
    pub fn borrowed(&self) -> Authorized<&R> {
        Authorized::granted(&*self.request, self.sudo)
    }

    /// Returns the proof for a function that only reads the request, and the request itself.
    pub fn shared(self) -> (Authorized<&'a R>, &'a R) {
        let request: &R = self.request;
        (Authorized::granted(request, self.sudo), request)
    }
}

impl Authorized<()> {
    /// Replaces the request by another with the path, the operation and the data of the question.
    pub fn carry<R>(self, request: R) -> Authorized<R> {
        Authorized::granted(request, self.sudo)
    }
}

impl From<Denied> for crate::engine::Error {
    fn from(_: Denied) -> Self {
        Self::denied()
    }
}
