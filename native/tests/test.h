/* test.h - what the native tests share: checks, random numbers, a small model, failing allocations. */
#ifndef QAC_TEST_H
#define QAC_TEST_H

#include <stdio.h>

#include "core.h"

/* Counts a check; says where one failed and goes on. */
#define CHECK(fact) check((fact), #fact, __FILE__, __LINE__)
void check(bool fact, const char *text, const char *file, int line);

/* The same numbers every time. */
uint64_t random_bits(void);
uint32_t random_below(uint32_t n);

/* malloc that ends the tests when it fails; the size is exact, so that the address sanitizer sees the end. */
void *allocate(size_t size);

/* The n-th allocation of the core from now on fails (1: the next); 0: none. Needs -DQAC_TEST_ALLOC. */
void fail_allocation(uint64_t n);
/* One in n fails by chance; 0: none. */
void fail_allocations(uint32_t one_in);
/* Whether an allocation failed since. */
bool has_failed(void);

/* Strings one after another, as the core takes them. */
typedef struct {
    char *text;
    uint64_t *end;
    uint64_t n;
} string_list;
string_list make_strings(const char *const *strings, uint64_t n);
void free_strings(string_list *list);

/* A model whose arrays each have an allocation of their own, to be damaged at will.
 *
 * Labels: a ab abc abd abfgh abfgi bcde bcdf, counted 1 2 4 8 16 32 64 128; in a session they weigh the same.
 * Tree: the root shares them by first letter among nodes 1 and 2; node 1 has the clusters 3 (a abc abfgh) and
 * 4 (ab abd abfgi); node 2 is a leaf.
 * Features: the words "x" and "y". x pushes node 1 by +1 at the root, and bcde by -1, bcdf by +0.5 at node 2; y pushes
 * node 4 by +2 at node 1. */
typedef struct {
    qac_parts parts;
    struct {
        const char *name;
        void *data;
        size_t size;
    } array[48];
    int n_arrays;
    uint32_t x, y; /* feature ids */
} sample;
sample make_sample(void);
void free_sample(sample *s);

/* A copy of `size` bytes in an allocation of its own, noted in the sample. */
void *keep(sample *s, const char *name, const void *data, size_t size);
#define KEEP(s, array) keep(s, #array, array, sizeof array)

/* An n-gram model as one writes it down. */
typedef struct {
    uint32_t n, symbols[3]; /* of the context, oldest first */
    float backoff;
    uint32_t n_next, next[3];
    float weight[3];
} sample_context;

typedef struct {
    uint32_t order, words;
    float unigram[8];
    double unknown; /* what the unigrams leave */
    uint32_t n_contexts;
    sample_context context[9];
} sample_ngrams;

/* The same model with a composer of the words a ab bcde x xy, its numbers as in sample_composer.c. */
sample make_composing_sample(void);
extern const char *const SAMPLE_WORDS[];
extern const sample_ngrams WORD_NGRAMS, CHARACTER_NGRAMS;
extern const uint32_t SAMPLE_ALPHABET[];
double sample_association(uint32_t from, uint32_t to);
/* P(symbol | the first n symbols of a sequence), by what is written down. */
enum { SAMPLE_MOST_SYMBOLS = 200 };
double sample_probability(const sample_ngrams *g, const uint32_t *before, uint32_t n, uint32_t symbol);

/* A model of `nodes` leaves with two labels each under one root, without features. Labels are numbers of so many digits,
 * at least 7. */
sample make_wide_sample(uint32_t nodes, uint32_t digits);

/* Progress of a training; to be freed. */
qac_progress *make_progress(void);

/* Completes; returns the status. Text is thrown away but written. options: QAC_COMPOSE, QAC_CORRECT. */
int ask_for(const qac_model *m, qac_scratch *s, const char *prefix, const char *session, uint32_t k, uint32_t beam,
            uint32_t options, qac_answer *answers, uint32_t *n);
/* The same with QAC_COMPOSE. */
int ask(const qac_model *m, qac_scratch *s, const char *prefix, const char *session, uint32_t k, uint32_t beam,
        qac_answer *answers, uint32_t *n);

void test_text(void);
void test_labels(void);
void test_features(void);
void test_vocabulary(void);
void test_rows(void);
void test_counting(void);
void test_training(void);
void test_search(void);
void test_ngrams(void);
void test_spelling(void);
void test_compose(void);
void test_correct(void);
void test_concurrency(void);
void test_damage(void);
void test_allocation(void);

#endif
