/* progress.c - what training tells other threads, and they tell it. */
#include "train.h"

int qac_progress_new(qac_progress **out)
{
    qac_progress *p = qac_alloc(1, sizeof *p);
    if (!p)
        return QAC_ENOMEM;
    memset(p, 0, sizeof *p);
    if (pthread_mutex_init(&p->lock, NULL)) {
        free(p);
        return QAC_ENOMEM;
    }
    *out = p;
    return QAC_OK;
}

void qac_progress_free(qac_progress *p)
{
    if (!p)
        return;
    pthread_mutex_destroy(&p->lock);
    free(p);
}

void qac_progress_read(qac_progress *p, qac_training_state *state)
{
    pthread_mutex_lock(&p->lock);
    *state = p->state;
    pthread_mutex_unlock(&p->lock);
}

void qac_progress_cancel(qac_progress *p) { atomic_store(&p->cancelled, true); }

void progress_set(qac_progress *p, qac_training_state state)
{
    pthread_mutex_lock(&p->lock);
    p->state = state;
    pthread_mutex_unlock(&p->lock);
}

void progress_add(qac_progress *p, qac_training_state more)
{
    pthread_mutex_lock(&p->lock);
    p->state.work_done += more.work_done;
    p->state.passes += more.passes;
    p->state.loss += more.loss;
    p->state.loss_start += more.loss_start;
    pthread_mutex_unlock(&p->lock);
}
