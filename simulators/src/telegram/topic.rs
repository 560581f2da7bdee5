//! A topic of a forum. Its id is that of the service message by which it began.

#[derive(Clone, Debug)]
pub(crate) struct Topic {
    pub(crate) name: String,
    pub(crate) icon_color: i64,
    pub(crate) is_closed: bool,
}
