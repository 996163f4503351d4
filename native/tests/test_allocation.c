/* test_allocation.c - each allocation of each call fails once: the call says so or does without, and nothing leaks. */
#include <pthread.h>

#include "test.h"

#ifdef QAC_TEST_ALLOC

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t countdown;
static uint32_t chance;
static bool failed;

static bool fails(void)
{
    pthread_mutex_lock(&lock);
    const bool now = (countdown && --countdown == 0) || (chance && random_below(chance) == 0);
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

/* For what a test needs beside the call that it is about. */
typedef struct {
    uint64_t countdown;
    uint32_t chance;
} failing;

static failing stop_failing(void)
{
    const failing f = {countdown, chance};
    countdown = chance = 0;
    return f;
}

static void go_on_failing(failing f)
{
    countdown = f.countdown;
    chance = f.chance;
}

void fail_allocations(uint32_t one_in)
{
    chance = one_in;
    failed = false;
}

bool has_failed(void) { return failed; }

static sample small, wide, long_labels;

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
        const failing f = stop_failing();
        CHECK(qac_model_open(&small.parts, &m) == QAC_OK);
        go_on_failing(f);
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

static int vectorize_one(void)
{
    qac_feature out[QAC_MAX_TERMS];
    uint32_t n;
    const int status = qac_vectorize(&small.parts.session, &small.parts.session_vocabulary, "x y", 3, out, &n);
    CHECK(status || n == 2);
    return status;
}

static int hash_terms(void)
{
    uint64_t hash[QAC_MAX_TERMS];
    float count[QAC_MAX_TERMS];
    uint32_t n;
    const int status = qac_terms(&small.parts.session, "x y", 3, hash, count, NULL, &n);
    CHECK(status || n == 2);
    return status;
}

static int hash_terms_of_many(void)
{
    const uint64_t end[] = {1, 4};
    uint64_t hash[8], row_end[2];
    float count[8];
    const int status = qac_terms_batch(&small.parts.session, "xx y", end, 2, hash, count, 8, row_end);
    CHECK(status || (row_end[0] == 1 && row_end[1] == 3));
    return status;
}

static int number_words(void)
{
    const uint64_t text_end[] = {3, 5};
    uint32_t word[8], n;
    uint64_t word_end[2], begin[8], end[8];
    const int status = qac_words("a bcd", text_end, 2, word, word_end, 8, begin, end, &n);
    CHECK(status || n == 3);
    return status;
}

static int count_reuse(void)
{
    const uint32_t word[] = {0, 1}, query[] = {0, 1};
    const uint64_t word_end[] = {1, 2}, example_end[] = {2};
    const double count[] = {1};
    qac_reuse out;
    return qac_count_reuse(word, word_end, 2, 2, query, example_end, count, 1, &out);
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
    qac_progress *progress = NULL;
    qac_rankers *r = NULL;
    int status = qac_progress_new(&progress);
    if (!status)
        status = qac_train(&small.parts.tree, &examples, &training, progress, &r);
    qac_progress_free(progress);
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
        const failing f = stop_failing();
        CHECK(qac_model_open(&wide.parts, &m) == QAC_OK && qac_scratch_new(m, &w) == QAC_OK);
        go_on_failing(f);
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

/* Answers of more text than the work space begins with, one request or many. */
static int complete_long(bool batch)
{
    enum { K = 250, DIGITS = 400, TEXT = 2 * K * (QAC_MAX_LABEL + QAC_MAX_COMPOSED) };
    static qac_answer answers[2 * K];
    const uint64_t end[] = {0, 0, 2, 2};
    uint32_t n[2];
    uint64_t done = 1;
    qac_model *m;
    qac_scratch *w;
    int status = qac_model_open(&long_labels.parts, &m);
    if (status)
        return status;
    status = qac_scratch_new(m, &w);
    if (!status) {
        char *text = allocate(TEXT);
        status = batch ? qac_complete_batch(m, w, "00", end, 2, K, 0, 0, answers, n, text, TEXT, &done)
                       : qac_complete(m, w, "", 0, "", 0, K, 0, 0, answers, n, text, TEXT);
        CHECK(status ? n[0] == 0 : n[0] == K && answers[K - 1].end == K * (DIGITS + 1) - 1 && done);
        stop_failing(); /* and it can be asked again */
        CHECK(qac_complete(m, w, "", 0, "", 0, K, 0, 0, answers, n, text, TEXT) == QAC_OK && n[0] == K);
        free(text);
        qac_scratch_free(w);
    }
    qac_model_close(m);
    return status;
}

static int complete_long_one(void) { return complete_long(false); }

static int complete_long_batch(void) { return complete_long(true); }

static int explain(void)
{
    static qac_feature features[2 * QAC_MAX_TERMS + 1];
    qac_step steps[8];
    qac_push pushes[8];
    uint32_t n_features, n_steps, n_pushes;
    qac_model *m;
    qac_scratch *w;
    int status = qac_model_open(&small.parts, &m);
    if (status)
        return status;
    status = qac_scratch_new(m, &w);
    if (!status) {
        status = qac_explain(m, w, "a", 1, "x", 1, QAC_COMPOSE, 1, features, &n_features, steps, 8, &n_steps, pushes, 8,
                             &n_pushes);
        qac_scratch_free(w);
    }
    qac_model_close(m);
    return status;
}

static int complete(void) { return complete_from(false); }

static int complete_corrected(void) { return complete_from(true); }

static const struct {
    const char *name;
    int (*call)(void);
    uint64_t at_least; /* allocations */
} calls[] = {
    {"open", open_and_close, 1},          {"scratch", make_scratch, 14},   {"vectorize", vectorize, 2},
    {"train", train_alone, 16},           {"train in threads", train_together, 16},
    {"train by hinge", train_hinge, 26},  {"by hinge in threads", train_hinge_together, 26},
    {"complete", complete, 1},            {"correct", complete_corrected, 1},
    {"vectorize one", vectorize_one, 1},  {"terms", hash_terms, 1},        {"terms of many", hash_terms_of_many, 1},
    {"words", number_words, 1},           {"reuse", count_reuse, 1},       {"explain", explain, 15},
    {"long answers", complete_long_one, 13}, {"long answers, many requests", complete_long_batch, 13},
};

enum { N_CALLS = sizeof calls / sizeof *calls };

/* One in so many fails by chance, several in a call, too. */
static void test_chance(void)
{
    uint32_t met = 0;
    for (uint32_t round = 0; round < 60 * N_CALLS; round++) {
        fail_allocations(2 + round % 40);
        const int status = calls[round % N_CALLS].call();
        CHECK(status == QAC_OK || (has_failed() && status == QAC_ENOMEM));
        met += status == QAC_ENOMEM;
        fail_allocations(0);
        CHECK(calls[round % N_CALLS].call() == QAC_OK);
    }
    CHECK(met > 10 * N_CALLS);
}

void test_allocation(void)
{
    small = make_composing_sample();
    wide = make_wide_sample(3000, 7);
    long_labels = make_wide_sample(150, 400);
    for (size_t i = 0; i < N_CALLS; i++) {
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
    test_chance();
    free_sample(&small);
    free_sample(&wide);
    free_sample(&long_labels);
}

#else

void fail_allocation(uint64_t n) { (void)n; }

void fail_allocations(uint32_t one_in) { (void)one_in; }

bool has_failed(void) { return false; }

void test_allocation(void) { puts("allocation: not tested; compile with -DQAC_TEST_ALLOC"); }

#endif
