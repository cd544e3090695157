//! Why a Node or Pod was refused, with the path of the field at fault.
//!
//! A refused object leaves the index as it was. The cause is kept as source; the message names object, field and value.

use thiserror::Error;

use crate::quantity::QuantityError;

/// A Node or Pod that can not be turned into numbers.
#[derive(Debug, Error)]
#[error("{object}: {field}: {fault}")]
pub struct ObjectError {
    /// Kind and name, like `pod default/web`.
    pub object: String,
    /// The field's path, like `spec.containers[0].resources.requests[cpu]`.
    pub field: String,
    /// What is wrong with it.
    #[source]
    pub fault: ObjectFault,
}

/// What is wrong with a field.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ObjectFault {
    /// The field has to be there, and not empty.
    #[error("missing")]
    Missing,
    /// An amount of a resource can not be read.
    #[error(transparent)]
    Quantity(#[from] QuantityError),
}

impl ObjectError {
    /// A label from a closed set: `missing-field`, `bad-quantity`.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self.fault {
            ObjectFault::Missing => "missing-field",
            ObjectFault::Quantity(_) => "bad-quantity",
        }
    }
}

/// A fault and its field, before the object's name is known.
#[derive(Debug)]
pub(crate) struct FieldError {
    pub(crate) field: String,
    pub(crate) fault: ObjectFault,
}

impl FieldError {
    pub(crate) fn missing(field: &str) -> Self {
        Self { field: field.to_owned(), fault: ObjectFault::Missing }
    }

    pub(crate) fn of(self, object: String) -> ObjectError {
        ObjectError { object, field: self.field, fault: self.fault }
    }
}
