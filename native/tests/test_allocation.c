/* test_allocation.c - each allocation of each call fails once: the call says so or does without, and nothing leaks. */
#include <pthread.h>

#include "test.h"

#ifdef QAC_TEST_ALLOC

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t countdown;
static bool failed;

static bool fails(void)
{
    pthread_mutex_lock(&lock);
    const bool now = countdown && --countdown == 0;
    failed |= now;
    pthread_mutex_unlock(&lock);
    return now;
}

void *qac_test_malloc(size_t size) { return fails() ? NULL : malloc(size); }

void *qac_test_realloc(void *p, size_t size) { return fails() ? NULL : realloc(p, size); }

void fail_allocation(uint64_t n)
{
    countdown = n;
    failed = false;
}

bool has_failed(void) { return failed; }

static sample small, wide;

static int open_and_close(void)
{
    qac_model *m = NULL;
    const int status = qac_model_open(&small.parts, &m);
    CHECK((status == QAC_OK) == (m != NULL));
    qac_model_close(m);
    return status;
}

static int make_scratch(void)
{
    static qac_model *m;
    if (!m) {
        fail_allocation(0);
        CHECK(qac_model_open(&small.parts, &m) == QAC_OK);
        fail_allocation(1);
    }
    qac_scratch *w = NULL;
    const int status = qac_scratch_new(m, &w);
    CHECK((status == QAC_OK) == (w != NULL));
    qac_scratch_free(w);
    if (status == QAC_OK) {
        qac_model_close(m);
        m = NULL;
    }
    return status;
}

static int vectorize(void)
{
    const uint64_t end[] = {1, 2};
    uint32_t id[8];
    float value[8];
    uint64_t row_end[2];
    return qac_vectorize_batch(&small.parts.session, &small.parts.session_vocabulary, "xy", end, 2, id, value, 8, row_end);
}

static int train(uint32_t threads, uint32_t loss)
{
    const uint64_t row_end[] = {1, 2, 3}, label_end[] = {2, 3, 4, 5, 6, 7, 8, 9};
    const uint32_t feature[] = {0, 1, 2}, row[] = {0, 1, 1, 2, 0, 0, 1, 2, 2};
    const float value[] = {1, 1, 1}, weight[] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
    const qac_examples examples = {row_end, feature, value, 3, 3, label_end, row, weight};
    const qac_training training = {.l2 = 0.1, .tolerance = 1e-4, .max_passes = 20, .threads = threads,
                                   .loss = loss, .positive_cost = 1, .negative_cost = 1,
                                   .matcher_beam = loss == QAC_LOSS_HINGE ? 2 : 0};
    qac_progress progress = {0};
    qac_rankers *r = NULL;
    const int status = qac_train(&small.parts.tree, &examples, &training, &progress, &r);
    CHECK((status == QAC_OK) == (r != NULL));
    qac_rankers_free(r);
    return status;
}

static int train_alone(void) { return train(1, QAC_LOSS_SOFTMAX); }

static int train_together(void) { return train(3, QAC_LOSS_SOFTMAX); }

static int train_hinge(void) { return train(1, QAC_LOSS_HINGE); }

static int train_hinge_together(void) { return train(3, QAC_LOSS_HINGE); }

/* The frontier grows once here, at an answer that has been asked for before and after: a failure leaves no trace. */
static int complete_from(bool correcting)
{
    static qac_model *m;
    static qac_scratch *w;
    static qac_answer answers[QAC_MAX_K];
    uint32_t n;
    if (!m) {
        fail_allocation(0);
        CHECK(qac_model_open(&wide.parts, &m) == QAC_OK && qac_scratch_new(m, &w) == QAC_OK);
        fail_allocation(1);
    }
    /* No label starts so, all start with what may be meant: "00". */
    const int status = ask_for(m, w, correcting ? "00x" : "", "", QAC_MAX_K, 0, QAC_CORRECT, answers, &n);
    CHECK(n == (status == QAC_OK ? QAC_MAX_K : 0));
    CHECK(ask(m, w, "0000001", "", 5, 0, answers, &n) == QAC_OK && n == 1 && answers[0].label == 1);
    if (status == QAC_OK) {
        qac_scratch_free(w);
        qac_model_close(m);
        m = NULL;
    }
    return status;
}

static int complete(void) { return complete_from(false); }

static int complete_corrected(void) { return complete_from(true); }

void test_allocation(void)
{
    static const struct {
        const char *name;
        int (*call)(void);
        uint64_t at_least; /* allocations */
    } calls[] = {
        {"open", open_and_close, 1},          {"scratch", make_scratch, 13},   {"vectorize", vectorize, 1},
        {"train", train_alone, 15},           {"train in threads", train_together, 15},
        {"train by hinge", train_hinge, 25},  {"by hinge in threads", train_hinge_together, 25},
        {"complete", complete, 1},            {"correct", complete_corrected, 1},
    };
    small = make_composing_sample();
    wide = make_wide_sample(3000);
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        uint64_t n = 1;
        for (;; n++) {
            fail_allocation(n);
            const int status = calls[i].call();
            const bool met = has_failed();
            fail_allocation(0);
            CHECK(status == QAC_OK || (met && status == QAC_ENOMEM));
            if (!met) {
                CHECK(status == QAC_OK);
                break;
            }
        }
        if (n <= calls[i].at_least)
            fprintf(stderr, "%s: only %llu allocations failed\n", calls[i].name, (unsigned long long)(n - 1));
        CHECK(n > calls[i].at_least);
    }
    free_sample(&small);
    free_sample(&wide);
}

#else

void fail_allocation(uint64_t n) { (void)n; }

bool has_failed(void) { return false; }

void test_allocation(void) { puts("allocation: not tested; compile with -DQAC_TEST_ALLOC"); }

#endif
