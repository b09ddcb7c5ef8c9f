//! Things of a host.

use std::fmt;

use super::Value;

/// What a record says when a template asks it for a name.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Answer {
    /// It has no field and no method of that name: rendering fails there.
    Unknown,
    /// The value of the field, or what the method returned.
    Value(Value),
    /// The method failed, or was called with the wrong arguments: rendering fails with this message.
    Failed(String),
}

/// Something of the host with fields and methods: an alert, a notification, an incident.
///
/// A record stands still while a template is rendered over it: the same question has the same answer. It is
/// asked many times in one rendering, from one thread, so answers should be cheap. Records of records must end
/// somewhere; printing one that holds itself would not.
///
/// [`Structure`](super::Structure) and [`KeyValues`](super::KeyValues) are records already; a host writes its own
/// where methods are wanted.
pub trait Record: fmt::Debug + Send + Sync + 'static {
    /// The name of its type, for messages and `%T`.
    fn type_name(&self) -> &str;

    /// The field `name`, or the result of the method `name` with `arguments`. A field takes none.
    fn ask(&self, name: &str, arguments: &[Value]) -> Answer;

    /// The list or map that it is besides, for `range`, `len`, `index` and truth; `None` if it is neither.
    fn contents(&self) -> Option<&Value>;

    /// Writes it as it appears in a text. Stops with the writer's error when the text grows too long.
    ///
    /// # Errors
    ///
    /// Those of `to`.
    fn print(&self, to: &mut dyn fmt::Write) -> fmt::Result;
}
