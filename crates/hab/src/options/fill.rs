//! Layers of options: what a higher layer leaves open is taken from the next one, one by one.

/// Takes from a lower layer what is still open.
pub(crate) trait Fill {
    /// Fills what is open.
    fn fill(&mut self, lower: Self);
}

impl<T> Fill for Option<T> {
    fn fill(&mut self, lower: Self) {
        if self.is_none() {
            *self = lower;
        }
    }
}

impl<T> Fill for Vec<T> {
    fn fill(&mut self, lower: Self) {
        if self.is_empty() {
            *self = lower;
        }
    }
}

/// A flag is set if any layer sets it.
impl Fill for bool {
    fn fill(&mut self, lower: Self) {
        *self |= lower;
    }
}

/// Implements [`Fill`] for a struct, field by field.
macro_rules! fill_fields {
    ($name:ident { $($field:ident),* $(,)? }) => {
        impl $crate::options::fill::Fill for $name {
            fn fill(&mut self, lower: Self) {
                // Names every field, so that none can be forgotten.
                let Self { $($field),* } = lower;
                $($crate::options::fill::Fill::fill(&mut self.$field, $field);)*
            }
        }
    };
}
pub(crate) use fill_fields;
