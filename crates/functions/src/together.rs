//! What several runs want at the same moment is done once for all of them (hop 6): a table costs the same whether it is read
//! for one run or for many, and takes many rows for the price of one.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// Questions of runs that wait, and the turn to answer them.
#[derive(Debug)]
pub(crate) struct Together<Q, A> {
    waiting: Mutex<Vec<(Q, oneshot::Sender<A>)>>,
    turn: tokio::sync::Mutex<()>,
}

impl<Q, A> Default for Together<Q, A> {
    fn default() -> Self {
        Self { waiting: Mutex::default(), turn: tokio::sync::Mutex::default() }
    }
}

impl<Q, A> Together<Q, A> {
    /// Waits for its turn; then `answer` is given this question and all that have come meanwhile, and gives as many answers,
    /// in their order. An answer is never older than its question. `None`: whoever was about to answer was stopped.
    pub(crate) async fn ask(&self, question: Q, answer: impl AsyncFnOnce(Vec<Q>) -> Vec<A>) -> Option<A> {
        let (sender, mut mine) = oneshot::channel();
        self.waiting().push((question, sender));
        let _turn = self.turn.lock().await;
        match mine.try_recv() {
            Ok(answered) => return Some(answered),
            Err(oneshot::error::TryRecvError::Closed) => return None,
            Err(oneshot::error::TryRecvError::Empty) => {}
        }
        let (questions, askers): (Vec<Q>, Vec<_>) = std::mem::take(&mut *self.waiting()).into_iter().unzip();
        for (asker, answered) in askers.into_iter().zip(answer(questions).await) {
            // Whoever asked may have been stopped.
            let _ = asker.send(answered);
        }
        mine.try_recv().ok()
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<(Q, oneshot::Sender<A>)>> {
        // Nothing panics while it is held.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures::future::join_all;
    use tokio::sync::Notify;

    use super::*;

    #[tokio::test]
    async fn those_who_ask_while_another_is_answered_are_answered_together() {
        let (together, calls, go) = (Together::default(), AtomicUsize::new(0), Notify::new());
        let ask = |number: usize| {
            together.ask(number, async |numbers: Vec<usize>| {
                if calls.fetch_add(1, Ordering::SeqCst) == 0 {
                    go.notified().await;
                }
                numbers.into_iter().map(|number| number * 10).collect()
            })
        };
        let release = async {
            tokio::task::yield_now().await;
            go.notify_one();
        };
        let first = ask(0);
        let (first, others, ()) = tokio::join!(first, join_all((1..9).map(ask)), release);
        assert_eq!(first, Some(0));
        assert_eq!(others, (1..9).map(|number| Some(number * 10)).collect::<Vec<_>>());
        assert_eq!(calls.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn who_is_stopped_while_answering_leaves_the_others_without_an_answer_and_the_turn_free() {
        let together = Arc::new(Together::<u8, u8>::default());
        let stopped = tokio::spawn({
            let together = Arc::clone(&together);
            async move { together.ask(1, async |_| std::future::pending().await).await }
        });
        tokio::task::yield_now().await;
        let other = tokio::spawn({
            let together = Arc::clone(&together);
            async move { together.ask(2, async |asked| asked).await }
        });
        tokio::task::yield_now().await;
        stopped.abort();
        // It came later than the questions that were taken, and so answers itself.
        assert_eq!(other.await.unwrap(), Some(2));
        assert_eq!(together.ask(3, async |asked| asked).await, Some(3));
    }
}
