/* compose.h - the composer's side of a request. */
#ifndef QAC_COMPOSE_H
#define QAC_COMPOSE_H

#include "ngrams.h"

enum {
    COMPOSE_WORDS = 8,      /* most words added to what is typed */
    COMPOSE_LOCAL = 64,     /* words of this request that are not in the vocabulary */
    COMPOSE_SESSION = 24,   /* distinct words of the last query that are looked at, among its first COMPOSE_LOCAL */
    COMPOSE_CANDIDATES = 96,
    COMPOSE_ASSOCIATED = 256,
    COMPOSE_STATES = 256    /* hypotheses of one request, all in all */
};

/* A sequence of words so far: the typed ones and those chosen. */
typedef struct {
    double probability;
    double bound;             /* no completion of it scores higher */
    uint32_t history[QAC_MAX_ORDER]; /* newest first; the start repeats */
    uint32_t length;          /* code points */
    uint32_t used;            /* bit i: word i of the last query is among its words */
    uint32_t n_words;         /* all its words */
    uint32_t n_copied;        /* of them, words of the last query */
    uint32_t next_copied;     /* place in the last query behind the last word, or COMPOSE_SESSION */
    uint32_t added[COMPOSE_WORDS];
    uint8_t n_added;
    bool ended;
} hypothesis;

typedef struct {
    const char *text;
    uint32_t len;
    double probability;       /* by its characters */
} local_word;

typedef struct {
    double score;             /* probability, length taken into account */
    double probability;
    uint32_t state;
} composed;

typedef struct {
    uint32_t word;
    double weight;
} weighted_word;

typedef struct qac_compose_scratch {
    /* the request */
    const qac_composer *c;
    const char *prefix;
    size_t prefix_len, head;  /* head: bytes of the finished words, the space behind them included */
    uint32_t lo, hi;          /* vocabulary words that start with the unfinished one */
    uint32_t session[COMPOSE_SESSION], n_session;
    weighted_word associated[COMPOSE_ASSOCIATED];
    uint32_t n_associated;
    double associated_floor;  /* weight of those that are candidates where nothing is typed of the word */
    local_word local[COMPOSE_LOCAL];
    uint32_t n_local;
    char generated[COMPOSE_LOCAL * 64];
    uint32_t n_generated;
    hypothesis typed;         /* the finished words */
    double prefix_probability;/* of all queries that start with the prefix */
    /* the search */
    hypothesis states[COMPOSE_STATES];
    uint32_t n_states;
    uint32_t open[COMPOSE_STATES], n_open;
    double floor;             /* scores at or below it do not matter */
    composed *best;           /* [QAC_MAX_K] */
    uint32_t n_best, k;
    uint32_t candidates[COMPOSE_CANDIDATES], n_candidates;
    uint32_t *stamp;          /* [words] round in which a word was last a candidate */
    uint32_t round;
} compose_scratch;

/* Work space for a composer; NULL: out of memory. */
compose_scratch *compose_scratch_new(const qac_composer *c);
void compose_scratch_free(compose_scratch *s);

/* Reads the request and finds up to k completions with a score above `floor`, best first, into s->best. */
void compose(compose_scratch *s, const qac_composer *c, const char *prefix, size_t prefix_len, const char *session,
             size_t session_len, uint32_t k, double floor);

/* Text of a composed query; returns its length, or 0 when it is too long. */
size_t compose_text(const compose_scratch *s, const composed *best, char *out, size_t size);

/* Score and probability of a given text that starts with the prefix, as those in s->best. Call after compose. */
composed compose_score(compose_scratch *s, const char *text, size_t len);

/* Are all the composer's arrays what a request relies on? */
bool compose_check(const qac_composer *c);

#endif
