//! Answers to requests.

use super::any::DataStructure;
use super::base::Base;
use crate::openwire::marshal::{fields, structure};
use crate::openwire::throwable::Throwable;

structure! {
    /// It was done.
    #[derive(PartialEq, Eq)]
    pub struct Response = RESPONSE {
        /// Number and wish for an answer.
        pub base: Base => base,
        /// The request's number.
        pub correlation_id: i32 => int,
    }
}

structure! {
    /// It was refused.
    #[derive(PartialEq, Eq)]
    pub struct ExceptionResponse = EXCEPTION_RESPONSE {
        /// Number and wish for an answer.
        pub base: Base => base,
        /// The request's number.
        pub correlation_id: i32 => int,
        /// Why.
        pub exception: Option<Box<Throwable>> => throwable,
    }
}

structure! {
    /// It was done, with this result.
    #[derive(PartialEq, Eq)]
    pub struct DataResponse = DATA_RESPONSE {
        /// Number and wish for an answer.
        pub base: Base => base,
        /// The request's number.
        pub correlation_id: i32 => int,
        /// The result.
        pub data: Option<Box<DataStructure>> => boxed,
    }
}

structure! {
    /// It was done, with these results: what RECOVER wants, even if empty.
    #[derive(PartialEq, Eq)]
    pub struct DataArrayResponse = DATA_ARRAY_RESPONSE {
        /// Number and wish for an answer.
        pub base: Base => base,
        /// The request's number.
        pub correlation_id: i32 => int,
        /// The results.
        pub data: Option<Vec<DataStructure>> => array,
    }
}

structure! {
    /// It was done, with this number: what PREPARE wants.
    #[derive(PartialEq, Eq)]
    pub struct IntegerResponse = INTEGER_RESPONSE {
        /// Number and wish for an answer.
        pub base: Base => base,
        /// The request's number.
        pub correlation_id: i32 => int,
        /// The number.
        pub result: i32 => int,
    }
}
