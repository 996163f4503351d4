/* compose.h - the composer's side of a request. */
#ifndef QAC_COMPOSE_H
#define QAC_COMPOSE_H

#include "mixture.h"

enum {
    COMPOSE_CANDIDATES = 96,
    COMPOSE_STATES = 256    /* hypotheses of one request, all in all */
};

typedef struct {
    double score;             /* probability, length taken into account */
    double probability;
    uint32_t state;
} composed;

typedef struct qac_compose_scratch {
    request r;
    double prefix_probability;/* of all queries that start with the prefix */
    double associated_floor;  /* weight of those that are candidates where nothing is typed of the word */
    speller speller;
    hypothesis states[COMPOSE_STATES];
    uint32_t n_states;
    uint32_t open[COMPOSE_STATES], n_open;
    double floor;             /* scores at or below it do not matter */
    composed *best;           /* [QAC_MAX_K] */
    uint32_t n_best, k;
    uint32_t candidates[COMPOSE_CANDIDATES], n_candidates;
    const spelling *spelled[COMPOSE_CANDIDATES]; /* of candidates for the word being typed, or NULL */
    uint32_t *stamp;          /* [words] round in which a word was last a candidate */
    uint32_t round;
} compose_scratch;

/* Work space for a composer; NULL: out of memory. */
compose_scratch *compose_scratch_new(const qac_composer *c);
void compose_scratch_free(compose_scratch *s);

/* Reads the request and finds up to k completions with a score above `floor`, best first, into s->best. */
void compose(compose_scratch *s, const qac_composer *c, const char *prefix, size_t prefix_len, const char *session,
             size_t session_len, uint32_t k, double floor);

/* Is what was typed what one would expect: known words, and the beginning of one that is likely behind them? */
bool compose_expected(const compose_scratch *s);

/* Text of a composed query; returns its length, or 0 when it is too long. */
size_t compose_text(const compose_scratch *s, const composed *best, char *out, size_t size);

/* Score and probability of a given text that starts with the prefix, as those in s->best. Call after compose. */
composed compose_score(compose_scratch *s, const char *text, size_t len);

/* Are all the composer's arrays what a request relies on? */
bool compose_check(const qac_composer *c);

#endif
