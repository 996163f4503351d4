/* compose.h - the composer's side of a request. */
#ifndef QAC_COMPOSE_H
#define QAC_COMPOSE_H

#include "mixture.h"

enum {
    COMPOSE_CANDIDATES = 96,
    COMPOSE_ASSOCIATED = 8,
    COMPOSE_STATES = 256    /* hypotheses of one request, all in all */
};

typedef struct {
    double score;             /* probability, length taken into account */
    double probability;
    uint32_t state;
} composed;

/* A word that may come next. */
typedef struct {
    uint32_t word;
    uint32_t place;           /* in the session, or COMPOSE_SESSION */
    ngram_found by_ngrams;    /* ngrams_probability; negative: not looked up */
    double association;       /* association_weight; negative: not looked up */
    const spelling *spelled;  /* of the word being typed, or NULL */
} next_word;

/* A text's first word that was not finished when the request was made. */
typedef struct {
    uint32_t word;     /* QAC_NO_ID: nothing is known */
    hypothesis behind; /* it */
    context next;
} first_word;

typedef struct qac_compose_scratch {
    characters letters;
    request r;
    context typed;            /* of the finished words */
    first_word scored;        /* of the text scored last: many texts have the same */
    double prefix_probability;/* of all queries that start with the prefix */
    next_word associated[COMPOSE_ASSOCIATED]; /* candidates where nothing is typed of the word, best first */
    uint32_t n_associated;
    bool has_associated;      /* they have been sought */
    double most_associated;   /* of words that have not been looked up */
    speller speller;
    hypothesis states[COMPOSE_STATES];
    uint32_t n_states;
    uint32_t open[COMPOSE_STATES], n_open;
    double floor;             /* scores at or below it do not matter */
    composed *best;           /* [QAC_MAX_K] */
    uint32_t n_best, k;
    next_word candidates[COMPOSE_CANDIDATES];
    uint32_t n_candidates;
    uint32_t *seat;           /* [words] round + its number among this round's candidates, or + SEEN */
    uint32_t round;           /* smaller seats are of other rounds */
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
