//! The errors of waits, with the numbers that they have in Linux.

use core::ffi::c_int;

macro_rules! errors {
    ($($name:ident = $number:literal;)*) => {$(
        #[doc(hidden)]
        pub const $name: c_int = $number;
    )*};
}

errors! {
    EPERM = 1;
    ENOENT = 2;
    EBADF = 9;
    EAGAIN = 11;
    EBUSY = 16;
    EINVAL = 22;
    EPIPE = 32;
    EDEADLK = 35;
    EOVERFLOW = 75;
    EOPNOTSUPP = 95;
    ESHUTDOWN = 108;
    ETIMEDOUT = 110;
    EALREADY = 114;
    EUCLEAN = 117;
    ECANCELED = 125;
    EOWNERDEAD = 130;
}
