/* test_concurrency.c - many threads search a model while others open and close models; training is watched and cancelled
 * from outside. What the answers are is checked here, that there is no race by the thread sanitizer. */
#include <pthread.h>
#include <stdatomic.h>

#include "test.h"

enum { SEARCHERS = 4, OPENERS = 2, ROUNDS = 40, K = 6 };

static const char *const PREFIXES[] = {"", "a", "ab", "bcd", "x a", "abx"};
static const char *const SESSIONS[] = {"", "x", "bcde\ny x"};
enum { N_PREFIXES = 6, N_SESSIONS = 3, REQUESTS = N_PREFIXES * N_SESSIONS };

/* What each request is answered with; the same by any model of the same arrays. */
typedef struct {
    qac_answer answers[REQUESTS][K];
    uint32_t n[REQUESTS];
} outcome;

static bool ask_all(const qac_model *m, outcome *o)
{
    qac_scratch *s;
    bool done = qac_scratch_new(m, &s) == QAC_OK;
    memset(o, 0, sizeof *o); /* answers are compared as bytes */
    for (uint32_t i = 0; done && i < REQUESTS; i++)
        done = ask_for(m, s, PREFIXES[i % N_PREFIXES], SESSIONS[i / N_PREFIXES], K, 0, QAC_COMPOSE | QAC_CORRECT,
                       o->answers[i], &o->n[i]) == QAC_OK;
    if (done)
        qac_scratch_free(s);
    return done;
}

static bool is_same_outcome(const outcome *a, const outcome *b)
{
    for (uint32_t i = 0; i < REQUESTS; i++) {
        if (a->n[i] != b->n[i])
            return false;
        for (uint32_t j = 0; j < a->n[i]; j++) {
            const qac_answer *x = &a->answers[i][j], *y = &b->answers[i][j];
            if (x->label != y->label || x->score != y->score || x->begin != y->begin || x->end != y->end)
                return false;
        }
    }
    return true;
}

typedef struct {
    const qac_parts *parts;
    const qac_model *shared;
    const outcome *expected;
    bool held;
} worker;

static void *search(void *argument)
{
    worker *w = argument;
    outcome found;
    w->held = true;
    for (int round = 0; round < ROUNDS; round++)
        w->held = w->held && ask_all(w->shared, &found) && is_same_outcome(&found, w->expected);
    return NULL;
}

static void *open_and_close(void *argument)
{
    worker *w = argument;
    outcome found;
    w->held = true;
    for (int round = 0; round < ROUNDS; round++) {
        qac_model *m = NULL;
        w->held = w->held && qac_model_open(w->parts, &m) == QAC_OK && ask_all(m, &found) &&
                  is_same_outcome(&found, w->expected);
        qac_model_close(m);
    }
    return NULL;
}

static void test_searching(void)
{
    sample s = make_composing_sample();
    qac_model *m = NULL;
    static outcome expected;
    CHECK(qac_model_open(&s.parts, &m) == QAC_OK && ask_all(m, &expected));
    pthread_t thread[SEARCHERS + OPENERS];
    worker workers[SEARCHERS + OPENERS];
    for (int i = 0; i < SEARCHERS + OPENERS; i++) {
        workers[i] = (worker){&s.parts, m, &expected, false};
        CHECK(pthread_create(&thread[i], NULL, i < SEARCHERS ? search : open_and_close, &workers[i]) == 0);
    }
    for (int i = 0; i < SEARCHERS + OPENERS; i++) {
        pthread_join(thread[i], NULL);
        CHECK(workers[i].held);
    }
    qac_model_close(m);
    free_sample(&s);
}

/* ---- training ---- */

typedef struct {
    qac_progress *progress;
    uint64_t cancel_at; /* passes; 0: never */
    atomic_bool stop;
    bool held;
} watcher;

/* Reads until training is over: numbers grow, and none is beyond its bound. */
static void *watch(void *argument)
{
    watcher *w = argument;
    qac_training_state before = {0}, now;
    w->held = true;
    while (!atomic_load(&w->stop)) {
        qac_progress_read(w->progress, &now);
        w->held = w->held && now.work_done <= now.work_total && now.work_done >= before.work_done &&
                  now.passes >= before.passes;
        if (w->cancel_at && now.passes >= w->cancel_at)
            qac_progress_cancel(w->progress);
        before = now;
    }
    return NULL;
}

static int train_watched(const sample *s, const qac_examples *examples, uint64_t cancel_at)
{
    const qac_training training = {.l2 = 0.01, .tolerance = 0, .max_passes = 3000, .threads = 3};
    watcher w = {.progress = make_progress(), .cancel_at = cancel_at};
    pthread_t thread;
    qac_rankers *r = NULL;
    CHECK(pthread_create(&thread, NULL, watch, &w) == 0);
    const int status = qac_train(&s->parts.tree, examples, &training, w.progress, &r);
    atomic_store(&w.stop, true);
    pthread_join(thread, NULL);
    CHECK(w.held && (status == QAC_OK) == (r != NULL));
    qac_rankers_free(r);
    qac_progress_free(w.progress);
    return status;
}

static void test_watching(void)
{
    enum { ROWS = 40, PER_ROW = 3, FEATURES = 12, EACH = 30, LABELS = 8 };
    sample s = make_sample();
    uint64_t row_end[ROWS], label_end[LABELS];
    uint32_t feature[ROWS * PER_ROW], row[LABELS * EACH];
    float value[ROWS * PER_ROW], weight[LABELS * EACH];
    for (uint32_t i = 0; i < ROWS * PER_ROW; i++) {
        row_end[i / PER_ROW] = i + 1;
        feature[i] = i % PER_ROW * (FEATURES / PER_ROW) + random_below(FEATURES / PER_ROW);
        value[i] = 0.1f + (float)random_below(100) / 100;
    }
    for (uint32_t i = 0; i < LABELS * EACH; i++) {
        label_end[i / EACH] = i + 1;
        row[i] = random_below(ROWS);
        weight[i] = 1;
    }
    const qac_examples examples = {row_end, feature, value, ROWS, FEATURES, label_end, row, weight};
    CHECK(train_watched(&s, &examples, 0) == QAC_OK);
    for (uint64_t at = 1; at <= 8; at++) {
        const int status = train_watched(&s, &examples, at);
        CHECK(status == QAC_OK || status == QAC_ECANCELLED); /* who is first is chance */
    }
    free_sample(&s);
}

void test_concurrency(void)
{
    test_searching();
    test_watching();
}
