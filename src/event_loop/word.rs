#![expect(
    unsafe_code,
    reason = "words that were references become references again"
)]
//! The word that an application passes with a callback and gets with each call.

use core::ptr::{NonNull, without_provenance_mut};

/// A value that fits into a pointer, for the `user` of a callback.
///
/// Numbers, pointers and static references are words. The loop stores the word and never
/// dereferences it; a pointer keeps its provenance. The application must free the memory that the
/// word points to: dropping the loop or removing the watcher does not free it.
///
/// ```
/// use pirn::{Config, Core, Duration, Loop, Repeat, Storage, TimerEvent, When};
///
/// struct Job {
///     name: &'static str,
/// }
///
/// static TEA: Job = Job { name: "tea" };
///
/// fn on_tea(_: &mut Core<'_, Vec<String>>, log: &mut Vec<String>, event: TimerEvent<&'static Job>)
/// {
///     log.push(event.user.name.to_owned());
/// }
///
/// fn on_cake(_: &mut Core<'_, Vec<String>>, log: &mut Vec<String>, job: *mut Job) {
///     // SAFETY: the word is what `Box::into_raw` returned below, and a task runs once.
///     let job = unsafe { Box::from_raw(job) };
///     log.push(job.name.to_owned());
/// }
///
/// let mut storage = Storage::<1, 1, 1>::new();
/// let mut event_loop = Loop::new(&mut storage, Config::default())?;
/// event_loop.timer_start(When::After(Duration::ZERO), Repeat::Never, on_tea, &TEA)?;
/// event_loop.task_post(on_cake, Box::into_raw(Box::new(Job { name: "cake" })))?;
/// let mut log = Vec::new();
/// event_loop.run(&mut log)?;
/// assert_eq!(log, ["tea", "cake"]);
/// # Ok::<(), pirn::Error>(())
/// ```
pub trait Word: Copy + 'static {
    /// Return the value as the loop stores it.
    fn into_word(self) -> *mut ();

    /// Return the value that [`into_word`](Self::into_word) was called with.
    ///
    /// # Safety
    ///
    /// `word` was returned by `into_word` of the same type.
    unsafe fn from_word(word: *mut ()) -> Self;
}

impl Word for usize {
    fn into_word(self) -> *mut () {
        without_provenance_mut(self)
    }

    unsafe fn from_word(word: *mut ()) -> usize {
        word.addr()
    }
}

impl<T: 'static> Word for *mut T {
    fn into_word(self) -> *mut () {
        self.cast()
    }

    unsafe fn from_word(word: *mut ()) -> *mut T {
        word.cast()
    }
}

impl<T: 'static> Word for NonNull<T> {
    fn into_word(self) -> *mut () {
        self.as_ptr().cast()
    }

    unsafe fn from_word(word: *mut ()) -> NonNull<T> {
        // SAFETY: `into_word` made the word of a pointer that is not null.
        unsafe { NonNull::new_unchecked(word.cast()) }
    }
}

impl<T: 'static> Word for &'static T {
    fn into_word(self) -> *mut () {
        (&raw const *self).cast_mut().cast()
    }

    unsafe fn from_word(word: *mut ()) -> &'static T {
        // SAFETY: `into_word` made the word of a static shared reference to a `T`, of which this is
        // a copy.
        unsafe { &*word.cast::<T>() }
    }
}
